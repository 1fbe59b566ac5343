//! Whatever is asked, in whatever order: the rules of the world hold after every command.

mod support;

use model::{command::*, world::TaskFilter, *};
use proptest::prelude::*;
use std::collections::BTreeSet;
use support::*;

fn any_status() -> impl Strategy<Value = ContainerStatus> {
    prop::sample::select(ContainerStatus::ALL)
}

fn any_desired() -> impl Strategy<Value = DesiredStatus> {
    prop::sample::select(DesiredStatus::ALL)
}

fn any_reported() -> impl Strategy<Value = Option<ReportedStatus>> {
    use ReportedStatus::*;
    prop::sample::select(vec![None, Some(Pending), Some(Running), Some(Stopped)])
}

fn any_container() -> impl Strategy<Value = ContainerReport> {
    let name = prop::sample::select(vec!["web", "side", "unknown"]);
    let reason = prop::sample::select(vec!["", "", "CannotPullContainerError: no"]);
    (name, any_status(), reason).prop_map(|(name, status, reason)| ContainerReport {
        reason: Some(reason.into()).filter(|_| !reason.is_empty()),
        ..said(name, status)
    })
}

fn any_task() -> impl Strategy<Value = NewTask> {
    let family = prop::sample::select(vec!["web", "ports", "gpus"]);
    let gpus = prop::option::of(prop::collection::vec(0..3u32, 2));
    (1..12u128, 1..4u128, family, any::<bool>(), any::<bool>(), gpus).prop_map(
        |(id, on, family, other, of_service, gpus)| {
            let mut new = task(id, on);
            new.definition.family = family.into();
            new.gpus = gpus.filter(|_| family == "gpus");
            if on == 3 {
                new.launch_type = LaunchType::Ec2;
            }
            if other {
                new.cluster = scope().cluster("other");
            }
            if id % 3 == 0 {
                new.run = Some(Run { timeout_ms: Some(5_000), retries: 2, attempt: 1, ..Run::default() });
            }
            if of_service {
                new.service = Some("s".into());
                new.deployment = Some(deployment(1, "web").id);
            }
            new
        },
    )
}

/// Those that an agent finds this time: they may be others than before.
fn any_gpus() -> impl Strategy<Value = Vec<std::sync::Arc<str>>> {
    prop::sample::subsequence(vec!["g0".into(), "g1".into(), "g2".into(), "g3".into()], 0..=4)
}

fn with_gpus() -> Command {
    let mut new = definition("gpus");
    (new.containers[0].gpus, new.containers[1].gpus) = (2, 1);
    Command::RegisterTaskDefinition(new.into())
}

fn setting(principal: &str) -> SettingKey {
    SettingKey {
        scope: scope(),
        principal: format!("arn/{principal}").into(),
        name: "containerInsights".into(),
    }
}

/// A step of a scheduler that says of the PRIMARY deployment that it begins or ends, or of the one that completed last
/// that it comes back. Which ones those are, and what the version of the service is, [`addressed`] fills in.
fn any_rollout() -> impl Strategy<Value = Command> {
    let end = |state| DeploymentChange::Rollout(state, "because".into());
    let changes = prop::sample::select(vec![
        vec![DeploymentChange::Begin],
        vec![DeploymentChange::Begin, end(RolloutState::Completed)],
        vec![end(RolloutState::Completed)],
        vec![end(RolloutState::Failed)],
        vec![end(RolloutState::Failed), DeploymentChange::RollBack("back".into())],
        vec![DeploymentChange::RollBack("back".into())],
        vec![DeploymentChange::Failed(1)],
        vec![DeploymentChange::Remove],
    ]);
    (prop::sample::select(vec![cluster(), scope().cluster("other")]), changes).prop_map(
        |(cluster, changes)| {
            let step = |change| DeploymentStep { id: "".into(), change };
            Command::ServiceStep(
                ServiceStep {
                    service: cluster.service("s"),
                    expected_version: 0,
                    starts: vec![],
                    stops: vec![],
                    deployments: changes.into_iter().map(step).collect(),
                    events: vec![],
                    steady: None,
                    inactive: false,
                }
                .into(),
            )
        },
    )
}

