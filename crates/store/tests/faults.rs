//! The wrappers for simulation do exactly what they say.

use store::{Batch, CommitError, Fault, Faulty, MemoryStore, Recording, Revision, Store};

fn put(key: &str) -> Batch {
    let mut batch = Batch::new();
    batch.put(key, "{}");
    batch
}

#[test]
fn each_fault_strikes_its_commit_only() {
    let memory = MemoryStore::new();
    let faults = [(2, Fault::Refuse), (3, Fault::LoseRequest), (4, Fault::LoseAnswer)];
    let store = Faulty::new(memory.clone(), faults);
    assert_eq!(store.commit(Revision(0), &put("1")).unwrap(), Revision(1));
    assert!(matches!(store.commit(Revision(1), &put("2")), Err(CommitError::Refused(_))));
    assert!(matches!(store.commit(Revision(1), &put("3")), Err(CommitError::Unknown(_))));
    assert_eq!(memory.load().unwrap().revision, Revision(1));
    assert!(matches!(store.commit(Revision(1), &put("4")), Err(CommitError::Unknown(_))));
    assert_eq!(memory.load().unwrap().revision, Revision(2));
    assert_eq!(store.commit(Revision(2), &put("5")).unwrap(), Revision(3));
    let keys: Vec<_> = store.load().unwrap().entries.into_iter().map(|entry| entry.key).collect();
    assert_eq!(keys, ["1", "4", "5"]);
}

#[test]
fn the_next_commit_can_be_made_to_fail() {
    let store = Faulty::new(MemoryStore::new(), []);
    store.commit(Revision(0), &put("1")).unwrap();
    store.fail_next(Fault::Refuse);
    assert!(store.commit(Revision(1), &put("2")).is_err());
    assert!(store.commit(Revision(1), &put("2")).is_ok());
}

#[test]
fn a_recording_keeps_what_took_effect() {
    let store = Recording::new(Faulty::new(MemoryStore::new(), [(2, Fault::Refuse)]));
    store.commit(Revision(0), &put("1")).unwrap();
    store.commit(Revision(1), &put("2")).unwrap_err();
    store.commit(Revision(1), &Batch::new()).unwrap();
    store.commit(Revision(1), &put("3")).unwrap();
    let history: Vec<_> =
        store.history().into_iter().map(|c| (c.revision.0, c.batch.ops[0].key().to_owned())).collect();
    assert_eq!(history, [(1, "1".to_owned()), (2, "3".to_owned())]);
}
