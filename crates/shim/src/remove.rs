//! The action `delete`: kill and remove what a dead shim, or a create that failed, left of one container.

use std::io::{self, Write};

use containerd_shim_protos::api::DeleteResponse;
use containerd_shim_protos::protobuf::well_known_types::timestamp::Timestamp;
use containerd_shim_protos::protobuf::{Message, MessageField};

use crate::bundle::Config;
use crate::cgroup::Cgroup;
use crate::cli::Args;
use crate::exit_record::{self, Exit};
use crate::{container, paths, rootfs, socket};

/// Exit code of what is killed: 128 + SIGKILL.
const KILLED: u32 = 137;

/// Removes the container's remains and prints a DeleteResponse. It succeeds when there is nothing to remove.
pub fn run(args: &Args) -> io::Result<()> {
    let bundle = match &args.bundle {
        Some(bundle) => bundle.clone(),
        None => std::env::current_dir()?,
    };
    let bundle = bundle.canonicalize().unwrap_or(bundle);
    // Both may be gone with the bundle; the state directory still tells of the container.
    let config = Config::load(&bundle).unwrap_or_default();
    let root = paths::state_root(&args.namespace);
    let cgroup = container::cgroup_of(&root.join(&args.id)).unwrap_or_else(|| config.cgroup(&args.id));
    let pid = container::remove_remains(&root, &args.id, &Cgroup::new(&cgroup));
    let rootfs = config.rootfs(&bundle);
    // Only what Create mounted inside the bundle; a root elsewhere belongs to whoever put it there.
    if rootfs.starts_with(&bundle) {
        while rootfs::unmount(&rootfs) {}
    }
    let group = config.group().unwrap_or(&args.id).to_owned();
    if let Ok(path) = paths::socket(&paths::socket_dir(), &args.namespace, &group) {
        socket::remove_stale(&path);
    }
    let exit = exit_record::read(&bundle).unwrap_or_else(|| {
        let exit = Exit::now(KILLED);
        // It ran and we ended it: whoever comes later learns how.
        if pid != 0 && bundle.is_dir() {
            let _ = exit_record::write(&bundle, &exit);
        }
        exit
    });
    let mut response = DeleteResponse::new();
    response.pid = pid as u32;
    response.exit_status = exit.exit_code;
    let mut at = Timestamp::new();
    at.seconds = (exit.exited_at_ms / 1000) as i64;
    at.nanos = (exit.exited_at_ms % 1000 * 1_000_000) as i32;
    response.exited_at = MessageField::some(at);
    let bytes = response.write_to_bytes().map_err(io::Error::other)?;
    io::stdout().write_all(&bytes)
}
