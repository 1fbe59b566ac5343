//! What a call is about: the ARNs that a policy's `Resource` is held against, and condition keys from the
//! request (service authorization reference for ECS, ECR, CloudWatch Logs and EventBridge). Pure.
//!
//! A call that names no resource, or one whose action has no resource there, is about `*`. Names are read as the
//! operations read them, so that no spelling of a resource is another one here.

use model::{Scope, World};
use serde_json::Value;
use wire::OperationInfo;
use wire::arn::{self, Arn, Home};
use wire::shape::Kind;

/// What a call is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct About {
    /// At least one.
    pub resources: Vec<String>,
    pub keys: Vec<(String, String)>,
}

/// `input`: the operation's, decoded and checked.
pub(crate) fn of(operation: &OperationInfo, input: &Value, home: Home<'_>, world: &World) -> About {
    let call = Call { operation, input, home, world };
    let (resources, mut keys) = match operation.service.name {
        "ecs" => (call.ecs(), call.ecs_keys()),
        "ecr" => (call.ecr(), Vec::new()),
        "logs" => (call.logs(), Vec::new()),
        "events" => (call.events(), Vec::new()),
        _ => (Vec::new(), Vec::new()),
    };
    keys.extend(call.tags());
    let resources = if resources.is_empty() { vec!["*".to_owned()] } else { resources };
    About { resources, keys }
}

/// Condition keys that a resource has by its own ARN: `ecs:cluster` and `ecs:service` of what belongs to a service, for
/// which a call names neither, and may be about several.
pub(crate) fn keys_of(resource: &str, home: Home<'_>) -> Vec<(&'static str, String)> {
    match arn::service_deployment(resource).or_else(|| arn::service_revision(resource)) {
        Some(named) => vec![
            ("ecs:cluster", home.cluster(&named.cluster)),
            ("ecs:service", home.service(&named.cluster, &named.service)),
        ],
        None => Vec::new(),
    }
}

/// What a call lets happen later, which the caller must be allowed to do as well: a rule's targets are called on nobody's
/// behalf (on AWS, iam:PassRole and the target's role see to that). Service, action and resource.
pub(crate) fn lent(operation: &OperationInfo, input: &Value, home: Home<'_>, world: &World) -> Vec<Lent> {
    if (operation.service.name, operation.name) != ("events", "PutTargets") {
        return Vec::new();
    }
    let call = Call { operation, input, home, world };
    let targets = input.get("Targets").and_then(Value::as_array).into_iter().flatten();
    targets.flat_map(|target| call.lent_to(target)).collect()
}

/// One thing that is lent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lent {
    pub service: &'static str,
    pub action: &'static str,
    pub resource: String,
    pub keys: Vec<(String, String)>,
}

struct Call<'a> {
    operation: &'a OperationInfo,
    input: &'a Value,
    home: Home<'a>,
    world: &'a World,
}

const ANY: &str = "*";

