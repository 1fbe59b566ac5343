//! What is done to a running container: Kill, Pause, Resume, Update, CloseIO.

use containerd_shim_protos::api::{
    CloseIORequest, Empty, KillRequest, PauseRequest, ResumeRequest, UpdateTaskRequest,
};
use containerd_shim_protos::events::task::{TaskPaused, TaskResumed};
use containerd_shim_protos::topics::{TASK_PAUSED_EVENT_TOPIC, TASK_RESUMED_EVENT_TOPIC};
use oci_spec::runtime::LinuxResources;

use super::{Phase, Service, empty};
use crate::fault::{Answer, Fault, chain};

impl Service {
    /// Sends a signal. NOT_FOUND says that the process has ended already.
    pub(super) fn kill(&mut self, request: &KillRequest) -> Answer<Empty> {
        let process = self.process(&request.id, &request.exec_id)?;
        if process.exit().is_some() {
            return Err(Fault::not_found("process already finished"));
        }
        if process.pid == 0 {
            return Err(Fault::state(format!("process {:?} is not started", request.exec_id)));
        }
        let pids = if request.all && request.exec_id.is_empty() {
            self.container(&request.id)?.cgroup.pids()
        } else if !request.exec_id.is_empty() && request.signal == libc::SIGKILL as u32 {
            // An added process leads a group of its own: what it has started goes with it, where the
            // end of a container's first process would take everything.
            vec![leads_group(process.pid).unwrap_or(process.pid)]
        } else {
            vec![process.pid]
        };
        for pid in pids {
            signal(pid, request.signal)?;
        }
        // A frozen process doesn't even die on cgroup v1.
        let container = self.container(&request.id)?;
        if request.signal == libc::SIGKILL as u32 && container.init.phase == Phase::Paused {
            container.handle.resume().map_err(|error| Fault::failed(chain(&error)))?;
            container.init.phase = Phase::Running;
        }
        Ok(empty())
    }

    pub(super) fn pause(&mut self, request: &PauseRequest) -> Answer<Empty> {
        let container = self.container(&request.id)?;
        if container.init.phase != Phase::Running {
            return Err(Fault::state(format!("container {:?} is not running", request.id)));
        }
        container.handle.pause().map_err(|error| Fault::failed(chain(&error)))?;
        container.init.phase = Phase::Paused;
        let mut event = TaskPaused::new();
        event.container_id = request.id.clone();
        self.publisher.publish(TASK_PAUSED_EVENT_TOPIC, "containerd.events.TaskPaused", &event);
        Ok(empty())
    }

    pub(super) fn resume(&mut self, request: &ResumeRequest) -> Answer<Empty> {
        let container = self.container(&request.id)?;
        if container.init.phase != Phase::Paused {
            return Err(Fault::state(format!("container {:?} is not paused", request.id)));
        }
        container.handle.resume().map_err(|error| Fault::failed(chain(&error)))?;
        container.init.phase = Phase::Running;
        let mut event = TaskResumed::new();
        event.container_id = request.id.clone();
        self.publisher.publish(TASK_RESUMED_EVENT_TOPIC, "containerd.events.TaskResumed", &event);
        Ok(empty())
    }

    /// New limits, as the JSON of the OCI specification's `linux.resources`.
    pub(super) fn update(&mut self, request: &UpdateTaskRequest) -> Answer<Empty> {
        let container = self.container(&request.id)?;
        let json = request.resources.as_ref().map(|any| any.value.as_slice()).unwrap_or_default();
        let resources: LinuxResources = serde_json::from_slice(json)
            .map_err(|error| Fault::invalid(format!("the resources can't be decoded: {error}")))?;
        container.handle.update(&resources).map_err(|error| Fault::failed(chain(&error)))?;
        Ok(empty())
    }

    pub(super) fn close_io(&mut self, request: &CloseIORequest) -> Answer<Empty> {
        let process = self.process(&request.id, &request.exec_id)?;
        if request.stdin {
            process.held.close_stdin();
        }
        Ok(empty())
    }
}

/// The process's group, as kill(2) names one, if it leads one. Not reaped, its pid is nobody else's.
fn leads_group(pid: i32) -> Option<i32> {
    // SAFETY: a plain call without pointers.
    (unsafe { libc::getpgid(pid) } == pid).then_some(-pid)
}

/// libc, because a caller may mean any number, real-time signals among them.
fn signal(pid: i32, number: u32) -> Answer<()> {
    // SAFETY: no memory is involved. The pid is our child's and not reaped, or was in its cgroup a moment ago.
    if unsafe { libc::kill(pid, number as i32) } == 0 {
        return Ok(());
    }
    match std::io::Error::last_os_error() {
        // It ended just now; its exit will be reaped.
        error if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        error => Err(Fault::failed(format!("signal {number} to process {pid}: {error}"))),
    }
}
