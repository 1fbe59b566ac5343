//! Amazon Resource Names, and the short forms that stand for them.
//!
//! The forms are those of the service authorization reference for ECS, ECR, CloudWatch Logs and EventBridge;
//! tasks, services and container instances in the long form, with their cluster.

use std::fmt;
use std::str::FromStr;

/// `arn:<partition>:<service>:<region>:<account>:<resource>`
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arn {
    /// `aws`
    pub partition: String,
    pub service: String,
    /// Empty for global services.
    pub region: String,
    /// Twelve digits, or empty.
    pub account: String,
    /// Everything behind the fifth colon.
    pub resource: String,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an ARN")]
pub struct NotAnArn(pub String);

impl FromStr for Arn {
    type Err = NotAnArn;

    fn from_str(text: &str) -> Result<Self, NotAnArn> {
        let bad = || NotAnArn(text.to_owned());
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().map(str::to_owned).ok_or_else(bad);
        if next()? != "arn" {
            return Err(bad());
        }
        let arn = Self {
            partition: next()?,
            service: next()?,
            region: next()?,
            account: next()?,
            resource: next()?,
        };
        if arn.partition.is_empty() || arn.service.is_empty() || arn.resource.is_empty() {
            return Err(bad());
        }
        Ok(arn)
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, service, region, account, resource } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

/// Whose names are meant: the account and region of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Home<'a> {
    pub region: &'a str,
    pub account: &'a str,
}

impl Home<'_> {
    fn arn(&self, service: &str, resource: impl fmt::Display) -> String {
        format!("arn:aws:{service}:{}:{}:{resource}", self.region, self.account)
    }

    pub fn cluster(&self, name: &str) -> String {
        self.arn("ecs", format_args!("cluster/{name}"))
    }

    pub fn task(&self, cluster: &str, id: &str) -> String {
        self.arn("ecs", format_args!("task/{cluster}/{id}"))
    }

    pub fn service(&self, cluster: &str, name: &str) -> String {
        self.arn("ecs", format_args!("service/{cluster}/{name}"))
    }

    pub fn service_deployment(&self, cluster: &str, service: &str, id: &str) -> String {
        self.arn("ecs", format_args!("service-deployment/{cluster}/{service}/{id}"))
    }

    pub fn service_revision(&self, cluster: &str, service: &str, id: &str) -> String {
        self.arn("ecs", format_args!("service-revision/{cluster}/{service}/{id}"))
    }

    /// A task set's id has a slash of its own.
    pub fn task_set(&self, cluster: &str, service: &str, id: &str) -> String {
        self.arn("ecs", format_args!("task-set/{cluster}/{service}/{id}"))
    }

    pub fn container_instance(&self, cluster: &str, id: &str) -> String {
        self.arn("ecs", format_args!("container-instance/{cluster}/{id}"))
    }

    pub fn task_definition(&self, family: &str, revision: impl fmt::Display) -> String {
        self.arn("ecs", format_args!("task-definition/{family}:{revision}"))
    }

    /// Of a container of a task.
    pub fn container(&self, cluster: &str, task: &str, id: &str) -> String {
        self.arn("ecs", format_args!("container/{cluster}/{task}/{id}"))
    }

    /// Of a task's network interface.
    pub fn attachment(&self, id: &str) -> String {
        self.arn("ecs", format_args!("attachment/{id}"))
    }

    /// An ECR repository.
    pub fn repository(&self, name: &str) -> String {
        self.arn("ecr", format_args!("repository/{name}"))
    }

    /// Without the `:*` that DescribeLogGroups' `arn` has behind it.
    pub fn log_group(&self, name: &str) -> String {
        self.arn("logs", format_args!("log-group:{name}"))
    }

    pub fn log_stream(&self, group: &str, stream: &str) -> String {
        self.arn("logs", format_args!("log-group:{group}:log-stream:{stream}"))
    }

    pub fn event_bus(&self, name: &str) -> String {
        self.arn("events", format_args!("event-bus/{name}"))
    }

    /// EventBridge's rules of the bus `default` leave its name out.
    pub fn event_rule(&self, bus: &str, name: &str) -> String {
        match bus {
            "default" => self.arn("events", format_args!("rule/{name}")),
            _ => self.arn("events", format_args!("rule/{bus}/{name}")),
        }
    }
}

/// What an ECS ARN, or the short form of one, names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Of the ARN; `None` for a short form or an ARN in the old form, which has no cluster.
    pub cluster: Option<String>,
    /// A cluster's or service's name, a task's or container instance's id.
    pub name: String,
    /// The ARN, where one was given.
    pub arn: Option<Arn>,
}

