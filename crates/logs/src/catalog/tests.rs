use std::sync::Arc;

use proptest::prelude::*;
use store::{Batch, Fault, Faulty, MemoryStore, Store};

use super::state::State;
use super::*;

fn key(name: &str) -> GroupKey {
    GroupKey { account: "000000000000".into(), region: "us-east-1".into(), name: name.into() }
}

fn new_group() -> Change {
    Change::CreateGroup(NewGroup {
        class: "STANDARD".into(),
        deletion_protection: false,
        tags: Default::default(),
    })
}

fn change() -> impl Strategy<Value = (String, Change)> {
    let name = || proptest::string::string_regex("[ab/]{1,2}").unwrap();
    let tags = || proptest::collection::btree_map("[a-c]", "[x-z]", 0..3);
    let change = prop_oneof![
        3 => Just(new_group()),
        1 => Just(Change::DeleteGroup),
        4 => name().prop_map(|name| Change::CreateStream { name }),
        2 => name().prop_map(|name| Change::DeleteStream { name }),
        1 => proptest::option::of(1..9).prop_map(|days| Change::SetRetention { days }),
        1 => any::<bool>().prop_map(|on| Change::SetDeletionProtection { on }),
        1 => tags().prop_map(|tags| Change::Tag { tags }),
        1 => proptest::collection::vec("[a-c]", 0..2).prop_map(|keys| Change::Untag { keys }),
    ];
    (name(), change)
}

proptest! {
    #[test]
    fn what_is_loaded_is_what_was_decided(
        changes in proptest::collection::vec(change(), 0..30),
    ) {
        let store = MemoryStore::new();
        let mut state = State { next_id: 1, ..State::default() };
        let mut revision = store::Revision(0);
        let mut ids = std::collections::HashSet::new();
        for (now, (group, change)) in changes.into_iter().enumerate() {
            let before = state.clone();
            let mut batch = Batch::new();
            let outcome = state.change(&key(&group), &change, now as i64, &mut batch);
            if outcome.is_err() {
                prop_assert_eq!(&state, &before);
                prop_assert!(batch.is_empty());
            }
            revision = store.commit(revision, &batch).unwrap();
            prop_assert_eq!(&super::record::load(&store.load().unwrap().entries).unwrap(), &state);
            if state.next_id > before.next_id {
                prop_assert!(ids.insert(before.next_id));
            }
        }
    }
}

#[test]
fn many_changes_at_once_are_all_made_and_survive() {
    let store = Arc::new(MemoryStore::new());
    let catalog = Catalog::open(store.clone()).unwrap();
    catalog.change(key("g"), new_group(), 1).unwrap().unwrap();
    std::thread::scope(|scope| {
        for number in 0..40 {
            let catalog = &catalog;
            scope.spawn(move || {
                let name = format!("s{number}");
                catalog.change(key("g"), Change::CreateStream { name }, 2).unwrap().unwrap();
            });
        }
    });
    assert_eq!(catalog.state().group(&key("g")).unwrap().streams.len(), 40);
    let state = catalog.state();
    drop(catalog);
    assert_eq!(Catalog::open(store).unwrap().state(), state);
}

#[test]
fn a_failed_commit_leaves_what_the_store_has() {
    let memory = MemoryStore::new();
    let faults = [(2, Fault::Refuse), (3, Fault::LoseAnswer)];
    let catalog = Catalog::open(Arc::new(Faulty::new(memory, faults))).unwrap();
    catalog.change(key("a"), new_group(), 1).unwrap().unwrap();
    catalog.change(key("b"), new_group(), 1).unwrap_err();
    assert_eq!(catalog.state().group(&key("b")), Err(Refusal::NoGroup));
    // The answer was lost, the group is there: trying again says so.
    catalog.change(key("c"), new_group(), 1).unwrap_err();
    assert_eq!(catalog.change(key("c"), new_group(), 1).unwrap(), Err(Refusal::GroupExists));
    catalog.change(key("b"), new_group(), 1).unwrap().unwrap();
}
