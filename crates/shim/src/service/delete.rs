//! Delete and Shutdown: nothing is left of a container, then of the shim.

use containerd_shim_protos::api::{DeleteRequest, DeleteResponse, Empty, ShutdownRequest};
use containerd_shim_protos::events::task::TaskDelete;
use containerd_shim_protos::protobuf::MessageField;
use containerd_shim_protos::topics::TASK_DELETE_EVENT_TOPIC;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use super::create::unmount;
use super::{Phase, Service, empty, timestamp};
use crate::exit_record::Exit;
use crate::fault::{Answer, Fault, chain};

impl Service {
    pub(super) fn delete(&mut self, request: &DeleteRequest) -> Answer<DeleteResponse> {
        if request.exec_id.is_empty() {
            self.delete_container(&request.id)
        } else {
            self.delete_exec(request)
        }
    }

    fn delete_container(&mut self, id: &str) -> Answer<DeleteResponse> {
        self.untidy = true;
        let container = self.container(id)?;
        let (pid, phase) = (container.init.pid, container.init.phase);
        match phase {
            Phase::Stopped(_) => {}
            // It never ran the user's program: taking it away is part of Delete.
            Phase::Created => {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
                let _ = waitpid(Pid::from_raw(pid), None);
                self.ended(pid, Exit::now(128 + Signal::SIGKILL as u32));
            }
            Phase::Running | Phase::Paused => {
                return Err(Fault::state(format!("container {id:?} is running and can't be deleted")));
            }
        }
        let container = self.container(id)?;
        // Also those that a program put into a group of their own and left behind.
        container.handle.kill_all();
        container.handle.delete().map_err(|error| Fault::failed(chain(&error)))?;
        unmount(&container.rootfs, container.mounts);
        let failed = container.handle.after_end();
        let exit = container.init.exit().unwrap_or_else(|| Exit::now(0));
        self.containers.remove(id);
        failed.iter().for_each(|why| self.log.error(&format!("container {id}: {why}")));
        let mut event = TaskDelete::new();
        event.container_id = id.to_owned();
        event.id = id.to_owned();
        event.pid = pid as u32;
        event.exit_status = exit.exit_code;
        event.exited_at = MessageField::some(timestamp(exit));
        self.publisher.publish(TASK_DELETE_EVENT_TOPIC, "containerd.events.TaskDelete", &event);
        Ok(response(pid, exit))
    }

    fn delete_exec(&mut self, request: &DeleteRequest) -> Answer<DeleteResponse> {
        let process = self.process(&request.id, &request.exec_id)?;
        let (pid, exit) = match process.phase {
            Phase::Stopped(exit) => (process.pid, exit),
            Phase::Created => (0, Exit::now(0)),
            Phase::Running | Phase::Paused => {
                return Err(Fault::state(format!(
                    "process {:?} is running and can't be deleted",
                    request.exec_id
                )));
            }
        };
        self.container(&request.id)?.execs.remove(&request.exec_id);
        Ok(response(pid, exit))
    }

    /// Leaves when nothing is left; otherwise nothing happens, as other containers of the group go on.
    pub(super) fn shutdown(&mut self, _: &ShutdownRequest) -> Answer<Empty> {
        self.finished = self.containers.is_empty();
        Ok(empty())
    }
}

fn response(pid: i32, exit: Exit) -> DeleteResponse {
    let mut response = DeleteResponse::new();
    response.pid = pid as u32;
    response.exit_status = exit.exit_code;
    response.exited_at = MessageField::some(timestamp(exit));
    response
}
