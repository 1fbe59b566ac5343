//! Which agents are connected, and how a commit wakes the sessions it concerns.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::{Event, InstanceId, World};
use tokio::sync::{Notify, broadcast, mpsc, oneshot};

use crate::writer::Writer;

/// How long an agent may take to answer whether it is there. Twice the way to the other side of the
/// earth, and a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(5);
/// Questions that wait to be passed on.
const QUESTIONS: usize = 16;

/// Asks a session whether its agent is there: answered when the agent answers, dropped when it doesn't.
pub(crate) type Question = oneshot::Sender<()>;

/// A session's place in the hub. An instance has one session, of the agent that connected last.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    pub instance: InstanceId,
    /// Where its agent is.
    pub peer: Option<IpAddr>,
    questions: mpsc::Sender<Question>,
    /// Something changed for this instance, or the seat was taken by a newer connection.
    pub wake: Arc<Notify>,
    number: u64,
}

/// The agents that are connected.
#[derive(Debug, Default)]
pub struct Hub {
    seats: Mutex<Seats>,
}

#[derive(Debug, Default)]
struct Seats {
    taken: HashMap<InstanceId, Seat>,
    next: u64,
}

impl Hub {
    /// Takes the instance's seat from whoever has it. What comes with it is asked of the session.
    pub(crate) fn sit(&self, instance: InstanceId, peer: Option<IpAddr>) -> (Seat, mpsc::Receiver<Question>) {
        let (questions, asked) = mpsc::channel(QUESTIONS);
        let mut seats = self.lock();
        seats.next += 1;
        let seat = Seat { instance, peer, questions, wake: Arc::default(), number: seats.next };
        if let Some(older) = seats.taken.insert(instance, seat.clone()) {
            older.wake.notify_one();
        }
        (seat, asked)
    }

    /// The seat of an instance's agent, if that is there to answer. A connection can outlive whoever held
    /// it, so it is asked.
    pub(crate) async fn answering(&self, instance: InstanceId) -> Option<Seat> {
        self.answering_within(instance, PATIENCE).await
    }

    async fn answering_within(&self, instance: InstanceId, patience: Duration) -> Option<Seat> {
        let seat = self.lock().taken.get(&instance).cloned()?;
        let (question, answer) = oneshot::channel();
        let asked = async {
            seat.questions.send(question).await.ok()?;
            answer.await.ok()
        };
        tokio::time::timeout(patience, asked).await.ok()??;
        Some(seat)
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

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: InstanceId = InstanceId(1);

    #[tokio::test]
    async fn only_an_agent_that_answers_is_there() {
        let hub = Hub::default();
        assert!(hub.answering(ONE).await.is_none(), "nobody has connected");

        let (seat, mut asked) = hub.sit(ONE, Some([10, 0, 0, 5].into()));
        let agent = tokio::spawn(async move {
            while let Some(question) = asked.recv().await {
                let _ = question.send(());
            }
        });
        assert_eq!(hub.answering(ONE).await.and_then(|there| there.peer), Some([10, 0, 0, 5].into()));
        assert!(hub.holds(&seat), "a question takes nothing away");
        agent.abort();
        let _ = agent.await;
        assert!(hub.answering(ONE).await.is_none(), "its session is over");

        // A connection whose other side is gone without a word: nothing comes back.
        let (_seat, _asked) = hub.sit(ONE, None);
        assert!(hub.answering_within(ONE, Duration::from_millis(10)).await.is_none());
    }
}
