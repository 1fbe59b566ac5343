//! What a simulated agent says of itself: what ECS's own says on a machine of 64 processors
//! (agent protocol, RegisterContainerInstance).

use wire::ecs::{Attribute, RegisterContainerInstanceRequest, Resource, VersionInfo};

use crate::CLUSTER;

pub const AGENT_VERSION: &str = "1.105.1";
const CPU: i32 = 64 * 1024;
const MEMORY_MIB: i32 = 256 * 1024;

const CAPABILITIES: &[&str] = &[
    "com.amazonaws.ecs.capability.docker-remote-api.1.17",
    "com.amazonaws.ecs.capability.docker-remote-api.1.18",
    "com.amazonaws.ecs.capability.docker-remote-api.1.19",
    "com.amazonaws.ecs.capability.docker-remote-api.1.21",
    "com.amazonaws.ecs.capability.docker-remote-api.1.25",
    "com.amazonaws.ecs.capability.logging-driver.json-file",
    "ecs.capability.container-ordering",
    "ecs.capability.docker-plugin.local",
];

pub fn registration() -> RegisterContainerInstanceRequest {
    let named = |name: &str, value: Option<&str>| Attribute {
        name: name.to_owned(),
        value: value.map(str::to_owned),
        ..Default::default()
    };
    let mut attributes: Vec<_> = CAPABILITIES.iter().map(|name| named(name, None)).collect();
    attributes.push(named("ecs.os-type", Some("linux")));
    attributes.push(named("ecs.os-family", Some("LINUX")));
    attributes.push(named("ecs.cpu-architecture", Some("x86_64")));
    let integer = |name: &str, value| Resource {
        name: Some(name.to_owned()),
        r#type: Some("INTEGER".to_owned()),
        integer_value: Some(value),
        ..Default::default()
    };
    let ports = |name: &str| Resource {
        name: Some(name.to_owned()),
        r#type: Some("STRINGSET".to_owned()),
        string_set_value: Some(vec!["22".to_owned(), "51678".to_owned()]),
        ..Default::default()
    };
    RegisterContainerInstanceRequest {
        cluster: Some(CLUSTER.to_owned()),
        attributes: Some(attributes),
        total_resources: Some(vec![
            integer("CPU", CPU),
            integer("MEMORY", MEMORY_MIB),
            ports("PORTS"),
            ports("PORTS_UDP"),
        ]),
        version_info: Some(VersionInfo {
            agent_version: Some(AGENT_VERSION.to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    }
}