fn addressed(world: &World, mut command: Command) -> Command {
    match &mut command {
        Command::ServiceStep(step) if step.expected_version == 0 => {
            let Some(service) = world.service(&step.service) else { return command };
            step.expected_version = service.version;
            for change in &mut step.deployments {
                let id = match change.change {
                    DeploymentChange::RollBack(_) => {
                        service.completed.as_ref().map(|completed| &completed.id)
                    }
                    DeploymentChange::Remove => service.deployments.last().map(|last| &last.id),
                    _ => service.primary().map(|primary| &primary.id),
                };
                change.id = id.cloned().unwrap_or_else(|| "ecs-svc/0".into());
            }
        }
        Command::StopDeployment { service, deployment, .. } => {
            let back: usize = deployment.revision().parse().unwrap_or(0);
            let record = world.service_deployments(service).rev().nth(back);
            *deployment = record.map_or("ecs-svc/0".into(), |record| record.deployment.clone());
        }
        Command::UpdateService { key, expected_version, change } if change.deployment.is_some() => {
            *expected_version = world.service(key).map_or(0, |service| service.version);
        }
        _ => {}
    }
    command
}

fn any_command() -> impl Strategy<Value = Command> {
    let key = || prop::sample::select(vec![cluster(), scope().cluster("other")]);
    let id = || (1..12u128).prop_map(TaskId);
    let instance = || (1..4u128).prop_map(InstanceId);
    let service_key = || key().prop_map(|key| key.service("s"));
    let token = prop::option::of(prop::sample::select(vec!["t", "u"])).prop_map(|token| {
        token.map(|token| Token { operation: "RunTask".into(), token: token.into(), fingerprint: "f".into() })
    });
    prop_oneof![
        1 => key().prop_map(|key| Command::CreateCluster { key, change: ClusterChange::default(), tags: Tags::default() }),
        1 => key().prop_map(|key| Command::DeleteCluster { key }),
        1 => prop::sample::select(vec!["web", "ports"]).prop_map(|family| {
            let mut new = definition(family);
            if family == "ports" {
                new.network_mode = NetworkMode::Bridge;
                new.containers[0].host_ports = vec![HostPort { port: 80, transport: Transport::Tcp }];
            }
            Command::RegisterTaskDefinition(new.into())
        }),
        1 => (1..3u32).prop_map(|n| Command::DeregisterTaskDefinition { key: scope().definition("web", n) }),
        1 => (1..3u32).prop_map(|n| Command::DeleteTaskDefinition { key: scope().definition("web", n) }),
        6 => (prop::collection::vec(any_task(), 1..3), token)
            .prop_map(|(tasks, token)| Command::StartTasks { tasks, token }),
        3 => (key(), id()).prop_map(|(cluster, task)| Command::StopTask {
            cluster, task, code: StopCode::UserInitiated, reason: "enough".into(),
        }),
        2 => (1..4u128, 512..4096i64, any_gpus()).prop_map(|(id, memory, gpus)| {
            let home = if id == 3 { Home::Cluster(cluster()) } else { Home::Pool };
            Command::RegisterInstance(Registration {
                home, total: Size::new(1024, memory), gpus, ..registration(id)
            }.into())
        }),
        1 => (instance(), any::<bool>()).prop_map(|(id, force)| Command::DeregisterInstance { id, force }),
        1 => instance().prop_map(|id| Command::SetInstanceStatus { id, status: InstanceStatus::Draining }),
        1 => instance().prop_map(|id| Command::SetInstanceStatus { id, status: InstanceStatus::Active }),
        1 => (key(), instance(), "[a-c]").prop_map(|(cluster, id, name)| Command::PutAttributes {
            cluster, attributes: vec![(id, Attribute { name: name.as_str().into(), value: Some("v".into()) })],
        }),
        1 => (key(), instance(), "[a-c]").prop_map(|(cluster, id, name)| Command::DeleteAttributes {
            cluster, names: vec![(id, name.as_str().into())],
        }),
        1 => (key(), id(), prop::option::of(0..10_000u64)).prop_map(|(cluster, task, until_ms)| {
            Command::ProtectTasks { cluster, tasks: vec![task], until_ms }
        }),
        1 => ("[ab]", "[xy]").prop_map(|(principal, value)| Command::PutAccountSetting(AccountSetting {
            key: setting(&principal), value: value.as_str().into(),
        })),
        1 => "[ab]".prop_map(|principal| Command::DeleteAccountSetting(setting(&principal))),
        4 => (instance(), prop::bool::weighted(0.8))
            .prop_map(|(id, connected)| Command::SetAgentConnected { id, connected }),
        1 => Just(Command::DropSessions),
        4 => (instance(), prop::collection::vec((id(), any_desired()), 1..4))
            .prop_map(|(instance, tasks)| Command::AcknowledgePayload { instance, tasks }),
        8 => (key(), id(), any_reported(), prop::collection::vec(any_container(), 0..4))
            .prop_map(|(cluster, task, status, containers)| Command::ReportTask {
                cluster, task, report: TaskReport { status, containers, ..TaskReport::default() },
            }),
        1 => (id(), any_status()).prop_map(|(task, status)| Command::ReportContainer {
            cluster: cluster(), task, report: said("web", status),
        }),
        1 => (id(), prop::sample::select(AttachmentStatus::ALL)).prop_map(|(task, status)| {
            Command::ReportAttachment { instance: None, attachment: task.derive_uuid("attachment", 0), status }
        }),
        1 => (id(), prop::sample::select(Health::ALL)).prop_map(|(task, health)| {
            Command::ReportHealth { task, containers: vec![("web".into(), health)] }
        }),
        1 => service_key().prop_map(|key| {
            Command::CreateService { service: NewService { key, ..service("s", 1) }.into(), token: None }
        }),
        1 => (service_key(), 1..4u64, 0..3u32).prop_map(|(key, expected_version, desired)| Command::UpdateService {
            key, expected_version, change: ServiceChange { desired_count: Some(desired), ..Default::default() }.into(),
        }),
        1 => (service_key(), any::<bool>()).prop_map(|(key, force)| Command::DeleteService { key, force }),
        4 => (service_key(), 1..20u64, 2..1_000_000u32).prop_map(|(key, expected_version, number)| Command::UpdateService {
            key, expected_version,
            change: ServiceChange { deployment: Some(deployment(number, "web")), ..Default::default() }.into(),
        }),
        4 => any_rollout(),
        2 => (service_key(), any::<prop::sample::Index>(), prop::sample::select(StopType::ALL))
            .prop_map(|(service, which, stop)| Command::StopDeployment {
                service, deployment: DeploymentId::from(format!("nth/{}", which.index(4))), stop,
            }),
        2 => (service_key(), 1..8u64, prop::collection::vec(any_task(), 0..2), prop::collection::vec(id(), 0..3), any::<bool>())
            .prop_map(|(service, expected_version, starts, stops, inactive)| {
                let stop = || Stop { code: StopCode::ServiceSchedulerInitiated, reason: "scale".into() };
                let events = vec![ServiceEvent { id: Uuid(1), at_ms: 0, message: "m".into() }];
                Command::ServiceStep(ServiceStep {
                    service, expected_version, starts, stops: stops.into_iter().map(|id| (id, stop())).collect(),
                    deployments: vec![], events, steady: Some(inactive), inactive,
                }.into())
            }),
        1 => (key(), id()).prop_map(|(cluster, task)| Command::Tag {
            resource: Resource::Task(cluster, task), tags: vec![Tag { key: "k".into(), value: None }],
        }),
        2 => id().prop_map(|task| Command::TimeOut { task }),
        2 => (id(), any_task()).prop_map(|(of, task)| Command::Retry { of, task: task.into() }),
        2 => id().prop_map(|id| Command::Forget(vec![Forgettable::Task(id)])),
        1 => (key(), instance()).prop_map(|(key, id)| Command::Forget(vec![
            Forgettable::Service(key.service("s")), Forgettable::Cluster(key), Forgettable::Instance(id),
            Forgettable::Definition(scope().definition("web", 1)),
            Forgettable::Token(TokenKey { scope: scope(), operation: "RunTask".into(), token: "t".into() }),
        ])),
    ]
}

