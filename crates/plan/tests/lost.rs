//! Machines that nobody hears of any more.

mod support;

use model::{command::*, *};
use support::*;

const AFTER_MS: u64 = 300_000;

fn connected(sim: &mut Sim, id: u128, connected: bool) {
    sim.run(Command::SetAgentConnected { id: InstanceId(id), connected });
}

/// Gives up what is lost; how many machines.
fn give_up(sim: &mut Sim) -> usize {
    let commands = plan::lost(&sim.world, sim.now_ms, AFTER_MS);
    commands.iter().for_each(|command| drop(sim.run(command.clone())));
    commands.len()
}

fn wanted_on(sim: &Sim, id: u128) -> usize {
    sim.world.live_tasks_on(InstanceId(id)).filter(|task| task.is_wanted()).count()
}

#[test]
fn a_lost_machine_s_tasks_are_replaced_and_it_learns_so_when_it_is_back() {
    let mut sim = Sim::new(2, 8).with(service(4, 100, 200));
    sim.come_to_rest();
    let (mine, others) = (wanted_on(&sim, 1), wanted_on(&sim, 2));
    assert!(mine > 0 && mine + others == 4);

    connected(&mut sim, 1, false);
    sim.now_ms += AFTER_MS - 1;
    assert_eq!(give_up(&mut sim), 0, "it may be back in a moment");
    sim.now_ms += 1;
    assert_eq!(give_up(&mut sim), 1);
    assert_eq!(give_up(&mut sim), 0, "once");
    sim.settle();
    assert_eq!((wanted_on(&sim, 1), wanted_on(&sim, 2)), (0, 4));
    // What they hold of the machine is theirs until it is known that they ended.
    let left: Vec<_> = sim.world.live_tasks_on(InstanceId(1)).cloned().collect();
    assert_eq!(left.len(), mine);
    assert!(left.iter().all(|task| task.stop.as_ref().is_some_and(|stop| {
        stop.code == StopCode::ServiceSchedulerInitiated
            && stop.reason.contains("has not been connected for 300 s")
    })));

    connected(&mut sim, 1, true);
    sim.come_to_rest();
    assert_eq!(sim.world.live_tasks_on(InstanceId(1)).count(), 0);
    assert_eq!(sim.healthy(), 4);
}

#[test]
fn a_restart_of_the_server_counts_anew_and_a_connected_machine_is_never_lost() {
    let mut sim = Sim::new(1, 8).with(service(1, 100, 200));
    sim.come_to_rest();
    sim.now_ms += 10 * AFTER_MS;
    assert_eq!(give_up(&mut sim), 0);
    connected(&mut sim, 1, false);
    sim.now_ms += AFTER_MS - 1;
    sim.run(Command::DropSessions);
    sim.now_ms += AFTER_MS - 1;
    assert_eq!(give_up(&mut sim), 0);
    connected(&mut sim, 1, true);
    sim.now_ms += AFTER_MS;
    assert_eq!(give_up(&mut sim), 0);
    assert_eq!(sim.wanted(), 1);
}

/// The machine is away for good.
fn lose(sim: &mut Sim, id: u128) {
    connected(sim, id, false);
    sim.now_ms += AFTER_MS;
    assert_eq!(give_up(sim), 1);
}

/// Every task on machines that are in reach does what it is asked to.
fn obey_but_on(sim: &mut Sim, lost: u128) {
    for _ in 0..20 {
        sim.settle();
        let here = |id: &TaskId| sim.world.task(*id).is_some_and(|task| task.instance != InstanceId(lost));
        let here: Vec<TaskId> = sim.live().into_iter().filter(here).collect();
        here.into_iter().for_each(|id| sim.progress(id));
        sim.now_ms += 100;
    }
}

#[test]
fn a_machine_that_never_returns_keeps_nothing_from_its_end() {
    let mut sim = Sim::new(2, 16).with(service(4, 50, 100));
    sim.come_to_rest();
    lose(&mut sim, 1);
    obey_but_on(&mut sim, 1);
    assert!(sim.service().steady, "{}", sim.story());
    // A deployment completes, with and without tasks that it was stopping when the machine went.
    sim.update(ServiceChange { deployment: Some(deployment(2, "two")), ..Default::default() });
    obey_but_on(&mut sim, 1);
    assert_eq!(sim.newest().status, ServiceDeploymentStatus::Successful, "{}", sim.history());
    assert_eq!(sim.service().deployments.len(), 1);
    assert!(sim.world.live_tasks_on(InstanceId(1)).count() > 0, "nobody has seen them end");
    // A deleted service is INACTIVE, and one of its name starts anew.
    sim.run(Command::DeleteService { key: key(), force: true });
    obey_but_on(&mut sim, 1);
    assert_eq!(sim.service().status, ServiceStatus::Inactive);
    let again = NewService { deployment: Some(deployment(3, "three")), ..service(2, 100, 200) };
    sim.run(Command::CreateService { service: again.into(), token: None });
    obey_but_on(&mut sim, 1);
    assert!(sim.service().steady);
    // Back after all, it stops what it had.
    connected(&mut sim, 1, true);
    sim.come_to_rest();
    assert_eq!(sim.world.live_tasks_on(InstanceId(1)).filter(|task| !task.is_wanted()).count(), 0);
    assert_eq!((sim.healthy(), sim.service().steady), (2, true));
}

#[test]
fn a_machine_that_is_lost_while_it_stops_tasks_is_waited_for_no_longer() {
    let mut sim = Sim::new(2, 16).with(service(4, 0, 100));
    sim.come_to_rest();
    sim.update(ServiceChange { deployment: Some(deployment(2, "two")), ..Default::default() });
    sim.settle();
    assert_eq!(sim.live().len() - sim.wanted(), 4, "all old ones are on their way out");
    lose(&mut sim, 1);
    obey_but_on(&mut sim, 1);
    assert_eq!(sim.newest().status, ServiceDeploymentStatus::Successful, "{}", sim.history());
    assert!(sim.service().steady);
}

#[test]
fn a_lost_machine_is_none_of_a_daemon_s() {
    let place = |id| instance(id, Home::Cluster(cluster()), Size::new(4096, 8192));
    let daemon = NewService {
        scheduling: SchedulingStrategy::Daemon,
        deployment: Some(NewDeployment { launch_type: LaunchType::Ec2, ..deployment(1, "one") }),
        ..service(0, 0, 100)
    };
    let mut sim = Sim::new(0, 0);
    (1..=2).for_each(|id| sim.join(place(id)));
    let mut sim = sim.with(daemon);
    sim.come_to_rest();
    lose(&mut sim, 1);
    obey_but_on(&mut sim, 1);
    assert_eq!((sim.service().desired_count, sim.service().steady), (1, true), "{}", sim.story());
    connected(&mut sim, 1, true);
    sim.come_to_rest();
    assert_eq!((sim.healthy(), sim.service().desired_count), (2, 2));
    assert_eq!((wanted_on(&sim, 1), wanted_on(&sim, 2)), (1, 1));
}
