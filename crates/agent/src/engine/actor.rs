//! One task's actor: observation in, state written down, actions and reports out.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};

use super::machine::{Machine, Reports, Seen, Submitted};
use super::now_ms;
use super::plan::{Refusal, Work};
use super::vitals::{self, Changes};
use crate::state::{Record, StateDir, StateError};
use crate::task::{Action, Desired, Known, Observation, step};

#[derive(Debug)]
pub(super) enum Event {
    Seen(Observation),
    /// The first of the unsent reports was taken, or never will be.
    Submitted(Submitted),
}

/// Lets the machine know which ports the containers have.
pub(super) fn note_bindings(work: &Work, record: &Record) {
    work.set_bindings(record.state.containers.iter().map(|c| c.bindings.clone()).collect());
}

pub(super) struct Actor {
    pub work: Arc<Work>,
    pub record: Record,
    pub dir: StateDir,
    pub machine: Arc<dyn Machine>,
    pub reports: Arc<dyn Reports>,
    pub permits: Arc<Semaphore>,
    pub changes: Arc<Changes>,
    pub events: mpsc::UnboundedSender<Event>,
    pub inbox: mpsc::UnboundedReceiver<Event>,
    pub submitting: bool,
}

impl Actor {
    pub async fn run(mut self, first: Option<Desired>, refused: Option<Refusal>) {
        self.note_vitals();
        if self.record.closed_ms.is_some() {
            self.work.close();
        } else if let Some(desired) = first {
            if let Some(Refusal { reason }) = refused {
                self.take(Observation::Refused { reason });
            }
            self.take(Observation::Desired(desired));
        } else {
            let found = self.machine.clone().find(self.work.clone(), self.seen()).await;
            self.take(Observation::Adopted { found });
        }
        self.submit_next();
        self.close_if_over();
        while let Some(event) = self.inbox.recv().await {
            match event {
                Event::Seen(observation) => {
                    let again =
                        self.record.closed_ms.is_some() && matches!(observation, Observation::Desired(_));
                    self.take(observation);
                    if again && self.record.unsent.is_empty() {
                        // The control plane asks for a task that it was told has stopped: tell it
                        // again (agent protocol §9).
                        self.record.unsent.push(self.record.state.last_word());
                    }
                }
                Event::Submitted(outcome) => self.submitted(outcome),
            }
            self.submit_next();
            self.close_if_over();
        }
    }

    fn seen(&self) -> Seen {
        Seen(self.events.clone())
    }

    fn take(&mut self, observation: Observation) {
        tracing::debug!(task = self.work.id, ?observation, "seen");
        let (next, actions) = step(&self.record.state, observation, now_ms());
        let changed = next != self.record.state;
        self.record.state = next;
        let mut open = vec![];
        for action in actions {
            match action {
                Action::Report(change) => self.record.unsent.push(change),
                other => open.push(other),
            }
        }
        let unsaved = if changed { self.save().err() } else { None };
        for action in open {
            match (action, &unsaved) {
                // Nobody would know of it after a crash, and it would be made a second time.
                (Action::Create { container }, Some(error)) => {
                    let reason = format!("CannotCreateContainerError: it can't be written down: {error}");
                    self.seen().see(Observation::CreateFailed { container, reason });
                }
                (action, _) => self.act(action),
            }
        }
        if changed {
            self.note_vitals();
        }
    }

    fn note_vitals(&self) {
        note_bindings(&self.work, &self.record);
        let now = vitals::of(&self.record.state);
        let before = self.work.set_vitals(now.clone());
        let health = |v: Option<&vitals::Vital>| v.and_then(|v| v.health);
        if (0..now.len()).any(|n| health(now.get(n)) != health(before.get(n))) {
            self.changes.note(&self.work.task.arn);
        }
    }

    fn act(&self, action: Action) {
        tracing::debug!(task = self.work.id, ?action, "to do");
        if let Action::SetTimer { timer, due_ms } = action {
            let seen = self.seen();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(due_ms.saturating_sub(now_ms()))).await;
                seen.see(Observation::Due(timer));
            });
        } else {
            tokio::spawn(self.machine.clone().perform(self.work.clone(), action, self.seen()));
        }
    }

    /// Reports of one task go out one by one, in order.
    fn submit_next(&mut self) {
        let Some(change) = self.record.unsent.first().filter(|_| !self.submitting).cloned() else {
            return;
        };
        self.submitting = true;
        let (reports, permits, events) = (self.reports.clone(), self.permits.clone(), self.events.clone());
        tokio::spawn(async move {
            let _permit = permits.acquire().await;
            let outcome = reports.submit(change).await;
            let _ = events.send(Event::Submitted(outcome));
        });
    }

    fn submitted(&mut self, outcome: Submitted) {
        self.submitting = false;
        let change = self.record.unsent.remove(0);
        if outcome == Submitted::Refused {
            tracing::error!(task = change.task, status = change.status.as_str(), "a report was refused");
        }
        // It is said again after a crash.
        let _ = self.save();
    }

    fn close_if_over(&mut self) {
        let record = &mut self.record;
        if record.closed_ms.is_none()
            && record.state.is_over()
            && record.state.reported() == Known::Stopped
            && record.unsent.is_empty()
        {
            record.closed_ms = Some(now_ms());
            self.work.close();
            let _ = self.save();
        }
    }

    /// A failure (a full disk) stops no container that runs; it only keeps others from being made.
    fn save(&self) -> Result<(), StateError> {
        self.dir.save_record(&self.work.id, &self.record).inspect_err(|error| {
            tracing::error!(%error, task = self.work.id, "a task's state could not be written down");
        })
    }
}
