//! The last steps of a container's process before it becomes the user's program.

use std::ffi::CString;
use std::io;
use std::path::{Path, PathBuf};

use oci_spec::runtime::Process;

use super::report::EXEC;

/// Where a program is looked for when the container's environment has no PATH.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A program that was found, with all that execve(2) needs.
#[derive(Debug)]
pub struct Program {
    name: String,
    path: CString,
    arguments: Vec<CString>,
    environment: Vec<CString>,
}

impl Program {
    /// Finds the program as this process, in this root, sees it.
    pub fn find(process: &Process) -> Result<Self, String> {
        let arguments = process.args().as_deref().unwrap_or_default();
        let name = arguments.first().filter(|name| !name.is_empty()).ok_or("the process has no arguments")?;
        let environment = process.env().as_deref().unwrap_or_default();
        let search = environment.iter().find_map(|entry| entry.strip_prefix("PATH=")).unwrap_or(DEFAULT_PATH);
        let path = find(name, search).map_err(|why| format!("{EXEC}{name:?}: {why}"))?;
        Ok(Program {
            name: name.clone(),
            path: text(&path.to_string_lossy())?,
            arguments: arguments.iter().map(|arg| text(arg)).collect::<Result<_, _>>()?,
            environment: environment.iter().map(|entry| text(entry)).collect::<Result<_, _>>()?,
        })
    }

    /// Becomes the program; returns why not.
    pub fn become_it(&self) -> String {
        default_signals();
        let Err(errno) = nix::unistd::execve(&self.path, &self.arguments, &self.environment);
        format!("{EXEC}{:?}: {}", self.name, describe(errno))
    }
}

fn text(text: &str) -> Result<CString, String> {
    CString::new(text).map_err(|_| format!("{EXEC}{text:?}: holds a NUL byte"))
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

/// Finds the program as a shell would: a name with a slash is a path, any other is looked for in `search`.
/// The error is what follows the name in runc's message.
fn find(name: &str, search: &str) -> Result<PathBuf, String> {
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
