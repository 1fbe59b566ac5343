//! The rules of clusters, definitions, instances, services and tags.

mod support;

use model::{command::*, refusal::Stale, *};
use support::*;

#[test]
fn revisions_count_on_and_are_never_given_twice() {
    let mut bench = Bench::ready();
    let key = |revision| scope().definition("web", revision);
    assert_eq!(
        bench.attempt(&Command::DeleteTaskDefinition { key: key(1) }),
        Err(Refusal::DefinitionActive(key(1)))
    );
    bench.run(Command::DeregisterTaskDefinition { key: key(1) });
    let start = Command::StartTasks { tasks: vec![task(1, 1)], token: None };
    assert_eq!(bench.attempt(&start), Err(Refusal::DefinitionInactive(key(1))));
    bench.run(Command::DeleteTaskDefinition { key: key(1) });
    bench.run(Command::Forget(vec![Forgettable::Definition(key(1))]));
    assert!(bench.world.definition(&key(1)).is_none());
    bench.run(Command::RegisterTaskDefinition(definition("web").into()));
    assert_eq!(bench.world.latest_definition(&scope(), &"web".into()).unwrap().key.revision, Revision(2));
    bench.run(Command::RegisterTaskDefinition(definition("web").into()));
    assert_eq!(bench.world.latest_definition(&scope(), &"web".into()).unwrap().key.revision, Revision(3));
    bench.run(Command::DeregisterTaskDefinition { key: key(3) });
    assert_eq!(bench.world.latest_definition(&scope(), &"web".into()).unwrap().key.revision, Revision(2));
    assert_eq!(bench.world.definitions(&scope()).count(), 2);
    assert_eq!(bench.world.definitions(&Scope::new("000000000000", "us-east-2")).count(), 0);
}

#[test]
fn a_cluster_in_use_stays() {
    let mut bench = Bench::ready();
    let delete = Command::DeleteCluster { key: cluster() };
    bench.start(1);
    assert_eq!(bench.attempt(&delete), Err(Refusal::ClusterContainsTasks(cluster())));
    bench.run(Command::DropSessions);
    bench.run(Command::StopTask {
        cluster: cluster(),
        task: TaskId(1),
        code: StopCode::UserInitiated,
        reason: "enough".into(),
    });
    bench.run(Command::CreateService { service: service("web", 0).into(), token: None });
    assert_eq!(bench.attempt(&delete), Err(Refusal::ClusterContainsServices(cluster())));
    bench.run(Command::DeleteService { key: cluster().service("web"), force: false });
    assert_eq!(bench.attempt(&delete), Err(Refusal::ClusterContainsServices(cluster())), "it is draining");
    let version = bench.world.service(&cluster().service("web")).unwrap().version;
    bench.run(Command::ServiceStep(
        ServiceStep {
            service: cluster().service("web"),
            expected_version: version,
            starts: vec![],
            stops: vec![],
            deployments: vec![],
            events: vec![],
            steady: None,
            inactive: true,
        }
        .into(),
    ));
    let own = Registration { home: Home::Cluster(cluster()), ..registration(9) };
    bench.run(Command::RegisterInstance(own.into()));
    assert_eq!(bench.attempt(&delete), Err(Refusal::ClusterContainsContainerInstances(cluster())));
    bench.run(Command::DeregisterInstance { id: InstanceId(9), force: false });
    bench.run(delete.clone());
    assert_eq!(bench.world.cluster(&cluster()).unwrap().status, ClusterStatus::Inactive);
    assert_eq!(bench.attempt(&delete), Err(Refusal::ClusterNotFound(cluster())));
    let start = Command::StartTasks { tasks: vec![task(2, 1)], token: None };
    assert_eq!(bench.attempt(&start), Err(Refusal::ClusterNotFound(cluster())));
}

#[test]
fn creating_a_cluster_again_changes_nothing() {
    let mut bench = Bench::ready();
    let again =
        Command::CreateCluster { key: cluster(), change: ClusterChange::default(), tags: Tags::default() };
    assert_eq!(bench.run(again), []);
}

