use std::sync::Arc;

use wire::ecs::{UpdateContainerAgentRequest, UpdateContainerAgentResponse};
use wire::{Context, Error};

use super::reference;
use crate::app::App;

/// Nobody publishes agents here, so none can be updated: ECS's own comes with its package, ours with `longshore`.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: UpdateContainerAgentRequest,
) -> Result<UpdateContainerAgentResponse, Error> {
    let world = app.world();
    let cluster = reference::active_cluster(&context, &world, input.cluster.as_deref())?;
    let id = reference::instance(&context, &cluster, &input.container_instance)?;
    let instance = reference::instance_in(&world, &cluster, id)?;
    Err(match &instance.agent_version {
        Some(version) => Error::new(
            "NoUpdateAvailableException",
            format!("There is no update available for your container agent, which is of version {version}."),
        ),
        None => Error::new(
            "MissingVersionException",
            "Amazon ECS is unable to determine the current version of the Amazon ECS container agent on the \
             container instance: it has not connected yet.",
        ),
    })
}

#[cfg(test)]
mod tests {
    use model::{Command, Document};
    use serde_json::json;

    use crate::testing::Fixture;

    #[tokio::test]
    async fn there_is_no_update_and_that_is_said() {
        let fixture = Fixture::new().await;
        let answer = fixture.json("RegisterContainerInstance", json!({})).await.unwrap();
        let arn = answer["containerInstance"]["containerInstanceArn"].as_str().unwrap().to_owned();
        let update = json!({"containerInstance": arn});
        let code = async || fixture.json("UpdateContainerAgent", update.clone()).await.unwrap_err().code;
        assert_eq!(code().await, "MissingVersionException");
        let id = arn.rsplit('/').next().unwrap().parse().unwrap();
        let info = Document::of(&json!({"agentVersion": "1.105.1"})).unwrap();
        fixture.submit(Command::ReportAgentVersion { id, agent: "1.105.1".into(), info }).await;
        assert_eq!(code().await, "NoUpdateAvailableException");
    }
}
