//! What placements remember of each other changes no answer: whatever has happened since, a call is answered as by who
//! remembers nothing.

mod support;

use model::{command::*, *};
use plan::{Memory, Rules, Want, place, schedule::FailureReason};
use proptest::prelude::*;
use std::sync::Arc;
use support::*;

#[derive(Debug, Clone)]
enum Act {
    /// A call of that kind of so many tasks; they start, or the answer comes to nothing.
    Place {
        kind: usize,
        count: usize,
        starts: bool,
    },
    /// Of the nth live task.
    Progress(usize),
    Fail(usize),
    Stop(usize),
    /// It ends, and one of another group takes its place: what the instance holds is the same.
    Swap(usize),
    /// Of the nth instance.
    Connect(usize, bool),
    Drain(usize, bool),
    Attribute(usize, &'static str),
    /// Its agent comes back with another size.
    Resize(usize, i64),
    Join(&'static str),
    /// What a daemon asks of an instance that it isn't on yet is kept free.
    Daemon(u32),
    Replan,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let zone = || prop::sample::select(vec!["a", "b", "c"]);
    let one = prop_oneof![
        12 => (0..KINDS, 1..7usize, any::<bool>()).prop_map(|(kind, count, starts)| Act::Place { kind, count, starts }),
        4 => any::<usize>().prop_map(Act::Progress),
        2 => any::<usize>().prop_map(Act::Fail),
        4 => any::<usize>().prop_map(Act::Stop),
        2 => any::<usize>().prop_map(Act::Swap),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(n, on)| Act::Connect(n, on)),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(n, on)| Act::Drain(n, on)),
        1 => (any::<usize>(), zone()).prop_map(|(n, zone)| Act::Attribute(n, zone)),
        1 => (any::<usize>(), 1..9i64).prop_map(|(n, room)| Act::Resize(n, room)),
        1 => zone().prop_map(Act::Join),
        1 => (1..4u32).prop_map(Act::Daemon),
        2 => Just(Act::Replan),
    ];
    prop::collection::vec(one, 1..40)
}

const KINDS: usize = 8;

fn constraint(kind: ConstraintKind, expression: Option<&str>) -> PlacementConstraint {
    PlacementConstraint { kind, expression: expression.map(Arc::from) }
}

/// Whatever a call can ask of a placement, and the name of its group.
fn rules(kind: usize) -> (Rules, &'static str) {
    let by = |kind, field: &str| PlacementStrategy { kind, field: Some(field.into()) };
    let member_of = |text| constraint(ConstraintKind::MemberOf, Some(text));
    let zones = || by(StrategyKind::Spread, "attribute:zone");
    let memory = || by(StrategyKind::Binpack, "memory");
    let (constraints, strategies, group) = match kind {
        0 => (vec![], vec![], "plain"),
        1 => (vec![member_of("attribute:zone != c")], vec![zones(), memory()], "web"),
        // The same of another group.
        2 => (vec![member_of("attribute:zone != c")], vec![zones(), memory()], "other"),
        3 => (
            vec![constraint(ConstraintKind::DistinctInstance, None)],
            vec![by(StrategyKind::Random, "")],
            "web",
        ),
        4 => (vec![], vec![by(StrategyKind::Spread, "instanceId")], "other"),
        // What can't be remembered.
        5 => (vec![member_of("task:group == web")], vec![memory()], "near"),
        6 => (vec![], vec![memory(), zones()], "web"),
        _ => (vec![member_of("runningTasksCount < 2")], vec![memory()], "few"),
    };
    (Rules { group: Some((cluster(), group.into())), ..Rules::of(&constraints, &strategies) }, group)
}

