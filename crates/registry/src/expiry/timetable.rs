//! When policies are applied: a new one at once, and then each at its interval.

use std::time::Duration;

use tokio::sync::Notify;

use crate::{
    Shared,
    lifecycle::{Action, Affected},
    state::{
        command::{ApplyLifecyclePolicy, Refusal},
        entities::{LifecycleRecord, RepositoryKey},
        writer::WriteError,
    },
};

/// After this what could not be done is tried again.
const RETRY: Duration = Duration::from_secs(10);
/// Rests that are shorter are lengthened to this.
const LEAST: Duration = Duration::from_millis(100);

pub struct Timetable {
    every: Duration,
    changed: Notify,
}

/// What came of applying the policies that were due.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pass {
    /// That expired or were archived.
    pub images: usize,
    /// Some policy must be tried again.
    pub again: bool,
}

impl Timetable {
    pub fn new(every: Duration) -> Self {
        Self { every, changed: Notify::new() }
    }

    /// There is a policy that hasn't been applied.
    pub fn wake(&self) {
        self.changed.notify_one();
    }

    /// In how long a policy is to be applied.
    fn due_in(&self, record: &LifecycleRecord, now_ms: u64) -> Duration {
        // A clock that was set back makes a policy due: it must not rest until the clock is where it was.
        let since = record.evaluated_at_ms.and_then(|at| now_ms.checked_sub(at));
        since.map_or(Duration::ZERO, |since| self.every.saturating_sub(Duration::from_millis(since)))
    }
}

/// Applies the policies that are due.
pub async fn expire_due(shared: &Shared) -> Pass {
    let now_ms = shared.now_ms();
    let index = shared.writer.index();
    let with_policy = index.all().filter_map(|(key, repository)| Some((key, repository.lifecycle.as_ref()?)));
    let due = with_policy.filter(|(_, record)| shared.timetable.due_in(record, now_ms).is_zero());
    let mut pass = Pass::default();
    for (key, _) in due {
        let command = ApplyLifecyclePolicy { key: key.clone(), now_ms, in_use: shared.in_use.clone() };
        match shared.writer.submit(command).await {
            Ok(Some(affected)) => {
                pass.images += affected.len();
                affected.iter().for_each(|image| tell(key, image));
            }
            Ok(None) => {
                tracing::warn!(repository = %key.name, "a lifecycle policy can't be applied yet");
                pass.again = true;
            }
            // It went meanwhile.
            Err(WriteError::Refused(Refusal::RepositoryUnknown(_) | Refusal::LifecycleUnknown(_))) => {}
            Err(error) => {
                tracing::warn!(repository = %key.name, %error, "a lifecycle policy is not applied");
                pass.again = true;
            }
        }
    }
    pass
}

fn tell(key: &RepositoryKey, image: &Affected) {
    let Affected { digest, tags, rule, .. } = image;
    let what = match image.action {
        Action::Expire => "an image expired",
        Action::Archive => "an image was archived",
    };
    let tags: Vec<&str> = tags.iter().map(|tag| tag.as_str()).collect();
    tracing::info!(repository = %key.name, region = key.scope.region, %digest, ?tags, rule, "{what}");
}

/// Applies each policy when it is due, for ever.
pub async fn keep_expiring(shared: &Shared) {
    loop {
        let pass = expire_due(shared).await;
        let wait = if pass.again { RETRY } else { until_next(shared) };
        tokio::select! {
            () = shared.timetable.changed.notified() => {}
            () = tokio::time::sleep(wait.max(LEAST)) => {}
        }
    }
}

fn until_next(shared: &Shared) -> Duration {
    let (index, now_ms) = (shared.writer.index(), shared.now_ms());
    let records = index.all().filter_map(|(_, repository)| repository.lifecycle.as_ref());
    let next = records.map(|record| shared.timetable.due_in(record, now_ms)).min();
    next.map_or(shared.timetable.every, |next| next.min(shared.timetable.every))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_policy_is_due_at_once_and_then_at_its_interval() {
        let timetable = Timetable::new(Duration::from_millis(100));
        let due_in = |evaluated_at_ms, now_ms| {
            let record = LifecycleRecord { text: String::new(), evaluated_at_ms };
            timetable.due_in(&record, now_ms).as_millis()
        };
        assert_eq!(due_in(None, 1000), 0);
        assert_eq!(due_in(Some(1000), 1000), 100);
        assert_eq!(due_in(Some(1000), 1060), 40);
        assert_eq!(due_in(Some(1000), 1100), 0);
        assert_eq!(due_in(Some(1000), 5000), 0);
        assert_eq!(due_in(Some(1000), 900), 0, "the clock was set back");
    }
}
