//! The stories of services, told by their events.

mod support;

use insta::assert_snapshot;
use model::{command::*, *};
use plan::reconcile::Counts;
use support::*;

#[test]
fn from_create_to_deleted() {
    let mut sim = Sim::new(2, 8).with(service(2, 100, 200));
    sim.come_to_rest();
    assert!(sim.service().steady);
    assert_eq!(sim.service().primary().unwrap().rollout_state, RolloutState::Completed);
    sim.update(ServiceChange { desired_count: Some(3), ..Default::default() });
    sim.come_to_rest();
    sim.update(ServiceChange { desired_count: Some(1), ..Default::default() });
    sim.come_to_rest();
    sim.run(Command::DeleteService { key: key(), force: true });
    sim.come_to_rest();
    assert_snapshot!(sim.story(), @r#"
    (service web) has started 2 tasks: (task #1) (task #2).
    (service web) (deployment ecs-svc/1) deployment completed.
    (service web) has reached a steady state.
    (service web) has started 1 tasks: (task #3).
    (service web) has reached a steady state.
    (service web) has stopped 2 running tasks: (task #3) (task #2).
    (service web) has reached a steady state.
    (service web) has stopped 1 running tasks: (task #1).
    "#);
    assert_eq!(sim.service().status, ServiceStatus::Inactive);
    assert_eq!(sim.look(), None);
}

#[test]
fn a_new_definition_takes_over() {
    let mut sim = Sim::new(2, 8).with(service(2, 100, 200));
    sim.come_to_rest();
    sim.update(ServiceChange { deployment: Some(deployment(2, "two")), ..Default::default() });
    sim.come_to_rest();
    assert_snapshot!(sim.story(), @r#"
    (service web) has started 2 tasks: (task #1) (task #2).
    (service web) (deployment ecs-svc/1) deployment completed.
    (service web) has reached a steady state.
    (service web) has started 2 tasks: (task #3) (task #4).
    (service web) has stopped 2 running tasks: (task #2) (task #1).
    (service web) (deployment ecs-svc/2) deployment completed.
    (service web) has reached a steady state.
    "#);
    assert_eq!(sim.service().deployments.len(), 1);
    assert!(sim.world.live_tasks_of(&key()).all(|task| task.definition.family.as_str() == "two"));
}

#[test]
fn a_task_that_ends_is_replaced() {
    let mut sim = Sim::new(1, 8).with(service(1, 100, 200));
    sim.come_to_rest();
    sim.now_ms += 60_000;
    sim.fail(sim.live()[0], None);
    sim.come_to_rest();
    assert_snapshot!(sim.story(), @r#"
    (service web) has started 1 tasks: (task #1).
    (service web) (deployment ecs-svc/1) deployment completed.
    (service web) has reached a steady state.
    (service web) has started 1 tasks: (task #2).
    (service web) has reached a steady state.
    "#);
}

#[test]
fn tasks_that_never_start_are_tried_ever_more_slowly() {
    let mut sim = Sim::new(1, 8).with(service(1, 100, 200));
    let mut waits = Vec::new();
    for _ in 0..12 {
        sim.settle();
        if let Some(at_ms) = sim.wake_at_ms {
            waits.push(at_ms - sim.now_ms);
            sim.now_ms = at_ms;
            sim.settle();
        }
        sim.fail(sim.live()[0], Some("CannotPullContainerError: no such image"));
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300].map(|s| s * 1000));
    assert_eq!(sim.service().primary().unwrap().failed_tasks, 12);
    let story = sim.story();
    assert_eq!(story.matches("is unable to consistently start tasks successfully.").count(), 1, "{story}");
    // One that holds ends it.
    sim.now_ms += 300_000;
    sim.come_to_rest();
    assert_eq!(sim.service().primary().unwrap().failed_tasks, 0);
    assert!(sim.service().steady);
}

#[test]
fn no_room_is_told_once_and_room_is_taken_when_it_comes() {
    let mut sim = Sim::new(1, 2).with(service(3, 100, 200));
    sim.come_to_rest();
    for _ in 0..5 {
        sim.now_ms = sim.wake_at_ms.expect("it looks again");
        sim.come_to_rest();
    }
    assert_eq!(sim.healthy(), 2);
    assert_snapshot!(sim.story(), @r#"
    (service web) has started 2 tasks: (task #1) (task #2).
    (service web) was unable to place a task. Reason: Capacity is unavailable at this time. Please try again later or in a different availability zone. (of 1 instance: 1 short of cpu: the task asks for 256 units and 0 are free at most; stop tasks, ask for less, or add an instance)
    "#);
    sim.join(instance(9, Home::Pool, Size::new(256, 512)));
    sim.come_to_rest();
    assert_eq!(sim.healthy(), 3);
}

#[test]
fn without_room_for_both_the_old_make_room_as_far_as_they_may() {
    let mut sim = Sim::new(1, 4).with(service(4, 50, 200));
    sim.come_to_rest();
    sim.update(ServiceChange { deployment: Some(deployment(2, "two")), ..Default::default() });
    let mut fewest = 4;
    for _ in 0..40 {
        sim.settle();
        fewest = fewest.min(sim.healthy());
        sim.obey();
        sim.now_ms += 1000;
    }
    assert_eq!(fewest, 2);
    assert!(sim.service().steady, "{}", sim.story());
}

#[test]
fn percents_that_allow_no_step_are_told() {
    let mut sim = Sim::new(1, 4).with(service(1, 100, 100));
    sim.come_to_rest();
    sim.update(ServiceChange { deployment: Some(deployment(2, "two")), ..Default::default() });
    sim.come_to_rest();
    assert_snapshot!(sim.story(), @r#"
    (service web) has started 1 tasks: (task #1).
    (service web) (deployment ecs-svc/1) deployment completed.
    (service web) has reached a steady state.
    (service web) was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the minimumHealthyPercent or maximumPercent value and try again.
    "#);
}

#[test]
fn an_agent_that_is_away_keeps_its_tasks() {
    let mut sim = Sim::new(1, 4).with(service(2, 100, 200));
    sim.come_to_rest();
    sim.run(Command::DropSessions);
    let before = sim.world.clone();
    sim.settle();
    assert_eq!(before, sim.world);
}

#[test]
fn an_unhealthy_task_is_replaced_after_its_grace() {
    let mut sim = Sim::new(1, 8);
    let mut checked = definition("checked", Size::new(256, 512));
    checked.containers[0].health_checked = true;
    sim.run(Command::RegisterTaskDefinition(checked.into()));
    let new = NewService {
        deployment: Some(deployment(1, "checked")),
        health_check_grace_s: Some(60),
        ..service(1, 100, 200)
    };
    let mut sim = sim.with(new);
    sim.settle();
    sim.obey();
    let task = sim.live()[0];
    sim.health(task, Health::Unhealthy);
    sim.settle();
    assert_eq!(sim.wake_at_ms, Some(sim.now_ms + 60_000));
    assert_eq!(sim.live(), [task]);
    sim.now_ms += 60_000;
    sim.settle();
    assert_eq!(sim.world.task(task).unwrap().desired_status, DesiredStatus::Running, "first its replacement");
    let replacement = *sim.live().iter().find(|id| **id != task).unwrap();
    sim.obey();
    sim.settle();
    assert_eq!(sim.world.task(task).unwrap().desired_status, DesiredStatus::Running, "which must be healthy");
    sim.health(replacement, Health::Healthy);
    sim.settle();
    assert_snapshot!(sim.story(), @r#"
    (service web) has started 1 tasks: (task #1).
    (service web) (task #1) failed container health checks.
    (service web) has started 1 tasks: (task #2).
    (service web) has stopped 1 running tasks: (task #1).
    "#);
    assert_eq!(
        sim.world.task(task).unwrap().stop.as_ref().unwrap().reason.as_ref(),
        "Task failed container health checks"
    );
}

#[test]
fn without_room_above_unhealthy_tasks_go_first_one_by_one() {
    let mut sim = Sim::new(1, 8);
    let mut checked = definition("checked", Size::new(256, 512));
    checked.containers[0].health_checked = true;
    sim.run(Command::RegisterTaskDefinition(checked.into()));
    let new = NewService { deployment: Some(deployment(1, "checked")), ..service(2, 50, 100) };
    let mut sim = sim.with(new);
    sim.settle();
    sim.obey();
    for task in sim.live() {
        sim.health(task, Health::Unhealthy);
    }
    let both = sim.live();
    sim.settle();
    let wanted =
        |sim: &Sim, id: &TaskId| sim.world.task(*id).unwrap().desired_status == DesiredStatus::Running;
    assert_eq!(both.iter().filter(|id| wanted(&sim, id)).count(), 1, "{}", sim.story());
    sim.obey();
    sim.settle();
    assert_snapshot!(sim.story(), @r#"
    (service web) has started 2 tasks: (task #1) (task #2).
    (service web) (task #2) failed container health checks.
    (service web) (task #1) failed container health checks.
    (service web) has stopped 1 running tasks: (task #2).
    (service web) has started 1 tasks: (task #3).
    (service web) has stopped 1 running tasks: (task #1).
    (service web) has started 1 tasks: (task #4).
    "#);
}

#[test]
fn tags_and_names_go_with_the_task() {
    let tag = |key: &str| Tag { key: key.into(), value: Some("v".into()) };
    let new = NewService {
        propagate_tags: PropagateTags::Service,
        managed_tags: true,
        tags: Tags::new([tag("team")]),
        ..service(1, 100, 200)
    };
    let mut sim = Sim::new(1, 8).with(new);
    sim.settle();
    let task = sim.world.task(sim.live()[0]).unwrap();
    let keys: Vec<&str> = task.tags.iter().map(|tag| &*tag.key).collect();
    assert_eq!(keys, ["team", "aws:ecs:clusterName", "aws:ecs:serviceName"]);
    assert_eq!(task.group.as_ref().unwrap().as_str(), "service:web");
    assert_eq!(task.started_by.as_ref().unwrap().as_str(), "ecs-svc/1");
}

#[test]
fn the_minimum_is_rounded_up_and_the_maximum_down() {
    let bounds = |desired, minimum_percent, maximum_percent| {
        let counts = Counts { desired, minimum_percent, maximum_percent, ..Counts::default() };
        (counts.lower_bound(), counts.upper_bound())
    };
    assert_eq!(bounds(3, 50, 150), (2, 4));
    assert_eq!(bounds(1, 1, 199), (1, 1));
    assert_eq!(bounds(4, 100, 200), (4, 8));
    assert_eq!(bounds(10, 0, 100), (0, 10));
    assert_eq!(bounds(u32::MAX / 2, 100, 200), (u32::MAX / 2, u32::MAX - 1));
}

#[test]
fn thousands_start_in_steps_that_stay_small() {
    let mut sim = Sim::new(4, 1000).with(service(1050, 100, 200));
    let mut sizes = Vec::new();
    while let Some(step) = sim.tick().step {
        sizes.push(step.starts.len());
    }
    assert_eq!(sizes, [vec![100; 10], vec![50]].concat());
    let story = sim.story();
    let first = story.lines().next().unwrap();
    assert_snapshot!(first, @"(service web) has started 100 tasks: (task #1) (task #2) (task #3) (task #4) (task #5) (task #6) (task #7) (task #8) (task #9) (task #10) and 90 more.");
    // However many come and go, what is kept of it is bounded.
    for count in [0, 400].repeat(20) {
        sim.update(ServiceChange { desired_count: Some(count), ..Default::default() });
        sim.come_to_rest();
    }
    let kept: usize = sim.service().events.iter().map(|event| event.message.len()).sum();
    assert_eq!(sim.service().events.len(), EVENTS_KEPT);
    assert!(kept < 64 * 1024, "{kept} bytes");
}

/// The bench's service comes in one commit, and so does one of a hundred.
#[test]
fn a_hundred_start_in_one_step() {
    let mut sim = Sim::new(2, 50).with(service(100, 100, 200));
    assert_eq!(sim.tick().step.unwrap().starts.len(), 100);
}

fn providers(sim: &Sim) -> (usize, usize) {
    let of = |name: &str| {
        let tasks = sim.live().into_iter().filter_map(|id| sim.world.task(id));
        tasks.filter(|task| task.capacity_provider.as_deref() == Some(name)).count()
    };
    (of("FARGATE"), of("FARGATE_SPOT"))
}

#[test]
fn a_strategy_is_shared_out_over_the_life_of_a_service() {
    let item =
        |provider: &str, base, weight| CapacityStrategyItem { provider: provider.into(), base, weight };
    let strategy = vec![item("FARGATE", 2, 1), item("FARGATE_SPOT", 0, 3)];
    let with_strategy = NewDeployment { capacity_strategy: strategy, ..deployment(1, "one") };
    let new = NewService { deployment: Some(with_strategy), ..service(1, 100, 200) };
    let mut sim = Sim::new(2, 300).with(new);
    // One by one or many at once, and beyond what one step starts: the same shares.
    for (count, shares) in
        [(1, (1, 0)), (2, (2, 0)), (3, (2, 1)), (6, (3, 3)), (10, (4, 6)), (242, (62, 180))]
    {
        sim.update(ServiceChange { desired_count: Some(count), ..Default::default() });
        sim.come_to_rest();
        assert_eq!(providers(&sim), shares, "{count} tasks");
    }
    // One that ends is replaced by one of its provider.
    let spot =
        |id: &TaskId| sim.world.task(*id).unwrap().capacity_provider.as_deref() == Some("FARGATE_SPOT");
    let victim = sim.live().into_iter().find(spot).unwrap();
    sim.now_ms += 60_000;
    sim.fail(victim, None);
    sim.come_to_rest();
    assert_eq!(providers(&sim), (62, 180));
}
