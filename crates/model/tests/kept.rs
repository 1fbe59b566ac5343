//! What users say of instances and tasks: attributes, protection, account settings.

mod support;

use model::{apply::Unprotectable, command::*, *};
use support::*;

fn attribute(name: &str) -> Attribute {
    Attribute { name: name.into(), value: Some("v".into()) }
}

/// The cluster has the instance 9.
fn with_machine() -> Bench {
    let mut bench = Bench::ready();
    let home = Home::Cluster(cluster());
    let attributes = vec![attribute("ecs.os-type"), attribute("rack")];
    bench.run(Command::RegisterInstance(Registration { home, attributes, ..registration(9) }.into()));
    bench
}

#[test]
fn ten_attributes_and_no_more() {
    let mut bench = with_machine();
    let put = |names: std::ops::Range<u32>| Command::PutAttributes {
        cluster: cluster(),
        attributes: names.map(|n| (InstanceId(9), attribute(&format!("a{n}")))).collect(),
    };
    bench.run(put(0..9));
    assert_eq!(bench.attempt(&put(8..10)), Err(Refusal::TooManyAttributes(InstanceId(9), 11)));
    bench.run(put(0..9));
    let names =
        vec![(InstanceId(9), "a0".into()), (InstanceId(9), "rack".into()), (InstanceId(9), "b".into())];
    bench.run(Command::DeleteAttributes { cluster: cluster(), names });
    assert_eq!(bench.world.instance(InstanceId(9)).unwrap().all_attributes().len(), 9);
    bench.run(put(9..10));
}

#[test]
fn an_agent_that_registers_again_leaves_what_users_put() {
    let mut bench = with_machine();
    let attributes = vec![(InstanceId(9), Attribute { name: "rack".into(), value: Some("mine".into()) })];
    bench.run(Command::PutAttributes { cluster: cluster(), attributes });
    let home = Home::Cluster(cluster());
    let attributes = vec![attribute("rack"), attribute("new")];
    bench.run(Command::RegisterInstance(Registration { home, attributes, ..registration(9) }.into()));
    let instance = bench.world.instance(InstanceId(9)).unwrap();
    assert_eq!(instance.attribute("rack").unwrap().value.as_deref(), Some("mine"));
    assert_eq!(instance.all_attributes().keys().copied().collect::<Vec<_>>(), ["new", "rack"]);
}

#[test]
fn what_an_agent_says_once_of_itself_stays() {
    let mut bench = Bench::ready();
    let named = |name: &str, value: &str| Attribute { name: name.into(), value: Some(value.into()) };
    let register = |attributes| {
        let home = Home::Cluster(cluster());
        Command::RegisterInstance(Registration { home, attributes, ..registration(9) }.into())
    };
    bench.run(register(vec![named("rack", "7"), named("ecs.capability.old", "x"), attribute("ecs.os-type")]));
    let info = Document::of(&serde_json::json!({"agentVersion": "1.105.1"})).unwrap();
    let told = Command::ReportAgentVersion { id: InstanceId(9), agent: "1.105.1".into(), info: info.clone() };
    bench.run(told);
    bench.run(register(vec![attribute("ecs.os-type")]));
    let instance = bench.world.instance(InstanceId(9)).unwrap();
    assert_eq!(instance.all_attributes().keys().copied().collect::<Vec<_>>(), ["ecs.os-type", "rack"]);
    assert_eq!(
        (instance.version_info.as_ref(), instance.agent_version.as_deref()),
        (Some(&info), Some("1.105.1"))
    );
    bench.run(register(vec![named("rack", "8")]));
    let instance = bench.world.instance(InstanceId(9)).unwrap();
    assert_eq!(instance.attribute("rack").unwrap().value.as_deref(), Some("8"));
}

#[test]
fn attributes_are_for_instances_of_the_cluster_that_are_there() {
    let mut bench = with_machine();
    let put =
        |cluster, id| Command::PutAttributes { cluster, attributes: vec![(InstanceId(id), attribute("a"))] };
    assert_eq!(bench.attempt(&put(cluster(), 1)), Err(Refusal::InstanceNotFound(InstanceId(1))));
    let other = scope().cluster("other");
    assert_eq!(bench.attempt(&put(other, 9)), Err(Refusal::InstanceNotFound(InstanceId(9))));
    bench.run(Command::DeregisterInstance { id: InstanceId(9), force: false });
    assert_eq!(bench.attempt(&put(cluster(), 9)), Err(Refusal::InstanceInactive(InstanceId(9))));
}

#[test]
fn no_more_tasks_are_protected_than_are_desired() {
    let mut bench = Bench::ready();
    bench.run(Command::CreateService { service: service("s", 1).into(), token: None });
    let of_service =
        |id| NewTask { service: Some("s".into()), deployment: Some(deployment(1, "web").id), ..task(id, 1) };
    bench.run(Command::StartTasks { tasks: vec![of_service(1), of_service(2), task(3, 1)], token: None });
    let why = |bench: &Bench, id, enable| {
        apply::unprotectable(&bench.world, &cluster(), TaskId(id), enable, bench.now_ms)
    };
    assert_eq!(why(&bench, 3, true), Some(Unprotectable::Standalone));
    assert_eq!(why(&bench, 4, true), Some(Unprotectable::Missing));
    let until_ms = Some(bench.now_ms + 60_000);
    let protect = |tasks: Vec<u128>, until_ms| Command::ProtectTasks {
        cluster: cluster(),
        tasks: tasks.into_iter().map(TaskId).collect(),
        until_ms,
    };
    bench.run(protect(vec![1, 2, 3, 4], until_ms));
    let protected = |bench: &Bench, id| bench.world.task(TaskId(id)).unwrap().is_protected(bench.now_ms);
    assert!(protected(&bench, 1) && !protected(&bench, 2) && !protected(&bench, 3));
    assert_eq!(why(&bench, 1, true), None, "it may be prolonged");
    assert_eq!(why(&bench, 2, true), Some(Unprotectable::Blocked));
    bench.now_ms += 60_000;
    assert!(!protected(&bench, 1));
    assert_eq!(why(&bench, 2, true), None);
    bench.run(protect(vec![1], None));
    assert_eq!(bench.world.task(TaskId(1)).unwrap().protected_until_ms, None);
    let (code, reason) = (StopCode::UserInitiated, "enough".into());
    bench.run(Command::StopTask { cluster: cluster(), task: TaskId(1), code, reason });
    assert_eq!(why(&bench, 1, true), Some(Unprotectable::Ending));
}

#[test]
fn an_account_setting_is_put_and_deleted() {
    let mut bench = Bench::ready();
    let key = SettingKey { scope: scope(), principal: "arn:aws:iam::1:user/a/b".into(), name: "x".into() };
    let put = Command::PutAccountSetting(AccountSetting { key: key.clone(), value: "on".into() });
    bench.run(put.clone());
    assert!(bench.run(put).is_empty(), "nothing changes");
    assert_eq!(&*bench.world.account_setting(&key).unwrap().value, "on");
    bench.run(Command::DeleteAccountSetting(key.clone()));
    assert_eq!(bench.world.account_setting(&key), None);
}
