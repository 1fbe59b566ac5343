//! What a task can't do to its neighbours on the bridge, with the real kernel: needs root.

#[path = "network/frames.rs"]
mod frames;
#[path = "network/host.rs"]
#[allow(dead_code, reason = "the network tests use the rest of it")]
mod host;

use std::net::{Ipv4Addr, UdpSocket};
use std::path::PathBuf;
use std::process::Command;

use agent::network::{Address, Network};
use frames::{arp_reply, datagram, known_mac, listener, received, send};
use host::{Fixture, in_namespace, nft};

/// Three tasks of one bridge.
struct Scene {
    network: Network,
    fixture: Fixture,
    intruder: (Address, PathBuf),
    victim: (Address, PathBuf),
    other: (Address, PathBuf),
}

impl Scene {
    async fn new() -> Self {
        let fixture = Fixture::new(1);
        let network = fixture.open();
        let mut tasks = vec![];
        for n in [10, 11, 12] {
            let address = fixture.address(&network, n);
            let path = network.attach(&format!("task-{n}"), address.clone()).await.expect("attached").path;
            tasks.push((address, path));
        }
        let [intruder, victim, other] = tasks.try_into().expect("three");
        Self { network, fixture, intruder, victim, other }
    }

    /// What the victim takes of what the intruder sends in others' names, and at last in its own.
    fn words(&self) -> Vec<String> {
        let socket = listener(&self.victim.1, frames::PORT);
        let (own, other, to) = (&self.intruder.0, &self.other.0, &self.victim.0);
        let frames = [
            datagram(own.mac, other.ip, to, "another's address"),
            datagram(other.mac, own.ip, to, "another's hardware"),
            datagram(other.mac, other.ip, to, "another's both"),
            datagram(own.mac, self.network.gateway(), to, "the gateway's"),
            datagram(own.mac, [192, 0, 2, 1].into(), to, "a stranger's"),
            datagram(own.mac, own.ip, to, "its own"),
        ];
        send(&self.intruder.1, &frames);
        received(&socket, "its own")
    }
}

const EVERYTHING: [&str; 6] =
    ["another's address", "another's hardware", "another's both", "the gateway's", "a stranger's", "its own"];

#[tokio::test]
async fn a_task_sends_as_nobody_else() {
    let scene = Scene::new().await;
    assert_eq!(scene.words(), ["its own"]);
    // Without the guards everything arrives: the frames are good.
    nft(&format!("delete table bridge {}", scene.fixture.prefix)).expect("it was there");
    assert_eq!(scene.words(), EVERYTHING);
    // Whoever flushed them, they come back.
    scene.network.reconcile().expect("put back");
    // The thread does one job after the other.
    scene.network.prepared().await.expect("alive");
    assert_eq!(scene.words(), ["its own"]);
}

#[tokio::test]
async fn guards_outlive_the_agent_and_go_with_their_task() {
    let mut scene = Scene::new().await;
    drop(scene.network);
    scene.network = scene.fixture.open();
    assert_eq!(scene.words(), ["its own"]);
    let listed = || nft(&format!("list set bridge {} own", scene.fixture.prefix)).expect("listed");
    assert!(listed().contains(&scene.other.0.ip.to_string()));
    scene.network.detach("task-12").await.expect("detached");
    assert!(!listed().contains(&scene.other.0.ip.to_string()));
}

#[tokio::test]
async fn a_task_answers_arp_for_nobody_else() {
    let scene = Scene::new().await;
    let (victim, own, other) = (&scene.victim, &scene.intruder, &scene.other.0);
    let text = |mac: [u8; 6]| mac.map(|byte| format!("{byte:02x}")).join(":");
    // The victim talks to the other one, so it knows its hardware address.
    in_namespace(&victim.1, || UdpSocket::bind("0.0.0.0:0")?.send_to(b"hello", (other.ip, 9))).expect("sent");
    while known_mac(&victim.1, other.ip).as_deref() != Some(&text(other.mac)) {
        tokio::task::yield_now().await;
    }
    let lies = [
        arp_reply(own.0.mac, own.0.mac, other.ip, &victim.0),
        arp_reply(other.mac, own.0.mac, other.ip, &victim.0),
    ];
    // The kernel believes no second answer within a second (locktime of arp(7)): to be sure that the
    // check can fail, it goes on until the lie is believed once the guards are gone.
    let until = std::time::Instant::now() + std::time::Duration::from_millis(1500);
    while std::time::Instant::now() < until {
        send(&own.1, &lies);
        assert_eq!(scene.words(), ["its own"]);
    }
    assert_eq!(known_mac(&victim.1, other.ip), Some(text(other.mac)));
    nft(&format!("delete table bridge {}", scene.fixture.prefix)).expect("it was there");
    while known_mac(&victim.1, other.ip) != Some(text(own.0.mac)) {
        send(&own.1, &lies);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_hosts_own_metadata_is_out_of_reach_but_a_name_server_there_is_not() {
    let scene = Scene::new().await;
    let service = Ipv4Addr::new(169, 254, rand::random(), rand::random::<u8>() | 1);
    let (bridge, mac) = (scene.network.bridge(), scene.other.0.mac.map(|b| format!("{b:02x}")).join(":"));
    // The other task plays the service; it goes with the bridge.
    ip(&format!("route add {service}/32 dev {bridge}"));
    ip(&format!("neigh add {service} lladdr {mac} dev {bridge}"));
    in_namespace(&scene.other.1, || {
        ip(&format!("addr add {service}/32 dev eth0"));
        Ok(())
    })
    .expect("entered");
    let (metadata, names) = (listener(&scene.other.1, 80), listener(&scene.other.1, 53));
    let ask = || {
        in_namespace(&scene.intruder.1, || {
            let socket = UdpSocket::bind("0.0.0.0:0")?;
            socket.send_to(b"metadata", (service, 80))?;
            socket.send_to(b"names", (service, 53))
        })
        .expect("sent")
    };
    ask();
    assert_eq!(received(&names, "names"), ["names"]);
    metadata.set_nonblocking(true).expect("set");
    assert!(metadata.recv(&mut [0; 10]).is_err(), "what was sent first was dropped");
    nft(&format!("flush chain ip {bridge} forward")).expect("flushed");
    metadata.set_nonblocking(false).expect("set");
    ask();
    assert_eq!(received(&metadata, "metadata"), ["metadata"]);
}

fn ip(arguments: &str) {
    let done = Command::new("ip").args(arguments.split(' ')).status().expect("ip is installed");
    assert!(done.success(), "ip {arguments}");
}
