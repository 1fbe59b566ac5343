//! The action `start`: find or become the parent of the group's serving process, and print its address.

use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::unistd::{ForkResult, fork, setsid};

use crate::bundle::{Config, ConfigError};
use crate::cli::{Args, id_fault};
use crate::container;
use crate::events::{self, Publisher};
use crate::fault::chain;
use crate::log::Log;
use crate::paths::{self, SocketPathTooLong};
use crate::server;
use crate::service::Service;
use crate::socket::{self, Claim};

/// `start` failed.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("bundle")]
    Bundle(#[source] io::Error),
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("group {group:?} {why}")]
    Group { group: String, why: &'static str },
    #[error(transparent)]
    SocketPath(#[from] SocketPathTooLong),
    #[error("socket {path}")]
    Socket {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{what}")]
    Io {
        what: &'static str,
        #[source]
        source: io::Error,
    },
}

/// Starts the group's shim unless it lives, and prints its address.
pub fn run(args: &Args) -> Result<(), StartError> {
    container::seal().map_err(|source| StartError::Io { what: "execute a sealed copy", source })?;
    let bundle = match &args.bundle {
        Some(bundle) => bundle.canonicalize(),
        None => std::env::current_dir(),
    }
    .map_err(StartError::Bundle)?;
    let config = Config::load(&bundle)?;
    let group = config.group().unwrap_or(&args.id);
    if let Some(why) = id_fault(group) {
        return Err(StartError::Group { group: group.to_owned(), why });
    }
    let path = paths::socket(&paths::socket_dir(), &args.namespace, group)?;
    let claim = socket::claim(&path).map_err(|source| StartError::Socket { path: path.clone(), source })?;
    if let Claim::Ours(listener) = claim {
        // SAFETY: this process has one thread, so the child may go on as it likes.
        match unsafe { fork() }.map_err(|errno| StartError::Io { what: "fork", source: errno.into() })? {
            ForkResult::Parent { .. } => {}
            ForkResult::Child => serve(args, &bundle, &path, &listener),
        }
    }
    announce(&bundle, &path).map_err(|source| StartError::Io { what: "write the address", source })
}

/// On stdout for the caller, and into the bundle for whoever looks for the shim again later.
fn announce(bundle: &Path, socket: &Path) -> io::Result<()> {
    let address = format!("unix://{}", socket.display());
    write_address(bundle, &address)?;
    let mut out = io::stdout();
    out.write_all(address.as_bytes())?;
    out.flush()
}

/// Whole or not at all: who reads half an address takes the shim for dead.
fn write_address(bundle: &Path, address: &str) -> io::Result<()> {
    // Of a name of its own: two callers may be told of the same shim at once.
    let temporary = bundle.join(format!(".address.{}", std::process::id()));
    std::fs::write(&temporary, address)?;
    std::fs::rename(&temporary, bundle.join("address"))
}

/// The serving process, from its first instruction to its last.
fn serve(args: &Args, bundle: &Path, socket: &Path, listener: &UnixListener) -> ! {
    let log = Log::new(bundle.to_owned(), args.debug);
    let state_root = paths::state_root(&args.namespace);
    let publisher = Publisher::new(std::env::var_os(events::ADDRESS).map(PathBuf::from), &args.namespace);
    if let Err(error) = detach(listener) {
        log.error(&format!("detach: {error}"));
        std::process::exit(1);
    }
    log.debug(&format!("serving {}", socket.display()));
    let mut service = Service::new(state_root, publisher, log.clone());
    let result = server::serve(listener, &mut service);
    let _ = std::fs::remove_file(socket);
    if let Err(error) = &result {
        log.error(&chain(error));
    }
    log.debug("the end");
    std::process::exit(i32::from(result.is_err()));
}

/// Cuts what ties this process to the one that started it: session, directory, descriptors, environment, signals.
fn detach(listener: &UnixListener) -> io::Result<()> {
    setsid()?;
    // One that lasts, and that holds up nobody's unmounting.
    std::env::set_current_dir("/")?;
    let null = std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&null)?;
    nix::unistd::dup2_stderr(&null)?;
    drop(null);
    close_all_but(listener.as_raw_fd());
    for name in std::env::vars_os().map(|(name, _)| name).collect::<Vec<_>>() {
        // SAFETY: there is one thread.
        unsafe { std::env::remove_var(name) };
    }
    // SAFETY: dispositions and process attributes only. Nobody but Shutdown ends a shim: a stray SIGTERM to the group
    // of the process that started it must not cost a container its parent.
    unsafe {
        for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM, libc::SIGQUIT] {
            libc::signal(signal, libc::SIG_IGN);
        }
        libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
        libc::prctl(libc::PR_SET_NAME, c"longshore-shim".as_ptr());
        // One arena, given back early: the heap is used in bursts.
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 64 << 10);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 64 << 10);
    }
    Ok(())
}

/// A descriptor that we inherit would keep somebody's pipe or socket open as long as the container lives.
fn close_all_but(keep: i32) {
    let keep = keep as u32;
    // SAFETY: beyond the standard ones, the listener is the only descriptor that anything here owns.
    unsafe {
        if keep > 3 {
            libc::syscall(libc::SYS_close_range, 3u32, keep - 1, 0u32);
        }
        libc::syscall(libc::SYS_close_range, keep + 1, u32::MAX, 0u32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_takes_another_ones_place_whole() {
        let dir = tempfile::tempdir().unwrap();
        let address = dir.path().join("address");
        std::fs::write(&address, "unix:///an/older/and/longer/one").unwrap();
        let mut before = std::fs::File::open(&address).unwrap();
        write_address(dir.path(), "unix:///new").unwrap();
        assert_eq!(std::fs::read_to_string(&address).unwrap(), "unix:///new");
        // Whoever had it open reads what was there, and never a part of either.
        let mut text = String::new();
        std::io::Read::read_to_string(&mut before, &mut text).unwrap();
        assert_eq!(text, "unix:///an/older/and/longer/one");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
