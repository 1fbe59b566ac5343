//! `longshore instances` and `drain`: the machines of a cluster.

use std::process::ExitCode;

use anyhow::{Result, bail};
use wire::ecs::{self, ops};

use crate::cli::{DrainArgs, InstancesArgs};
use crate::find;
use crate::ps;
use crate::site::Site;
use crate::talk::{CallError, Client, table};

const HEAD: [&str; 7] = ["INSTANCE", "STATUS", "AGENT", "TASKS", "FREE CPU", "FREE MEMORY", "ATTRIBUTES"];
/// Before the attributes, where an instance has some.
const GPUS: &str = "FREE GPUS";
/// DescribeContainerInstances takes so many (ECS API reference).
const DESCRIBED_AT_ONCE: usize = 100;

pub async fn instances(site: &Site, args: &InstancesArgs) -> Result<ExitCode> {
    let client = site.client()?;
    let instances = list(&client, &args.cluster, args.filter.as_deref()).await?;
    if instances.is_empty() {
        let of = if args.filter.is_some() { "matches" } else { "is there" };
        eprintln!("no container instance of the cluster {} {of}", args.cluster);
        if args.filter.is_none() {
            eprintln!("`longshore agent --cluster {}` makes a machine one", args.cluster);
        }
        return Ok(ExitCode::SUCCESS);
    }
    println!("{}", listed(&instances));
    Ok(ExitCode::SUCCESS)
}

pub async fn drain(site: &Site, args: &DrainArgs) -> Result<ExitCode> {
    let client = site.client()?;
    let cluster = find::cluster_of(&args.instance, &args.cluster);
    let instance = one(&client, cluster, &args.instance).await?;
    let arn = instance.container_instance_arn.clone().unwrap_or_default();
    let status =
        if args.undo { ecs::ContainerInstanceStatus::Active } else { ecs::ContainerInstanceStatus::Draining };
    let request = ecs::UpdateContainerInstancesStateRequest {
        cluster: Some(cluster.to_owned()),
        container_instances: vec![arn.clone()],
        status,
    };
    let answer = client.call::<ops::UpdateContainerInstancesState>(&request).await?;
    if let Some(failure) = answer.failures.into_iter().flatten().next() {
        bail!("{} can't be changed: {}", ps::short(&arn), failure.reason.unwrap_or_default());
    }
    match (args.undo, instance.running_tasks_count.unwrap_or_default()) {
        (true, _) => println!("{} takes tasks again", ps::short(&arn)),
        (false, 0) => println!("{} takes no new tasks, and has none", ps::short(&arn)),
        (false, running) => println!(
            "{} takes no new tasks; of its {running}, those of services are replaced elsewhere (`longshore instances --cluster \
             {cluster}` shows what is left)",
            ps::short(&arn)
        ),
    }
    Ok(ExitCode::SUCCESS)
}

/// ACTIVE and DRAINING ones, in the order of their ids.
pub async fn list(
    client: &Client,
    cluster: &str,
    filter: Option<&str>,
) -> Result<Vec<ecs::ContainerInstance>, CallError> {
    let mut request = ecs::ListContainerInstancesRequest {
        cluster: Some(cluster.to_owned()),
        filter: filter.map(ToOwned::to_owned),
        ..Default::default()
    };
    let mut arns = Vec::new();
    loop {
        let page = client.call::<ops::ListContainerInstances>(&request).await?;
        arns.extend(page.container_instance_arns.unwrap_or_default());
        request.next_token = page.next_token;
        if request.next_token.is_none() {
            break;
        }
    }
    let mut instances = Vec::new();
    for arns in arns.chunks(DESCRIBED_AT_ONCE) {
        let request = ecs::DescribeContainerInstancesRequest {
            cluster: Some(cluster.to_owned()),
            container_instances: arns.to_vec(),
            ..Default::default()
        };
        let answer = client.call::<ops::DescribeContainerInstances>(&request).await?;
        instances.extend(answer.container_instances.unwrap_or_default());
    }
    Ok(instances)
}

/// By its id, or by the beginning of it where that is only one instance's.
async fn one(client: &Client, cluster: &str, name: &str) -> Result<ecs::ContainerInstance> {
    let wanted = ps::id(name);
    let mut found = list(client, cluster, None).await?;
    found.retain(|instance| arn_of(instance).is_some_and(|arn| ps::id(arn).starts_with(wanted)));
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => bail!(
            "the cluster {cluster} has no container instance {wanted}; `longshore instances --cluster {cluster}` shows those it \
             has"
        ),
        n => bail!("the ids of {n} container instances begin with {wanted}; give more digits"),
    }
}

fn arn_of(instance: &ecs::ContainerInstance) -> Option<&str> {
    instance.container_instance_arn.as_deref()
}

