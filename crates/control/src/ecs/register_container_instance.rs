use std::sync::Arc;

use model::command::Registration;
use model::{Command, Document, Home, Subnet, Tags};
use wire::ecs::{RegisterContainerInstanceRequest, RegisterContainerInstanceResponse};
use wire::{Context, Error, arn};

use super::reference;
use super::translate::{instance, tags};
use crate::app::App;
use crate::keyring::Role;

/// Marks an instance of the serverless pool, which only an agent's key may register.
const CAPACITY: &str = "longshore.capacity";
/// Where the instance's tasks get their addresses.
const SUBNET: &str = "longshore.subnet-cidr";

/// With an ARN the instance registers again: what it says of itself takes the place of what it said.
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
            let role = app.keyring.find(&context.access_key_id).map(|key| key.role);
            if role != Some(Role::Agent) {
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
    let id = match input.container_instance_arn.as_deref().filter(|arn| !arn.is_empty()) {
        Some(text) => arn::container_instance(text)
            .and_then(|named| named.name.parse().ok())
            .ok_or_else(|| Error::invalid_parameter("The container instance's ARN is malformed."))?,
        None => app.instance_id(),
    };
    let (total, reserved_ports) = instance::totals(input.total_resources.as_deref().unwrap_or_default());
    let registration = Registration {
        id,
        home,
        attributes,
        total,
        reserved_ports,
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
    };
    let done = app.submit(Command::RegisterInstance(Box::new(registration))).await?;
    let registered = done.world.instance(id);
    let container_instance =
        registered.map(|registered| instance::to_wire(&done.world, registered, &app.config.home(), &[]));
    Ok(RegisterContainerInstanceResponse { container_instance })
}