#[test]
fn an_instance_registers_again_with_other_totals() {
    let mut bench = Bench::ready();
    for id in 1..=4 {
        bench.start(id);
    }
    let smaller = Registration { total: Size::new(512, 1024), ..registration(1) };
    bench.run(Command::RegisterInstance(smaller.clone().into()));
    let instance = bench.world.instance(InstanceId(1)).unwrap();
    assert_eq!(bench.world.remaining(instance), Size::new(-512, -1024));
    let elsewhere = Registration { home: Home::Cluster(cluster()), ..smaller.clone() };
    assert_eq!(
        bench.attempt(&Command::RegisterInstance(elsewhere.into())),
        Err(Refusal::InstanceElsewhere(InstanceId(1)))
    );
    assert_eq!(
        bench.attempt(&Command::DeregisterInstance { id: InstanceId(1), force: false }),
        Err(Refusal::InstanceContainsTasks(InstanceId(1), 4))
    );
    bench.run(Command::DeregisterInstance { id: InstanceId(1), force: true });
    assert!(bench.world.all_tasks().all(|task| !task.is_live()));
    assert_eq!(
        bench.attempt(&Command::RegisterInstance(smaller.into())),
        Err(Refusal::InstanceInactive(InstanceId(1)))
    );
}

#[test]
fn message_numbers_grow_from_session_to_session() {
    let mut bench = Bench::ready();
    let number = |bench: &Bench, nth| bench.world.instance(InstanceId(1)).unwrap().sequence(nth);
    let last = number(&bench, 1_000_000);
    bench.run(Command::DropSessions);
    bench.run(Command::SetAgentConnected { id: InstanceId(1), connected: true });
    assert!(number(&bench, 0) > last);
    let last = number(&bench, 1_000_000);
    bench.run(Command::SetAgentConnected { id: InstanceId(1), connected: true });
    assert!(number(&bench, 0) > last, "the newest connection wins");
}

#[test]
fn a_plan_for_another_version_is_refused() {
    let mut bench = Bench::ready();
    bench.run(Command::CreateService { service: service("web", 1).into(), token: None });
    let key = cluster().service("web");
    let step = ServiceStep {
        service: key.clone(),
        expected_version: 1,
        starts: vec![NewTask { service: Some("web".into()), ..task(1, 1) }],
        stops: vec![],
        deployments: vec![],
        events: vec![],
        steady: None,
        inactive: false,
    };
    bench.run(Command::ServiceStep(step.clone().into()));
    let other = ServiceStep { starts: vec![NewTask { service: Some("web".into()), ..task(2, 1) }], ..step };
    assert!(matches!(bench.attempt(&Command::ServiceStep(other.into())), Err(Refusal::StaleSnapshot(_))));
    assert_eq!(bench.world.live_tasks_of(&key).count(), 1);
}

#[test]
fn a_new_deployment_supersedes() {
    let mut bench = Bench::ready();
    bench.run(Command::RegisterTaskDefinition(definition("api").into()));
    bench.run(Command::CreateService { service: service("web", 2).into(), token: None });
    let key = cluster().service("web");
    let change = ServiceChange {
        desired_count: Some(3),
        deployment: Some(deployment(2, "api")),
        ..Default::default()
    };
    bench.run(Command::UpdateService { key: key.clone(), expected_version: 1, change: change.into() });
    let service = bench.world.service(&key).unwrap();
    let seen: Vec<_> =
        service.deployments.iter().map(|d| (d.status, d.desired_count, d.definition.to_string())).collect();
    assert_eq!(
        seen,
        [
            (DeploymentStatus::Primary, 3, "api:1".to_owned()),
            (DeploymentStatus::Active, 0, "web:1".to_owned())
        ]
    );
    assert_eq!(
        bench.attempt(&Command::DeleteService { key: key.clone(), force: false }),
        Err(Refusal::ServiceScaledAboveZero(key))
    );
}

#[test]
fn an_update_made_of_another_version_is_refused() {
    let mut bench = Bench::ready();
    bench.run(Command::CreateService { service: service("web", 2).into(), token: None });
    let key = cluster().service("web");
    let to = |expected_version, count| Command::UpdateService {
        key: key.clone(),
        expected_version,
        change: ServiceChange { desired_count: Some(count), ..Default::default() }.into(),
    };
    bench.run(to(1, 3));
    let stale = Stale::Service { service: key.clone(), expected: 1, actual: 2 };
    assert_eq!(bench.attempt(&to(1, 4)), Err(Refusal::StaleSnapshot(stale)));
    assert_eq!(bench.world.service(&key).unwrap().desired_count, 3);
    bench.run(to(2, 3));
    assert_eq!(bench.world.service(&key).unwrap().version, 2, "what changes nothing is no new version");
    bench.run(to(2, 4));
    // That it is gone says more than that it has moved on.
    bench.run(Command::DeleteService { key: key.clone(), force: true });
    assert_eq!(bench.attempt(&to(1, 4)), Err(Refusal::ServiceNotActive(key)));
}

