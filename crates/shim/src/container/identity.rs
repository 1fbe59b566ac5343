//! Who the process is and what it may use: limits, user, groups, capabilities.

use nix::errno::Errno;
use oci_spec::runtime::{PosixRlimit, PosixRlimitType, Process};

use super::capabilities::Sets;

/// The process's limits (setrlimit(2)). Raising one needs CAP_SYS_RESOURCE, so it comes before the capabilities go.
pub fn limit(process: &Process) -> Result<(), String> {
    for limit in process.rlimits().iter().flatten() {
        set(limit).map_err(|errno| format!("limit {:?}: {errno}", limit.typ()))?;
    }
    Ok(())
}

/// The process's score for the kernel's choice of whom to kill when memory is short.
pub fn oom_score(process: &Process) -> Result<(), String> {
    match process.oom_score_adj() {
        Some(score) => std::fs::write("/proc/self/oom_score_adj", score.to_string())
            .map_err(|error| format!("oomScoreAdj {score}: {error}")),
        None => Ok(()),
    }
}

/// Becomes the user, in the directory where it is to be, with no more capabilities than are granted.
pub fn take_on(process: &Process) -> Result<(), String> {
    let sets = Sets::of(process.capabilities().as_ref());
    let user = process.user();
    sets.bound()?;
    // As root first: a directory that the user can't reach may still be where its program starts.
    let reached = enter(process);
    // SAFETY: plain numbers, here and below.
    unsafe {
        libc::umask(user.umask().unwrap_or(0o022) as libc::mode_t);
        libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0);
    }
    let groups: Vec<libc::gid_t> = user.additional_gids().clone().unwrap_or_default();
    // The raw calls: the C library's would tell threads that aren't there.
    unsafe {
        done("groups", libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()))?;
        let gid = user.gid();
        done("group", libc::syscall(libc::SYS_setresgid, gid, gid, gid))?;
        let uid = user.uid();
        done("user", libc::syscall(libc::SYS_setresuid, uid, uid, uid))?;
        libc::prctl(libc::PR_SET_KEEPCAPS, 0, 0, 0, 0);
    }
    match reached {
        Err(Errno::EACCES) => enter(process),
        other => other,
    }
    .map_err(|errno| format!("working directory {:?}: {errno}", process.cwd()))?;
    sets.apply()
}

/// Goes to the working directory, which must be one of the container's.
fn enter(process: &Process) -> Result<(), Errno> {
    nix::unistd::chdir(process.cwd())?;
    match nix::unistd::getcwd() {
        Ok(path) if path.is_absolute() => Ok(()),
        // What getcwd(2) says of a directory that isn't below our root.
        _ => Err(Errno::ENOENT),
    }
}

fn done(what: &str, result: libc::c_long) -> Result<(), String> {
    if result == 0 { Ok(()) } else { Err(format!("set the {what}: {}", Errno::last())) }
}

fn set(limit: &PosixRlimit) -> Result<(), Errno> {
    let resource = match limit.typ() {
        PosixRlimitType::RlimitCpu => libc::RLIMIT_CPU,
        PosixRlimitType::RlimitFsize => libc::RLIMIT_FSIZE,
        PosixRlimitType::RlimitData => libc::RLIMIT_DATA,
        PosixRlimitType::RlimitStack => libc::RLIMIT_STACK,
        PosixRlimitType::RlimitCore => libc::RLIMIT_CORE,
        PosixRlimitType::RlimitRss => libc::RLIMIT_RSS,
        PosixRlimitType::RlimitNproc => libc::RLIMIT_NPROC,
        PosixRlimitType::RlimitNofile => libc::RLIMIT_NOFILE,
        PosixRlimitType::RlimitMemlock => libc::RLIMIT_MEMLOCK,
        PosixRlimitType::RlimitAs => libc::RLIMIT_AS,
        PosixRlimitType::RlimitLocks => libc::RLIMIT_LOCKS,
        PosixRlimitType::RlimitSigpending => libc::RLIMIT_SIGPENDING,
        PosixRlimitType::RlimitMsgqueue => libc::RLIMIT_MSGQUEUE,
        PosixRlimitType::RlimitNice => libc::RLIMIT_NICE,
        PosixRlimitType::RlimitRtprio => libc::RLIMIT_RTPRIO,
        PosixRlimitType::RlimitRttime => libc::RLIMIT_RTTIME,
    };
    let value = libc::rlimit { rlim_cur: limit.soft(), rlim_max: limit.hard() };
    // SAFETY: a structure that lives through the call.
    Errno::result(unsafe { libc::setrlimit(resource, &value) }).map(drop)
}
