//! The first process of a container, from the clone to the user's program.
//!
//! The order matters. What needs the host's `/proc` or files comes before the root is changed, what needs privileges
//! before they are given up, and the seccomp filter as late as it can be loaded: without no_new_privs that is before
//! the capabilities go (seccomp(2)), so the filter must allow what follows, as with every runtime.

use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{chdir, fchdir, pivot_root, sethostname, setsid};
use oci_spec::runtime::{Linux, Process, Spec};

use super::mounts::Place;
use super::namespaces::Namespaces;
use super::program::Program;
use super::report::{Opened, Told};
use super::seccomp::Filter;
use super::{devices, fd, hide, hooks, identity, mounts, streams, target};
use crate::cgroup::{Cgroup, Doors};
use crate::stdio::Given;

/// What the first process needs to know.
#[derive(Debug)]
pub struct Child<'a> {
    pub spec: &'a Spec,
    pub bundle: &'a Path,
    pub cgroup: &'a Cgroup,
    pub namespaces: &'a Namespaces,
    pub hooks: Option<&'a hooks::All>,
    pub seccomp_cache: Option<PathBuf>,
}

impl Child<'_> {
    /// The life of the first process. Runs in the child.
    pub fn run(&self, given: Given, told: Told, opened: Opened) -> ! {
        let Err(why) = self.go(&given, &told, &opened);
        told.failed(&why);
        // SAFETY: ends this process without what its parent has registered for its own end.
        unsafe { libc::_exit(1) }
    }

    fn go(&self, given: &Given, told: &Told, opened: &Opened) -> Result<std::convert::Infallible, String> {
        let linux = self.spec.linux().as_ref().ok_or("the specification has no `linux`")?;
        let process = self.spec.process().as_ref().ok_or("the specification has no process")?;
        let mut kept: Vec<_> = self.namespaces.descriptors().collect();
        kept.extend([told.0.as_raw_fd(), opened.0.as_raw_fd()]);
        fd::keep_only(streams(given), &kept)?;
        let said = |what: &'static str| move |errno: nix::errno::Errno| format!("{what}: {errno}");
        setsid().map_err(said("begin a session"))?;
        self.namespaces.enter()?;
        identity::oom_score(process)?;
        let filter = linux
            .seccomp()
            .as_ref()
            .map(|profile| Filter::of(profile, self.seccomp_cache.as_deref()))
            .transpose()?;
        self.names()?;
        self.sysctls(linux)?;
        if self.namespaces.has_own(CloneFlags::CLONE_NEWCGROUP) {
            // The root of a cgroup namespace is where its first process is at that moment.
            self.enter_cgroup()?;
            unshare(CloneFlags::CLONE_NEWCGROUP).map_err(said("make a cgroup namespace"))?;
        }
        self.enter_root(linux, told, opened)?;
        let program = confine(process, filter.as_ref())?;
        told.ready();
        if !opened.wait() {
            return Err("the shim is gone".into());
        }
        self.hooks.map_or(Ok(()), hooks::All::start_container)?;
        Err(program.become_it())
    }

    /// On v2 it was born there.
    fn enter_cgroup(&self) -> Result<(), String> {
        self.cgroup.doors().and_then(Doors::enter).map_err(|error| crate::fault::chain(&error))
    }

    fn names(&self) -> Result<(), String> {
        if !self.namespaces.has_own(CloneFlags::CLONE_NEWUTS) {
            return Ok(());
        }
        if let Some(name) = self.spec.hostname() {
            sethostname(name).map_err(|errno| format!("hostname {name:?}: {errno}"))?;
        }
        if let Some(name) = self.spec.domainname() {
            // SAFETY: bytes and their length.
            let result = unsafe { libc::setdomainname(name.as_ptr().cast(), name.len()) };
            nix::errno::Errno::result(result).map_err(|errno| format!("domainname {name:?}: {errno}"))?;
        }
        Ok(())
    }

    /// Through the host's `/proc`: these files belong to the namespaces of whoever opens them.
    fn sysctls(&self, linux: &Linux) -> Result<(), String> {
        let mut all: Vec<_> = linux.sysctl().iter().flatten().collect();
        all.sort();
        for (name, value) in all {
            let below = name.replace('.', "/");
            if below.split('/').any(|part| part.is_empty() || part == "..") {
                return Err(format!("sysctl {name:?}: that is no name"));
            }
            std::fs::write(Path::new("/proc/sys").join(below), value)
                .map_err(|error| format!("sysctl {name} = {value:?}: {error}"))?;
        }
        Ok(())
    }

    /// Makes the container's root and moves into it; nothing of the host's file systems is left.
    fn enter_root(&self, linux: &Linux, told: &Told, opened: &Opened) -> Result<(), String> {
        let said = |what: &'static str| move |errno: nix::errno::Errno| format!("{what}: {errno}");
        let none: Option<&str> = None;
        let path =
            self.bundle.join(self.spec.root().as_ref().map_or(Path::new("rootfs"), |root| root.path()));
        // What is unmounted on the host goes away here too; what is mounted here never shows there.
        mount(none, "/", none, MsFlags::MS_SLAVE | MsFlags::MS_REC, none)
            .map_err(said("part from the host's mounts"))?;
        let tree = mounts::open_tree(&path, true).map_err(|errno| format!("root {path:?}: {errno}"))?;
        let under = nix::fcntl::open(
            &path,
            nix::fcntl::OFlag::O_PATH | nix::fcntl::OFlag::O_CLOEXEC,
            nix::sys::stat::Mode::empty(),
        )
        .map_err(|errno| format!("root {path:?}: {errno}"))?;
        mounts::attach(&tree, &under).map_err(|errno| format!("root {path:?}: {errno}"))?;
        // The descriptor that was the detached copy is the root now.
        let root = tree.as_fd();
        let place = Place {
            root,
            bundle: self.bundle,
            cgroup: self.cgroup,
            own_cgroup_namespace: self.namespaces.has_own(CloneFlags::CLONE_NEWCGROUP),
        };
        // Modes are meant as they are written.
        // SAFETY: a plain number.
        unsafe { libc::umask(0) };
        for one in self.spec.mounts().iter().flatten() {
            place.mount(one)?;
        }
        devices::make(root, self.spec)?;
        if let Some(cwd) = self.spec.process().as_ref().map(|process| process.cwd()) {
            // Missing ones are made, as runc does. On a read-only root the move there says what is wrong.
            let _ = target::make(root, cwd, target::Kind::Directory);
        }
        // They may write into the root, and so before anything of it is made read-only.
        self.run_hooks(&path, told, opened)?;
        hide::apply(root, linux)?;
        if self.spec.root().as_ref().and_then(|root| root.readonly()) == Some(true) {
            mounts::set_read_only(root, false).map_err(said("make the root read-only"))?;
        }
        // As late as its files can be found: what a task may use isn't spent on making its container.
        if !self.namespaces.has_own(CloneFlags::CLONE_NEWCGROUP) {
            self.enter_cgroup()?;
        }
        // The old root ends up on top of the new one, and is taken off again (pivot_root(2), "pivot_root(".", ".")").
        fchdir(root).map_err(said("go to the root"))?;
        pivot_root(".", ".").map_err(said("change the root"))?;
        umount2(".", MntFlags::MNT_DETACH).map_err(said("leave the host's root"))?;
        chdir("/").map_err(said("go to the root"))?;
        let propagation = match linux.rootfs_propagation().as_deref() {
            None | Some("") => return Ok(()),
            Some("private" | "rprivate") => MsFlags::MS_PRIVATE,
            Some("slave" | "rslave") => MsFlags::MS_SLAVE,
            Some("shared" | "rshared") => MsFlags::MS_SHARED,
            Some("unbindable" | "runbindable") => MsFlags::MS_UNBINDABLE,
            Some(other) => return Err(format!("rootfsPropagation {other:?} is unknown")),
        };
        mount(none, "/", none, propagation, none).map_err(said("rootfsPropagation"))
    }
}