#[test]
fn fifty_tags_and_no_more() {
    let mut bench = Bench::ready();
    let tag = |n: usize| Tag { key: format!("k{n}").into(), value: Some("v".into()) };
    let resource = Resource::Cluster(cluster());
    bench.run(Command::Tag { resource: resource.clone(), tags: (0..50).map(tag).collect() });
    let again = Command::Tag { resource: resource.clone(), tags: vec![tag(3)] };
    assert_eq!(bench.run(again), [], "the same tag is no change");
    let more = Command::Tag { resource: resource.clone(), tags: vec![tag(50)] };
    assert_eq!(bench.attempt(&more), Err(Refusal::TooManyTags(51)));
    bench.run(Command::Untag { resource: resource.clone(), keys: vec!["k0".into(), "unknown".into()] });
    bench.run(more);
    assert_eq!(bench.world.cluster(&cluster()).unwrap().tags.len(), 50);
    let nowhere = Resource::Service(cluster().service("none"));
    assert_eq!(
        bench.attempt(&Command::Untag { resource: nowhere, keys: vec![] }),
        Err(Refusal::ResourceNotFound)
    );
}

#[test]
fn keys_can_be_read_by_a_person() {
    let mut bench = Bench::ready();
    bench.start(0xbeef);
    bench.run(Command::CreateService { service: service("shop", 0).into(), token: None });
    let keys: Vec<&str> = bench.stored.keys().map(String::as_str).collect();
    insta::assert_snapshot!(keys.join("\n"), @r#"
    ecs/000000000000/us-east-1/cluster/default
    ecs/000000000000/us-east-1/definition/web/0000000001
    ecs/000000000000/us-east-1/family/web
    ecs/000000000000/us-east-1/service-deployment/default/shop/0000000001
    ecs/000000000000/us-east-1/service-revision/default/shop/0000000001
    ecs/000000000000/us-east-1/service/default/shop
    ecs/000000000000/us-east-1/task/default/0000000000000000000000000000beef
    pool/instance/00000000000000000000000000000001
    "#);
}

#[test]
fn a_service_that_was_stored_before_there_were_records_is_read() {
    let mut bench = Bench::ready();
    bench.run(Command::CreateService { service: service("shop", 0).into(), token: None });
    bench.stored.retain(|key, _| !key.contains("service-deployment/") && !key.contains("service-revision/"));
    let stored = bench.stored.get_mut("ecs/000000000000/us-east-1/service/default/shop").unwrap();
    let text = String::from_utf8(stored.clone()).unwrap();
    assert!(text.contains(r#""deployed":1,"#), "{text}");
    *stored = text.replace(r#""deployed":1,"#, "").into_bytes();
    bench.world = World::restore(&bench.stored).unwrap();
    let key = cluster().service("shop");
    assert_eq!(bench.world.service(&key).unwrap().deployed, 0);
    assert!(bench.world.newest_service_deployment(bench.world.service(&key).unwrap()).is_none());
    let change = ServiceChange { deployment: Some(deployment(2, "web")), ..Default::default() };
    bench.run(Command::UpdateService { key: key.clone(), expected_version: 1, change: change.into() });
    assert_eq!(bench.world.service_deployments(&key).map(|record| record.number).collect::<Vec<_>>(), [1]);
}

#[test]
fn what_cannot_be_read_is_said() {
    let unknown = World::restore([("ecs/1/r/planet/x", "{}")]).unwrap_err();
    assert!(unknown.to_string().contains("ecs/1/r/planet/x"));
    assert!(matches!(World::restore([("ecs/1/r/task/c/x", "{")]), Err(Corrupt::Value { .. })));
}

#[test]
fn a_service_is_read_as_it_was_stored_before_there_was_placement() {
    let mut bench = Bench::ready();
    bench.run(Command::CreateService { service: service("web", 1).into(), token: None });
    let service = bench.world.all_services().next().unwrap();
    let mut stored = serde_json::to_value(service).unwrap();
    stored["placement_constraints"] = serde_json::Value::Null;
    stored.as_object_mut().unwrap().remove("placement_strategy");
    assert_eq!(serde_json::from_value::<Service>(stored).unwrap(), **service);
}
