//! Which namespaces are the container's own, and which it joins.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};

use nix::sched::{CloneFlags, setns};
use oci_spec::runtime::{LinuxNamespaceType, Spec};

/// Read from a specification, with those to join already open.
#[derive(Debug)]
pub struct Namespaces {
    new: CloneFlags,
    join: Vec<(CloneFlags, File)>,
    pid: Option<File>,
}

impl Namespaces {
    pub fn of(spec: &Spec) -> Result<Self, String> {
        let mut namespaces = Namespaces { new: CloneFlags::empty(), join: Vec::new(), pid: None };
        let wanted = spec.linux().as_ref().and_then(|linux| linux.namespaces().as_ref());
        for namespace in wanted.into_iter().flatten() {
            let flag = flag(namespace.typ());
            let Some(path) = namespace.path() else {
                namespaces.new |= flag;
                continue;
            };
            let file = File::open(path)
                .map_err(|error| format!("{} namespace {}: {error}", namespace.typ(), path.display()))?;
            match namespace.typ() {
                LinuxNamespaceType::Pid => namespaces.pid = Some(file),
                _ => namespaces.join.push((flag, file)),
            }
        }
        Ok(namespaces)
    }

    /// Flags for clone3. A cgroup namespace is made later, when the process is in its cgroup: its root would be the
    /// wrong one.
    pub fn new_flags(&self) -> u64 {
        (self.new - CloneFlags::CLONE_NEWCGROUP).bits() as u64
    }

    pub fn has_own(&self, flag: CloneFlags) -> bool {
        self.new.contains(flag)
    }

    /// Clones in the pid namespace that is to be joined: entering one counts for one's children only (setns(2)).
    pub fn in_pid_namespace<T>(&self, clone: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let Some(theirs) = &self.pid else { return clone() };
        let ours = File::open("/proc/self/ns/pid")?;
        setns(theirs, CloneFlags::CLONE_NEWPID)?;
        let result = clone();
        setns(&ours, CloneFlags::CLONE_NEWPID)?;
        result
    }

    /// Enters those that were given by path. In the child.
    pub fn enter(&self) -> Result<(), String> {
        for (flag, file) in &self.join {
            setns(file, *flag).map_err(|errno| format!("enter a namespace: {errno}"))?;
        }
        Ok(())
    }

    /// What must stay open in the child until [`Namespaces::enter`].
    pub fn descriptors(&self) -> impl Iterator<Item = RawFd> {
        self.join.iter().map(|(_, file)| file.as_raw_fd())
    }
}

fn flag(kind: LinuxNamespaceType) -> CloneFlags {
    match kind {
        LinuxNamespaceType::Mount => CloneFlags::CLONE_NEWNS,
        LinuxNamespaceType::Cgroup => CloneFlags::CLONE_NEWCGROUP,
        LinuxNamespaceType::Uts => CloneFlags::CLONE_NEWUTS,
        LinuxNamespaceType::Ipc => CloneFlags::CLONE_NEWIPC,
        LinuxNamespaceType::Pid => CloneFlags::CLONE_NEWPID,
        LinuxNamespaceType::Network => CloneFlags::CLONE_NEWNET,
        // Refused by `wishes`.
        LinuxNamespaceType::User | LinuxNamespaceType::Time => CloneFlags::empty(),
    }
}
