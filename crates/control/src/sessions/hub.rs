//! Which agents are connected, and how a commit wakes the sessions it concerns.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use model::{Event, InstanceId, World};
use tokio::sync::{Notify, broadcast};

use crate::writer::Writer;

/// A session's place in the hub. An agent has one session: the newest connection wins.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    pub instance: InstanceId,
    /// Something changed for this instance, or the seat was taken by a newer connection.
    pub wake: Arc<Notify>,
    number: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Hub {
    seats: Mutex<Seats>,
}

#[derive(Debug, Default)]
struct Seats {
    taken: HashMap<InstanceId, Seat>,
    next: u64,
}

impl Hub {
    /// Takes the instance's seat from whoever has it.
    pub(crate) fn sit(&self, instance: InstanceId) -> Seat {
        let mut seats = self.lock();
        seats.next += 1;
        let seat = Seat { instance, wake: Arc::default(), number: seats.next };
        if let Some(older) = seats.taken.insert(instance, seat.clone()) {
            older.wake.notify_one();
        }
        seat
    }

    /// Whether no newer connection has taken the seat.
    pub(crate) fn holds(&self, seat: &Seat) -> bool {
        self.lock().taken.get(&seat.instance).is_some_and(|taken| taken.number == seat.number)
    }

    /// Gives the seat up. Returns false if a newer connection has it.
    pub(crate) fn leave(&self, seat: &Seat) -> bool {
        let mut seats = self.lock();
        let held = seats.taken.get(&seat.instance).is_some_and(|taken| taken.number == seat.number);
        if held {
            seats.taken.remove(&seat.instance);
        }
        held
    }

    fn wake(&self, instance: InstanceId) {
        if let Some(seat) = self.lock().taken.get(&instance) {
            seat.wake.notify_one();
        }
    }

    fn wake_all(&self) {
        self.lock().taken.values().for_each(|seat| seat.wake.notify_one());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seats> {
        // The map is whole between any two statements.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the sessions that commits concern, for as long as the writer lives.
    pub(crate) async fn dispatch(self: Arc<Self>, writer: Writer) {
        let mut changes = writer.follow();
        loop {
            match changes.recv().await {
                Ok(change) if change.events.is_empty() => self.wake_all(),
                Ok(change) => {
                    let world = writer.world();
                    for instance in concerned(&world, &change.events) {
                        self.wake(instance);
                    }
                }
                Err(broadcast::error::RecvError::Lagged(_)) => self.wake_all(),
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }
}

/// The instances whose agents have something new to be told.
fn concerned(world: &World, events: &[Event]) -> Vec<InstanceId> {
    let mut instances: Vec<InstanceId> = events
        .iter()
        .filter_map(|event| match event {
            Event::TaskCreated(task) => Some(task.instance),
            Event::TaskDesiredStopped { task, .. } => world.task(*task).map(|task| task.instance),
            Event::InstanceUpdated(instance) => Some(instance.id),
            _ => None,
        })
        .collect();
    instances.sort_unstable();
    instances.dedup();
    instances
}
