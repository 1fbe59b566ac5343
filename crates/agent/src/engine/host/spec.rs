use super::{Host, HostError};
use crate::engine::plan::Work;
use crate::images::{PulledImage, resolve_user};

impl Host {
    pub(super) fn make_cgroup(&self, _work: &Work) -> Result<(), HostError> {
        Ok(())
    }
    pub(super) fn remove_cgroup(&self, _work: &Work) {}
    pub(super) fn remove_cgroup_of(&self, _work: &Work, _container: usize) {}
    pub(super) fn was_out_of_memory(&self, _work: &Work, _container: usize) -> bool {
        false
    }

    pub(super) fn write_bundle(
        &self,
        work: &Work,
        container: usize,
        image: &PulledImage,
    ) -> Result<(), HostError> {
        let c = &work.containers[container];
        let told = |e: &dyn std::fmt::Display| HostError::Told(e.to_string());
        let images = &self.config.images;
        images.remove_rootfs(&c.runtime_id).map_err(|e| told(&e))?;
        let readonly = c.host.readonly_rootfs == Some(true);
        let rootfs = c.bundle.join("rootfs");
        images
            .prepare(&c.runtime_id, image, readonly)
            .and_then(|m| m.mount(&rootfs))
            .map_err(|e| told(&e))?;
        let user = resolve_user(&rootfs, &image.config.user).map_err(|e| told(&e))?;
        let mut args = c.payload.entry_point.clone().unwrap_or_else(|| image.config.entrypoint.clone());
        args.extend(c.payload.command.clone().unwrap_or_else(|| image.config.cmd.clone()));
        let mut env = vec!["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned()];
        env.extend(image.config.env.clone());
        env.extend(c.payload.environment.iter().map(|(k, v)| format!("{k}={v}")));
        let netns = self.config.network.get(&work.id).map_err(|e| told(&e))?;
        let spec = serde_json::json!({
            "ociVersion": "1.0.2",
            "annotations": { super::launch::GROUP: work.id },
            "process": {
                "args": args, "env": env, "cwd": "/",
                "user": {"uid": user.uid, "gid": user.gid},
            },
            "root": {"path": "rootfs", "readonly": readonly},
            "hostname": "test",
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
                {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]}],
            "linux": {
                "cgroupsPath": format!("/longshore-{}/{}/{}", self.config.prefix, work.id, c.payload.name),
                "namespaces": [{"type":"pid"},{"type":"ipc"},{"type":"uts"},{"type":"mount"},{"type":"network","path": netns.path}],
            }
        });
        let path = c.bundle.join("config.json");
        std::fs::write(&path, spec.to_string()).map_err(HostError::io("cannot write", &path))?;
        if let Some(signal) = &image.config.stop_signal {
            let path = c.bundle.join(super::finish::STOP_SIGNAL);
            std::fs::write(&path, signal).map_err(HostError::io("cannot write", &path))?;
        }
        Ok(())
    }
}

/// Removes every cgroup of a prefix.
pub fn remove_cgroups(_prefix: &str) -> Result<usize, HostError> {
    Ok(0)
}

impl Host {
    pub(super) fn reading(&self, _work: &Work, _container: usize) -> Option<super::usage::Reading> {
        None
    }
}
