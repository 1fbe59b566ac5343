//! A container's bundle: root file system, the three files of /etc, the runtime specification.

use std::path::Path;

use super::place::Place;
use super::usage::Reading;
use super::{Host, HostError};
use crate::bundle::cgroup::{Cgroups, TaskCgroup, TaskLimits};
use crate::bundle::{
    self, ContainerPlan, Edits, EtcFiles, ImageDefaults, Profile, Ulimit, User, VolumeMount,
};
use crate::engine::plan::{ContainerWork, Work};
use crate::images::{PulledImage, ResolvedUser, resolve_user};
use crate::network::files;
use crate::{volumes, whole};

const MIB: u64 = 1 << 20;

/// What was made for a container, or found, before its specification is written.
struct Given {
    volumes: Vec<VolumeMount>,
    place: Place,
    edits: Edits,
}

impl Host {
    /// Makes everything that the container's Create needs in its bundle. Blocks. What an
    /// interrupted attempt left is replaced.
    pub(super) fn write_bundle(
        &self,
        work: &Work,
        container: usize,
        image: &PulledImage,
        place: Place,
    ) -> Result<(), HostError> {
        let c = &work.containers[container];
        let images = &self.config.images;
        images.remove_rootfs(&c.runtime_id).map_err(told)?;
        let readonly = c.host.readonly_rootfs == Some(true);
        let rootfs = c.bundle.join("rootfs");
        images.prepare(&c.runtime_id, image, readonly).and_then(|m| m.mount(&rootfs)).map_err(told)?;
        let wanted = c.config.user.as_deref().filter(|u| !u.is_empty());
        let user = resolve_user(&rootfs, wanted.unwrap_or(&image.config.user)).map_err(told)?;
        let edits = self.config.devices.edits(&c.gpus).map_err(told)?;
        let volumes = self.volumes(work, container, image, &rootfs)?;
        let plan = self.plan(work, c, image, user, Given { volumes, place, edits })?;
        let spec = bundle::spec(&plan).map_err(told)?;
        let text = serde_json::to_vec(&spec).map_err(told)?;
        write(&c.bundle.join("config.json"), &text)?;
        if let Some(signal) = &image.config.stop_signal {
            write(&c.bundle.join(super::finish::STOP_SIGNAL), signal.as_bytes())?;
        }
        Ok(())
    }

    /// Makes what the container mounts, filled from its image.
    fn volumes(
        &self,
        work: &Work,
        container: usize,
        image: &PulledImage,
        rootfs: &Path,
    ) -> Result<Vec<VolumeMount>, HostError> {
        let store = &self.config.volumes;
        let of = |container| store.mountings_of(&work.id, container);
        let mountings = volumes::mountings(&work.task, &work.volumes, container, &image.config.volumes, of)
            .map_err(told)?;
        let mounted = store.prepare(&work.id, container, &mountings, rootfs).map_err(told)?;
        let own = work.containers[container].config.working_dir.as_deref().filter(|dir| !dir.is_empty());
        let directory = own.unwrap_or(&image.config.working_dir);
        store.make_working_directory(&work.id, &mountings, directory).map_err(told)?;
        let mount = |m: volumes::Mounted| VolumeMount {
            source: m.source,
            destination: m.destination,
            read_only: m.read_only,
            recursive: m.of_host,
        };
        Ok(mounted.into_iter().map(mount).collect())
    }