impl Call<'_> {
    fn text(&self, member: &str) -> Option<&str> {
        self.input.get(member)?.as_str()
    }

    fn texts(&self, member: &str) -> Vec<&str> {
        let list = self.input.get(member).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// The name of the cluster that the call is in.
    fn cluster_name(&self) -> Option<String> {
        // This one reads the cluster from the service's ARN where it names none.
        if self.operation.name == "ListServiceDeployments"
            && self.text("cluster").is_none()
            && let Some(named) = self.text("service").and_then(arn::service)
            && named.arn.is_some()
            && named.cluster.is_some()
        {
            return named.cluster;
        }
        let text = self.text("cluster").unwrap_or("default");
        arn::cluster(text).map(|named| named.name)
    }

    fn cluster(&self, text: &str) -> String {
        arn::cluster(text).map_or(ANY.to_owned(), |named| self.home.cluster(&named.name))
    }

    /// Of what lies in the call's cluster: one that names another is refused by the operation.
    fn within<'t>(
        &self,
        texts: impl IntoIterator<Item = &'t str>,
        read: fn(&str) -> Option<arn::Named>,
        write: impl Fn(&str, &str) -> String,
    ) -> Vec<String> {
        let cluster = self.cluster_name();
        let one = |text: &str| match (&cluster, read(text)) {
            (Some(cluster), Some(named)) => write(cluster, &named.name),
            _ => ANY.to_owned(),
        };
        texts.into_iter().map(one).collect()
    }

    fn tasks<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> Vec<String> {
        self.within(texts, arn::task, |cluster, id| self.home.task(cluster, id))
    }

    fn services<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> Vec<String> {
        self.within(texts, arn::service, |cluster, name| self.home.service(cluster, name))
    }

    fn instances<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> Vec<String> {
        self.within(texts, arn::container_instance, |cluster, id| self.home.container_instance(cluster, id))
    }

    /// By their ARNs, which have no short form. Those of another region or account are refused by the operation.
    fn service_deployments<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> Vec<String> {
        let one = |text| match arn::service_deployment(text) {
            Some(named) => self.home.service_deployment(&named.cluster, &named.service, &named.id),
            None => ANY.to_owned(),
        };
        texts.into_iter().map(one).collect()
    }

    /// By id they are of the call's cluster and service.
    fn task_sets<'t>(&self, texts: impl IntoIterator<Item = &'t str>) -> Vec<String> {
        let cluster = arn::cluster(self.text("cluster").unwrap_or("default"));
        let service = self.text("service").and_then(arn::service);
        let of_call = cluster.zip(service).map(|(cluster, service)| (cluster.name, service.name));
        let one = |text| match (arn::task_set(text), &of_call) {
            (Some(named), _) => self.home.task_set(&named.cluster, &named.service, &named.id),
            (None, Some((cluster, service))) => self.home.task_set(cluster, service, text),
            (None, None) => ANY.to_owned(),
        };
        let texts: Vec<&str> = texts.into_iter().collect();
        // None means all of them.
        if texts.is_empty() {
            return vec![one(ANY)];
        }
        texts.into_iter().map(one).collect()
    }

    /// Without a revision the latest is meant, as it is now; where there is none, any.
    fn definition(&self, text: &str) -> String {
        let Some(named) = arn::task_definition(text) else { return ANY.to_owned() };
        let latest = || {
            let scope = Scope::new(self.home.account, self.home.region);
            let found = self.world.latest_definition(&scope, &named.family.as_str().into());
            found.map(|definition| definition.key.revision.0)
        };
        match named.revision.or_else(latest) {
            Some(revision) => self.home.task_definition(&named.family, revision),
            None => self.home.task_definition(&named.family, ANY),
        }
    }

    fn ecs(&self) -> Vec<String> {
        let cluster = || vec![self.cluster(self.text("cluster").unwrap_or("default"))];
        match self.operation.name {
            "DeleteCluster"
            | "UpdateCluster"
            | "UpdateClusterSettings"
            | "PutClusterCapacityProviders"
            | "ListContainerInstances"
            | "ListAttributes"
            | "RegisterContainerInstance"
            | "DeregisterContainerInstance"
            | "SubmitAttachmentStateChanges"
            | "SubmitContainerStateChange"
            | "SubmitTaskStateChange" => cluster(),
            "DescribeClusters" => match self.texts("clusters") {
                none if none.is_empty() => vec![self.cluster("default")],
                some => some.into_iter().map(|text| self.cluster(text)).collect(),
            },
            "CreateService" => self.services(self.text("serviceName")),
            "ListServiceDeployments"
            | "UpdateService"
            | "DeleteService"
            | "CreateTaskSet"
            | "UpdateServicePrimaryTaskSet" => self.services(self.text("service")),
            "UpdateTaskSet" | "DeleteTaskSet" => self.task_sets(self.text("taskSet")),
            "DescribeTaskSets" => self.task_sets(self.texts("taskSets")),
            "DescribeServices" => self.services(self.texts("services")),
            "StopServiceDeployment" | "ContinueServiceDeployment" => {
                self.service_deployments(self.text("serviceDeploymentArn"))
            }
            "DescribeServiceDeployments" => self.service_deployments(self.texts("serviceDeploymentArns")),
            "DescribeServiceRevisions" => {
                let revision = |text| {
                    let named = arn::service_revision(text);
                    named.map(|named| self.home.service_revision(&named.cluster, &named.service, &named.id))
                };
                let texts = self.texts("serviceRevisionArns").into_iter();
                texts.map(|text| revision(text).unwrap_or(ANY.to_owned())).collect()
            }
            "StopTask" | "ExecuteCommand" => self.tasks(self.text("task")),
            "GetTaskProtection" if self.texts("tasks").is_empty() => self.tasks([ANY]),
            "DescribeTasks" | "GetTaskProtection" | "UpdateTaskProtection" => self.tasks(self.texts("tasks")),
            "DescribeContainerInstances" | "UpdateContainerInstancesState" => {
                self.instances(self.texts("containerInstances"))
            }
            "UpdateContainerAgent" => self.instances(self.text("containerInstance")),
            "PutAttributes" | "DeleteAttributes" => {
                let list = self.input.get("attributes").and_then(Value::as_array);
                let targets = list.into_iter().flatten();
                self.instances(targets.filter_map(|attribute| attribute.get("targetId")?.as_str()))
            }
            "RunTask" | "StartTask" => {
                self.text("taskDefinition").map(|t| self.definition(t)).into_iter().collect()
            }
            "DeleteTaskDefinitions" => {
                self.texts("taskDefinitions").into_iter().map(|text| self.definition(text)).collect()
            }
            "TagResource" | "UntagResource" | "ListTagsForResource" => self.named_by_arn(),
            _ => Vec::new(),
        }
    }

    fn ecs_keys(&self) -> Vec<(String, String)> {
        let mut keys = Vec::new();
        let has = |name: &str| match self.operation.input.map(|shape| &shape.kind) {
            Some(Kind::Structure { members, .. }) => members.iter().any(|member| member.name == name),
            _ => false,
        };
        if has("cluster")
            && let Some(name) = self.cluster_name()
        {
            keys.push(("ecs:cluster".to_owned(), self.home.cluster(&name)));
        }
        if matches!(self.operation.name, "CreateService" | "UpdateService")
            && let Some(text) = self.text("taskDefinition")
        {
            keys.push(("ecs:task-definition".to_owned(), self.definition(text)));
        }
        keys
    }

    fn ecr(&self) -> Vec<String> {
        match (self.text("repositoryName"), self.operation.name) {
            (Some(name), _) => vec![self.home.repository(name)],
            (None, "DescribeRepositories" | "BatchGetRepositoryScanningConfiguration") => {
                match self.texts("repositoryNames") {
                    none if none.is_empty() => vec![self.home.repository(ANY)],
                    some => some.into_iter().map(|name| self.home.repository(name)).collect(),
                }
            }
            (None, "TagResource" | "UntagResource" | "ListTagsForResource") => self.named_by_arn(),
            (None, _) => Vec::new(),
        }
    }

    /// In the form of AWS's own refusals: a group with its stream, which may be empty.
    fn logs(&self) -> Vec<String> {
        let stream = self.text("logStreamName").unwrap_or_default();
        let group = |text: &str| {
            arn::log_group(text).map_or(ANY.to_owned(), |name| self.home.log_stream(&name, stream))
        };
        match self.operation.name {
            "DescribeLogGroups" | "ListLogGroups" => vec![self.home.log_stream("", "")],
            "TagResource" | "UntagResource" | "ListTagsForResource" => self.named_by_arn(),
            _ => {
                let named = ["logGroupName", "logGroupIdentifier"].into_iter().filter_map(|m| self.text(m));
                named.chain(self.texts("logGroupIdentifiers")).map(group).collect()
            }
        }
    }

    fn events(&self) -> Vec<String> {
        let rule = |member: &str| {
            let bus = self.bus(self.text("EventBusName"));
            self.text(member).map(|name| self.home.event_rule(&bus, name)).into_iter().collect()
        };
        match self.operation.name {
            "PutRule" | "DescribeRule" | "DeleteRule" | "EnableRule" | "DisableRule" => rule("Name"),
            "PutTargets" | "ListTargetsByRule" | "RemoveTargets" => rule("Rule"),
            "CreateEventBus" | "DescribeEventBus" | "UpdateEventBus" | "DeleteEventBus" => {
                vec![self.home.event_bus(&self.bus(self.text("Name")))]
            }
            "PutEvents" => {
                let entries = self.input.get("Entries").and_then(Value::as_array).into_iter().flatten();
                let bus = |entry: &Value| self.bus(entry.get("EventBusName").and_then(Value::as_str));
                entries.map(|entry| self.home.event_bus(&bus(entry))).collect()
            }
            "TagResource" | "UntagResource" | "ListTagsForResource" => self.named_by_arn(),
            _ => Vec::new(),
        }
    }

    fn lent_to(&self, target: &Value) -> Vec<Lent> {
        let text = |pointer: &str| target.pointer(pointer).and_then(Value::as_str);
        let logs = |arn: &str| {
            let group = arn::log_group(arn).filter(|_| arn.starts_with("arn:"))?;
            let resource = self.home.log_stream(&group, "");
            Some(Lent { service: "logs", action: "logs:PutLogEvents", resource, keys: Vec::new() })
        };
        let mut lent: Vec<Lent> =
            [text("/Arn"), text("/DeadLetterConfig/Arn")].into_iter().flatten().filter_map(logs).collect();
        if let Some(definition) = text("/EcsParameters/TaskDefinitionArn") {
            let cluster = text("/Arn").map(|arn| ("ecs:cluster".to_owned(), self.cluster(arn)));
            // Without a revision the rule runs whichever is the latest then.
            let resource =
                arn::task_definition(definition).map_or(ANY.to_owned(), |named| match named.revision {
                    Some(revision) => self.home.task_definition(&named.family, revision),
                    None => self.home.task_definition(&named.family, ANY),
                });
            lent.push(Lent {
                service: "ecs",
                action: "ecs:RunTask",
                resource,
                keys: cluster.into_iter().collect(),
            });
        }
        lent
    }

    /// The name of a bus that is named by its name, its ARN or not at all.
    fn bus(&self, text: Option<&str>) -> String {
        let text = text.unwrap_or("default");
        arn::events(text).map_or_else(|| text.to_owned(), |named| named.bus)
    }

    /// In the one partition that there is: the operations don't look at it.
    fn named_by_arn(&self) -> Vec<String> {
        let arn = self.text("resourceArn").or_else(|| self.text("ResourceARN"));
        let arn = arn.and_then(|text| text.parse::<Arn>().ok());
        arn.map(|arn| Arn { partition: "aws".to_owned(), ..arn }.to_string()).into_iter().collect()
    }

    /// `aws:RequestTag/<key>` and `aws:TagKeys`.
    fn tags(&self) -> Vec<(String, String)> {
        let mut pairs: Vec<(&str, &str)> = Vec::new();
        match self.input.get("tags").or_else(|| self.input.get("Tags")) {
            // ECS writes them small, ECR and EventBridge large.
            Some(Value::Array(list)) => pairs.extend(list.iter().filter_map(|tag| {
                let of = |small: &str, large: &str| tag.get(small).or_else(|| tag.get(large))?.as_str();
                Some((of("key", "Key")?, of("value", "Value").unwrap_or_default()))
            })),
            Some(Value::Object(map)) => {
                pairs.extend(map.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_str()?))));
            }
            _ => {}
        }
        let values = pairs.iter().map(|(key, value)| (format!("aws:RequestTag/{key}"), (*value).to_owned()));
        let names =
            pairs.iter().map(|(key, _)| *key).chain(self.texts("tagKeys")).chain(self.texts("TagKeys"));
        values.chain(names.map(|name| ("aws:TagKeys".to_owned(), name.to_owned()))).collect()
    }
}

#[cfg(test)]
mod tests;