/// Reads a cluster's name or ARN.
pub fn cluster(text: &str) -> Option<Named> {
    let named = named("cluster", text)?;
    named.cluster.is_none().then_some(named)
}

/// Reads a task's id, `<cluster>/<id>` or ARN.
pub fn task(text: &str) -> Option<Named> {
    named("task", text)
}

/// Reads a service's name, `<cluster>/<name>` or ARN.
pub fn service(text: &str) -> Option<Named> {
    named("service", text)
}

/// Reads a container instance's id, `<cluster>/<id>` or ARN.
pub fn container_instance(text: &str) -> Option<Named> {
    named("container-instance", text)
}

/// What the ARN of something that belongs to a service names. It has no short form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfService {
    pub arn: Arn,
    pub cluster: String,
    pub service: String,
    pub id: String,
}

/// Reads the ARN of a service deployment.
pub fn service_deployment(text: &str) -> Option<OfService> {
    of_service("service-deployment/", text)
}

/// Reads the ARN of a service revision.
pub fn service_revision(text: &str) -> Option<OfService> {
    of_service("service-revision/", text)
}

/// Reads the ARN of a task set.
pub fn task_set(text: &str) -> Option<OfService> {
    let arn: Arn = text.parse().ok().filter(|arn: &Arn| arn.service == "ecs")?;
    let mut parts = arn.resource.strip_prefix("task-set/")?.splitn(3, '/');
    let mut next = || parts.next().filter(|part| !part.is_empty()).map(str::to_owned);
    let (cluster, service, id) = (next()?, next()?, next()?);
    Some(OfService { arn, cluster, service, id })
}

fn of_service(kind: &str, text: &str) -> Option<OfService> {
    let arn: Arn = text.parse().ok().filter(|arn: &Arn| arn.service == "ecs")?;
    let mut parts = arn.resource.strip_prefix(kind)?.split('/');
    let mut next = || parts.next().filter(|part| !part.is_empty()).map(str::to_owned);
    let (cluster, service, id) = (next()?, next()?, next()?);
    parts.next().is_none().then_some(OfService { arn, cluster, service, id })
}

fn named(kind: &str, text: &str) -> Option<Named> {
    let (arn, rest) = if text.starts_with("arn:") {
        let arn: Arn = text.parse().ok()?;
        let resource = arn.resource.strip_prefix(kind)?.strip_prefix('/')?.to_owned();
        if arn.service != "ecs" {
            return None;
        }
        (Some(arn), resource)
    } else {
        (None, text.to_owned())
    };
    let (cluster, name) = match rest.split_once('/') {
        Some((cluster, name)) => (Some(cluster.to_owned()), name.to_owned()),
        None => (None, rest),
    };
    let good = !name.is_empty() && !name.contains('/') && cluster.as_deref() != Some("");
    good.then_some(Named { cluster, name, arn })
}

/// A task definition as a request names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskDefinitionName {
    pub family: String,
    /// `None`: the latest ACTIVE one.
    pub revision: Option<u32>,
    /// The ARN, where one was given.
    pub arn: Option<Arn>,
}

/// Reads `family`, `family:revision` or an ARN.
pub fn task_definition(text: &str) -> Option<TaskDefinitionName> {
    let (arn, rest) = if text.starts_with("arn:") {
        let arn: Arn = text.parse().ok()?;
        let rest = arn.resource.strip_prefix("task-definition/")?.to_owned();
        if arn.service != "ecs" {
            return None;
        }
        (Some(arn), rest)
    } else {
        (None, text.to_owned())
    };
    let (family, revision) = match rest.split_once(':') {
        Some((family, revision)) => {
            let revision: u32 = revision.parse().ok().filter(|revision| *revision > 0)?;
            (family.to_owned(), Some(revision))
        }
        None => (rest, None),
    };
    let good = !family.is_empty() && !family.contains('/');
    good.then_some(TaskDefinitionName { family, revision, arn })
}

/// What an ARN of EventBridge names: a bus, or a rule of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfEvents {
    pub arn: Arn,
    pub bus: String,
    pub rule: Option<String>,
}

