//! Start: the user's program runs, or the answer says why it doesn't.

use containerd_shim_protos::api::{StartRequest, StartResponse};
use containerd_shim_protos::events::task::{TaskExecStarted, TaskStart};
use containerd_shim_protos::topics::{TASK_EXEC_STARTED_EVENT_TOPIC, TASK_START_EVENT_TOPIC};

use super::{Phase, Service};
use crate::fault::{Answer, Fault, chain};
use crate::stdio;

impl Service {
    pub(super) fn start(&mut self, request: &StartRequest) -> Answer<StartResponse> {
        let mut response = StartResponse::new();
        response.pid = if request.exec_id.is_empty() {
            self.start_init(&request.id)?
        } else {
            self.start_exec(&request.id, &request.exec_id)?
        };
        Ok(response)
    }

    fn start_init(&mut self, id: &str) -> Answer<u32> {
        let container = self.container(id)?;
        match container.init.phase {
            Phase::Created => {}
            Phase::Stopped(exit) if container.handle.waits() => {
                return Err(Fault::state(format!(
                    "the container's first process died before it was started (exit code {})",
                    exit.exit_code
                )));
            }
            _ => return Err(Fault::state(format!("container {id:?} was started before"))),
        }
        container.handle.start().map_err(|error| Fault::failed(chain(&error)))?;
        container.init.phase = Phase::Running;
        let pid = container.init.pid as u32;
        for why in container.handle.after_start() {
            self.log.error(&format!("container {id}: {why}"));
        }
        let mut event = TaskStart::new();
        event.container_id = id.to_owned();
        event.pid = pid;
        self.publisher.publish(TASK_START_EVENT_TOPIC, "containerd.events.TaskStart", &event);
        Ok(pid)
    }

    fn start_exec(&mut self, id: &str, exec_id: &str) -> Answer<u32> {
        self.untidy = true;
        let container = self.container(id)?;
        if container.init.phase != Phase::Running {
            return Err(Fault::state(format!("container {id:?} is not running")));
        }
        let exec = container
            .execs
            .get_mut(exec_id)
            .ok_or_else(|| Fault::not_found(format!("process {exec_id:?} of container {id:?} not found")))?;
        if exec.process.phase != Phase::Created || exec.process.pid != 0 {
            return Err(Fault::state(format!("process {exec_id:?} was started before")));
        }
        let (held, given) = stdio::open(&exec.process.paths, container.owner)
            .map_err(|error| Fault::failed(chain(&error)))?;
        let pid = container.handle.exec(&exec.spec, given).map_err(|error| Fault::failed(chain(&error)))?;
        exec.process.held = held;
        exec.process.pid = pid;
        exec.process.phase = Phase::Running;
        let mut event = TaskExecStarted::new();
        event.container_id = id.to_owned();
        event.exec_id = exec_id.to_owned();
        event.pid = pid as u32;
        self.publisher.publish(TASK_EXEC_STARTED_EVENT_TOPIC, "containerd.events.TaskExecStarted", &event);
        Ok(pid as u32)
    }
}