/// Every other call is of two kinds of tasks, as with a capacity provider strategy.
fn wants(kind: usize, count: usize) -> Vec<Want> {
    let want = |index: usize| Want {
        cluster: cluster(),
        definition: DefinitionRef { family: "one".into(), revision: Revision(1) },
        launch_type: LaunchType::Ec2,
        size: (kind.is_multiple_of(2) && index % 2 == 1).then(|| Size::new(512, 700)),
        gpus: asks_for_gpu(kind).then_some(1),
        capacity_provider: None,
    };
    (0..count).map(want).collect()
}

fn asks_for_gpu(kind: usize) -> bool {
    matches!(kind, 3 | 4)
}

fn zone(zone: &str) -> Attribute {
    Attribute { name: "zone".into(), value: Some(zone.into()) }
}

fn registration(id: u128, name: &str, room: i64) -> Registration {
    let home = Home::Cluster(cluster());
    let gpus = if id % 2 == 1 { vec!["a".into(), "b".into()] } else { vec![] };
    Registration {
        gpus,
        attributes: vec![zone(name)],
        ..instance(id, home, Size::new(256 * room, 512 * room + 100))
    }
}

struct Stage {
    sim: Sim,
    memory: Memory,
    instances: u128,
    tasks: u128,
}

impl Stage {
    fn new(instances: u128) -> Self {
        let mut stage = Stage { sim: Sim::new(0, 0), memory: Memory::default(), instances: 0, tasks: 0 };
        (0..instances).for_each(|number| stage.join(["a", "b", "c"][number as usize % 3]));
        stage
    }

    fn join(&mut self, zone: &str) {
        self.instances += 1;
        self.sim.join(registration(self.instances, zone, 2 + self.instances as i64 % 4));
    }

    /// The same answer, remembered or not.
    fn place(&mut self, kind: usize, count: usize, seed: u128) -> Vec<InstanceId> {
        let ((rules, _), wants) = (rules(kind), wants(kind, count));
        let fresh = place(&self.sim.world, &wants, &rules, seed);
        let remembered = self.memory.place(&self.sim.world, &wants, &rules, seed);
        assert_eq!(remembered, fresh, "kind {kind}");
        fresh
            .placed
            .iter()
            .filter(|placed| wants[placed.want].size.is_none())
            .map(|placed| placed.instance)
            .collect()
    }

    fn act(&mut self, act: Act, seed: u128) {
        let live: Vec<TaskId> =
            self.sim.world.all_tasks().filter(|task| task.is_live()).map(|task| task.id).collect();
        let task = |n: usize| (!live.is_empty()).then(|| live[n % live.len()]);
        let instance = |n: usize| InstanceId(n as u128 % self.instances + 1);
        match act {
            Act::Place { kind, count, starts } => {
                let on = self.place(kind, count, seed);
                if starts {
                    let gpus = asks_for_gpu(kind).then(|| vec![1]);
                    let task = |on| NewTask { gpus: gpus.clone(), ..self.task(on, rules(kind).1) };
                    let tasks = on.into_iter().map(task).collect();
                    self.sim.run(Command::StartTasks { tasks, token: None });
                }
            }
            Act::Progress(n) => task(n).into_iter().for_each(|id| self.sim.progress(id)),
            Act::Fail(n) => task(n).into_iter().for_each(|id| self.sim.fail(id, None)),
            Act::Stop(n) => {
                if let Some(task) = task(n) {
                    let (code, reason) = (StopCode::UserInitiated, "enough".into());
                    self.sim.run(Command::StopTask { cluster: cluster(), task, code, reason });
                }
            }
            Act::Swap(n) => {
                let Some(old) = task(n).and_then(|id| self.sim.world.task(id)).cloned() else { return };
                let group = if old.group == Some("web".into()) { "other" } else { "web" };
                self.sim.fail(old.id, None);
                let tasks = vec![self.task(old.instance, group)];
                // Where it doesn't fit, or its instance takes none now, it is refused.
                let _ = transact(
                    &mut self.sim.world,
                    &Command::StartTasks { tasks, token: None },
                    self.sim.now_ms,
                );
            }
            Act::Connect(n, connected) => {
                self.sim.run(Command::SetAgentConnected { id: instance(n), connected });
            }
            Act::Drain(n, on) => self.sim.drain(instance(n), on),
            Act::Attribute(n, name) => {
                let attributes = vec![(instance(n), zone(name))];
                self.sim.run(Command::PutAttributes { cluster: cluster(), attributes });
            }
            Act::Resize(n, room) => {
                let id = instance(n);
                self.sim.join(registration(id.0, "a", room));
            }
            Act::Join(zone) => self.join(zone),
            Act::Daemon(number) => self.daemon(number),
            Act::Replan => {
                self.sim.tick();
            }
        }
    }

