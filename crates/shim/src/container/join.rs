//! One more process in a container that runs.
//!
//! A pid namespace is entered by one's children only (setns(2)), so two clones are needed: the first enters all
//! namespaces, the second is the process. It is made a sibling, so that the shim is its parent.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;

use nix::sched::{CloneFlags, setns};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, setsid};
use oci_spec::runtime::{LinuxSeccomp, Process};

use super::clone::{self, Side};
use super::init::confine;
use super::report::{self, Opened, Told};
use super::seccomp::Filter;
use super::{ContainerError, fd, identity, streams};
use crate::cgroup::{Cgroup, Doors};
use crate::stdio::Given;

/// What the joining process needs to know.
#[derive(Debug)]
pub struct Child<'a> {
    pub process: &'a Process,
    pub profile: Option<&'a LinuxSeccomp>,
    /// The first process of the container.
    pub container: i32,
    pub cache: Option<PathBuf>,
}

impl Child<'_> {
    /// Makes the process and waits until its program is executed. Returns its pid.
    pub fn start(&self, cgroup: &Cgroup, given: Given) -> Result<i32, ContainerError> {
        let io = ContainerError::io::<std::io::Error>;
        let (mut report, told) = report::report().map_err(io("open the report pipe"))?;
        let (gate, opened) = report::gate().map_err(io("open the gate"))?;
        let container = pidfd(self.container).map_err(io("open the container's first process"))?;
        let first = match clone::clone(0, None).map_err(io("clone the process"))? {
            Side::Child => self.enter(cgroup, &container, &given, &told, &opened),
            Side::Parent(pid) => Pid::from_raw(pid),
        };
        drop((told, opened, given));
        let joined = report.pid();
        let _ = waitpid(first, None);
        let pid = joined.map_err(ContainerError::Refused)?;
        let result = cgroup.take_in(pid).map_err(ContainerError::from).and_then(|()| {
            gate.placed();
            report.ready().map_err(ContainerError::Refused)?;
            gate.open();
            report.executed().map_err(ContainerError::Refused)
        });
        match result {
            Ok(()) => Ok(pid),
            Err(error) => {
                let pid = Pid::from_raw(pid);
                let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
                let _ = waitpid(pid, None);
                Err(error)
            }
        }
    }

    /// The first clone: enters the namespaces and makes the second.
    fn enter(&self, cgroup: &Cgroup, container: &OwnedFd, given: &Given, told: &Told, opened: &Opened) -> ! {
        let entered = || -> Result<(Doors, Option<Filter>), String> {
            fd::keep_only(
                streams(given),
                &[container.as_raw_fd(), told.0.as_raw_fd(), opened.0.as_raw_fd()],
            )?;
            // Nobody in the container may look into this process before it is one of theirs.
            nix::sys::prctl::set_dumpable(false)
                .map_err(|errno| format!("hide from the container: {errno}"))?;
            identity::oom_score(self.process)?;
            // The cache is on the host, and so are the cgroup's files.
            let doors = cgroup.doors().map_err(|error| crate::fault::chain(&error))?;
            let filter = self.profile.map(|p| Filter::of(p, self.cache.as_deref())).transpose()?;
            let all = CloneFlags::CLONE_NEWNS
                | CloneFlags::CLONE_NEWPID
                | CloneFlags::CLONE_NEWIPC
                | CloneFlags::CLONE_NEWUTS
                | CloneFlags::CLONE_NEWNET
                | CloneFlags::CLONE_NEWCGROUP;
            setns(container, all).map_err(|errno| format!("enter the container's namespaces: {errno}"))?;
            fd::close(container);
            Ok((doors, filter))
        };
        match entered()
            .and_then(|with| Ok((clone::sibling().map_err(|e| format!("clone the process: {e}"))?, with)))
        {
            Ok((Side::Parent(pid), _)) => told.pid(pid),
            Ok((Side::Child, (doors, filter))) => {
                let Err(why) = self.go(doors, filter.as_ref(), told, opened);
                told.failed(&why);
            }
            Err(why) => told.failed(&why),
        }
        // SAFETY: ends this process without what its parent has registered for its own end.
        unsafe { libc::_exit(1) }
    }

    /// The second clone: the process itself.
    fn go(
        &self,
        doors: Doors,
        filter: Option<&Filter>,
        told: &Told,
        opened: &Opened,
    ) -> Result<std::convert::Infallible, String> {
        doors.enter().map_err(|error| crate::fault::chain(&error))?;
        // Its own, so that what it starts can be ended with it.
        setsid().map_err(|errno| format!("begin a session: {errno}"))?;
        if !opened.wait() {
            return Err("the shim is gone".into());
        }
        let program = confine(self.process, filter)?;
        told.ready();
        if !opened.wait() {
            return Err("the shim is gone".into());
        }
        Err(program.become_it())
    }
}

fn pidfd(pid: i32) -> std::io::Result<OwnedFd> {
    // SAFETY: plain numbers; the descriptor is new and ours.
    unsafe {
        let fd = libc::syscall(libc::SYS_pidfd_open, pid, 0);
        if fd < 0 {
            return Err(std::io::Error::last_os_error());
        }
        Ok(std::os::fd::FromRawFd::from_raw_fd(fd as i32))
    }
}
