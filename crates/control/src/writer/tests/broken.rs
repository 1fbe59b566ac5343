//! A store that must be reopened after a commit of unknown outcome, as SQLite's must after a failed
//! sync: reading goes on, writing doesn't.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use model::World;
use serde_json::json;
use store::{Batch, CommitError, Entry, Revision, Snapshot, StoreError, Watch};
use tokio::sync::{broadcast, oneshot};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, span};

use super::*;
use crate::testing::{Fixture, START_MS};
use crate::writer::{Request, Thread};

/// Loses the answer of the commit after `cut`, and then takes none.
#[derive(Clone, Debug, Default)]
struct Breaking {
    inner: MemoryStore,
    cut: Arc<AtomicBool>,
    broken: Arc<AtomicBool>,
    loads: Arc<Mutex<u32>>,
}

impl Store for Breaking {
    fn load(&self) -> Result<Snapshot, StoreError> {
        *self.loads.lock().unwrap() += 1;
        self.inner.load()
    }

    fn range(&self, prefix: &str) -> Result<Vec<Entry>, StoreError> {
        self.inner.range(prefix)
    }

    fn commit(&self, expected: Revision, batch: &Batch) -> Result<Revision, CommitError> {
        if self.broken.load(Ordering::SeqCst) {
            return Err(CommitError::Refused(StoreError::Broken {
                path: PathBuf::from("state.db"),
                source: Box::new(StoreError::Injected { nth: 9 }),
            }));
        }
        let revision = self.inner.commit(expected, batch)?;
        if self.cut.load(Ordering::SeqCst) {
            self.broken.store(true, Ordering::SeqCst);
            return Err(CommitError::Unknown(StoreError::Injected { nth: revision.0 }));
        }
        Ok(revision)
    }

    fn probe(&self) -> Result<(), StoreError> {
        match self.broken.load(Ordering::SeqCst) {
            true => Err(StoreError::Injected { nth: 10 }),
            false => Ok(()),
        }
    }

    fn watch(&self) -> Watch {
        self.inner.watch()
    }
}

#[tokio::test]
async fn a_store_that_must_be_reopened_is_read_and_not_written() {
    let store = Breaking::default();
    let fixture = Fixture::through(store.inner.clone(), store.clone(), START_MS);
    let create = async |name: &str| fixture.json("CreateCluster", json!({"clusterName": name})).await;
    create("before").await.unwrap();
    store.cut.store(true, Ordering::SeqCst);
    let error = create("lost").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "ServerException: The state could not be written: whether the commit took effect is unknown: injected \
         failure of commit 2."
    );
    for _ in 0..3 {
        let error = create("after").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "ServerException: The state can't be written until its store is reopened: nothing was committed: state.db \
             must be reopened, for an earlier commit ended in an unknown state, and can't be yet: injected failure \
             of commit 9."
        );
    }
    // What was stored is seen, though its caller could not be told.
    let listed = fixture.json("ListClusters", json!({})).await.unwrap();
    assert_eq!(listed["clusterArns"].as_array().unwrap().len(), 2);
    // A refusal needs no commit.
    let error = fixture.json("DeleteCluster", json!({"cluster": "never"})).await.unwrap_err();
    assert_eq!(error.code, "ClusterNotFoundException");
    assert_eq!(*store.loads.lock().unwrap(), 2, "at the start, and after the lost answer");
    fixture.restarted().json("CreateCluster", json!({"clusterName": "after"})).await.unwrap();
}

#[tokio::test]
async fn trouble_is_told_until_it_is_over_also_while_nobody_writes() {
    let store = Breaking::default();
    let fixture = Fixture::through(store.inner.clone(), store.clone(), START_MS);
    let writer = &fixture.app.writer;
    assert_eq!(writer.trouble(), None);
    store.cut.store(true, Ordering::SeqCst);
    fixture.json("CreateCluster", json!({"clusterName": "lost"})).await.unwrap_err();
    assert!(writer.trouble().is_some_and(|why| why.contains("injected failure of commit 1")));
    store.cut.store(false, Ordering::SeqCst);
    store.broken.store(false, Ordering::SeqCst);
    while writer.trouble().is_some() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    fixture.json("CreateCluster", json!({"clusterName": "after"})).await.unwrap();
}

/// The messages of the error level.
#[derive(Clone, Default)]
struct Errors(Arc<Mutex<Vec<String>>>);

impl Subscriber for Errors {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::ERROR
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        struct Message<'a>(&'a mut Vec<String>);
        impl Visit for Message<'_> {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                if field.name() == "message" {
                    self.0.push(format!("{value:?}"));
                }
            }
        }
        event.record(&mut Message(&mut self.0.lock().unwrap()));
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[test]
fn that_it_must_be_reopened_is_told_once() {
    let store = Breaking::default();
    store.cut.store(true, Ordering::SeqCst);
    let world = Arc::new(World::default());
    let mut thread = Thread {
        store: Arc::new(store),
        clock: Arc::new(SystemClock),
        metrics: Arc::default(),
        revision: Revision(0),
        published: Arc::new(ArcSwap::new(world.clone())),
        world,
        changes: broadcast::channel(1).0,
        broken: false,
        trouble: Arc::default(),
        outbox: Arc::default(),
        audience: Arc::new(Nobody),
        home: Scope::new("000000000000", "us-east-1"),
    };
    let errors = Errors::default();
    tracing::subscriber::with_default(errors.clone(), || {
        for n in 0..5 {
            let (answer, mut answered) = oneshot::channel();
            thread.carry_out(vec![Request { command: create(&format!("c{n}")), answer }]);
            let error = answered.try_recv().unwrap().unwrap_err();
            assert_eq!(matches!(error, SubmitError::Broken(_)), n > 0, "{error}");
        }
    });
    assert_eq!(
        *errors.0.lock().unwrap(),
        ["a commit failed", "nothing can be written until the store can be reopened"]
    );
}
