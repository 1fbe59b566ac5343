//! Task sets: each is kept at its share of the count, and nothing else is done by itself.

mod support;

use insta::assert_snapshot;
use model::{command::*, *};
use proptest::prelude::*;
use support::*;

fn external(desired: u32) -> NewService {
    NewService { controller: ControllerType::External, deployment: None, ..service(desired, 100, 200) }
}

fn create(number: u64, family: &str, scale: f64) -> Command {
    Command::CreateTaskSet {
        service: key(),
        deployment: deployment(number, family).into(),
        external_id: None,
        scale,
        tags: Tags::default(),
        token: None,
    }
}

fn id(number: u64) -> DeploymentId {
    format!("ecs-svc/{number}").into()
}

fn scale(number: u64, scale: f64) -> Command {
    Command::ScaleTaskSet { service: key(), set: id(number), scale }
}

/// Wanted tasks of each task set.
fn tasks(sim: &Sim) -> Vec<(String, usize)> {
    let of = |set: &Deployment| {
        let its =
            |task: &&std::sync::Arc<Task>| task.is_wanted() && task.deployment.as_ref() == Some(&set.id);
        sim.world.live_tasks_of(&key()).filter(its).count()
    };
    sim.service().deployments.iter().map(|set| (set.id.to_string(), of(set))).collect()
}

fn stable(sim: &Sim, number: u64) -> bool {
    sim.service().deployment(&id(number)).unwrap().task_set.as_ref().unwrap().stable
}