/// What must hold between a world and the one after it.
fn only_forward(before: &World, after: &World) {
    for old in before.all_tasks() {
        let Some(new) = after.task(old.id) else {
            assert_eq!(old.last_status, TaskStatus::Stopped, "only stopped tasks are forgotten");
            continue;
        };
        assert!(new.last_status >= old.last_status);
        assert!(new.desired_status >= old.desired_status);
        assert!(new.acknowledged >= old.acknowledged);
        assert!(new.version >= old.version);
        assert!(!old.is_live() || new.instance == old.instance);
        assert!(old.stop.is_none() || new.stop == old.stop, "the first reason to stop stays");
        if let (Some(old), Some(new)) = (&old.run, &new.run) {
            assert!(old.next.is_none() || old == new, "one attempt follows, once");
            assert!(
                new.retries <= old.retries && new.attempt == old.attempt && new.timed_out >= old.timed_out
            );
        }
        for (old, new) in old.containers.iter().zip(&new.containers) {
            assert!(new.last_status >= old.last_status);
            assert_eq!(new.gpus, old.gpus, "a container keeps the GPUs that it was given");
        }
    }
}

/// The history of services: what must hold between a world and the one after it.
fn history_only_grows(before: &World, after: &World) {
    for old in before.all_services() {
        let same = |new: &&std::sync::Arc<Service>| new.created_at_ms == old.created_at_ms;
        let Some(new) = after.service(&old.key).filter(same) else { continue };
        assert!(new.deployed >= old.deployed);
        for old in before.service_deployments(&old.key) {
            let new =
                after.service_deployment(&old.service, &old.deployment).expect("none is forgotten so soon");
            assert!(new == old || !old.status.is_over(), "what is over stays as it is");
            assert!(
                new.status == old.status || old.status.may_become(new.status),
                "{} {}",
                old.status,
                new.status
            );
            assert_eq!((old.number, old.created_at_ms), (new.number, new.created_at_ms));
            assert!(old.started_at_ms.is_none() || old.started_at_ms == new.started_at_ms);
            assert!(old.rollback.is_none() || old.rollback == new.rollback);
        }
        for old in before.service_revisions(&old.key) {
            let new = after.service_revisions(&old.service).find(|new| new.deployment == old.deployment);
            let images = new.expect("none is forgotten so soon").images.clone();
            assert_eq!(**new.unwrap(), ServiceRevision { images, ..ServiceRevision::clone(old) });
        }
    }
}

