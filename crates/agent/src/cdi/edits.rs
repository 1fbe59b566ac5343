//! What containers get of their devices (SPEC.md, "OCI Edits"). Pure, but for [`look`].

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use oci_spec::runtime::LinuxDeviceType;

use super::file::{self, ContainerEdits, HookName};
use super::{CdiError, Named};
use crate::bundle::{DeviceMount, DeviceNode, Edits, Hook};

/// A device node of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    pub kind: LinuxDeviceType,
    pub major: i64,
    pub minor: i64,
    pub mode: u32,
}

/// The edits of the files that the devices are in, each once, before those of the devices themselves.
pub fn of(wanted: &[Named<'_>], look: impl Fn(&Path) -> Result<Node, String>) -> Result<Edits, CdiError> {
    let mut edits = Edits::default();
    for (n, one) in wanted.iter().enumerate() {
        if !wanted[..n].iter().any(|other| std::ptr::eq(other.of, one.of)) {
            add(&mut edits, one, &one.of.spec.container_edits, &look)?;
        }
        add(&mut edits, one, &one.device.container_edits, &look)?;
    }
    Ok(edits)
}

fn add(
    edits: &mut Edits,
    of: &Named<'_>,
    given: &ContainerEdits,
    look: &impl Fn(&Path) -> Result<Node, String>,
) -> Result<(), CdiError> {
    let unsupported =
        [("intelRdt", given.intel_rdt.is_some()), ("netDevices", !given.net_devices.is_empty())];
    if let Some((what, _)) = unsupported.into_iter().find(|(_, asked)| *asked) {
        return Err(CdiError::Unsupported { id: of.name(), path: of.of.path.display().to_string(), what });
    }
    let pairs = given.env.iter().filter_map(|pair| pair.split_once('='));
    edits.env.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
    for node in &given.device_nodes {
        let path = node.on_the_machine();
        let seen = look(Path::new(path));
        let told = |why| CdiError::Node { id: of.name(), path: path.to_owned(), why };
        let node = complete(node, seen).map_err(told)?;
        edits.nodes.retain(|other| other.path != node.path);
        edits.nodes.push(node);
    }
    for mount in &given.mounts {
        edits.mounts.retain(|other| other.destination != mount.container_path);
        edits.mounts.push(DeviceMount {
            source: mount.host_path.clone(),
            destination: mount.container_path.clone(),
            kind: mount.kind.clone().filter(|kind| !kind.is_empty()),
            options: mount.options.clone(),
        });
    }
    for hook in &given.hooks {
        let list = match hook.hook_name {
            HookName::Prestart => &mut edits.hooks.prestart,
            HookName::CreateRuntime => &mut edits.hooks.create_runtime,
            HookName::CreateContainer => &mut edits.hooks.create_container,
            HookName::StartContainer => &mut edits.hooks.start_container,
            HookName::Poststart => &mut edits.hooks.poststart,
            HookName::Poststop => &mut edits.hooks.poststop,
        };
        list.push(Hook {
            path: hook.path.clone(),
            args: hook.args.clone(),
            env: hook.env.clone(),
            timeout_s: hook.timeout,
        });
    }
    // "Values of 0 are ignored."
    edits.additional_gids.extend(given.additional_gids.iter().filter(|gid| **gid != 0));
    Ok(())
}

/// A node as it is described, and what isn't said as it is on the machine. Who describes it in full needs none there.
fn complete(node: &file::DeviceNode, seen: Result<Node, String>) -> Result<DeviceNode, String> {
    let described = match node.kind.as_deref().unwrap_or_default() {
        "c" | "u" => Some(LinuxDeviceType::C),
        "b" => Some(LinuxDeviceType::B),
        "p" => Some(LinuxDeviceType::P),
        _ => None,
    };
    let major = node.major.filter(|major| *major != 0);
    let mode = node.file_mode.or(seen.as_ref().ok().map(|seen| seen.mode)).map(|mode| mode & 0o7777);
    let (kind, major, minor) = match (described, major, &seen) {
        (Some(LinuxDeviceType::P), _, _) => (LinuxDeviceType::P, 0, 0),
        (Some(kind), Some(major), _) => (kind, major, node.minor.unwrap_or(0)),
        (_, _, Err(why)) => return Err(why.clone()),
        (Some(kind), None, Ok(seen)) if kind != seen.kind => {
            return Err("it is of another type than the CDI specification says".into());
        }
        (_, None, Ok(seen)) => (seen.kind, seen.major, seen.minor),
        (None, Some(major), Ok(seen)) => (seen.kind, major, node.minor.unwrap_or(0)),
    };
    let access = match node.permissions.as_deref().unwrap_or_default() {
        "" => "rwm",
        "none" => "",
        access => access,
    };
    let access = access.to_owned();
    let path = node.path.clone();
    Ok(DeviceNode { path, kind, major, minor, mode, uid: node.uid, gid: node.gid, access })
}

/// What is there on the machine.
pub fn look(path: &Path) -> Result<Node, String> {
    let meta = std::fs::symlink_metadata(path).map_err(|error| error.to_string())?;
    let kind = match meta.file_type() {
        kind if kind.is_char_device() => LinuxDeviceType::C,
        kind if kind.is_block_device() => LinuxDeviceType::B,
        kind if kind.is_fifo() => LinuxDeviceType::P,
        _ => return Err("it is no device node".into()),
    };
    let (major, minor) = (libc::major(meta.rdev()), libc::minor(meta.rdev()));
    Ok(Node { kind, major: major.into(), minor: minor.into(), mode: meta.mode() & 0o7777 })
}