impl Child<'_> {
    /// Has the shim run its hooks, then runs those that are to be run here.
    fn run_hooks(&self, root: &Path, told: &Told, opened: &Opened) -> Result<(), String> {
        let Some(hooks) = self.hooks else { return Ok(()) };
        if hooks.has_runtime() {
            told.waits_for_hooks();
            if !opened.wait() {
                return Err("the shim is gone".into());
            }
        }
        hooks.create_container(root)
    }
}

/// Gives up what the specification doesn't grant and finds the program as the user that it will run as.
pub fn confine(process: &Process, filter: Option<&Filter>) -> Result<Program, String> {
    let no_new_privileges = process.no_new_privileges() == Some(true);
    join_own_keyring();
    identity::limit(process)?;
    if no_new_privileges {
        // SAFETY: plain numbers.
        if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
            return Err(format!("noNewPrivileges: {}", nix::errno::Errno::last()));
        }
    }
    match filter {
        Some(filter) if !no_new_privileges => {
            filter.load()?;
            identity::take_on(process)?;
        }
        Some(filter) => {
            identity::take_on(process)?;
            filter.load()?;
        }
        None => identity::take_on(process)?,
    }
    Program::find(process)
}

/// A session keyring of the process's own: the shim's would be shared by all containers. A kernel without keys, or a
/// user who may have no more of them, goes without.
fn join_own_keyring() {
    // SAFETY: plain numbers; null is "a new one without a name".
    unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, std::ptr::null::<u8>()) };
}
