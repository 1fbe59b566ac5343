//! Compares what was acknowledged with what is: what the API says, what the containers wrote, and what
//! the machine has.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;
use wire::operation::Operation;
use wire::{ecs, logs};

use crate::client::Client;
use crate::host::Host;
use crate::ledger::{Course, Promise, id};
use crate::load::{CLUSTER, LOG_GROUP, Load, SERVICES, STARTED_BY};

/// How long nothing may change before everything is as it should be: a slow machine is no finding.
const PATIENCE: Duration = Duration::from_secs(120);
/// What changes for ever doesn't come to rest.
const PATIENCE_IN_ALL: Duration = Duration::from_secs(1200);
const LOOK_EVERY: Duration = Duration::from_millis(150);
/// The limit of DescribeTasks.
const PAGE: usize = 100;

/// Something that isn't as it was promised.
#[derive(Clone, Debug)]
pub struct Finding {
    /// It may still become right.
    pub may_mend: bool,
    pub what: String,
    /// The task it is about, if it is about one.
    pub task: Option<String>,
}

/// What a look has found wrong.
#[derive(Debug, Default)]
struct Look {
    findings: Vec<Finding>,
}

impl Look {
    fn wrong(&mut self, task: Option<&str>, what: String) {
        self.findings.push(Finding { may_mend: false, what, task: task.map(str::to_owned) });
    }

    fn not_yet(&mut self, task: Option<&str>, what: String) {
        self.findings.push(Finding { may_mend: true, what, task: task.map(str::to_owned) });
    }
}

/// Right after a restart, while the load goes on: nothing that was acknowledged before is forgotten.
pub async fn remembered(load: &Load) -> anyhow::Result<Vec<Finding>> {
    let (tasks, services) = {
        let ledger = load.ledger();
        (ledger.tasks.clone(), ledger.services.keys().cloned().collect::<Vec<_>>())
    };
    let mut look = Look::default();
    let described = describe(&load.client, tasks.keys()).await?;
    for (arn, promise) in &tasks {
        let Some(task) = described.get(arn) else {
            look.wrong(Some(arn), format!("{promise:?} was acknowledged and is not known"));
            continue;
        };
        if promise.stopped.is_some() && task["desiredStatus"] != "STOPPED" {
            look.wrong(Some(arn), format!("its stop was acknowledged and is forgotten: {}", summary(task)));
        }
        same_as_before(&mut look, arn, promise, task);
    }
    let answer =
        ask::<ecs::ops::DescribeServices>(load, json!({"cluster": CLUSTER, "services": services})).await?;
    if answer["services"].as_array().map_or(0, Vec::len) != services.len() {
        look.wrong(None, format!("of the services {services:?} are known: {}", answer["services"]));
    }
    Ok(look.findings)
}

