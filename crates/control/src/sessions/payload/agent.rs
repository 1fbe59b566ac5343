//! How the agent runs containers, as far as the description of a task depends on it.

use model::TaskId;
use wire::acs::container::{EcrAuthData, RegistryAuthentication};
use wire::acs::{IamRoleCredentials, RoleType, SessionQuery};

use crate::app::Config;
use crate::ecs::image::{Named, OwnRegistry};
use crate::task_keys::{Roles, TaskKeys};

/// Who pulls images and writes logs.
#[derive(Clone, Debug)]
pub(crate) enum Runtime {
    /// Longshore's own agent, which knows where everything is.
    Own,
    /// A Docker daemon, which ECS's own agent tells what to do. It must be told where our services are.
    Docker(Docker),
}

/// What a Docker daemon is told of this server.
#[derive(Clone, Debug)]
pub(crate) struct Docker {
    /// `scheme://host[:port]`, as the daemon's agent reaches us.
    origin: String,
    registry: OwnRegistry,
    keys: TaskKeys,
}

impl Runtime {
    /// Of the agent that opens a session. ECS's own says the version of its Docker with this prefix (amazon-ecs-agent,
    /// `agent/acs/session`). `origin`: where it reached us.
    pub(crate) fn of(query: &SessionQuery, origin: &str, config: &Config, keys: &TaskKeys) -> Self {
        match query.docker_version.starts_with("DockerVersion") {
            false => Runtime::Own,
            true => {
                let registry = OwnRegistry::of(config).and_at(origin);
                Runtime::Docker(Docker { origin: origin.to_owned(), registry, keys: keys.clone() })
            }
        }
    }

    /// What the agent is told of a task's roles. Ours hands nothing to containers yet.
    pub(super) fn credentials(
        &self,
        task: TaskId,
        roles: &Roles,
        now_ms: u64,
    ) -> Vec<(RoleType, IamRoleCredentials)> {
        let Runtime::Docker(docker) = self else { return Vec::new() };
        let given = |role| Some((role, docker.keys.issue(task, role, roles.of_type(role)?, now_ms)));
        [RoleType::TaskApplication, RoleType::TaskExecution].into_iter().filter_map(given).collect()
    }
}

impl Docker {
    /// Where the logs go instead of to AWS.
    pub(super) fn logs_endpoint(&self) -> &str {
        &self.origin
    }

    /// An image of our registry by the name that leads to it, and how the agent gets the password. `None`: it is
    /// another registry's. `by_role`: the agent asks as the task's execution role, not as itself.
    pub(super) fn image(&self, name: &str, by_role: bool) -> Option<(String, RegistryAuthentication)> {
        let named = Named::of(name)?;
        let scope = self.registry.scope_of(named.host)?;
        let host = self.origin.split_once("://").map_or(self.origin.as_str(), |(_, host)| host);
        let path = name.split_once('/').map_or(name, |(_, path)| path);
        let ecr_auth_data = EcrAuthData {
            registry_id: Some(scope.account.to_string()),
            region: Some(scope.region.to_string()),
            endpoint_override: Some(self.origin.clone()),
            use_execution_role: by_role,
        };
        let authentication = RegistryAuthentication {
            r#type: "ecr".to_owned(),
            ecr_auth_data: Some(ecr_auth_data),
            asm_auth_data: None,
        };
        Some((format!("{host}/{path}"), authentication))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::keyring::NoRoles;

    fn config() -> Config {
        Config {
            endpoint: "http://127.0.0.1:4580".into(),
            hosts: Vec::new(),
            account: "000000000000".into(),
            region: "us-east-1".into(),
            stopped_task_retention_ms: 0,
            lost_after_ms: 0,
        }
    }

    fn docker(origin: &str) -> Docker {
        let query = SessionQuery { docker_version: "DockerVersion: 20.10.24".into(), ..Default::default() };
        match Runtime::of(&query, origin, &config(), &TaskKeys::new(b"a", Arc::new(NoRoles))) {
            Runtime::Docker(docker) => docker,
            Runtime::Own => panic!("it said that it has a Docker"),
        }
    }

    #[test]
    fn our_registry_s_images_are_named_by_where_we_were_reached() {
        let docker = docker("http://10.0.0.1:4580");
        let told = |name: &str| {
            let (image, authentication) = docker.image(name, false)?;
            let ecr = authentication.ecr_auth_data?;
            assert_eq!(ecr.endpoint_override.as_deref(), Some("http://10.0.0.1:4580"));
            Some((image, ecr.registry_id?, ecr.region?))
        };
        let ours = |image: &str, account: &str, region: &str| {
            Some((image.to_owned(), account.to_owned(), region.to_owned()))
        };
        let ecr = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/web:v1";
        assert_eq!(told(ecr), ours("10.0.0.1:4580/team/web:v1", "123456789012", "eu-west-1"));
        let digest = format!("web@sha256:{}", "0".repeat(64));
        for host in ["127.0.0.1:4580", "localhost:4580", "10.0.0.1:4580"] {
            let expected = ours(&format!("10.0.0.1:4580/{digest}"), "000000000000", "us-east-1");
            assert_eq!(told(&format!("{host}/{digest}")), expected);
        }
        for other in ["busybox", "docker.io/library/busybox", "quay.io/a/b:c", "127.0.0.1:5000/a"] {
            assert_eq!(told(other), None, "{other}");
        }
    }

    #[test]
    fn our_own_agent_needs_to_be_told_nothing() {
        let query = SessionQuery { docker_version: "containerd".into(), ..Default::default() };
        let runtime = Runtime::of(&query, "http://h", &config(), &TaskKeys::new(b"a", Arc::new(NoRoles)));
        assert!(matches!(runtime, Runtime::Own));
    }
}