/// GPUs where an instance has some.
pub fn listed(instances: &[ecs::ContainerInstance]) -> String {
    let mut head = HEAD.to_vec();
    let mut rows: Vec<_> = instances.iter().map(row).collect();
    if instances.iter().any(|instance| gpus(&instance.registered_resources) > 0) {
        let at = HEAD.len() - 1;
        head.insert(at, GPUS);
        for (row, instance) in rows.iter_mut().zip(instances) {
            row.insert(at, free_gpus(instance));
        }
    }
    table(&head, rows)
}

fn gpus(resources: &Option<Vec<ecs::Resource>>) -> usize {
    let named = resources.iter().flatten().find(|resource| resource.name.as_deref() == Some("GPU"));
    named.and_then(|resource| resource.string_set_value.as_ref()).map_or(0, Vec::len)
}

fn free_gpus(instance: &ecs::ContainerInstance) -> String {
    match gpus(&instance.registered_resources) {
        0 => "-".to_owned(),
        all => format!("{} of {all}", gpus(&instance.remaining_resources)),
    }
}

fn row(instance: &ecs::ContainerInstance) -> Vec<String> {
    let number = |resources: &Option<Vec<ecs::Resource>>, name: &str| {
        let named = |resource: &&ecs::Resource| resource.name.as_deref() == Some(name);
        resources.iter().flatten().find(named).and_then(|resource| resource.integer_value).unwrap_or_default()
    };
    let free = |name: &str, unit: &str| {
        let (left, all) =
            (number(&instance.remaining_resources, name), number(&instance.registered_resources, name));
        format!("{left} of {all}{unit}")
    };
    let pending = match instance.pending_tasks_count.unwrap_or_default() {
        0 => String::new(),
        pending => format!(" +{pending}"),
    };
    vec![
        arn_of(instance).map(ps::short).unwrap_or_default().to_owned(),
        instance.status.clone().unwrap_or_default(),
        if instance.agent_connected == Some(true) { "connected" } else { "away" }.to_owned(),
        format!("{}{pending}", instance.running_tasks_count.unwrap_or_default()),
        free("CPU", ""),
        free("MEMORY", " MiB"),
        attributes(instance),
    ]
}

/// Those that a person has put; the agent's own are many and the same everywhere.
fn attributes(instance: &ecs::ContainerInstance) -> String {
    let own = instance.attributes.iter().flatten().filter(|attribute| !is_of_agent(&attribute.name));
    let said = own.map(|attribute| match attribute.value.as_deref() {
        None | Some("") => attribute.name.clone(),
        Some(value) => format!("{}={value}", attribute.name),
    });
    let said: Vec<String> = said.collect();
    if said.is_empty() { "-".to_owned() } else { said.join(" ") }
}

fn is_of_agent(name: &str) -> bool {
    name.starts_with("ecs.") || name.starts_with("com.amazonaws.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows() {
        let resource = |name: &str, value| ecs::Resource {
            name: Some(name.to_owned()),
            integer_value: Some(value),
            ..Default::default()
        };
        let attribute = |name: &str, value: Option<&str>| ecs::Attribute {
            name: name.to_owned(),
            value: value.map(ToOwned::to_owned),
            ..Default::default()
        };
        let one = ecs::ContainerInstance {
            container_instance_arn: Some(format!(
                "arn:aws:ecs:r:0:container-instance/c/{}",
                "0123456789abcdef".repeat(2)
            )),
            status: Some("ACTIVE".to_owned()),
            agent_connected: Some(true),
            running_tasks_count: Some(3),
            pending_tasks_count: Some(1),
            registered_resources: Some(vec![resource("CPU", 2048), resource("MEMORY", 7900)]),
            remaining_resources: Some(vec![resource("CPU", 1024), resource("MEMORY", 7388)]),
            attributes: Some(vec![
                attribute("ecs.os-type", Some("linux")),
                attribute("rack", Some("r1")),
                attribute("reserved", None),
            ]),
            ..Default::default()
        };
        insta::assert_snapshot!(listed(&[one.clone(), ecs::ContainerInstance::default()]), @r"
        INSTANCE      STATUS  AGENT      TASKS  FREE CPU      FREE MEMORY       ATTRIBUTES
        0123456789ab  ACTIVE  connected  3 +1   1024 of 2048  7388 of 7900 MiB  rack=r1 reserved
                              away       0      0 of 0        0 of 0 MiB        -
        ");
        let set = |ids: &[&str]| {
            Some(vec![ecs::Resource {
                name: Some("GPU".to_owned()),
                string_set_value: Some(ids.iter().map(ToString::to_string).collect()),
                ..Default::default()
            }])
        };
        let two = ecs::ContainerInstance {
            registered_resources: set(&["a", "b"]),
            remaining_resources: set(&["b"]),
            ..Default::default()
        };
        insta::assert_snapshot!(listed(&[one, two]), @r"
        INSTANCE      STATUS  AGENT      TASKS  FREE CPU      FREE MEMORY       FREE GPUS  ATTRIBUTES
        0123456789ab  ACTIVE  connected  3 +1   1024 of 2048  7388 of 7900 MiB  -          rack=r1 reserved
                              away       0      0 of 0        0 of 0 MiB        1 of 2     -
        ");
    }
}
