//! What one agent's session has sent and what it must send next.
//!
//! A session begins with everything that lives on its instance, since nobody knows what the agent
//! remembers (redelivery is harmless: agent protocol, PayloadMessage), and with a manifest, so that the
//! agent can name what it runs and shouldn't. After that it sends what the world says is unacknowledged.

use model::{ContainerInstance, DesiredStatus, InstanceId, TaskId, World};
use std::collections::{BTreeMap, BTreeSet};

/// Tasks in one payload: a bound on a message's size.
const PAYLOAD_TASKS: usize = 10;
/// A payload that isn't acknowledged by then is sent again.
pub const RESEND_MS: u64 = 15_000;

/// A task as it stood in a payload.
pub type Told = (TaskId, DesiredStatus);

#[derive(Debug)]
struct Sent {
    tasks: Vec<Told>,
    at_ms: u64,
    acknowledged: bool,
}

/// The memory of one session. It ends with the session: the next one begins anew.
#[derive(Debug, Default)]
pub struct Outbox {
    started: bool,
    /// By message id: payloads that aren't acknowledged, or whose acknowledgement isn't committed. Were the latter left
    /// out, each task would be told again while its commit is under way.
    sent: BTreeMap<String, Sent>,
    /// Messages numbered so far in this session.
    numbered: u64,
}

impl Outbox {
    /// The number for the next message, greater than all before (`seqNum`, `timeline`).
    pub fn number(&mut self, instance: &ContainerInstance) -> i64 {
        let number = instance.sequence(self.numbered);
        self.numbered += 1;
        i64::try_from(number).unwrap_or(i64::MAX)
    }

    /// The payloads that are due now, each a list of tasks.
    pub fn due(&mut self, world: &World, instance: &ContainerInstance, now_ms: u64) -> Vec<Vec<Told>> {
        let stale = |sent: &Sent| sent.at_ms + RESEND_MS <= now_ms;
        let told = |task: &std::sync::Arc<model::Task>| (task.id, task.desired_status);
        let awaited: Vec<Told> = world.awaiting_agent(instance.id).map(told).collect();
        let committed = |sent: &Sent| sent.acknowledged && !sent.tasks.iter().any(|t| awaited.contains(t));
        self.sent.retain(|_, sent| !stale(sent) && !committed(sent));
        let all = !std::mem::replace(&mut self.started, true);
        let due: Vec<Told> = if all {
            world.live_tasks_on(instance.id).map(told).collect()
        } else {
            let in_flight: BTreeSet<&Told> = self.sent.values().flat_map(|sent| &sent.tasks).collect();
            awaited.into_iter().filter(|told| !in_flight.contains(told)).collect()
        };
        // What stops makes room for what starts.
        let (stops, starts): (Vec<Told>, Vec<Told>) =
            due.into_iter().partition(|(_, desired)| *desired == DesiredStatus::Stopped);
        let ordered: Vec<Told> = stops.into_iter().chain(starts).collect();
        ordered.chunks(PAYLOAD_TASKS).map(<[Told]>::to_vec).collect()
    }

    pub fn sent(&mut self, message_id: String, tasks: Vec<Told>, now_ms: u64) {
        self.sent.insert(message_id, Sent { tasks, at_ms: now_ms, acknowledged: false });
    }

    /// The tasks of the payload that the agent acknowledged; `None` for an id that isn't a payload's, and for a second
    /// time.
    pub fn acknowledged(&mut self, message_id: &str) -> Option<Vec<Told>> {
        let sent = self.sent.get_mut(message_id).filter(|sent| !sent.acknowledged)?;
        sent.acknowledged = true;
        Some(sent.tasks.clone())
    }

    /// When something unacknowledged must be sent again.
    pub fn wake_at_ms(&self) -> Option<u64> {
        self.sent.values().map(|sent| sent.at_ms + RESEND_MS).min()
    }
}

/// Whether the task is to run on that instance: what a manifest lists, and what an agent keeps of what it runs unbidden.
pub fn is_wanted_on(world: &World, instance: InstanceId, task: TaskId) -> bool {
    world.task(task).is_some_and(|task| task.is_wanted() && task.instance == instance)
}