/// Reads the ARN of an event bus or a rule.
pub fn events(text: &str) -> Option<OfEvents> {
    let arn: Arn = text.parse().ok().filter(|arn: &Arn| arn.service == "events")?;
    let (bus, rule) = match (arn.resource.strip_prefix("event-bus/"), arn.resource.strip_prefix("rule/")) {
        (Some(bus), _) => (bus, None),
        (None, Some(path)) => {
            let (bus, rule) = path.rsplit_once('/').unwrap_or(("default", path));
            (bus, Some(rule))
        }
        (None, None) => return None,
    };
    let good = !bus.is_empty() && rule != Some("");
    let (bus, rule) = (bus.to_owned(), rule.map(str::to_owned));
    good.then_some(OfEvents { arn, bus, rule })
}

/// Reads an ECR repository's name or ARN to its name.
pub fn repository(text: &str) -> Option<String> {
    if !text.starts_with("arn:") {
        return Some(text.to_owned()).filter(|name| !name.is_empty());
    }
    let arn: Arn = text.parse().ok()?;
    let name = arn.resource.strip_prefix("repository/").filter(|_| arn.service == "ecr")?;
    Some(name.to_owned()).filter(|name| !name.is_empty())
}

/// Reads a log group's name or ARN (with or without `:*`) to its name.
pub fn log_group(text: &str) -> Option<String> {
    if !text.starts_with("arn:") {
        return Some(text.to_owned()).filter(|name| !name.is_empty());
    }
    let arn: Arn = text.parse().ok()?;
    let name = arn.resource.strip_prefix("log-group:").filter(|_| arn.service == "logs")?;
    let name = name.strip_suffix(":*").unwrap_or(name);
    Some(name.to_owned()).filter(|name| !name.is_empty() && !name.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: Home<'_> = Home { region: "us-east-1", account: "000000000000" };

    #[test]
    fn what_is_written_is_read() {
        let arn = HOME.task("default", "0123");
        assert_eq!(arn, "arn:aws:ecs:us-east-1:000000000000:task/default/0123");
        let read = task(&arn).unwrap();
        assert_eq!((read.cluster.as_deref(), read.name.as_str()), (Some("default"), "0123"));
        assert_eq!(arn.parse::<Arn>().unwrap().to_string(), arn);

        let arn = HOME.task_definition("web", 7);
        let read = task_definition(&arn).unwrap();
        assert_eq!((read.family.as_str(), read.revision), ("web", Some(7)));
        assert_eq!(repository(&HOME.repository("a/b")).as_deref(), Some("a/b"));
        let read = service_deployment(&HOME.service_deployment("c", "web", "x_-1")).unwrap();
        assert_eq!([read.cluster, read.service, read.id], ["c", "web", "x_-1"]);
        assert_eq!(service_revision(&HOME.service_revision("c", "web", "1")).unwrap().id, "1");
        let read = events(&HOME.event_rule("default", "r")).unwrap();
        assert_eq!((read.bus.as_str(), read.rule.as_deref()), ("default", Some("r")));
        assert_eq!(events(&HOME.event_rule("b", "r")).unwrap().bus, "b");
        assert_eq!(events(&HOME.event_bus("b")).unwrap().rule, None);
        let group = HOME.log_group("/ecs/web");
        assert_eq!(log_group(&format!("{group}:*")).as_deref(), Some("/ecs/web"));
    }

    #[test]
    fn short_forms_are_read() {
        assert_eq!(task("0123").unwrap().cluster, None);
        assert_eq!(service("c/web").unwrap().cluster.as_deref(), Some("c"));
        assert_eq!(cluster("default").unwrap().name, "default");
        assert_eq!(task_definition("web").unwrap().revision, None);
        assert_eq!(log_group("/ecs/web").as_deref(), Some("/ecs/web"));
    }

    #[test]
    fn what_names_something_else_is_none() {
        assert_eq!(task(&HOME.service("c", "s")), None);
        assert_eq!(service_revision(&HOME.service_deployment("c", "s", "1")), None);
        for parts in ["", "c", "c/s", "c/s/", "c//1", "c/s/1/2"] {
            assert_eq!(
                service_revision(&HOME.arn("ecs", format_args!("service-revision/{parts}"))),
                None,
                "{parts}"
            );
        }
        assert_eq!(service_revision("1"), None);
        assert_eq!(cluster("a/b"), None);
        assert_eq!(cluster(""), None);
        assert_eq!(task("a/b/c"), None);
        assert_eq!(task_definition("web:0"), None);
        assert_eq!(task_definition("web:x"), None);
        assert_eq!(task_definition(""), None);
        assert_eq!(cluster("arn:aws:s3:::bucket"), None);
    }
}
