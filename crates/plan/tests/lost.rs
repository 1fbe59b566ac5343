//! Machines that nobody hears of any more.

mod support;

use model::{command::*, *};
use support::*;

const AFTER_MS: u64 = 300_000;

fn connected(sim: &mut Sim, id: u128, connected: bool) {
    sim.run(Command::SetAgentConnected { id: InstanceId(id), connected });
}

/// Gives up what is lost; how many tasks.
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
    assert_eq!(give_up(&mut sim), mine);
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
