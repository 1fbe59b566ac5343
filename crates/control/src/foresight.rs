//! What an UpdateService would do: the call's own checks, and the service's planner run ahead on a snapshot. Nothing is
//! submitted.

use model::{World, transact};
use plan::preview::{self, Change, End};
use serde::{Deserialize, Serialize};
use wire::ecs::UpdateServiceRequest;
use wire::{Context, Error, arn};

use crate::ecs::{errors, reference::DEFAULT_CLUSTER, update_service};

/// What `POST /longshore/plan` asks for: the members of UpdateService of the same names.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanRequest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    pub service: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_definition: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired_count: Option<i32>,
    #[serde(default)]
    pub force_new_deployment: bool,
}

impl PlanRequest {
    /// The service's ARN, which policies are held against; `*` where its names are none.
    pub(crate) fn resource(&self, region: &str, account: &str) -> String {
        let cluster = arn::cluster(self.cluster.as_deref().unwrap_or(DEFAULT_CLUSTER));
        match (cluster, arn::service(&self.service)) {
            (Some(cluster), Some(service)) => {
                arn::Home { region, account }.service(&cluster.name, &service.name)
            }
            _ => "*".to_owned(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanAnswer {
    /// For people.
    pub text: String,
    /// Tasks in all.
    pub starts: u32,
    pub stops: u32,
    /// Whether the service comes to what it is asked for.
    pub completes: bool,
}

/// The same answer for the same arguments. Refuses what UpdateService would refuse, in its words.
pub(crate) fn of(
    context: &Context,
    world: &World,
    asked: &PlanRequest,
    now_ms: u64,
    seed: u128,
) -> Result<PlanAnswer, Error> {
    let input = UpdateServiceRequest {
        cluster: asked.cluster.clone(),
        service: asked.service.clone(),
        task_definition: asked.task_definition.clone(),
        desired_count: asked.desired_count,
        force_new_deployment: Some(asked.force_new_deployment),
        ..UpdateServiceRequest::default()
    };
    let (key, command) = update_service::command(context, world, &input, seed)?;
    let gone = || Error::new("ServiceNotFoundException", "Service not found.");
    let before = world.service(&key).ok_or_else(gone)?;
    let mut then = world.clone();
    transact(&mut then, &command, now_ms).map_err(|refusal| errors::refused(&refusal))?;
    let after = then.service(&key).ok_or_else(gone)?;
    let preview = preview::run(&then, &key, now_ms, seed).ok_or_else(gone)?;
    Ok(PlanAnswer {
        text: preview::text(Change { before, after }, &preview),
        starts: preview.started,
        stops: preview.stopped,
        completes: preview.end == End::Steady,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ecs::service::tests::{create, define};
    use crate::testing::Fixture;

    async fn fixture() -> Fixture {
        let fixture = Fixture::new().await;
        for _ in 0..2 {
            define(&fixture, "web", model::NetworkMode::Awsvpc).await;
        }
        fixture.instance(model::Home::Pool, &[]).await;
        create(&fixture, json!({"taskDefinition": "web:1"})).await.unwrap();
        fixture
    }

    fn plan(fixture: &Fixture, asked: &PlanRequest) -> Result<PlanAnswer, Error> {
        of(&fixture.context, &fixture.app.world(), asked, fixture.app.now_ms(), 1)
    }

    #[tokio::test]
    async fn nothing_is_changed_by_looking_ahead() {
        let fixture = fixture().await;
        let before = fixture.app.world();
        let asked = PlanRequest {
            service: "web".to_owned(),
            task_definition: Some("web:2".to_owned()),
            desired_count: Some(3),
            ..PlanRequest::default()
        };
        let answer = plan(&fixture, &asked).unwrap();
        assert_eq!((answer.starts, answer.stops, answer.completes), (3, 0, true), "{}", answer.text);
        assert!(
            answer
                .text
                .starts_with("web (cluster default) goes from web:1 to web:2, with 3 tasks instead of 2.")
        );
        assert!(*before == *fixture.app.world());
    }

    #[tokio::test]
    async fn what_an_update_would_refuse_is_refused() {
        let fixture = fixture().await;
        let asked = |service: &str| PlanRequest { service: service.to_owned(), ..PlanRequest::default() };
        let cases = [
            (asked("none"), "ServiceNotFoundException"),
            (PlanRequest { cluster: Some("x".to_owned()), ..asked("web") }, "ClusterNotFoundException"),
            (PlanRequest { desired_count: Some(-1), ..asked("web") }, "InvalidParameterException"),
            (PlanRequest { task_definition: Some("none".to_owned()), ..asked("web") }, "ClientException"),
        ];
        for (asked, code) in cases {
            assert_eq!(plan(&fixture, &asked).unwrap_err().code, code, "{asked:?}");
        }
    }
}