/// Each deployment has one record, which is open as long as its end is.
fn history_is_sound(world: &World, service: &Service) {
    let records: Vec<_> = world.service_deployments(&service.key).collect();
    let numbers: Vec<u64> = records.iter().map(|record| record.number).collect();
    assert_eq!(numbers, (1..=service.deployed).collect::<Vec<_>>());
    let revisions: Vec<u64> = world.service_revisions(&service.key).map(|revision| revision.number).collect();
    assert_eq!(numbers, revisions);
    for deployment in service.deployments.iter().chain(service.completed.as_deref()) {
        assert!(world.service_deployment(&service.key, &deployment.id).is_some());
    }
    for record in &records {
        assert_eq!(record.status.is_over(), record.finished_at_ms.is_some());
        assert_eq!(record.status.is_over(), record.counts.is_some());
        assert_eq!(record.status == ServiceDeploymentStatus::Stopped, record.stopped_at_ms.is_some());
        assert!(record.number == service.deployed || record.status.is_over(), "only the newest is under way");
    }
    let open =
        service.status == ServiceStatus::Active && service.primary().is_some_and(Deployment::is_rolling_out);
    assert_eq!(
        records.last().is_some_and(|newest| !newest.status.is_over()),
        open,
        "{:?} {records:#?}",
        service.deployments
    );
}

