//! Commits that fail when a simulation says so.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::{Batch, CommitError, Entry, Revision, Snapshot, Store, StoreError, Watch};

/// How one commit fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// [`CommitError::Refused`]; nothing happened, and the caller is told so.
    Refuse,
    /// [`CommitError::Unknown`]; nothing happened.
    LoseRequest,
    /// [`CommitError::Unknown`]; the batch took effect.
    LoseAnswer,
}

/// A store whose nth commit fails as told. Everything else passes through.
#[derive(Debug)]
pub struct Faulty<S> {
    inner: S,
    plan: Mutex<Plan>,
}

#[derive(Debug, Default)]
struct Plan {
    /// How many commits were asked for so far.
    commits: u64,
    faults: BTreeMap<u64, Fault>,
}

impl<S: Store> Faulty<S> {
    /// `faults` names the failing commits, counted from 1 in the order of the calls; an empty batch
    /// and a commit that ends in a conflict count too.
    pub fn new(inner: S, faults: impl IntoIterator<Item = (u64, Fault)>) -> Faulty<S> {
        let plan = Plan { commits: 0, faults: faults.into_iter().collect() };
        Faulty { inner, plan: Mutex::new(plan) }
    }

    /// Makes the next commit fail.
    pub fn fail_next(&self, fault: Fault) {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        let nth = plan.commits + 1;
        plan.faults.insert(nth, fault);
    }

    /// The store below.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    fn next(&self) -> (u64, Option<Fault>) {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        plan.commits += 1;
        let nth = plan.commits;
        (nth, plan.faults.remove(&nth))
    }
}

impl<S: Store> Store for Faulty<S> {
    fn load(&self) -> Result<Snapshot, StoreError> {
        self.inner.load()
    }

    fn range(&self, prefix: &str) -> Result<Vec<Entry>, StoreError> {
        self.inner.range(prefix)
    }

    fn commit(&self, expected: Revision, batch: &Batch) -> Result<Revision, CommitError> {
        let (nth, fault) = self.next();
        let injected = StoreError::Injected { nth };
        match fault {
            None => self.inner.commit(expected, batch),
            Some(Fault::Refuse) => Err(CommitError::Refused(injected)),
            Some(Fault::LoseRequest) => Err(CommitError::Unknown(injected)),
            Some(Fault::LoseAnswer) => {
                self.inner.commit(expected, batch)?;
                Err(CommitError::Unknown(injected))
            }
        }
    }

    fn watch(&self) -> Watch {
        self.inner.watch()
    }
}
