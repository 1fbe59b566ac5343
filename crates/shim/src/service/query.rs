//! What can be asked: State, Pids, Stats, Connect.

use containerd_shim_protos::api::{
    ConnectRequest, ConnectResponse, PidsRequest, PidsResponse, ProcessInfo, StateRequest, StateResponse,
    StatsRequest, StatsResponse, Status,
};
use containerd_shim_protos::protobuf::MessageField;

use super::{Phase, Service, timestamp};
use crate::fault::Answer;
use crate::stats;

impl Service {
    pub(super) fn state(&mut self, request: &StateRequest) -> Answer<StateResponse> {
        let bundle = self.container(&request.id)?.bundle.to_string_lossy().into_owned();
        let process = self.process(&request.id, &request.exec_id)?;
        let mut response = StateResponse::new();
        response.id = request.id.clone();
        response.exec_id = request.exec_id.clone();
        response.bundle = bundle;
        response.pid = process.pid as u32;
        response.stdin = process.paths.stdin.clone();
        response.stdout = process.paths.stdout.clone();
        response.stderr = process.paths.stderr.clone();
        let status = match process.phase {
            Phase::Created => Status::CREATED,
            Phase::Running => Status::RUNNING,
            Phase::Paused => Status::PAUSED,
            Phase::Stopped(exit) => {
                response.exit_status = exit.exit_code;
                response.exited_at = MessageField::some(timestamp(exit));
                Status::STOPPED
            }
        };
        response.status = status.into();
        Ok(response)
    }

    pub(super) fn pids(&mut self, request: &PidsRequest) -> Answer<PidsResponse> {
        let pids = self.container(&request.id)?.cgroup.pids();
        let info = |pid: i32| {
            let mut info = ProcessInfo::new();
            info.pid = pid as u32;
            info
        };
        let mut response = PidsResponse::new();
        response.processes = pids.into_iter().map(info).collect();
        Ok(response)
    }

    pub(super) fn stats(&mut self, request: &StatsRequest) -> Answer<StatsResponse> {
        let mut response = StatsResponse::new();
        response.stats = MessageField::some(stats::collect(&self.container(&request.id)?.cgroup));
        Ok(response)
    }

    pub(super) fn connect(&mut self, request: &ConnectRequest) -> Answer<ConnectResponse> {
        let mut response = ConnectResponse::new();
        response.shim_pid = std::process::id();
        // containerd also connects to a shim that has no task yet.
        response.task_pid = self.containers.get(&request.id).map_or(0, |container| container.init.pid as u32);
        response.version = env!("CARGO_PKG_VERSION").to_owned();
        Ok(response)
    }
}
