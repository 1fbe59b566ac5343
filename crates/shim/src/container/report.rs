//! How a container's process and the shim tell each other where they are.
//!
//! The *report* goes from the child to the shim: "ready", or in words what could not be done. It closes by itself when
//! the program is executed. The *gate* goes the other way: one byte when the child may go on to the program, before it
//! another for one that joins, when it is in its cgroup, and for one whose
//! specification has hooks to be run beside the shim, when they have been. A gate that closes without a word says that the shim is dead.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{pipe2, read, write};

/// What begins a line that says why the program can't be executed. It is runc's wording, which ECS users know.
pub const EXEC: &str = "exec: ";

const READY: &str = "ready\n";
const HOOKS: &str = "hooks\n";
/// How long Start waits for the program to be executed, in milliseconds.
const EXEC_PATIENCE_MS: u16 = 10_000;

/// The shim's end of the report.
#[derive(Debug)]
pub struct Report(File);

/// The child's end of the report.
#[derive(Debug)]
pub struct Told(pub OwnedFd);

/// The shim's end of the gate.
#[derive(Debug)]
pub struct Gate(OwnedFd);

/// The child's end of the gate.
#[derive(Debug)]
pub struct Opened(pub OwnedFd);

pub fn report() -> io::Result<(Report, Told)> {
    let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
    Ok((Report(read.into()), Told(write)))
}

pub fn gate() -> io::Result<(Gate, Opened)> {
    let (read, write) = pipe2(OFlag::O_CLOEXEC)?;
    Ok((Gate(write), Opened(read)))
}

impl Report {
    /// Waits until the process is ready; says why it isn't.
    pub fn ready(&mut self) -> Result<(), String> {
        self.comes_to(READY)
    }

    /// Waits until the process waits for hooks to be run; says why it doesn't.
    pub fn waits_for_hooks(&mut self) -> Result<(), String> {
        self.comes_to(HOOKS)
    }

    fn comes_to(&mut self, word: &str) -> Result<(), String> {
        match self.line().as_str() {
            line if line == word => Ok(()),
            "" => Err("the container's first process died before it was ready".into()),
            why => Err(why.trim_end().to_owned()),
        }
    }

    /// Waits until the program is executed; says why it isn't.
    pub fn executed(&mut self) -> Result<(), String> {
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        loop {
            match poll(&mut fds, PollTimeout::from(EXEC_PATIENCE_MS)) {
                Err(nix::errno::Errno::EINTR) => continue,
                // Something holds it up. It isn't known to have failed.
                Ok(0) | Err(_) => return Ok(()),
                Ok(_) => break,
            }
        }
        match self.line().as_str() {
            "" => Ok(()),
            why => Err(why.trim_end().to_owned()),
        }
    }

    /// A pid that the child tells.
    pub fn pid(&mut self) -> Result<i32, String> {
        let line = self.line();
        line.trim_end().parse().map_err(|_| match line.trim_end() {
            "" => "the process that joins died".to_owned(),
            why => why.to_owned(),
        })
    }

    /// Up to the end of a line or of the report.
    fn line(&mut self) -> String {
        let mut bytes = Vec::new();
        let mut byte = [0];
        while let Ok(1) = self.0.read(&mut byte) {
            bytes.push(byte[0]);
            if byte[0] == b'\n' {
                break;
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Told {
    pub fn ready(&self) {
        let _ = write(&self.0, READY.as_bytes());
    }

    pub fn waits_for_hooks(&self) {
        let _ = write(&self.0, HOOKS.as_bytes());
    }

    pub fn pid(&self, pid: i32) {
        let _ = write(&self.0, format!("{pid}\n").as_bytes());
    }

    /// One line, whatever is in it.
    pub fn failed(&self, why: &str) {
        let _ = write(&self.0, format!("{}\n", why.replace('\n', " ")).as_bytes());
    }
}

impl Gate {
    /// The child is in its cgroup.
    pub fn placed(&self) {
        let _ = write(&self.0, b"c");
    }

    /// The hooks that the child waits for have been run.
    pub fn hooked(&self) {
        let _ = write(&self.0, b"h");
    }

    /// The child may go on to its program.
    pub fn open(self) {
        let _ = write(&self.0, b"s");
    }
}

impl Opened {
    /// Waits for the gate's next step. False: nobody will open it any more.
    pub fn wait(&self) -> bool {
        let mut byte = [0];
        loop {
            match read(&self.0, &mut byte) {
                Err(nix::errno::Errno::EINTR) => {}
                result => return result == Ok(1),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_learns_what_the_other_says() {
        let (mut shim, child) = report().unwrap();
        child.ready();
        assert_eq!(shim.ready(), Ok(()));
        child.failed("exec: \"x\":\nno");
        assert_eq!(shim.executed(), Err("exec: \"x\": no".to_owned()));
        child.pid(7);
        assert_eq!(shim.pid(), Ok(7));
        drop(child);
        assert_eq!(shim.executed(), Ok(()));
        assert!(shim.ready().is_err() && shim.pid().is_err());
    }

    #[test]
    fn a_gate_opens_twice_and_a_lost_one_never() {
        let (gate, opened) = gate().unwrap();
        gate.placed();
        assert!(opened.wait());
        gate.open();
        assert!(opened.wait() && !opened.wait());
    }
}