/// What must hold in every world.
/// Every list of tasks, from every place in it, is what a look at all tasks finds.
fn lists_are_whole(world: &World) {
    let tasks: Vec<&Task> = world.all_tasks().map(|task| &**task).collect();
    let filters = tasks.iter().flat_map(|like| {
        let all = TaskFilter {
            cluster: like.cluster.clone(),
            desired_status: like.desired_status,
            instance: None,
            family: None,
            service: None,
            started_by: None,
        };
        let (instance, family) = (Some(like.instance), Some(like.definition.family.clone()));
        [
            TaskFilter { started_by: like.started_by.clone(), ..all.clone() },
            TaskFilter { instance, family, ..all.clone() },
            TaskFilter { service: like.service_key(), ..all.clone() },
            TaskFilter { service: like.service_key(), instance, ..all },
        ]
    });
    for filter in filters {
        let matches = |task: &&&Task| {
            task.cluster == filter.cluster
                && task.desired_status == filter.desired_status
                && filter.instance.is_none_or(|id| task.instance == id)
                && filter.family.as_ref().is_none_or(|family| task.definition.family == *family)
                && filter.service.as_ref().is_none_or(|key| task.service_key().as_ref() == Some(key))
                && filter.started_by.as_ref().is_none_or(|by| task.started_by.as_ref() == Some(by))
        };
        let expected: Vec<TaskId> = tasks.iter().filter(matches).map(|task| task.id).collect();
        for after in expected.iter().copied().map(Some).chain([None]) {
            let listed: Vec<TaskId> = world.tasks_matching(&filter, after).map(|task| task.id).collect();
            let rest: Vec<TaskId> = expected.iter().copied().filter(|id| Some(*id) > after).collect();
            assert_eq!(listed, rest, "{filter:?} behind {after:?}");
        }
    }
}

