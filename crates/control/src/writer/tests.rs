mod broken;

use std::sync::Arc;

use model::command::ClusterChange;
use model::{Command, Refusal, Scope, Tags};
use store::{Fault, Faulty, MemoryStore, Recording, Store};

use super::{SubmitError, Writer};
use crate::announce::Nobody;
use crate::clock::SystemClock;

fn create(name: &str) -> Command {
    let key = Scope::new("000000000000", "us-east-1").cluster(name);
    Command::CreateCluster { key, change: ClusterChange::default(), tags: Tags::default() }
}

fn delete(name: &str) -> Command {
    Command::DeleteCluster { key: Scope::new("000000000000", "us-east-1").cluster(name) }
}

fn writer(store: impl Store) -> Writer {
    let home = Scope::new("000000000000", "us-east-1");
    Writer::open(Arc::new(store), Arc::new(SystemClock), Arc::default(), Arc::new(Nobody), home).unwrap()
}

#[tokio::test]
async fn what_is_answered_is_stored_and_seen() {
    let store = MemoryStore::new();
    let writer = writer(store.clone());
    let mut changes = writer.follow();
    let done = writer.submit(create("a")).await.unwrap();
    assert_eq!(done.events().len(), 1);
    assert_eq!(writer.world().all_clusters().count(), 1);
    assert_eq!(store.load().unwrap().entries.len(), 1);
    assert_eq!(changes.recv().await.unwrap().events.len(), 1);
}

#[tokio::test]
async fn a_refusal_changes_and_tells_nothing() {
    let store = MemoryStore::new();
    let writer = writer(store.clone());
    let mut changes = writer.follow();
    let error = writer.submit(delete("a")).await.unwrap_err();
    assert!(matches!(error, SubmitError::Refused(Refusal::ClusterNotFound(_))));
    assert_eq!(store.load().unwrap().revision.0, 0);
    assert!(changes.try_recv().is_err());
}

#[tokio::test]
async fn commands_that_wait_share_a_commit_and_see_each_other() {
    let store = Arc::new(Recording::new(MemoryStore::new()));
    let writer = writer(store.clone());
    let names: Vec<String> = (0..200).map(|n| format!("c{n}")).collect();
    let all = names.iter().map(|name| writer.submit(create(name)));
    let done = futures_util::future::join_all(all).await;
    assert!(done.iter().all(Result::is_ok));
    assert_eq!(writer.world().all_clusters().count(), 200);
    assert!(store.history().len() < 200, "no two commands shared a commit");
}

#[tokio::test]
async fn a_commit_that_is_refused_leaves_no_trace() {
    let store = Arc::new(Faulty::new(MemoryStore::new(), [(2, Fault::Refuse)]));
    let writer = writer(store.clone());
    writer.submit(create("a")).await.unwrap();
    assert!(matches!(writer.submit(create("b")).await, Err(SubmitError::Store(_))));
    assert_eq!(writer.world().all_clusters().count(), 1);
    writer.submit(create("c")).await.unwrap();
    assert_eq!(writer.world().all_clusters().count(), 2);
}

/// The caller can't be told what became of its command, but everybody goes on from what is stored.
#[tokio::test]
async fn after_a_lost_answer_the_world_is_what_is_stored() {
    for (fault, clusters) in [(Fault::LoseAnswer, 2), (Fault::LoseRequest, 1)] {
        let store = Arc::new(Faulty::new(MemoryStore::new(), [(2, fault)]));
        let writer = writer(store.clone());
        writer.submit(create("a")).await.unwrap();
        assert!(matches!(writer.submit(create("b")).await, Err(SubmitError::Store(_))));
        // The next command is decided on what was read back.
        writer.submit(create("a")).await.unwrap();
        assert_eq!(writer.world().all_clusters().count(), clusters, "{fault:?}");
        assert_eq!(store.load().unwrap().entries.len(), clusters, "{fault:?}");
    }
}

#[tokio::test]
async fn a_restart_finds_everything() {
    let store = MemoryStore::new();
    let before = writer(store.clone());
    before.submit(create("a")).await.unwrap();
    let after = writer(store);
    assert_eq!(after.world().all_clusters().count(), 1);
}
