use std::sync::Arc;

use model::command::{Registration, Token};
use model::{
    Attribute, Command, ContainerInstance, Document, Home, InstanceId, Refusal, Subnet, Tags, TokenResult,
};
use wire::ecs::{RegisterContainerInstanceRequest, RegisterContainerInstanceResponse};
use wire::{Context, Error, arn};

use super::reference;
use super::service::rules;
use super::translate::{instance, tags};
use crate::app::App;
use crate::sessions::identity;
use crate::writer::SubmitError;

/// Marks an instance of the serverless pool, which only an agent's key may register.
const CAPACITY: &str = "longshore.capacity";
/// Where the instance's tasks get their addresses.
const SUBNET: &str = "longshore.subnet-cidr";

/// What a machine doesn't become another by.
const KINDS: [&str; 3] = ["ecs.instance-type", "ecs.os-type", "ecs.cpu-architecture"];

const OPERATION: &str = "RegisterContainerInstance";

/// With an ARN the instance registers again: what it says of itself takes the place of what it said. So it is
/// with a token that came before: the agent was killed before it could note which instance it had become.
pub(crate) async fn handle(
    app: Arc<App>,
    context: Context,
    input: RegisterContainerInstanceRequest,
) -> Result<RegisterContainerInstanceResponse, Error> {
    let world = app.world();
    let attributes: Vec<_> = input.attributes.iter().flatten().map(instance::attribute_from_wire).collect();
    let value = |name: &str| {
        let named = attributes.iter().find(|attribute| &*attribute.name == name);
        named.and_then(|attribute| attribute.value.as_deref())
    };
    let home = match value(CAPACITY) {
        Some("serverless") => {
            let is_agent = app.keyring.find(&context.access_key_id).is_some_and(|key| key.is_agent());
            if !is_agent {
                return Err(Error::new(
                    "AccessDeniedException",
                    "Only an agent's key may register an instance of the serverless pool.",
                ));
            }
            Home::Pool
        }
        _ => Home::Cluster(reference::active_cluster(&context, &world, input.cluster.as_deref())?),
    };
    let subnet = value(SUBNET).map(str::parse::<Subnet>).transpose().map_err(|error| {
        Error::invalid_parameter(format!("The attribute {SUBNET} is malformed: {error}."))
    })?;
    // Who joined by a token is the instance of their key, whatever they remember.
    let joined = world.instance_key(&context.access_key_id).map(|key| key.instance);
    let (id, token) = match input.container_instance_arn.as_deref().filter(|arn| !arn.is_empty()) {
        Some(text) => {
            let id = arn::container_instance(text)
                .and_then(|named| named.name.parse().ok())
                .ok_or_else(|| Error::invalid_parameter("The container instance's ARN is malformed."))?;
            if joined.is_some_and(|own| own != id) {
                return Err(Error::invalid_parameter("The key is that of another container instance."));
            }
            may_be(&app, &context, id, &attributes).await?;
            (id, None)
        }
        None => match joined {
            Some(id) => {
                may_be(&app, &context, id, &attributes).await?;
                (id, None)
            }
            None => (app.instance_id(), token(input.client_token.as_deref())?),
        },
    };
    let (total, reserved_ports) = instance::totals(input.total_resources.as_deref().unwrap_or_default());
    let mut registration = Registration {
        id,
        home,
        attributes,
        total,
        reserved_ports,
        gpus: instance::gpus(input.platform_devices.as_deref().unwrap_or_default())?,
        subnet,
        agent_version: input
            .version_info
            .as_ref()
            .and_then(|info| info.agent_version.as_deref())
            .map(Into::into),
        ec2_instance_id: input.instance_identity_document.as_deref().and_then(instance::ec2_instance_id),
        version_info: input.version_info.as_ref().and_then(|info| Document::of(info).ok()),
        tags: Tags::new(tags::from_wire(input.tags.as_deref())?),
        document: None,
        token: token.map(|token| (reference::scope(&context), token)),
    };
    let done = match app.submit(Command::RegisterInstance(Box::new(registration.clone()))).await {
        Err(SubmitError::Refused(Refusal::AlreadyDone(TokenResult::Instance(id)))) => {
            may_be(&app, &context, id, &registration.attributes).await?;
            registration = Registration { id, token: None, ..registration };
            app.submit(Command::RegisterInstance(Box::new(registration.clone()))).await?
        }
        other => other?,
    };
    let registered = done.world.instance(registration.id);
    let container_instance =
        registered.map(|registered| instance::to_wire(&done.world, registered, &app.config.home(), &[]));
    Ok(RegisterContainerInstanceResponse { container_instance })
}

/// Whether the caller can be the agent of an instance that there is.
async fn may_be(app: &App, context: &Context, id: InstanceId, said: &[Attribute]) -> Result<(), Error> {
    if app.world().instance(id).is_some_and(|instance| is_another_kind(instance, said)) {
        return Err(Error::new("ClientException", "Container instance type changes are not supported."));
    }
    match app.hub.answering(id).await {
        Some(there) => {
            let named = app
                .world()
                .instance(id)
                .map(|instance| crate::arn::instance(&instance.home, &app.config.home(), id));
            let message = identity::taken(&named.unwrap_or_default(), there.peer, context.source_ip);
            tracing::warn!(instance = %id, message, "a registration is refused");
            Err(Error::new("ClientException", message))
        }
        None => Ok(()),
    }
}

/// As ECS has it: a machine of another kind is another instance. How much it has may change.
fn is_another_kind(instance: &ContainerInstance, said: &[Attribute]) -> bool {
    let value = |all: &[Attribute], name: &str| {
        all.iter().find(|attribute| &*attribute.name == name).and_then(|attribute| attribute.value.clone())
    };
    KINDS.iter().any(|name| match (value(&instance.attributes, name), value(said, name)) {
        (Some(was), Some(is)) => was != is,
        _ => false,
    })
}

