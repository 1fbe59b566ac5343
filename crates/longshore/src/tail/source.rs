//! From a name to log streams: what the task definition says of each container's log.

use std::collections::BTreeMap;

use anyhow::Result;
use wire::ecs;

use crate::cli::LogsArgs;
use crate::talk::{CallError, Client};
use crate::{find, ps};

/// The log stream of one container of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub region: String,
    pub group: String,
    pub stream: String,
    /// Tells lines of several sources apart: `3f2a0c11d0e4 web`.
    pub label: String,
    pub started_ms: u64,
}

/// The streams of the task or service that is meant, running or stopped.
pub async fn find(client: &Client, args: &LogsArgs) -> Result<Vec<Source>> {
    let cluster = find::cluster_of(&args.of, &args.cluster);
    let service = ps::id(&args.of);
    let tasks = match find::service(client, cluster, service).await? {
        Some(_) => ps::tasks(client, cluster, Some(service), true).await?,
        None => vec![find::task(client, cluster, &args.of).await?],
    };
    let mut definitions = Definitions::default();
    let mut sources = vec![];
    for task in tasks {
        let definition = definitions.of(client, &task).await?;
        sources.extend(
            of_task(client, &task, &definition)
                .into_iter()
                .filter(|(container, _)| args.container.as_ref().is_none_or(|wanted| wanted == container)),
        );
    }
    Ok(sources.into_iter().map(|(_, source)| source).collect())
}

/// The streams of a task's containers, each with its container's name.
pub fn of_task(client: &Client, task: &ecs::Task, definition: &ecs::TaskDefinition) -> Vec<(String, Source)> {
    let task_arn = task.task_arn.as_deref().unwrap_or_default();
    let of_container = |container: &ecs::ContainerDefinition| {
        let name = container.name.clone()?;
        let log = container.log_configuration.as_ref()?;
        let options = log.options.as_ref().filter(|_| log.log_driver == ecs::LogDriver::Awslogs)?;
        let stream = match options.get("awslogs-stream-prefix") {
            // ECS developer guide, "Using the awslogs log driver".
            Some(prefix) => format!("{prefix}/{name}/{}", ps::id(task_arn)),
            None => {
                let seen = task.containers.iter().flatten().find(|c| c.name.as_deref() == Some(&name))?;
                ps::id(seen.container_arn.as_deref()?).to_owned()
            }
        };
        let source = Source {
            region: options.get("awslogs-region").unwrap_or(&client.region).clone(),
            group: options.get("awslogs-group")?.clone(),
            stream,
            label: format!("{} {name}", ps::short(task_arn)),
            started_ms: task.created_at.map_or(0, wire::Timestamp::ms),
        };
        Some((name, source))
    };
    definition.container_definitions.iter().flatten().filter_map(of_container).collect()
}

/// Task definitions never change: each is asked for once.
#[derive(Debug, Default)]
struct Definitions(BTreeMap<String, ecs::TaskDefinition>);

impl Definitions {
    async fn of(&mut self, client: &Client, task: &ecs::Task) -> Result<ecs::TaskDefinition, CallError> {
        let arn = task.task_definition_arn.clone().unwrap_or_default();
        if let Some(known) = self.0.get(&arn) {
            return Ok(known.clone());
        }
        let request =
            ecs::DescribeTaskDefinitionRequest { task_definition: arn.clone(), ..Default::default() };
        let answer = client.call::<ecs::ops::DescribeTaskDefinition>(&request).await?;
        let definition = answer.task_definition.unwrap_or_default();
        self.0.insert(arn, definition.clone());
        Ok(definition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_containers_that_log_to_us_have_streams() {
        let credentials = wire::Credentials {
            access_key_id: String::new(),
            secret_access_key: String::new(),
            session_token: None,
        };
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client =
            Client::new("http://h".into(), None, credentials, "0".into(), "us-east-1".into()).unwrap();
        let option = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let container = |name: &str, driver, options| ecs::ContainerDefinition {
            name: Some(name.to_owned()),
            log_configuration: Some(ecs::LogConfiguration {
                log_driver: driver,
                options: Some(BTreeMap::from_iter(options)),
                secret_options: None,
            }),
            ..Default::default()
        };
        let group = option("awslogs-group", "/g");
        let ours =
            [group.clone(), option("awslogs-stream-prefix", "p"), option("awslogs-region", "eu-west-1")];
        let definition = ecs::TaskDefinition {
            container_definitions: Some(vec![
                container("web", ecs::LogDriver::Awslogs, ours.to_vec()),
                container("bare", ecs::LogDriver::Awslogs, vec![group]),
                container("other", ecs::LogDriver::Splunk, vec![]),
                ecs::ContainerDefinition { name: Some("silent".to_owned()), ..Default::default() },
            ]),
            ..Default::default()
        };
        let task = ecs::Task {
            task_arn: Some("arn:aws:ecs:us-east-1:0:task/default/abc".to_owned()),
            containers: Some(vec![ecs::Container {
                name: Some("bare".to_owned()),
                container_arn: Some("arn:aws:ecs:us-east-1:0:container/default/abc/c-1".to_owned()),
                ..Default::default()
            }]),
            ..Default::default()
        };
        let found = of_task(&client, &task, &definition);
        let found: Vec<_> =
            found.iter().map(|(_, s)| (s.region.as_str(), s.stream.as_str(), s.label.as_str())).collect();
        assert_eq!(found, [("eu-west-1", "p/web/abc", "abc web"), ("us-east-1", "c-1", "abc bare")]);
    }
}
