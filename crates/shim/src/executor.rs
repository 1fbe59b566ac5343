//! The last steps of a container's process before it becomes the user's program, and how it tells us that they failed.
//!
//! libcontainer's own executor needs a PATH, leaves signals as the shim has them, and an execve that fails after Start
//! looks like a program that ended with 255. Ours reports the reason through a pipe that closes by itself on success.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use libcontainer::oci_spec::runtime::{LinuxSeccomp, Spec};
use libcontainer::seccomp::initialize_seccomp;
use libcontainer::workload::{Executor, ExecutorError, ExecutorValidationError};

/// Where a program is looked for when the container's environment has no PATH.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What begins a line that says why the program can't be executed. It is runc's wording, which ECS users know.
pub const EXEC: &str = "exec: ";

/// Runs in the child, between libcontainer's preparations and the user's program.
#[derive(Clone)]
pub struct ShimExecutor {
    /// The report pipe's write end. Close-on-exec, so its end of file says that the program runs.
    report: RawFd,
    /// A filter to load here, because libcontainer loads none for processes that join a container.
    seccomp: Option<Rc<LinuxSeccomp>>,
}

impl ShimExecutor {
    pub fn new(report: &OwnedFd, seccomp: Option<LinuxSeccomp>) -> Self {
        Self { report: report.as_raw_fd(), seccomp: seccomp.map(Rc::new) }
    }

    fn run(&self, spec: &Spec) -> Result<(), String> {
        let args = arguments(spec).ok_or("the process has no arguments")?;
        let program = find(&args[0], path_variable(spec)).map_err(|why| format!("{:?}: {why}", args[0]))?;
        let text = |s: &str| CString::new(s).map_err(|_| format!("{s:?}: holds a NUL byte"));
        let argv = args.iter().map(|arg| text(arg)).collect::<Result<Vec<_>, _>>()?;
        let path = text(&program.to_string_lossy())?;
        if let Some(profile) = &self.seccomp {
            confine(profile).map_err(|why| format!("{:?}: seccomp: {why}", args[0]))?;
        }
        default_signals();
        let Err(errno) = nix::unistd::execv(&path, &argv);
        Err(format!("{:?}: {}", args[0], describe(errno)))
    }
}

impl Executor for ShimExecutor {
    fn exec(&self, spec: &Spec) -> Result<(), ExecutorError> {
        let why = match self.run(spec) {
            Ok(()) => return Ok(()),
            Err(why) => format!("{EXEC}{why}"),
        };
        // SAFETY: the parent opened the pipe before the fork and nothing in the child closes it.
        let pipe = unsafe { BorrowedFd::borrow_raw(self.report) };
        let _ = nix::unistd::write(pipe, format!("{why}\n").as_bytes());
        Err(ExecutorError::Other(why))
    }

    fn validate(&self, spec: &Spec) -> Result<(), ExecutorValidationError> {
        let args = arguments(spec).ok_or_else(|| {
            ExecutorValidationError::ArgValidationError("the process has no arguments".into())
        })?;
        find(&args[0], path_variable(spec))
            .map(drop)
            .map_err(|why| ExecutorValidationError::ArgValidationError(format!("{EXEC}{:?}: {why}", args[0])))
    }
}

/// Loads the filter. Without CAP_SYS_ADMIN the kernel takes one only from a process that can't gain privileges
/// (seccomp(2)), and capabilities are already dropped here.
fn confine(profile: &LinuxSeccomp) -> Result<(), String> {
    // SAFETY: a plain prctl without pointers.
    if unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) } != 0 {
        return Err(io::Error::last_os_error().to_string());
    }
    match initialize_seccomp(profile) {
        Ok(None) => Ok(()),
        Ok(Some(_)) => Err("a profile with SCMP_ACT_NOTIFY can't be given to a process that joins".into()),
        Err(error) => Err(crate::fault::chain(&error)),
    }
}

/// The shim blocks SIGCHLD and ignores others; both would go on past execve.
fn default_signals() {
    // The kernel's own `sigaction`: handler, flags, restorer, mask, all zero. The C library's function refuses the
    // numbers that it keeps for itself, and whoever started us may have left just those ignored.
    let default = [0u64; 4];
    for signal in 1..=64 {
        // SAFETY: sets dispositions in a single-threaded child; SIGKILL and SIGSTOP are refused, which is as well.
        unsafe {
            libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), std::ptr::null::<u64>(), 8usize)
        };
    }
    let _ = nix::sys::signal::SigSet::empty().thread_set_mask();
}

fn arguments(spec: &Spec) -> Option<&Vec<String>> {
    spec.process().as_ref()?.args().as_ref().filter(|args| args.first().is_some_and(|arg| !arg.is_empty()))
}

fn path_variable(spec: &Spec) -> &str {
    let env = spec.process().as_ref().and_then(|process| process.env().as_ref());
    env.and_then(|env| env.iter().find_map(|entry| entry.strip_prefix("PATH="))).unwrap_or(DEFAULT_PATH)
}

/// Finds the program as a shell would: a name with a slash is a path, any other is looked for in `search`.
/// The error is what follows the name in runc's message.
pub fn find(name: &str, search: &str) -> Result<PathBuf, String> {
    if name.contains('/') {
        let path = Path::new(name);
        return match path.metadata() {
            Err(error) => Err(format!("stat {name}: {}", lower(&error))),
            Ok(meta) if meta.is_dir() => Err("is a directory".into()),
            Ok(meta) if !executable(&meta) => Err("permission denied".into()),
            Ok(_) => Ok(path.to_owned()),
        };
    }
    let mut refused = false;
    for dir in search.split(':') {
        let path = Path::new(if dir.is_empty() { "." } else { dir }).join(name);
        match path.metadata() {
            Ok(meta) if meta.is_file() && executable(&meta) => return Ok(path),
            Ok(meta) => refused |= meta.is_file(),
            Err(_) => {}
        }
    }
    Err(if refused { "permission denied".into() } else { "executable file not found in $PATH".into() })
}

fn executable(meta: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    meta.permissions().mode() & 0o111 != 0
}

fn describe(errno: nix::errno::Errno) -> String {
    match errno {
        nix::errno::Errno::ENOEXEC => "exec format error".into(),
        other => other.desc().to_lowercase(),
    }
}

fn lower(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(|| error.to_string(), |raw| describe(nix::errno::Errno::from_raw(raw)))
}

#[cfg(test)]
mod tests {
    use super::find;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn programs_are_found_and_refusals_read_like_runcs() {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("tool");
        std::fs::write(&program, "#!/bin/sh\n").unwrap();
        let search = format!("/nowhere:{}", dir.path().display());
        assert_eq!(find("tool", &search).unwrap_err(), "permission denied");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(find("tool", &search).unwrap(), program);
        assert_eq!(find(program.to_str().unwrap(), "").unwrap(), program);
        assert_eq!(find("other", &search).unwrap_err(), "executable file not found in $PATH");
        assert_eq!(find("/no/such", &search).unwrap_err(), "stat /no/such: no such file or directory");
        assert_eq!(find(dir.path().to_str().unwrap(), "").unwrap_err(), "is a directory");
    }
}