/// It stands for the machine alone: an agent that comes back with it may say other things of itself.
fn token(token: Option<&str>) -> Result<Option<Token>, Error> {
    let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(None) };
    rules::client_token(token)?;
    Ok(Some(Token { operation: OPERATION.into(), token: token.into(), fingerprint: "".into() }))
}

#[cfg(test)]
mod tests {
    use model::Command;
    use serde_json::{Value, json};

    use crate::testing::Fixture;

    #[tokio::test]
    async fn gpus_are_a_resource_and_a_task_has_its_own() {
        let fixture = Fixture::new().await;
        let device = |id: &str, kind: &str| json!({"id": id, "type": kind});
        let resources = |set: &[(&str, i32)]| -> Vec<Value> {
            let one =
                |(name, value): &(&str, i32)| json!({"name": name, "type": "INTEGER", "integerValue": value});
            set.iter().map(one).collect()
        };
        let devices = [("g0", "GPU"), ("g1", "GPU"), ("g1", "GPU"), ("0", "NEURON_DEVICE")];
        let machine = json!({
            "platformDevices": devices.map(|(id, kind)| device(id, kind)),
            "totalResources": resources(&[("CPU", 4096), ("MEMORY", 4096)]),
        });
        let arn = register(&fixture, machine).await.unwrap();
        let id = arn.rsplit('/').next().unwrap().parse().unwrap();
        fixture.submit(Command::SetAgentConnected { id, connected: true }).await;
        let container = json!({
            "name": "app", "image": "nginx", "memory": 64, "resourceRequirements": [{"type": "GPU", "value": "1"}],
        });
        let definition = json!({"family": "web", "containerDefinitions": [container]});
        fixture.json("RegisterTaskDefinition", definition).await.unwrap();
        let run = json!({"taskDefinition": "web", "launchType": "EC2", "count": 1});
        let task = fixture.json("RunTask", run).await.unwrap()["tasks"][0].clone();
        assert_eq!(task["containers"][0]["gpuIds"], json!(["g0"]));
        let more = json!({"containerOverrides": [{"name": "app", "resourceRequirements": [{"type": "GPU", "value": "2"}]}]});
        let more = json!({"taskDefinition": "web", "launchType": "EC2", "overrides": more});
        let refused = fixture.json("RunTask", more).await.unwrap();
        assert_eq!(refused["failures"][0]["reason"], "RESOURCE:GPU", "{refused}");
        let described =
            fixture.json("DescribeContainerInstances", json!({"containerInstances": [arn]})).await.unwrap();
        let set = |which: &str| {
            let all = described["containerInstances"][0][which].as_array().unwrap();
            let gpu = all.iter().find(|one| one["name"] == "GPU").unwrap();
            assert_eq!(gpu["type"], "STRINGSET");
            gpu["stringSetValue"].clone()
        };
        assert_eq!(set("registeredResources"), json!(["g0", "g1"]));
        assert_eq!(set("remainingResources"), json!(["g1"]));
        let blank = register(&fixture, json!({"platformDevices": [device("", "GPU")]})).await.unwrap_err();
        assert!(blank.starts_with("InvalidParameterException"), "{blank}");
    }

    async fn register(fixture: &Fixture, input: Value) -> Result<String, String> {
        let answer = fixture.json("RegisterContainerInstance", input).await.map_err(|e| e.to_string())?;
        let arn = answer["containerInstance"]["containerInstanceArn"].as_str();
        Ok(arn.expect("an ARN").to_owned())
    }

    #[tokio::test]
    async fn an_agent_that_forgot_the_answer_is_the_same_instance() {
        let fixture = Fixture::new().await;
        let first = register(&fixture, json!({"clientToken": "a"})).await.unwrap();
        let fixture = fixture.restarted();
        // Started again, it may offer more than before.
        let more = json!({"name": "CPU", "type": "INTEGER", "integerValue": 8192});
        let again = json!({"clientToken": "a", "totalResources": [more]});
        assert_eq!(register(&fixture, again).await.unwrap(), first);
        let world = fixture.app.world();
        let instances: Vec<_> = world.all_instances().collect();
        assert_eq!((instances.len(), instances[0].total.cpu), (1, 8192));
        let other = register(&fixture, json!({"clientToken": "b"})).await.unwrap();
        assert_ne!(other, first);
        // The ARN says more than a token, which is new with each start of the ECS agent.
        let known = json!({"clientToken": "b", "containerInstanceArn": first});
        assert_eq!(register(&fixture, known).await.unwrap(), first);
        let elsewhere = fixture.called_from(crate::testing::ACCOUNT, "eu-west-1");
        elsewhere.json("CreateCluster", json!({"clusterName": "default"})).await.unwrap();
        let elsewhere = register(&elsewhere, json!({"clientToken": "a"})).await.unwrap();
        assert_ne!(elsewhere, first, "a token is of its account and region");
        let kind = |value: &str| json!([{"name": "ecs.instance-type", "value": value}]);
        let typed = json!({"containerInstanceArn": first, "attributes": kind("m5.large")});
        assert_eq!(register(&fixture, typed).await.unwrap(), first);
        let changed = json!({"containerInstanceArn": first, "attributes": kind("m5.xlarge")});
        let refused = register(&fixture, changed).await.unwrap_err();
        assert_eq!(refused, "ClientException: Container instance type changes are not supported.");
        let bad = register(&fixture, json!({"clientToken": "a b"})).await.unwrap_err();
        assert!(bad.contains("clientToken"), "{bad}");
    }
}