/// With the load at rest: waits until everything is as it was promised. What is found wrong at the end.
pub async fn settle(load: &Load, host: &Host) -> anyhow::Result<Vec<Finding>> {
    let began = Instant::now();
    let mut changed = (began, String::new());
    loop {
        let look = everything(load, host).await?;
        let hopeless = look.findings.iter().any(|finding| !finding.may_mend);
        let told: String = look.findings.iter().map(|finding| finding.what.as_str()).collect();
        if told != changed.1 {
            changed = (Instant::now(), told);
        }
        let stuck = changed.0.elapsed() > PATIENCE || began.elapsed() > PATIENCE_IN_ALL;
        if look.findings.is_empty() || hopeless || stuck {
            return Ok(look.findings);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn everything(load: &Load, host: &Host) -> anyhow::Result<Look> {
    let mut look = Look::default();
    let running = tasks(load, &mut look).await?;
    if look.findings.is_empty() {
        machine(host, &running, &mut look);
    }
    if look.findings.is_empty() {
        services(load, &mut look).await?;
        images(load, &mut look).await?;
        definitions(load, &mut look).await?;
    }
    if look.findings.is_empty() {
        // The shim that was killed is not the one that it has: from here on everything is promised again.
        load.ledger().shims_killed.retain(|task| !running.contains(task));
    }
    Ok(look)
}

/// Checks every task; returns the ids of those that run.
async fn tasks(load: &Load, look: &mut Look) -> anyhow::Result<BTreeSet<String>> {
    let (promises, shims_killed) = {
        let ledger = load.ledger();
        (ledger.tasks.clone(), ledger.shims_killed.clone())
    };
    let mut listed = BTreeSet::new();
    for status in ["RUNNING", "STOPPED"] {
        listed.extend(list(load, json!({"cluster": CLUSTER, "desiredStatus": status})).await?);
    }
    let described = describe(&load.client, listed.iter().chain(promises.keys())).await?;
    for (arn, task) in &described {
        if task["startedBy"] == STARTED_BY && !promises.contains_key(arn) {
            look.wrong(Some(arn), format!("a task that no answer named: {}", summary(task)));
        }
    }
    let mut settled = vec![];
    for (arn, promise) in &promises {
        let Some(task) = described.get(arn) else {
            look.wrong(Some(arn), format!("{promise:?} was acknowledged and is not known"));
            continue;
        };
        same_as_before(look, arn, promise, task);
        if promise.settled.is_some() {
            continue;
        }
        let shim_killed = shims_killed.contains(id(arn));
        match task["lastStatus"].as_str() {
            Some("STOPPED") => match judge(promise, task, shim_killed) {
                Err(why) => look.wrong(Some(arn), format!("{why}: {}", summary(task))),
                Ok(()) => {
                    if starts(load, arn, task, shim_killed, look).await? {
                        settled.push((arn.clone(), summary(task)));
                    }
                }
            },
            // Also where its shim was killed: before it had a container, another took its place. Whether it really
            // runs is asked of the machine.
            Some("RUNNING") if stays(promise) => {
                starts(load, arn, task, false, look).await?;
            }
            _ => look.not_yet(Some(arn), format!("{promise:?} should have come further: {}", summary(task))),
        }
    }
    let mut ledger = load.ledger();
    for (arn, summary) in settled {
        if let Some(promise) = ledger.tasks.get_mut(&arn) {
            promise.settled = Some(summary);
        }
    }
    let running = described.iter().filter(|(_, task)| task["lastStatus"] == "RUNNING");
    Ok(running.map(|(arn, _)| id(arn).to_owned()).collect())
}

fn stays(promise: &Promise) -> bool {
    matches!(promise.course, Course::Stays { .. }) && promise.stopped.is_none()
}

/// Whether a task ended as it should.
fn judge(promise: &Promise, task: &Value, shim_killed: bool) -> Result<(), String> {
    const KILLED: i64 = 137;
    let container = &task["containers"][0];
    let exit = container["exitCode"].as_i64();
    let told_of_shim = [&container["reason"], &task["stoppedReason"]]
        .iter()
        .any(|reason| reason.as_str().is_some_and(|text| text.contains("shim")));
    if shim_killed && exit.is_none() && told_of_shim {
        return Ok(());
    }
    match (promise.course, &promise.stopped) {
        (Course::Ends { code }, _) if exit == Some(code.into()) => Ok(()),
        (Course::Ends { code }, _) => Err(format!("it should have ended with {code}")),
        // What is killed before its shim saw it end was still asked to stop by nobody.
        (Course::Stays { .. }, None) => Err("nobody asked it to stop".to_owned()),
        (Course::Stays { code }, Some(reason)) => {
            let never_ran = task["startedAt"].is_null() && exit.is_none();
            if !never_ran && exit != Some(code.into()) && exit != Some(KILLED) {
                return Err(format!("it should have ended with {code}"));
            }
            if task["stopCode"] != "UserInitiated" || task["stoppedReason"] != reason.as_str() {
                return Err(format!("it was stopped because {reason:?}"));
            }
            Ok(())
        }
    }
}

/// Checks in its log how often a task was started; whether that is in order.
async fn starts(
    load: &Load,
    arn: &str,
    task: &Value,
    shim_killed: bool,
    look: &mut Look,
) -> anyhow::Result<bool> {
    let input = json!({
        "logGroupName": LOG_GROUP, "logStreamName": format!("t/app/{}", id(arn)), "startFromHead": true,
    });
    let answer = match load.client.call::<logs::ops::GetLogEvents>(&input).await {
        Err(error) if error.code() == Some("ResourceNotFoundException") => Value::Null,
        other => other?,
    };
    let events = answer["events"].as_array().cloned().unwrap_or_default();
    let lines: BTreeSet<&str> = events.iter().filter_map(|event| event["message"].as_str()).collect();
    let lost_with_shim = shim_killed || task["startedAt"].is_null();
    // A container that is killed right away has had no time to write.
    let killed = task["containers"][0]["exitCode"] == 137;
    match lines.len() {
        1 => Ok(true),
        0 if lost_with_shim || killed => Ok(true),
        0 => {
            look.not_yet(Some(arn), format!("its log has no line: {}", summary(task)));
            Ok(false)
        }
        n => {
            look.wrong(Some(arn), format!("it was started {n} times: {lines:?}: {}", summary(task)));
            Ok(false)
        }
    }
}

/// What had stopped and was found right must be told alike for ever.
fn same_as_before(look: &mut Look, arn: &str, promise: &Promise, task: &Value) {
    if let Some(before) = &promise.settled
        && *before != summary(task)
    {
        look.wrong(Some(arn), format!("it was told as {before} and is told as {}", summary(task)));
    }
}

/// Each task that runs has one process and one shim; nothing is left of any other.
fn machine(host: &Host, running: &BTreeSet<String>, look: &mut Look) {
    let traces = host.traces();
    for task in running {
        let found = traces.get(task).cloned().unwrap_or_default();
        if found.processes.len() != 1 || found.shims.len() != 1 {
            look.not_yet(Some(task), format!("it is told as RUNNING and the machine has {found:?}"));
        }
    }
    for (task, found) in traces.iter().filter(|(task, _)| !running.contains(*task)) {
        look.not_yet(Some(task), format!("it is told as not running and the machine has {found:?}"));
    }
}

async fn services(load: &Load, look: &mut Look) -> anyhow::Result<()> {
    let aims = load.ledger().services.clone();
    let input = json!({"cluster": CLUSTER, "services": SERVICES});
    let answer = ask::<ecs::ops::DescribeServices>(load, input).await?;
    for (name, aim) in aims {
        let found =
            answer["services"].as_array().into_iter().flatten().find(|s| s["serviceName"] == name.as_str());
        let Some(service) = found else {
            look.wrong(None, format!("service {name} was acknowledged and is not known"));
            continue;
        };
        let (desired, definition) = (service["desiredCount"].as_i64(), service["taskDefinition"].as_str());
        if desired != Some(aim.desired) || definition != Some(&aim.definition) {
            look.wrong(None, format!("service {name} should be {aim:?}: {service}"));
        }
        let deployments = service["deployments"].as_array().map_or(0, Vec::len);
        if service["runningCount"].as_i64() != desired || service["pendingCount"] != 0 || deployments != 1 {
            look.not_yet(None, format!("service {name} has not come to rest at {aim:?}: {service}"));
        }
        let listed = list(load, json!({"cluster": CLUSTER, "serviceName": name})).await?;
        if i64::try_from(listed.len())? != aim.desired {
            look.not_yet(None, format!("service {name} should be {aim:?} and has the tasks {listed:?}"));
        }
    }
    Ok(())
}

async fn images(load: &Load, look: &mut Look) -> anyhow::Result<()> {
    let tags = load.ledger().tags.clone();
    for (tag, digest) in tags {
        match load.repository.check(&tag).await {
            Ok(found) if found == digest => {}
            Ok(found) => look.wrong(None, format!("tag {tag} was pushed as {digest} and is {found}")),
            Err(error) => look.wrong(None, format!("tag {tag} was pushed as {digest}: {error:#}")),
        }
    }
    Ok(())
}

async fn definitions(load: &Load, look: &mut Look) -> anyhow::Result<()> {
    let definitions = load.ledger().definitions.clone();
    let mut listed = BTreeSet::new();
    let mut token = Value::Null;
    loop {
        let mut input = json!({"familyPrefix": "torture"});
        if !token.is_null() {
            input["nextToken"] = token;
        }
        let answer = ask::<ecs::ops::ListTaskDefinitions>(load, input).await?;
        listed.extend(answer["taskDefinitionArns"].as_array().into_iter().flatten().filter_map(text));
        token = answer["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    for lost in definitions.difference(&listed) {
        look.wrong(None, format!("{lost} was acknowledged and is not known"));
    }
    Ok(())
}

async fn list(load: &Load, mut input: Value) -> anyhow::Result<BTreeSet<String>> {
    let mut arns = BTreeSet::new();
    loop {
        let answer = ask::<ecs::ops::ListTasks>(load, input.clone()).await?;
        arns.extend(answer["taskArns"].as_array().into_iter().flatten().filter_map(text));
        match &answer["nextToken"] {
            Value::Null => return Ok(arns),
            token => input["nextToken"] = token.clone(),
        }
    }
}

async fn describe<'a>(
    client: &Client,
    arns: impl Iterator<Item = &'a String>,
) -> anyhow::Result<BTreeMap<String, Value>> {
    let arns: BTreeSet<&String> = arns.collect();
    let arns: Vec<&String> = arns.into_iter().collect();
    let mut found = BTreeMap::new();
    for page in arns.chunks(PAGE) {
        let input = json!({"cluster": CLUSTER, "tasks": page});
        let answer = client.call::<ecs::ops::DescribeTasks>(&input).await?;
        let tasks = answer["tasks"].as_array().cloned().unwrap_or_default();
        found.extend(tasks.into_iter().filter_map(|task| Some((text(&task["taskArn"])?, task))));
    }
    Ok(found)
}

async fn ask<O: Operation>(load: &Load, input: Value) -> anyhow::Result<Value> {
    Ok(load.client.call::<O>(&input).await?)
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// The fields that tell of a task's course.
fn summary(task: &Value) -> String {
    let container = &task["containers"][0];
    let fields = [
        ("status", &task["lastStatus"]),
        ("desired", &task["desiredStatus"]),
        ("code", &task["stopCode"]),
        ("reason", &task["stoppedReason"]),
        ("exit", &container["exitCode"]),
        ("container", &container["reason"]),
        ("group", &task["group"]),
    ];
    let told = fields.iter().filter(|(_, value)| !value.is_null());
    told.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}
