use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use serde_json::{Value, json};
use store::{Batch, Fault, Faulty, MemoryStore, Revision, Store};
use wire::events::Target;

use super::change::Numbers;
use super::*;
use crate::clock::Clock;
use crate::envelope::Envelope;

const MINUTE: u64 = 60_000;

fn bus(name: &str) -> BusKey {
    BusKey { account: "000000000000".into(), region: "us-east-1".into(), name: name.into() }
}

fn key(name: &str) -> RuleKey {
    RuleKey { bus: bus(DEFAULT_BUS), name: name.into() }
}

fn rule(pattern: Option<&str>, schedule: Option<&str>) -> NewRule {
    NewRule {
        pattern: pattern.map(str::to_owned),
        schedule: schedule.map(str::to_owned),
        state: ENABLED,
        description: None,
        role: None,
        created_by: "000000000000".into(),
        tags: Default::default(),
    }
}

fn target(id: &str) -> Target {
    serde_json::from_value(json!({"Id": id, "Arn": "http://localhost/"})).unwrap()
}

fn event(source: &str) -> Envelope {
    Envelope::own(bus(DEFAULT_BUS), json!({"id": "1", "source": source, "resources": ["a"], "detail": {}}))
}

fn change() -> impl Strategy<Value = Change> {
    let rules =
        || prop_oneof![Just(key("r")), Just(key("s")), Just(RuleKey { bus: bus("b"), name: "r".into() })];
    let new = prop_oneof![
        Just(rule(Some(r#"{"source": ["x"]}"#), None)),
        Just(rule(Some(r#"{"source": [{"prefix": ""}]}"#), Some("rate(1 minute)"))),
        Just(rule(None, Some("rate(2 minutes)"))),
    ];
    let ids = || proptest::collection::vec("[a-f]", 1..4);
    prop_oneof![
        3 => (rules(), new).prop_map(|(key, new)| Change::PutRule(key, new)),
        1 => rules().prop_map(Change::DeleteRule),
        1 => (rules(), any::<bool>())
            .prop_map(|(key, on)| Change::SetState(key, if on { ENABLED } else { DISABLED })),
        3 => (rules(), ids())
            .prop_map(|(key, ids)| Change::PutTargets(key, ids.iter().map(|id| target(id)).collect())),
        1 => (rules(), ids()).prop_map(|(key, ids)| Change::RemoveTargets(key, ids)),
        1 => Just(Change::CreateBus(bus("b"), Bus::default())),
        1 => Just(Change::DeleteBus(bus("b"))),
        1 => rules().prop_map(|key| Change::Tag(Resource::Rule(key), [("k".to_owned(), "v".to_owned())].into())),
        1 => Just(Change::Untag(Resource::Bus(bus("b")), vec!["k".into()])),
        4 => ("[xy]", any::<u64>())
            .prop_map(|(source, n)| Change::Accept { events: vec![event(&source)], cursor: Some(("ecs".into(), n)) }),
        2 => (rules(), 0..30u64)
            .prop_map(|(rule, at)| Change::Fire { rule, at_ms: at * MINUTE, id: "i".into() }),
        2 => (0..40u64, prop_oneof![
            Just(Settled::Over),
            Just(Settled::Again { due_ms: 7, left: Some(2) }),
            Just(Settled::Dead(DeadLetter {
                error_code: "C".into(), error_message: "m".into(), exhausted: None, attempts: 1
            })),
        ]).prop_map(|(number, settled)| Change::Settle(number, settled)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// What is stored gives the state back; a refusal changes nothing; a rule never has more than five targets; a bus
    /// goes last; what is under way is counted.
    #[test]
    fn what_is_loaded_is_what_was_decided(changes in proptest::collection::vec(change(), 0..60)) {
        let store = MemoryStore::new();
        let mut state = State::default();
        let mut numbers = Numbers { next: 0 };
        let mut revision = Revision(0);
        for (now, change) in changes.into_iter().enumerate() {
            let (before, mut batch) = (state.clone(), Batch::new());
            let outcome = state.change(change, now as u64 * MINUTE / 2, &mut numbers, &mut batch);
            if outcome.is_err() {
                prop_assert_eq!(&state, &before);
                prop_assert!(batch.is_empty());
            }
            revision = store.commit(revision, &batch).unwrap();
            prop_assert_eq!(&record::load(&store.load().unwrap().entries).unwrap(), &state);
            prop_assert!(state.rules.values().all(|rule| rule.targets.len() <= 5));
            prop_assert!(state.rules.keys().all(|key| state.has_bus(&key.bus)));
            prop_assert_eq!(state.under_way.values().sum::<usize>(), state.deliveries.len());
        }
    }
}

/// A catalog whose clock is set by hand.
fn catalog(store: impl Store) -> (Catalog, Arc<AtomicU64>) {
    let now = Arc::new(AtomicU64::new(0));
    let clock = now.clone();
    let clock = Clock::new(move || clock.load(Ordering::SeqCst));
    (Catalog::open(Arc::new(store), clock).unwrap(), now)
}

async fn put(catalog: &Catalog, new: NewRule) {
    catalog.change(Change::PutRule(key("r"), new)).await.unwrap();
    catalog.change(Change::PutTargets(key("r"), vec![target("a"), target("b")])).await.unwrap();
}

fn times(catalog: &Catalog) -> Vec<Value> {
    catalog.state().deliveries.values().map(|delivery| delivery.event["time"].clone()).collect()
}

#[tokio::test]
async fn an_event_comes_once_to_each_target_and_numbers_only_grow() {
    let store = MemoryStore::new();
    let (catalog, _) = catalog(store.clone());
    put(&catalog, rule(Some(r#"{"source": ["x"]}"#), None)).await;
    let accept = |source: &str| Change::Accept { events: vec![event(source)], cursor: None };
    catalog.change(accept("x")).await.unwrap();
    catalog.change(accept("y")).await.unwrap();
    let first: Vec<u64> = catalog.state().deliveries.keys().copied().collect();
    assert_eq!(first.len(), 2);
    for number in &first {
        catalog.change(Change::Settle(*number, Settled::Over)).await.unwrap();
    }
    let (catalog, _) = self::catalog(store);
    assert!(catalog.state().deliveries.is_empty());
    catalog.change(accept("x")).await.unwrap();
    assert!(catalog.state().deliveries.keys().all(|number| number > first.last().unwrap()));
}

#[tokio::test]
async fn a_schedule_misses_nothing_and_makes_up_for_as_much_as_its_targets_want() {
    let store = MemoryStore::new();
    let (catalog, now) = catalog(store.clone());
    put(&catalog, rule(None, Some("rate(1 hour)"))).await;
    let policy =
        json!({"Id": "b", "Arn": "http://localhost/", "RetryPolicy": {"MaximumEventAgeInSeconds": 3600}});
    let brief = serde_json::from_value(policy).unwrap();
    catalog.change(Change::PutTargets(key("r"), vec![brief])).await.unwrap();
    // The server is away for two and a half hours.
    now.store(150 * MINUTE, Ordering::SeqCst);
    let fire = async || loop {
        let Some(at_ms) =
            catalog.state().rules[&key("r")].due_ms().filter(|at| *at <= now.load(Ordering::SeqCst))
        else {
            break;
        };
        catalog.change(Change::Fire { rule: key("r"), at_ms, id: "i".into() }).await.unwrap();
    };
    fire().await;
    // `b` wants nothing that is older than an hour.
    assert_eq!(times(&catalog), ["1970-01-01T01:00:00Z", "1970-01-01T02:00:00Z", "1970-01-01T02:00:00Z"]);
    // Neither twice nor ahead of time.
    for at_ms in [120 * MINUTE, 240 * MINUTE] {
        catalog.change(Change::Fire { rule: key("r"), at_ms, id: "i".into() }).await.unwrap();
    }
    assert_eq!(times(&catalog).len(), 3);
    let (again, _) = self::catalog(store);
    assert_eq!(again.state().rules[&key("r")].due_ms(), Some(180 * MINUTE));
}

#[tokio::test]
async fn what_was_disabled_begins_anew_and_what_is_put_again_goes_on() {
    let (catalog, now) = catalog(MemoryStore::new());
    let due = |catalog: &Catalog| catalog.state().rules[&key("r")].due_ms();
    put(&catalog, rule(None, Some("rate(1 hour)"))).await;
    now.store(10 * MINUTE, Ordering::SeqCst);
    put(&catalog, rule(None, Some("rate(1 hour)"))).await;
    assert_eq!(due(&catalog), Some(60 * MINUTE));
    put(&catalog, rule(None, Some("rate(2 hours)"))).await;
    assert_eq!(due(&catalog), Some(130 * MINUTE));
    catalog.change(Change::SetState(key("r"), DISABLED)).await.unwrap();
    assert_eq!(due(&catalog), None);
    now.store(500 * MINUTE, Ordering::SeqCst);
    catalog.change(Change::SetState(key("r"), ENABLED)).await.unwrap();
    assert_eq!(due(&catalog), Some(620 * MINUTE));
}

#[tokio::test]
async fn after_a_failed_commit_the_state_is_what_is_stored() {
    let faults = [(2, Fault::Refuse), (3, Fault::LoseAnswer)];
    let (catalog, _) = catalog(Faulty::new(MemoryStore::new(), faults));
    let put = |name: &str| Change::PutRule(key(name), rule(Some(r#"{"source": ["x"]}"#), None));
    catalog.change(put("a")).await.unwrap();
    assert!(matches!(catalog.change(put("b")).await, Err(ChangeError::Failed(_))));
    assert!(matches!(catalog.change(put("c")).await, Err(ChangeError::Failed(_))));
    let names: Vec<String> = catalog.state().rules.keys().map(|key| key.name.clone()).collect();
    assert_eq!(names, ["a", "c"]);
    catalog.change(put("b")).await.unwrap();
}

#[tokio::test]
async fn a_target_that_is_away_fills_no_disk() {
    let (catalog, _) = catalog(MemoryStore::new());
    put(&catalog, rule(Some(r#"{"source": ["x"]}"#), None)).await;
    let events = vec![event("x"); change::MOST_UNDER_WAY + 5];
    catalog.change(Change::Accept { events, cursor: None }).await.unwrap();
    assert_eq!(catalog.state().deliveries.len(), 2 * change::MOST_UNDER_WAY);
}
