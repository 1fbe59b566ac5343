//! The names of the model's entities as ARNs. ECS's long form always.

use std::net::Ipv4Addr;

use model::{ClusterKey, DefinitionKey, DeploymentId, Home, InstanceId, Scope, ServiceKey, TaskId, Uuid};
use wire::arn;

/// The pseudo-cluster that the serverless pool's instances name. No user sees it.
pub const POOL: &str = "longshore-serverless";

fn home(scope: &Scope) -> arn::Home<'_> {
    arn::Home { region: scope.region.as_str(), account: scope.account.as_str() }
}

pub fn cluster(key: &ClusterKey) -> String {
    home(&key.scope).cluster(key.name.as_str())
}

pub fn task(cluster: &ClusterKey, task: TaskId) -> String {
    home(&cluster.scope).task(cluster.name.as_str(), &task.to_string())
}

pub fn container(cluster: &ClusterKey, task: TaskId, container: Uuid) -> String {
    home(&cluster.scope).container(cluster.name.as_str(), &task.to_string(), &container.to_string())
}

pub fn service(key: &ServiceKey) -> String {
    home(&key.cluster.scope).service(key.cluster.name.as_str(), key.name.as_str())
}

/// The record of one of its deployments.
pub fn service_deployment(key: &ServiceKey, deployment: &DeploymentId) -> String {
    let (cluster, id) = (&key.cluster, deployment.service_deployment());
    home(&cluster.scope).service_deployment(cluster.name.as_str(), key.name.as_str(), &id)
}

/// What one of its deployments brings it to.
pub fn service_revision(key: &ServiceKey, deployment: &DeploymentId) -> String {
    let cluster = &key.cluster;
    home(&cluster.scope).service_revision(cluster.name.as_str(), key.name.as_str(), deployment.revision())
}

pub fn task_set(key: &ServiceKey, set: &DeploymentId) -> String {
    home(&key.cluster.scope).task_set(key.cluster.name.as_str(), key.name.as_str(), set.as_str())
}

pub fn definition(key: &DefinitionKey) -> String {
    home(&key.scope).task_definition(key.family.as_str(), key.revision)
}

/// `home_scope`: the account and region of the pool's instances, which belong to no cluster.
pub fn instance(at: &Home, home_scope: &Scope, id: InstanceId) -> String {
    match at {
        Home::Pool => home(home_scope).container_instance(POOL, &id.to_string()),
        Home::Cluster(cluster) => {
            home(&cluster.scope).container_instance(cluster.name.as_str(), &id.to_string())
        }
    }
}

pub fn attachment(scope: &Scope, id: Uuid) -> String {
    home(scope).attachment(&id.to_string())
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