fn is_sound(world: &World) {
    for instance in world.all_instances() {
        let live: Vec<_> = world.live_tasks_on(instance.id).collect();
        let held = live.iter().fold(Size::default(), |sum, task| sum + task.size);
        assert_eq!(world.remaining(instance) + held, instance.total, "resources are conserved");
        let addresses: Vec<_> =
            live.iter().filter_map(|task| task.eni.as_ref()).map(|eni| eni.address).collect();
        assert_eq!(addresses.iter().collect::<BTreeSet<_>>().len(), addresses.len(), "no address twice");
        let ports: Vec<_> = live.iter().flat_map(|task| &task.host_ports).collect();
        assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), ports.len(), "no port twice");
        let gpus: Vec<_> = live.iter().flat_map(|task| task.gpus()).collect();
        assert_eq!(gpus.iter().collect::<BTreeSet<_>>().len(), gpus.len(), "no GPU twice");
        assert!(world.free_gpus(instance).all(|free| !gpus.contains(&free)), "what is free is nobody's");
    }
    let deadlines = world.all_tasks().filter_map(|task| Some((task.deadline_ms()?, task.id)));
    assert!(world.deadlines().eq(deadlines.collect::<BTreeSet<_>>()));
    let retries = world.all_tasks().filter_map(|task| Some((task.retry_at_ms()?, task.id)));
    assert!(world.retries().eq(retries.collect::<BTreeSet<_>>()));
    for service in world.all_services() {
        history_is_sound(world, service);
    }
    for task in world.all_tasks() {
        let ended = task.last_status == TaskStatus::Stopped;
        assert_eq!(ended, task.stopped_at_ms.is_some());
        assert_eq!(task.desired_status == DesiredStatus::Stopped, task.stop.is_some());
        if ended {
            assert_eq!(task.desired_status, DesiredStatus::Stopped);
            assert!(task.containers.iter().all(|c| c.last_status == ContainerStatus::Stopped));
        }
        if task.last_status > TaskStatus::Running {
            assert!(task.stopping_at_ms.is_some());
        }
        assert!(world.instance(task.instance).is_some() || ended, "a live task has an instance");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_interleaving(commands in prop::collection::vec(any_command(), 1..120)) {
        let mut bench = Bench::ready();
        bench.run(Command::RegisterTaskDefinition({
            let mut new = definition("ports");
            new.network_mode = NetworkMode::Bridge;
            new.containers[0].host_ports = vec![HostPort { port: 80, transport: Transport::Tcp }];
            new.into()
        }));
        bench.run(with_gpus());
        for command in commands {
            let command = addressed(&bench.world, command);
            let before = bench.world.clone();
            let outcome = bench.attempt(&command);
            match &outcome {
                Err(_) => prop_assert_eq!(&before, &bench.world, "a refused command changes nothing"),
                Ok(_) => {
                    let mut other = before.clone();
                    prop_assert_eq!(&transact(&mut other, &command, bench.now_ms), &outcome);
                    prop_assert_eq!(&other, &bench.world, "deciding and taking in agree");
                }
            }
            only_forward(&before, &bench.world);
            history_only_grows(&before, &bench.world);
            is_sound(&bench.world);
            if let Command::ReportTask { .. } | Command::AcknowledgePayload { .. } | Command::StopTask { .. }
                | Command::ReportAttachment { .. } | Command::ReportHealth { .. } = &command
                && outcome.is_ok()
            {
                prop_assert_eq!(apply(&bench.world, &command, bench.now_ms), Ok(vec![]), "said twice is said once");
            }
        }
        lists_are_whole(&bench.world);
        let restored = World::restore(&bench.stored).unwrap();
        prop_assert_eq!(&restored, &bench.world, "what is stored is the world");
    }

    #[test]
    fn commands_that_share_a_commit_are_decided_as_if_one_by_one(
        commands in prop::collection::vec(any_command(), 1..60),
    ) {
        let bench = Bench::ready();
        let mut world = bench.world.clone();
        let mut events = Vec::new();
        let mut transaction = Transaction::on(&bench.world);
        for command in &commands {
            let alone = transact(&mut world, command, bench.now_ms);
            let own = transaction.decide(command, bench.now_ms);
            prop_assert_eq!(own.map(|own| own.len()), alone.clone().map(|events| events.len()));
            events.extend(alone.into_iter().flatten());
        }
        let (after, all) = transaction.into_parts();
        prop_assert_eq!(&all, &events);
        prop_assert_eq!(&after, &world);
        prop_assert_eq!(&bench.world, &Bench::ready().world, "who reads meanwhile sees nothing of it");
    }

    #[test]
    fn a_path_goes_forward_and_arrives(from in prop::sample::select(TaskStatus::ALL), to in prop::sample::select(TaskStatus::ALL)) {
        let path: Vec<_> = apply::path(from, to).collect();
        prop_assert!(path.is_sorted() && path.iter().all(|status| *status > from));
        prop_assert_eq!(path.last().copied(), (to > from).then_some(to));
    }

    #[test]
    fn ids_are_read_as_they_are_written(bits: u128) {
        prop_assert_eq!(TaskId(bits).to_string().parse(), Ok(TaskId(bits)));
        prop_assert_eq!(Uuid(bits).to_string().parse(), Ok(Uuid(bits)));
        let uuid = TaskId(bits).derive_uuid("x", 3).to_string();
        prop_assert_eq!(&uuid[14..15], "4");
        prop_assert!("89ab".contains(&uuid[19..20]));
    }

    #[test]
    fn a_subnet_gives_all_its_addresses_and_no_other(octet: u8, prefix in 24..=30u8, seed: u128) {
        let subnet: Subnet = format!("10.0.{octet}.77/{prefix}").parse().unwrap();
        let mut usage = world::Usage::default();
        for _ in 0..subnet.capacity() {
            let address = usage.free_address(subnet, seed).unwrap();
            let (first, last) = subnet.range();
            prop_assert!(address >= first && address <= last && address != subnet.gateway());
            prop_assert!(usage.addresses.insert(address.into()).is_none());
        }
        prop_assert_eq!(usage.free_address(subnet, seed), None);
    }
}
