//! The end of processes: reaped, recorded on disk, announced, and only then answered to those who wait.

use std::time::Duration;

use containerd_shim_protos::api::{WaitRequest, WaitResponse};
use containerd_shim_protos::events::task::{TaskExit, TaskOOM};
use containerd_shim_protos::protobuf::MessageField;
use containerd_shim_protos::topics::{TASK_EXIT_EVENT_TOPIC, TASK_OOM_EVENT_TOPIC};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

use super::{Caller, Phase, Process, Service, decode, encode, timestamp};
use crate::exit_record::{self, Exit};
use crate::fault::Answer;

/// Longest wait for stray processes of a container without a pid namespace.
const STRAY_PATIENCE: Duration = Duration::from_secs(2);

impl Service {
    /// Wait: `None` while the process runs; the caller is answered later.
    pub(super) fn wait(&mut self, caller: Caller, payload: &[u8]) -> Answer<Option<Vec<u8>>> {
        let request: WaitRequest = decode(payload)?;
        let process = self.process(&request.id, &request.exec_id)?;
        match process.exit() {
            Some(exit) => encode(&response(exit)).map(Some),
            None => {
                process.waiters.push(caller);
                Ok(None)
            }
        }
    }

    /// Takes every child that has ended. Orphans that came to us as their subreaper are taken and forgotten.
    pub fn reap(&mut self) {
        let mut ended = Vec::new();
        while let Some((pid, code)) = next_dead() {
            ended.push((pid, code));
        }
        // A container's own end comes after those of the processes that it took with it.
        ended.sort_by_key(|(pid, _)| self.containers.values().any(|container| container.init.pid == *pid));
        for (pid, code) in ended {
            self.ended(pid, Exit::now(code));
        }
    }

    /// Records that `pid` has ended and answers those who waited for it.
    pub(super) fn ended(&mut self, pid: i32, mut exit: Exit) {
        let init = self.containers.iter_mut().find(|(_, container)| container.init.pid == pid);
        if let Some((id, container)) = init {
            let id = id.clone();
            exit.oom_killed = container.cgroup.oom_kills() > 0;
            if !container.own_pids {
                container.cgroup.kill_all(STRAY_PATIENCE);
            }
            if let Err(error) = exit_record::write(&container.bundle, &exit) {
                self.log.error(&format!("container {id}: exit record: {error}"));
            }
            let waiters = end(&mut container.init, exit);
            if exit.oom_killed {
                let mut event = TaskOOM::new();
                event.container_id = id.clone();
                self.publisher.publish(TASK_OOM_EVENT_TOPIC, "containerd.events.TaskOOM", &event);
            }
            self.announce_exit(&id, &id, pid, exit);
            self.answer(waiters, exit);
            return;
        }
        for (id, container) in &mut self.containers {
            let exec = container.execs.iter_mut().find(|(_, exec)| exec.process.pid == pid);
            if let Some((exec_id, exec)) = exec {
                let (id, exec_id) = (id.clone(), exec_id.clone());
                let waiters = end(&mut exec.process, exit);
                self.announce_exit(&id, &exec_id, pid, exit);
                self.answer(waiters, exit);
                return;
            }
        }
    }

    fn answer(&mut self, waiters: Vec<Caller>, exit: Exit) {
        let payload = encode(&response(exit)).unwrap_or_default();
        self.late.extend(waiters.into_iter().map(|caller| (caller, payload.clone())));
    }

    fn announce_exit(&mut self, container_id: &str, id: &str, pid: i32, exit: Exit) {
        let mut event = TaskExit::new();
        event.container_id = container_id.to_owned();
        event.id = id.to_owned();
        event.pid = pid as u32;
        event.exit_status = exit.exit_code;
        event.exited_at = MessageField::some(timestamp(exit));
        self.publisher.publish(TASK_EXIT_EVENT_TOPIC, "containerd.events.TaskExit", &event);
    }
}

fn end(process: &mut Process, exit: Exit) -> Vec<Caller> {
    process.phase = Phase::Stopped(exit);
    process.held.close_writers();
    std::mem::take(&mut process.waiters)
}

fn response(exit: Exit) -> WaitResponse {
    let mut response = WaitResponse::new();
    response.exit_status = exit.exit_code;
    response.exited_at = MessageField::some(timestamp(exit));
    response
}

/// One child that has ended, if there is one.
fn next_dead() -> Option<(i32, u32)> {
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG | WaitPidFlag::__WALL)) {
            Ok(WaitStatus::Exited(pid, code)) => return Some((pid.as_raw(), code as u32)),
            Ok(WaitStatus::Signaled(pid, signal, _)) => return Some((pid.as_raw(), 128 + signal as u32)),
            Ok(WaitStatus::StillAlive) => return None,
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(_) => return None,
        }
    }
}
