//! The names of the model's entities as ARNs. ECS's long form always.

use std::net::Ipv4Addr;

use model::{ClusterKey, DefinitionKey, Home, InstanceId, Scope, ServiceKey, TaskId, Uuid};

/// The pseudo-cluster that the serverless pool's instances name. No user sees it.
pub const POOL: &str = "longshore-serverless";

fn ecs(scope: &Scope, resource: impl std::fmt::Display) -> String {
    format!("arn:aws:ecs:{}:{}:{resource}", scope.region, scope.account)
}

pub fn cluster(key: &ClusterKey) -> String {
    ecs(&key.scope, format_args!("cluster/{}", key.name))
}

pub fn task(cluster: &ClusterKey, task: TaskId) -> String {
    ecs(&cluster.scope, format_args!("task/{}/{task}", cluster.name))
}

pub fn container(cluster: &ClusterKey, task: TaskId, container: Uuid) -> String {
    ecs(&cluster.scope, format_args!("container/{}/{task}/{container}", cluster.name))
}

pub fn service(key: &ServiceKey) -> String {
    ecs(&key.cluster.scope, format_args!("service/{}/{}", key.cluster.name, key.name))
}

pub fn definition(key: &DefinitionKey) -> String {
    ecs(&key.scope, format_args!("task-definition/{}:{}", key.family, key.revision))
}

/// `home_scope`: the account and region of the pool's instances, which belong to no cluster.
pub fn instance(home: &Home, home_scope: &Scope, id: InstanceId) -> String {
    match home {
        Home::Pool => ecs(home_scope, format_args!("container-instance/{POOL}/{id}")),
        Home::Cluster(cluster) => {
            ecs(&cluster.scope, format_args!("container-instance/{}/{id}", cluster.name))
        }
    }
}

pub fn attachment(scope: &Scope, id: Uuid) -> String {
    ecs(scope, format_args!("attachment/{id}"))
}

/// A region here has one zone.
pub fn availability_zone(scope: &Scope) -> String {
    format!("{}a", scope.region)
}

/// The name by which EC2 knows an address.
pub fn private_dns_name(scope: &Scope, address: Ipv4Addr) -> String {
    let dashed = address.to_string().replace('.', "-");
    if scope.region.as_str() == "us-east-1" {
        return format!("ip-{dashed}.ec2.internal");
    }
    format!("ip-{dashed}.{}.compute.internal", scope.region)
}