    fn task(&mut self, on: InstanceId, group: &str) -> NewTask {
        self.tasks += 1;
        NewTask { group: Some(group.into()), ..task(self.tasks, on.0) }
    }

    fn daemon(&mut self, number: u32) {
        if self.sim.world.service(&key()).is_some() {
            let family = ["one", "two", "three"][number as usize % 3];
            let deployment =
                NewDeployment { launch_type: LaunchType::Ec2, ..deployment(u64::from(number) + 10, family) };
            return self.sim.update(ServiceChange { deployment: Some(deployment), ..Default::default() });
        }
        let deployment = NewDeployment { launch_type: LaunchType::Ec2, ..deployment(1, "two") };
        let daemon = NewService {
            scheduling: SchedulingStrategy::Daemon,
            deployment: Some(deployment),
            ..service(0, 0, 100)
        };
        self.sim.run(Command::CreateService { service: daemon.into(), token: None });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_changes_no_answer(instances in 1..9u128, acts in acts(), seed: u64) {
        let mut stage = Stage::new(instances);
        for (number, act) in acts.into_iter().enumerate() {
            stage.act(act, u128::from(seed) << 32 | number as u128);
        }
        // And once more, with whatever is remembered by now.
        for kind in 0..KINDS {
            stage.place(kind, 4, seed.into());
        }
    }
}

#[test]
fn kinds_of_one_call_know_of_each_other() {
    let mut sim = Sim::new(0, 0);
    sim.join(registration(1, "a", 4));
    let large = Want { size: Some(Size::new(512, 1024)), ..wants(1, 1).remove(0) };
    let small = wants(1, 1).remove(0);
    let call = [small.clone(), large.clone(), small, large];
    let placement = place(&sim.world, &call, &Rules::default(), 1);
    assert_eq!(placement.placed.len(), 3, "{placement:?}");
    assert_eq!(placement.failures[0].reason, FailureReason::Cpu);
}

#[test]
fn what_an_instance_hosts_can_change_though_it_holds_the_same() {
    let mut stage = Stage::new(2);
    // Without an address, of which each task has another.
    let plain = NewDefinition { network_mode: NetworkMode::Host, ..definition("plain", Size::new(256, 512)) };
    stage.sim.run(Command::RegisterTaskDefinition(plain.into()));
    let reference = DefinitionRef { family: "plain".into(), revision: Revision(1) };
    let task = |stage: &mut Stage, on: InstanceId, group: &str| NewTask {
        definition: reference.clone(),
        ..stage.task(on, group)
    };
    let hosts = [InstanceId(1), InstanceId(2)];
    let tasks: Vec<NewTask> = hosts.iter().map(|on| task(&mut stage, *on, "web")).collect();
    stage.sim.run(Command::StartTasks { tasks: tasks.clone(), token: None });
    // The one that a call was given to is looked at again anyway: it is the other one that changes.
    let given = stage.place(5, 1, 1)[0];
    let other = tasks.iter().find(|task| task.instance != given).unwrap();
    stage.sim.fail(other.id, None);
    let instead = task(&mut stage, other.instance, "other");
    stage.sim.run(Command::StartTasks { tasks: vec![instead], token: None });
    assert!(stage.place(5, 9, 1).iter().all(|on| *on == given));
}
