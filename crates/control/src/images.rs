//! What the registry asks the control plane: which images are in use, so that no lifecycle policy deletes them.

use std::collections::BTreeSet;

use model::{Deployment, Scope, Service, ServiceStatus, World};

use crate::app::App;
use crate::ecs::image::{Named, OwnRegistry};

/// An image that a task runs or a service would start.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UsedImage {
    pub scope: Scope,
    pub repository: String,
    /// Only where no digest is known: then the image that the tag stands at.
    pub tag: Option<String>,
    pub digest: Option<String>,
}

/// The images in use as of the newest commit.
pub fn in_use(app: &App) -> BTreeSet<UsedImage> {
    used(&app.world(), &OwnRegistry::of(&app.config))
}

/// Those of the tasks that aren't STOPPED, and of the definitions that the deployments of ACTIVE services start.
fn used(world: &World, own: &OwnRegistry) -> BTreeSet<UsedImage> {
    let live = world.all_tasks().filter(|task| task.is_live());
    let running = live.flat_map(|task| &task.containers);
    let running =
        running.filter_map(|container| image(own, &container.image, container.image_digest.as_deref()));
    let services = world.all_services().filter(|service| service.status == ServiceStatus::Active);
    let definitions = services.flat_map(|service| {
        let scope = &service.key.cluster.scope;
        deployments(service).filter_map(|d| world.definition(&d.definition.in_scope(scope)))
    });
    let wanted = definitions.flat_map(|definition| &definition.containers);
    running.chain(wanted.filter_map(|container| image(own, &container.image, None))).collect()
}

/// Those that may start tasks: its own, and the one that a rollback leads to, which may have no tasks any more.
fn deployments(service: &Service) -> impl Iterator<Item = &Deployment> {
    service.deployments.iter().chain(service.completed.as_deref())
}

/// `pulled`: the digest that the agent found under the name.
fn image(own: &OwnRegistry, name: &str, pulled: Option<&str>) -> Option<UsedImage> {
    let named = Named::of(name)?;
    let digest = pulled.or(named.digest).map(str::to_owned);
    let tag = named.tag.filter(|_| digest.is_none()).map(str::to_owned);
    Some(UsedImage {
        scope: own.may_be_in(named.host)?,
        repository: named.repository.to_owned(),
        tag,
        digest,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::app::Config;
    use crate::ecs::service::tests::create;
    use crate::testing::Fixture;

    fn own() -> OwnRegistry {
        OwnRegistry::of(&Config {
            endpoint: "http://127.0.0.1:4580".to_owned(),
            hosts: vec!["hub.lan:4580".to_owned()],
            account: "000000000000".to_owned(),
            region: "us-east-1".to_owned(),
            stopped_task_retention_ms: 0,
            lost_after_ms: 0,
        })
    }

    /// `account/region/repository:tag@digest`.
    fn shown(name: &str, pulled: Option<&str>) -> String {
        let Some(UsedImage { scope, repository, tag, digest }) = image(&own(), name, pulled) else {
            return "-".to_owned();
        };
        let part = |sign: &str, part: Option<String>| part.map(|p| format!("{sign}{p}")).unwrap_or_default();
        format!("{}/{}/{repository}{}{}", scope.account, scope.region, part(":", tag), part("@", digest))
    }

    #[test]
    fn names_and_digests() {
        let home = "000000000000/us-east-1";
        for (name, pulled, expected) in [
            ("127.0.0.1:4580/team/app:v1", None, format!("{home}/team/app:v1")),
            ("localhost:4580/app", None, format!("{home}/app:latest")),
            ("hub.lan:4580/app", None, format!("{home}/app:latest")),
            ("localhost:4580/app:v1@sha256:1", None, format!("{home}/app@sha256:1")),
            ("localhost:4580/app:v1", Some("sha256:2"), format!("{home}/app@sha256:2")),
            (
                "000000000001.dkr.ecr.eu-west-1.amazonaws.com/app:v1",
                None,
                "000000000001/eu-west-1/app:v1".to_owned(),
            ),
            ("registry.internal/app:v1", None, format!("{home}/app:v1")),
            ("library/nginx", None, "-".to_owned()),
            ("nginx", None, "-".to_owned()),
        ] {
            assert_eq!(shown(name, pulled), expected, "{name} {pulled:?}");
        }
    }

    #[test]
    fn ours_is_spelled_as_the_agent_calls_us() {
        let called = |image: &str| own().as_called(image, "10.0.0.5:4580");
        for ours in ["127.0.0.1:4580/team/app:v1", "localhost:4580/team/app:v1", "hub.lan:4580/team/app:v1"] {
            assert_eq!(called(ours).as_deref(), Some("10.0.0.5:4580/team/app:v1"));
        }
        for as_it_is in [
            "10.0.0.5:4580/app",
            "127.0.0.1:9/app",
            "nginx",
            "0.dkr.ecr.r.amazonaws.com/app",
            "ghcr.io/a/b@sha256:1",
        ] {
            assert_eq!(called(as_it_is), None, "{as_it_is}");
        }
    }

    #[tokio::test]
    async fn services_and_tasks_until_they_are_gone() {
        let fixture = Fixture::new().await;
        let definition = |family: &str, image: &str| {
            json!({
                "family": family, "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc", "cpu": "256",
                "memory": "512", "containerDefinitions": [{"name": "web", "image": image}],
            })
        };
        let images = || {
            let used = used(&fixture.app.world(), &own());
            used.into_iter().map(|u| format!("{}:{}", u.repository, u.tag.unwrap())).collect::<Vec<_>>()
        };
        for family in ["web", "idle"] {
            let image = format!("127.0.0.1:4580/{family}:v1");
            fixture.json("RegisterTaskDefinition", definition(family, &image)).await.unwrap();
        }
        assert!(images().is_empty(), "a definition alone uses nothing");
        create(&fixture, json!({"desiredCount": 0})).await.unwrap();
        assert_eq!(images(), ["web:v1"], "what it would start when it is scaled out");
        let mut service = fixture.app.world().all_services().next().unwrap().as_ref().clone();
        let mut before = service.deployments[0].clone();
        before.definition.family = "idle".into();
        service.completed = Some(Box::new(before));
        let families: Vec<_> = deployments(&service).map(|d| d.definition.family.to_string()).collect();
        assert_eq!(families, ["web", "idle"], "a rollback may lead there");
        let delete = json!({"service": "web", "force": true});
        fixture.json("DeleteService", delete).await.unwrap();
        assert!(images().is_empty());
    }
}
