use std::collections::{BTreeMap, BTreeSet};

use model::ServiceKey;

/// Which services to look at, and when.
///
/// A look at a service sees all of it, so of several times to look again only the one that the last
/// look gave counts: without that, each wake-up by a commit would leave a timer behind, and each timer
/// the next.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    now: BTreeSet<ServiceKey>,
    later: BTreeSet<(u64, ServiceKey)>,
    times: BTreeMap<ServiceKey, u64>,
}

impl Agenda {
    pub fn now(&mut self, keys: impl IntoIterator<Item = ServiceKey>) {
        self.now.extend(keys);
    }

    /// In place of what was noted for later before.
    pub fn at(&mut self, at_ms: u64, key: ServiceKey) {
        self.forget_time(&key);
        self.times.insert(key.clone(), at_ms);
        self.later.insert((at_ms, key));
    }

    /// When the first service is to be looked at that isn't due by a commit.
    pub fn next_at_ms(&self) -> Option<u64> {
        self.later.first().map(|(at_ms, _)| *at_ms)
    }

    /// Those to look at now. Each of them is off the agenda then, whatever brought it there.
    pub fn take_due(&mut self, now_ms: u64) -> BTreeSet<ServiceKey> {
        let mut due = std::mem::take(&mut self.now);
        due.extend(self.later.iter().take_while(|(at_ms, _)| *at_ms <= now_ms).map(|(_, key)| key.clone()));
        due.iter().for_each(|key| self.forget_time(key));
        due
    }

    fn forget_time(&mut self, key: &ServiceKey) {
        if let Some(at_ms) = self.times.remove(key) {
            self.later.remove(&(at_ms, key.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use model::Scope;

    use super::*;

    fn key(name: &str) -> ServiceKey {
        Scope::new("000000000000", "us-east-1").cluster("default").service(name)
    }

    #[test]
    fn a_service_has_one_time() {
        let mut agenda = Agenda::default();
        agenda.at(10, key("a"));
        agenda.at(20, key("a"));
        agenda.at(15, key("b"));
        assert_eq!(agenda.next_at_ms(), Some(15));
        assert_eq!(agenda.take_due(14), BTreeSet::new());
        assert_eq!(agenda.take_due(20), [key("a"), key("b")].into());
        assert_eq!(agenda.next_at_ms(), None);
    }

    #[test]
    fn a_look_because_of_a_commit_takes_the_timer_with_it() {
        let mut agenda = Agenda::default();
        agenda.at(10, key("a"));
        agenda.now([key("a")]);
        assert_eq!(agenda.take_due(0), [key("a")].into());
        assert_eq!(agenda.next_at_ms(), None);
        assert_eq!(agenda.take_due(100), BTreeSet::new());
    }
}
