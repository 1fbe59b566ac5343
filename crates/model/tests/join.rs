//! Tokens and the keys that are given for them.

mod support;

use model::{command::*, *};
use support::*;

const HOUR: u64 = 3_600_000;

fn token(id: &str, uses: u32, now_ms: u64) -> JoinToken {
    JoinToken {
        id: id.into(),
        cluster: cluster(),
        secret_hash: format!("hash of {id}").into(),
        created_at_ms: now_ms,
        expires_at_ms: now_ms + HOUR,
        uses_left: uses,
    }
}

fn join(token: &str, machine: u128) -> Command {
    Command::Join(Join {
        token: token.into(),
        secret_hash: format!("hash of {token}").into(),
        attempt: format!("attempt of {machine}").into(),
        key: format!("AKIA{machine}").into(),
        instance: InstanceId(machine),
    })
}

/// A world with a cluster and a token, at 1000.
struct Desk(World);

impl Desk {
    fn with(uses: u32) -> Desk {
        let mut desk = Desk(World::new());
        let change = ClusterChange::default();
        desk.run(Command::CreateCluster { key: cluster(), change, tags: Tags::default() }, 1000).unwrap();
        desk.run(Command::CreateJoinToken(token("t", uses, 1000)), 1000).unwrap();
        desk
    }

    fn run(&mut self, command: Command, now_ms: u64) -> Result<usize, Refusal> {
        Ok(transact(&mut self.0, &command, now_ms)?.len())
    }

    fn register(&mut self, machine: u128) {
        let registration = Registration { home: Home::Cluster(cluster()), ..registration(machine) };
        self.run(Command::RegisterInstance(Box::new(registration)), 3000).unwrap();
    }
}

#[test]
fn of_two_machines_with_one_token_one_joins() {
    let mut desk = Desk::with(1);
    desk.run(join("t", 1), 2000).unwrap();
    assert_eq!(desk.run(join("t", 2), 2000), Err(Refusal::JoinTokenUsed));
    let keys: Vec<_> = desk.0.instance_keys().map(|key| (key.id.to_string(), key.instance)).collect();
    assert_eq!(keys, [("AKIA1".to_owned(), InstanceId(1))]);
    assert_eq!(desk.0.join_token("t").unwrap().uses_left, 0);
}

#[test]
fn the_same_attempt_gets_the_same_key_and_uses_nothing() {
    let mut desk = Desk::with(2);
    desk.run(join("t", 1), 2000).unwrap();
    let again = Command::Join(Join { key: "AKIA9".into(), instance: InstanceId(9), ..of(join("t", 1)) });
    for at_ms in [2000, 1000 + 2 * HOUR] {
        assert_eq!(desk.run(again.clone(), at_ms), Ok(0), "the answer may have been lost for long");
    }
    assert_eq!(&*desk.0.instance_key_of_attempt("attempt of 1").unwrap().id, "AKIA1");
    assert_eq!(desk.0.join_token("t").unwrap().uses_left, 1);
}

fn of(command: Command) -> Join {
    match command {
        Command::Join(join) => join,
        other => panic!("{other:?}"),
    }
}

#[test]
fn who_may_not_join_changes_nothing() {
    let mut desk = Desk::with(1);
    let wrong = Command::Join(Join { secret_hash: "other".into(), ..of(join("t", 1)) });
    assert_eq!(desk.run(wrong, 2000), Err(Refusal::JoinTokenUnknown));
    assert_eq!(desk.run(join("u", 1), 2000), Err(Refusal::JoinTokenUnknown));
    assert_eq!(desk.run(join("t", 1), 1000 + HOUR), Err(Refusal::JoinTokenExpired(1000 + HOUR)));
    desk.run(Command::RevokeJoinToken { id: "t".into() }, 2000).unwrap();
    assert_eq!(desk.run(join("t", 1), 2000), Err(Refusal::JoinTokenUnknown));
    assert_eq!(desk.run(Command::RevokeJoinToken { id: "t".into() }, 2000), Err(Refusal::JoinTokenUnknown));
    assert_eq!(desk.0.instance_keys().count(), 0);
    let nowhere = JoinToken { cluster: scope().cluster("none"), ..token("n", 1, 1000) };
    assert!(matches!(desk.run(Command::CreateJoinToken(nowhere), 2000), Err(Refusal::ClusterNotFound(_))));
}

#[test]
fn a_revoked_token_takes_along_the_keys_that_no_machine_has_registered_with() {
    let mut desk = Desk::with(2);
    desk.run(join("t", 1), 2000).unwrap();
    desk.run(join("t", 2), 2000).unwrap();
    desk.register(1);
    desk.run(Command::RevokeJoinToken { id: "t".into() }, 4000).unwrap();
    assert!(desk.0.instance_key("AKIA1").is_some() && desk.0.instance_key("AKIA2").is_none());
}

#[test]
fn deregistering_an_instance_ends_its_key() {
    let mut desk = Desk::with(2);
    desk.run(join("t", 1), 2000).unwrap();
    desk.run(join("t", 2), 2000).unwrap();
    desk.register(1);
    desk.run(Command::DeregisterInstance { id: InstanceId(1), force: false }, 4000).unwrap();
    assert!(desk.0.instance_key("AKIA1").is_none() && desk.0.instance_key_of(InstanceId(1)).is_none());
    assert!(desk.0.instance_key("AKIA2").is_some());
}

#[test]
fn tokens_that_have_ended_make_room() {
    let mut desk = Desk::with(1);
    desk.run(Command::CreateJoinToken(token("u", 1, 2000)), 1000 + HOUR).unwrap();
    assert_eq!(desk.0.join_tokens().map(|token| &*token.id).collect::<Vec<_>>(), ["u"]);
}

#[test]
fn all_of_it_is_stored() {
    let mut stored = std::collections::BTreeMap::new();
    let mut keep = |world: &World, events: &[Event]| {
        for (key, value) in persist::changes(world, events) {
            match value {
                Some(value) => drop(stored.insert(key, value)),
                None => drop(stored.remove(&key)),
            }
        }
        World::restore(&stored).unwrap()
    };
    let create =
        Command::CreateCluster { key: cluster(), change: ClusterChange::default(), tags: Tags::default() };
    let mut fresh = World::new();
    for command in [create, Command::CreateJoinToken(token("t", 2, 1000)), join("t", 1), join("t", 2)] {
        let events = transact(&mut fresh, &command, 2000).unwrap();
        assert_eq!(keep(&fresh, &events), fresh);
    }
    let mut world = fresh;
    let revoke = Command::RevokeJoinToken { id: "t".into() };
    let events = transact(&mut world, &revoke, 2000).unwrap();
    assert_eq!(keep(&world, &events), world);
    assert_eq!(world.instance_keys().count(), 0);
}
