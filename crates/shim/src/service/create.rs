//! Create: the container is there and its first process waits.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use containerd_shim_protos::api::{CreateTaskRequest, CreateTaskResponse};
use containerd_shim_protos::events::task::{TaskCreate, TaskIO};
use containerd_shim_protos::protobuf::{Message, MessageField};
use containerd_shim_protos::shim::oci::Options;
use containerd_shim_protos::topics::TASK_CREATE_EVENT_TOPIC;

use super::{Container, Phase, Process, Service};
use crate::bundle::{self, Config};
use crate::cgroup::Cgroup;
use crate::fault::{Answer, Fault, chain};
use crate::rootfs::{self, Mount};
use crate::{cli, container, exit_record, stdio};

impl Service {
    pub(super) fn create(&mut self, request: &CreateTaskRequest) -> Answer<CreateTaskResponse> {
        let id = request.id.as_str();
        refuse_what_cannot_be(request)?;
        if self.containers.contains_key(id) {
            return Err(Fault::exists(format!("container {id:?} already exists")));
        }
        self.untidy = true;
        let bundle = PathBuf::from(&request.bundle);
        // Of an earlier container in the same bundle.
        let _ = std::fs::remove_file(bundle.join(exit_record::FILE));
        let config = Config::load(&bundle).map_err(|error| Fault::invalid(chain(&error)))?;
        let rootfs = config.rootfs(&bundle);
        let mounts = mounts(request);
        rootfs::mount_all(&mounts, &rootfs).map_err(|error| Fault::failed(chain(&error)))?;
        let made = self.make(request, &bundle, &config);
        if made.is_err() {
            unmount(&rootfs, mounts.len());
        }
        let mut container = made?;
        container.mounts = mounts.len();
        container.rootfs = rootfs;
        let pid = container.init.pid as u32;
        self.containers.insert(id.to_owned(), container);
        self.announce(request, pid);
        let mut response = CreateTaskResponse::new();
        response.pid = pid;
        Ok(response)
    }

    fn make(&mut self, request: &CreateTaskRequest, bundle: &Path, config: &Config) -> Answer<Container> {
        let paths = stdio::Paths {
            stdin: request.stdin.clone(),
            stdout: request.stdout.clone(),
            stderr: request.stderr.clone(),
        };
        let owner = config.owner();
        let (held, given) = stdio::open(&paths, owner).map_err(|error| Fault::failed(chain(&error)))?;
        let spec = bundle::spec(bundle).map_err(|error| Fault::invalid(chain(&error)))?;
        let cgroup = Cgroup::new(&config.cgroup(&request.id));
        let (handle, pid) =
            container::create(&request.id, bundle, &self.state_root, &spec, cgroup.clone(), given)
                .map_err(|error| Fault::failed(chain(&error)))?;
        Ok(Container {
            bundle: bundle.to_owned(),
            rootfs: PathBuf::new(),
            mounts: 0,
            handle,
            cgroup,
            own_pids: config.has_namespace("pid"),
            owner,
            init: Process { pid, phase: Phase::Created, paths, held, waiters: Vec::new() },
            execs: BTreeMap::new(),
        })
    }

    fn announce(&mut self, request: &CreateTaskRequest, pid: u32) {
        let mut io = TaskIO::new();
        io.stdin = request.stdin.clone();
        io.stdout = request.stdout.clone();
        io.stderr = request.stderr.clone();
        let mut event = TaskCreate::new();
        event.container_id = request.id.clone();
        event.bundle = request.bundle.clone();
        event.rootfs = request.rootfs.clone();
        event.io = MessageField::some(io);
        event.pid = pid;
        self.publisher.publish(TASK_CREATE_EVENT_TOPIC, "containerd.events.TaskCreate", &event);
    }
}

/// What we don't do is refused, never left out in silence.
fn refuse_what_cannot_be(request: &CreateTaskRequest) -> Answer<()> {
    if let Some(why) = cli::id_fault(&request.id) {
        return Err(Fault::invalid(format!("container id {:?} {why}", request.id)));
    }
    if request.terminal {
        return Err(Fault::unimplemented("terminal: this shim gives no terminals"));
    }
    if !request.checkpoint.is_empty() {
        return Err(Fault::unimplemented("checkpoint: this shim restores no checkpoints"));
    }
    if let Some(options) =
        request.options.as_ref().filter(|any| any.type_url.ends_with("containerd.runc.v1.Options"))
        && Options::parse_from_bytes(&options.value).is_ok_and(|options| options.systemd_cgroup)
    {
        return Err(Fault::unimplemented("SystemdCgroup: this shim drives cgroups without systemd"));
    }
    Ok(())
}

fn mounts(request: &CreateTaskRequest) -> Vec<Mount> {
    let mount = |mount: &containerd_shim_protos::types::mount::Mount| Mount {
        kind: mount.type_.clone(),
        source: mount.source.clone(),
        target: mount.target.clone(),
        options: mount.options.clone(),
    };
    request.rootfs.iter().map(mount).collect()
}

/// Takes `count` mounts off a container's root.
pub(super) fn unmount(rootfs: &Path, count: usize) {
    for _ in 0..count {
        rootfs::unmount(rootfs);
    }
}