    fn plan(
        &self,
        work: &Work,
        c: &ContainerWork,
        image: &PulledImage,
        user: ResolvedUser,
        given: Given,
    ) -> Result<ContainerPlan, HostError> {
        let Given { volumes, place, edits } = given;
        let cgroup = self.cgroup(work)?;
        let overrides = c.payload.overrides().map_err(told)?;
        let mut ulimits: Vec<Ulimit> = c
            .host
            .ulimits
            .iter()
            .flatten()
            .map(|u| Ulimit { name: u.name.clone(), soft: u.soft, hard: u.hard })
            .collect();
        if let Some(ceiling) = self.open_files_ceiling
            && !ulimits.iter().any(|u| u.name == "nofile")
        {
            ulimits.push(Ulimit { name: "nofile".into(), soft: ceiling, hard: ceiling });
        }
        let bytes = |mib: i64| u64::try_from(mib).unwrap_or(0).saturating_mul(MIB);
        let image = &image.config;
        Ok(ContainerPlan {
            cgroups_path: cgroup.container_path(&c.runtime_id),
            cgroup_version: self.cgroups.version(),
            cgroup_mounts: self.cgroups.mounts(),
            limit_swap: self.cgroups.limits_swap(),
            task_id: work.id.clone(),
            profile: match work.task.launch_type.as_deref() {
                Some("EC2" | "EXTERNAL") => Profile::Instance,
                _ => Profile::Fargate,
            },
            rootfs: "rootfs".into(),
            readonly_rootfs: c.host.readonly_rootfs == Some(true),
            files: write_etc(work, c, &place)?,
            netns: place.netns,
            hostname: place.hostname,
            volumes,
            image: ImageDefaults {
                entrypoint: image.entrypoint.clone(),
                cmd: image.cmd.clone(),
                env: image.env.clone(),
                working_dir: Some(image.working_dir.clone()).filter(|d| !d.is_empty()),
            },
            entry_point: c.payload.entry_point.clone(),
            command: overrides.command.or_else(|| c.payload.command.clone()),
            environment: c.payload.environment.clone(),
            working_directory: c.config.working_dir.clone().filter(|d| !d.is_empty()),
            user: User {
                uid: user.uid,
                gid: user.gid,
                additional_gids: user.additional_gids,
                home: user.home,
            },
            cap_add: c.host.cap_add.clone().unwrap_or_default(),
            cap_drop: c.host.cap_drop.clone().unwrap_or_default(),
            ulimits,
            sysctls: c.host.sysctls.clone().unwrap_or_default(),
            tmpfs: c.host.tmpfs.clone().unwrap_or_default(),
            shm_bytes: c.host.shm_size.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0),
            cpu: u64::try_from(c.payload.cpu).unwrap_or(0),
            memory: bytes(c.payload.memory),
            memory_reservation: c.host.memory_reservation.map_or(0, |b| u64::try_from(b).unwrap_or(0)),
            edits,
        })
    }

    fn cgroup(&self, work: &Work) -> Result<TaskCgroup<'_>, HostError> {
        self.cgroups.task(&work.id).map_err(told)
    }

    /// The task's own limits, over all its containers.
    pub(super) fn make_cgroup(&self, work: &Work) -> Result<(), HostError> {
        let limits = TaskLimits {
            cpu_units: work.task.cpu.map_or(0, |vcpu| (vcpu * 1024.0).round() as u64),
            memory_bytes: work.task.memory.map_or(0, |m| u64::try_from(m).unwrap_or(0)).saturating_mul(MIB),
        };
        self.cgroup(work)?.create(&limits).map_err(told)
    }

    pub(super) fn remove_cgroup(&self, work: &Work) {
        if let Err(error) = self.cgroup(work).and_then(|cgroup| cgroup.remove().map_err(told)) {
            tracing::warn!(%error, task = work.id, "a cgroup could not be removed");
        }
    }

    pub(super) fn was_out_of_memory(&self, work: &Work, container: usize) -> bool {
        let id = &work.containers[container].runtime_id;
        self.cgroup(work).is_ok_and(|cgroup| cgroup.oom_kills(id).is_ok_and(|kills| kills > 0))
    }

    pub(super) fn reading(&self, work: &Work, container: usize) -> Option<Reading> {
        let usage =
            self.cgroup(work).ok()?.container_usage(&work.containers[container].runtime_id).ok()??;
        Some(Reading { cpu_ns: usage.cpu_ns, memory_bytes: usage.memory_bytes })
    }
}

/// Removes every cgroup of a prefix, its processes first. Returns how many tasks had one.
pub fn remove_cgroups(prefix: &str) -> Result<usize, HostError> {
    Cgroups::open(prefix).and_then(|cgroups| cgroups.destroy_all()).map_err(told)
}

/// How many open files a container may be given, where that is less than Fargate's 65,535: an agent
/// without CAP_SYS_RESOURCE can't raise its own hard limit (setrlimit(2)), and no container of its
/// could start. What a task asks for itself is not lowered in silence, but fails.
pub(super) fn open_files_ceiling() -> Option<i64> {
    const FARGATE: u64 = 65_535;
    const CAP_SYS_RESOURCE: u32 = 24;
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective =
        status.lines().find_map(|l| u64::from_str_radix(l.strip_prefix("CapEff:")?.trim(), 16).ok());
    if effective.is_none_or(|set| set >> CAP_SYS_RESOURCE & 1 == 1) {
        return None;
    }
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let hard = limits
        .lines()
        .find_map(|l| l.strip_prefix("Max open files")?.split_whitespace().nth(1)?.parse::<u64>().ok());
    hard.filter(|hard| *hard < FARGATE).and_then(|hard| i64::try_from(hard).ok())
}

fn write_etc(work: &Work, c: &ContainerWork, place: &Place) -> Result<EtcFiles, HostError> {
    let host = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let upstream = std::fs::read_to_string(files::RESOLVED_UPSTREAM).ok();
    let paths = EtcFiles {
        resolv_conf: c.bundle.join("resolv.conf"),
        hosts: c.bundle.join("hosts"),
        hostname: c.bundle.join("hostname"),
    };
    let servers = if c.dns.is_empty() { &work.dns } else { &c.dns };
    let domains = c.host.dns_search.as_deref().unwrap_or_default();
    let resolv_conf = match place.netns {
        // It reaches the servers on the machine's loopback too.
        None if servers.is_empty() && domains.is_empty() => host,
        _ => files::resolv_conf(&host, upstream.as_deref(), servers, domains),
    };
    write(&paths.resolv_conf, resolv_conf.as_bytes())?;
    write(&paths.hosts, place.hosts.as_bytes())?;
    write(&paths.hostname, files::hostname_file(&place.hostname).as_bytes())?;
    Ok(paths)
}

pub(super) fn write(path: &Path, content: &[u8]) -> Result<(), HostError> {
    whole::write(path, content).map_err(HostError::io("cannot write", path))
}

pub(super) fn told(error: impl std::fmt::Display) -> HostError {
    HostError::Told(error.to_string())
}
