//! The task service: containerd's shim v2 methods over the containers of one group.
//!
//! [`Service::call`] decodes, acts and answers at once, except for Wait on something that still runs: its caller is
//! kept with the process and answered, through [`Service::late`], when the process has been reaped.

mod control;
mod create;
mod delete;
mod exec;
mod exit;
mod query;
mod start;

use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use containerd_shim_protos::api;
use containerd_shim_protos::protobuf::Message;
use containerd_shim_protos::protobuf::well_known_types::timestamp::Timestamp;

use crate::cgroup::Cgroup;
use crate::container::Handle;
use crate::events::Publisher;
use crate::exit_record::Exit;
use crate::fault::{Answer, Fault};
use crate::log::Log;
use crate::stdio;

/// Names of the service: the same messages since containerd 1.x and since 2.0.
const NAMES: [&str; 2] = ["containerd.task.v2.Task", "containerd.task.v3.Task"];

/// Who asked: a connection and a stream on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    pub connection: u64,
    pub stream: u32,
}

/// An answer to somebody who was kept waiting.
pub type Late = (Caller, Vec<u8>);

/// The containers of one group.
#[derive(Debug)]
pub struct Service {
    containers: BTreeMap<String, Container>,
    state_root: PathBuf,
    pub publisher: Publisher,
    pub log: Log,
    /// Answers that are due now.
    pub late: Vec<Late>,
    /// Shutdown was asked for and nothing is left: leave when the answer is out.
    pub finished: bool,
    /// Memory was used that can be given back when things are quiet.
    pub untidy: bool,
}

#[derive(Debug)]
struct Container {
    bundle: PathBuf,
    rootfs: PathBuf,
    /// How many mounts Create made on `rootfs`.
    mounts: usize,
    handle: Handle,
    cgroup: Cgroup,
    /// The kernel kills all other processes when the first one ends.
    own_pids: bool,
    /// Who the container's processes are on the host.
    owner: Option<(u32, u32)>,
    init: Process,
    execs: BTreeMap<String, Exec>,
}

#[derive(Debug)]
struct Exec {
    process: Process,
    /// The JSON of its OCI `process`.
    spec: Vec<u8>,
}

#[derive(Debug)]
struct Process {
    /// 0 before it is started.
    pid: i32,
    phase: Phase,
    paths: stdio::Paths,
    held: stdio::Held,
    waiters: Vec<Caller>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Made, but the user's program doesn't run yet.
    Created,
    Running,
    Paused,
    Stopped(Exit),
}

impl Process {
    fn exit(&self) -> Option<Exit> {
        match self.phase {
            Phase::Stopped(exit) => Some(exit),
            _ => None,
        }
    }
}

impl Service {
    /// A service without containers, whose runtime state goes below `state_root`.
    pub fn new(state_root: PathBuf, publisher: Publisher, log: Log) -> Self {
        Self {
            containers: BTreeMap::new(),
            state_root,
            publisher,
            log,
            late: Vec::new(),
            finished: false,
            untidy: false,
        }
    }

    /// Whether there are no containers.
    pub fn is_empty(&self) -> bool {
        self.containers.is_empty()
    }

    /// Carries out one call. `None`: the answer will be in [`Service::late`].
    pub fn call(
        &mut self,
        caller: Caller,
        service: &str,
        method: &str,
        payload: &[u8],
    ) -> Option<Answer<Vec<u8>>> {
        if !NAMES.contains(&service) {
            return Some(Err(Fault::unimplemented(format!("service {service:?} is not served here"))));
        }
        if method == "Wait" {
            return self.wait(caller, payload).transpose();
        }
        let answer = match method {
            "State" => answer(payload, |request| self.state(&request)),
            "Create" => answer(payload, |request| self.create(&request)),
            "Start" => answer(payload, |request| self.start(&request)),
            "Delete" => answer(payload, |request| self.delete(&request)),
            "Pids" => answer(payload, |request| self.pids(&request)),
            "Pause" => answer(payload, |request| self.pause(&request)),
            "Resume" => answer(payload, |request| self.resume(&request)),
            "Kill" => answer(payload, |request| self.kill(&request)),
            "Exec" => answer(payload, |request| self.exec(request)),
            "CloseIO" => answer(payload, |request| self.close_io(&request)),
            "Update" => answer(payload, |request| self.update(&request)),
            "Stats" => answer(payload, |request| self.stats(&request)),
            "Connect" => answer(payload, |request| self.connect(&request)),
            "Shutdown" => answer(payload, |request| self.shutdown(&request)),
            "ResizePty" => Err(Fault::unimplemented("ResizePty: this shim gives no terminals")),
            "Checkpoint" => Err(Fault::unimplemented("Checkpoint is not implemented")),
            _ => Err(Fault::unimplemented(format!("method {method:?} is unknown"))),
        };
        Some(answer)
    }

    /// What becomes readable when a client may have closed a process's input: see [`Service::check_inputs`].
    pub fn inputs(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.containers
            .values()
            .flat_map(|container| {
                let execs = container.execs.values().map(|exec| &exec.process);
                std::iter::once(&container.init).chain(execs)
            })
            .filter_map(|process| process.held.watch())
    }

    /// Ends the inputs whose clients have closed them.
    pub fn check_inputs(&mut self) {
        for container in self.containers.values_mut() {
            container.init.held.check_stdin();
            container.execs.values_mut().for_each(|exec| exec.process.held.check_stdin());
        }
    }

    fn container(&mut self, id: &str) -> Answer<&mut Container> {
        self.containers.get_mut(id).ok_or_else(|| Fault::not_found(format!("container {id:?} not found")))
    }

    /// The first process, or the one that Exec added.
    fn process(&mut self, id: &str, exec_id: &str) -> Answer<&mut Process> {
        let container = self.container(id)?;
        if exec_id.is_empty() {
            return Ok(&mut container.init);
        }
        let exec = container.execs.get_mut(exec_id);
        exec.map(|exec| &mut exec.process)
            .ok_or_else(|| Fault::not_found(format!("process {exec_id:?} of container {id:?} not found")))
    }
}

fn answer<Q: Message, R: Message>(payload: &[u8], act: impl FnOnce(Q) -> Answer<R>) -> Answer<Vec<u8>> {
    encode(&act(decode(payload)?)?)
}

fn decode<Q: Message>(payload: &[u8]) -> Answer<Q> {
    Q::parse_from_bytes(payload)
        .map_err(|error| Fault::invalid(format!("the request can't be decoded: {error}")))
}

fn encode<R: Message>(response: &R) -> Answer<Vec<u8>> {
    response
        .write_to_bytes()
        .map_err(|error| Fault::failed(format!("the response can't be encoded: {error}")))
}

fn timestamp(exit: Exit) -> Timestamp {
    let mut timestamp = Timestamp::new();
    timestamp.seconds = (exit.exited_at_ms / 1000) as i64;
    timestamp.nanos = (exit.exited_at_ms % 1000 * 1_000_000) as i32;
    timestamp
}

fn empty() -> api::Empty {
    api::Empty::new()
}
