//! What devices bring with them: nodes, mounts, variables and hooks (Container Device Interface, "OCI Edits").

use std::path::PathBuf;

use oci_spec::runtime::{
    HookBuilder, Hooks as OciHooks, LinuxDevice, LinuxDeviceBuilder, LinuxDeviceCgroup,
    LinuxDeviceCgroupBuilder, LinuxDeviceType, Mount, MountBuilder,
};

use super::User;

/// For the container that has the devices; what it has by itself stands back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edits {
    pub env: Vec<(String, String)>,
    pub nodes: Vec<DeviceNode>,
    pub mounts: Vec<DeviceMount>,
    pub hooks: Hooks,
    pub additional_gids: Vec<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceNode {
    /// In the container.
    pub path: String,
    pub kind: LinuxDeviceType,
    pub major: i64,
    pub minor: i64,
    pub mode: Option<u32>,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    /// Letters of `rwm`; without one the node may not be opened.
    pub access: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceMount {
    pub source: String,
    pub destination: String,
    pub kind: Option<String>,
    pub options: Vec<String>,
}

/// OCI runtime specification, "POSIX-platform Hooks".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hooks {
    pub prestart: Vec<Hook>,
    pub create_runtime: Vec<Hook>,
    pub create_container: Vec<Hook>,
    pub start_container: Vec<Hook>,
    pub poststart: Vec<Hook>,
    pub poststop: Vec<Hook>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    pub path: String,
    /// Its own name among them, as with execve(2).
    pub args: Vec<String>,
    pub env: Vec<String>,
    pub timeout_s: Option<i64>,
}

impl Edits {
    /// A node that nobody is said to own is the container's user's.
    pub(super) fn devices(&self, user: &User) -> Vec<LinuxDevice> {
        let own = |id: u32| Some(id).filter(|id| *id > 0);
        let device = |node: &DeviceNode| {
            let mut device = LinuxDeviceBuilder::default()
                .path(&node.path)
                .typ(node.kind)
                .major(node.major)
                .minor(node.minor)
                .build()
                .expect("every field has a default");
            device
                .set_file_mode(node.mode)
                .set_uid(node.uid.or(own(user.uid)))
                .set_gid(node.gid.or(own(user.gid)));
            device
        };
        self.nodes.iter().map(device).collect()
    }

    /// Which of them may be opened.
    pub(super) fn rules(&self) -> impl Iterator<Item = LinuxDeviceCgroup> {
        let guarded = |node: &&DeviceNode| node.kind != LinuxDeviceType::P && !node.access.is_empty();
        self.nodes.iter().filter(guarded).map(|node| {
            let rule = LinuxDeviceCgroupBuilder::default().allow(true).typ(node.kind).access(&node.access);
            rule.major(node.major).minor(node.minor).build().expect("the required field is set")
        })
    }

    pub(super) fn mounts(&self) -> impl Iterator<Item = Mount> {
        self.mounts.iter().map(|mount| {
            let mut made = MountBuilder::default()
                .destination(&mount.destination)
                .source(&mount.source)
                .options(mount.options.clone())
                .build()
                .expect("every field has a default");
            let bound = mount.options.iter().any(|option| option == "bind" || option == "rbind");
            made.set_typ(mount.kind.clone().or(bound.then(|| "bind".to_owned())));
            made
        })
    }
}

impl Hooks {
    /// `None` where there are none.
    pub(super) fn to_oci(&self) -> Option<OciHooks> {
        if *self == Self::default() {
            return None;
        }
        let list = |hooks: &[Hook]| (!hooks.is_empty()).then(|| hooks.iter().map(one).collect());
        let mut all = OciHooks::default();
        // Older tools of vendors know no other.
        #[allow(deprecated)]
        all.set_prestart(list(&self.prestart));
        all.set_create_runtime(list(&self.create_runtime))
            .set_create_container(list(&self.create_container))
            .set_start_container(list(&self.start_container))
            .set_poststart(list(&self.poststart))
            .set_poststop(list(&self.poststop));
        Some(all)
    }
}

fn one(hook: &Hook) -> oci_spec::runtime::Hook {
    let some = |list: &[String]| Some(list.to_vec()).filter(|list| !list.is_empty());
    let mut made =
        HookBuilder::default().path(PathBuf::from(&hook.path)).build().expect("the required field is set");
    made.set_args(some(&hook.args)).set_env(some(&hook.env)).set_timeout(hook.timeout_s);
    made
}