#[test]
fn each_is_kept_at_its_share_and_a_deleted_one_drains() {
    let mut sim = Sim::new(1, 16).with(external(4));
    sim.come_to_rest();
    sim.run(create(1, "one", 100.0));
    sim.run(create(2, "two", 30.0));
    sim.come_to_rest();
    assert_eq!(
        tasks(&sim),
        [("ecs-svc/1".to_owned(), 4), ("ecs-svc/2".to_owned(), 2)],
        "30 percent of 4, rounded up"
    );
    assert!(stable(&sim, 1) && stable(&sim, 2) && sim.service().steady);
    let one = sim.world.live_tasks_of(&key()).next().unwrap().clone();
    assert_eq!(
        one.started_by.as_ref().map(StartedBy::as_str),
        one.deployment.as_ref().map(DeploymentId::as_str)
    );
    sim.run(scale(2, 100.0));
    assert!(!stable(&sim, 2));
    sim.update(ServiceChange { desired_count: Some(2), ..Default::default() });
    sim.come_to_rest();
    assert_eq!(tasks(&sim), [("ecs-svc/1".to_owned(), 2), ("ecs-svc/2".to_owned(), 2)]);
    sim.run(Command::SetPrimaryTaskSet { service: key(), set: id(2) });
    sim.come_to_rest();
    assert_eq!(sim.wanted(), 4, "ECS does nothing by itself");
    sim.run(Command::DeleteTaskSet { service: key(), set: id(1), force: true });
    assert_eq!(sim.service().deployment(&id(1)).unwrap().status, DeploymentStatus::Draining);
    sim.come_to_rest();
    assert_eq!(tasks(&sim), [("ecs-svc/2".to_owned(), 2)]);
    let lost = sim.live()[0];
    sim.now_ms += 60_000;
    sim.fail(lost, None);
    sim.come_to_rest();
    assert_eq!(sim.healthy(), 2);
    sim.run(Command::DeleteService { key: key(), force: true });
    sim.come_to_rest();
    assert_eq!(sim.service().status, ServiceStatus::Inactive);
    assert_eq!(sim.world.service_deployments(&key()).count(), 0, "ECS keeps no records of them");
    assert_snapshot!(sim.story(), @r#"
    (service web) has started 4 tasks: (task #1) (task #2) (task #3) (task #4).
    (service web) has started 2 tasks: (task #5) (task #6).
    (service web) has reached a steady state.
    (service web) has stopped 2 running tasks: (task #3) (task #1).
    (service web) has reached a steady state.
    (service web) has stopped 2 running tasks: (task #4) (task #2).
    (service web) has reached a steady state.
    (service web) has started 1 tasks: (task #7).
    (service web) has reached a steady state.
    (service web) has stopped 2 running tasks: (task #6) (task #7).
    "#);
}

#[derive(Debug, Clone)]
enum Act {
    Tick,
    Progress(usize),
    Fail(usize),
    Create(u32),
    Scale(u64, u32),
    Primary(u64),
    Delete(u64, bool),
    Desired(u32),
    Later(u64),
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => Just(Act::Tick),
        8 => any::<usize>().prop_map(Act::Progress),
        1 => any::<usize>().prop_map(Act::Fail),
        2 => (0..101u32).prop_map(Act::Create),
        2 => (1..5u64, 0..101u32).prop_map(|(set, scale)| Act::Scale(set, scale)),
        1 => (1..5u64).prop_map(Act::Primary),
        1 => (1..5u64, any::<bool>()).prop_map(|(set, force)| Act::Delete(set, force)),
        1 => (0..5u32).prop_map(Act::Desired),
        2 => (1..20_000u64).prop_map(Act::Later),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_come_to_their_counts(acts in prop::collection::vec(any_act(), 1..100)) {
        let mut sim = Sim::new(2, 32).with(external(3));
        let mut made = 0;
        for act in acts {
            let live = sim.live();
            let pick = |n: usize| (!live.is_empty()).then(|| live[n % live.len()]);
            // What doesn't fit is refused, and changes nothing.
            let mut submit = |command: Command| {
                let _ = transact(&mut sim.world, &command, sim.now_ms);
            };
            match act {
                Act::Tick => { sim.tick(); }
                Act::Progress(n) => pick(n).into_iter().for_each(|id| sim.progress(id)),
                Act::Fail(n) => pick(n).into_iter().for_each(|id| sim.fail(id, None)),
                Act::Create(percent) if made < 4 => {
                    made += 1;
                    submit(create(made, ["one", "two"][(made % 2) as usize], percent.into()));
                }
                Act::Create(_) => {}
                Act::Scale(set, percent) => submit(scale(set, percent.into())),
                Act::Primary(set) => submit(Command::SetPrimaryTaskSet { service: key(), set: id(set) }),
                Act::Delete(set, force) => submit(Command::DeleteTaskSet { service: key(), set: id(set), force }),
                Act::Desired(count) => sim.update(ServiceChange { desired_count: Some(count), ..Default::default() }),
                Act::Later(ms) => sim.now_ms += ms,
            }
        }
        for _ in 0..100 {
            sim.tick();
            sim.obey();
            sim.now_ms += 5_000;
        }
        let desired = sim.service().desired_count;
        for set in &sim.service().deployments {
            let own = set.task_set.as_ref().unwrap();
            prop_assert!(set.status != DeploymentStatus::Draining && own.stable, "{}", sim.story());
            prop_assert_eq!(set.desired_count, own.computed(desired));
        }
        let counts: u32 = sim.service().deployments.iter().map(|set| set.desired_count).sum();
        prop_assert_eq!(sim.healthy(), counts as usize);
        prop_assert!(sim.service().deployments.iter().filter(|set| set.status == DeploymentStatus::Primary).count() <= 1);
        let before = sim.world.clone();
        sim.settle();
        prop_assert_eq!(&before, &sim.world);
    }

    #[test]
    fn a_share_is_rounded_up(desired in 0..5000u32, tenths in 0..=1000u32) {
        let set = TaskSet {
            external_id: None, scale: f64::from(tenths) / 10.0, tags: Tags::default(), stable: false, stable_at_ms: 0,
        };
        let exact = (u64::from(desired) * u64::from(tenths)).div_ceil(1000);
        prop_assert_eq!(u64::from(set.computed(desired)), exact);
    }
}
