//! File descriptors: each connection is one, and a session's usual limit of 1,024 dates from a time when
//! programs could not deal with more.

/// The most connections that are served at once, where the limit allows so many.
const MOST_CONNECTIONS: u64 = 16 * 1024;
/// Two sessions of each container instance, which don't count as connections (their agents are known).
const AGENTS: u64 = 128 * 1024;
/// Kept for the rest: the state, blobs and logs that are open, agents, the pipes of containers.
const RESERVED: u64 = 2048;

/// Raises the limit to what the process may have, and, where it is allowed to, to what the sessions of fifty thousand
/// container instances take. Containers don't inherit it: their own is always set.
pub fn raise() {
    let Some(limit) = limit() else { return };
    let most = limit.rlim_max.max(AGENTS);
    let wide = libc::rlimit { rlim_cur: most, rlim_max: most };
    let may_have = libc::rlimit { rlim_cur: limit.rlim_max, ..limit };
    if set(&wide).or_else(|_| set(&may_have)).is_err() {
        let error = std::io::Error::last_os_error();
        tracing::warn!(%error, "the limit of file descriptors stays as it is");
    }
}

fn set(limit: &libc::rlimit) -> Result<(), ()> {
    // SAFETY: the structure is whole and outlives the call.
    let set = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, limit) };
    if set == 0 { Ok(()) } else { Err(()) }
}

/// How many connections to serve at once, by the limit in force.
pub fn connections() -> usize {
    let descriptors = limit().map_or(1024, |limit| limit.rlim_cur);
    usize::try_from(share(descriptors)).unwrap_or(usize::MAX)
}

/// All but the reserve; of a small limit, half.
fn share(descriptors: u64) -> u64 {
    descriptors.saturating_sub(RESERVED).max(descriptors / 2).min(MOST_CONNECTIONS)
}

fn limit() -> Option<libc::rlimit> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel writes one such structure.
    let told = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    (told == 0).then_some(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_descriptors_for_the_rest() {
        assert_eq!(share(1024), 512);
        assert_eq!(share(20_000), 16 * 1024);
        assert_eq!(share(12_000), 12_000 - RESERVED);
        assert_eq!(share(u64::MAX), MOST_CONNECTIONS);
    }

    #[test]
    fn the_limit_is_raised_to_what_may_be_had() {
        raise();
        let limit = limit().unwrap();
        assert_eq!(limit.rlim_cur, limit.rlim_max);
    }
}
