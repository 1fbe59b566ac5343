//! Exec: one more process for a container, made known here and run by Start.

use containerd_shim_protos::api::{Empty, ExecProcessRequest};
use containerd_shim_protos::events::task::TaskExecAdded;
use containerd_shim_protos::topics::TASK_EXEC_ADDED_EVENT_TOPIC;

use super::{Exec, Phase, Process, Service, empty};
use crate::fault::{Answer, Fault};
use crate::{cli, stdio};

impl Service {
    pub(super) fn exec(&mut self, request: ExecProcessRequest) -> Answer<Empty> {
        if let Some(why) = cli::id_fault(&request.exec_id) {
            return Err(Fault::invalid(format!("exec id {:?} {why}", request.exec_id)));
        }
        if request.terminal {
            return Err(Fault::unimplemented("terminal: this shim gives no terminals"));
        }
        let spec = request.spec.into_option().map(|any| any.value).unwrap_or_default();
        if spec.is_empty() {
            return Err(Fault::invalid("the process's specification is missing"));
        }
        let container = self.container(&request.id)?;
        if container.init.exit().is_some() {
            return Err(Fault::state(format!("container {:?} has stopped", request.id)));
        }
        if container.execs.contains_key(&request.exec_id) {
            return Err(Fault::exists(format!("process {:?} already exists", request.exec_id)));
        }
        let process = Process {
            pid: 0,
            phase: Phase::Created,
            paths: stdio::Paths { stdin: request.stdin, stdout: request.stdout, stderr: request.stderr },
            held: stdio::Held::default(),
            waiters: Vec::new(),
        };
        container.execs.insert(request.exec_id.clone(), Exec { process, spec });
        let mut event = TaskExecAdded::new();
        event.container_id = request.id;
        event.exec_id = request.exec_id;
        self.publisher.publish(TASK_EXEC_ADDED_EVENT_TOPIC, "containerd.events.TaskExecAdded", &event);
        Ok(empty())
    }
}
