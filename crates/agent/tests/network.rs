//! The network with the real kernel: needs root. Each test has a bridge of its own.

#[path = "network/host.rs"]
mod host;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use agent::network::{Network, NetworkError, Published};
use host::{Fixture, in_namespace};

/// A listener in the task's namespace that answers one connection with `greeting`.
fn serve(
    network: &Network,
    id: &str,
    address: SocketAddr,
    greeting: &'static str,
) -> std::thread::JoinHandle<String> {
    let path = network.get(id).expect("attached").path;
    let listener =
        in_namespace(&path, move || TcpListener::bind(address)).expect("the address is the task's");
    std::thread::spawn(move || {
        let (mut peer, from) = listener.accept().expect("a connection");
        peer.write_all(greeting.as_bytes()).expect("written");
        from.ip().to_string()
    })
}

fn read_from(address: SocketAddr) -> std::io::Result<String> {
    let mut peer = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    peer.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut text = String::new();
    peer.read_to_string(&mut text)?;
    Ok(text)
}

#[tokio::test]
async fn tasks_are_reached_from_the_host_and_from_each_other() {
    let fixture = Fixture::new(2);
    let network = fixture.open();
    for n in [10, 11] {
        network.attach(&format!("task-{n}"), fixture.address(&network, n)).await.expect("attached");
    }
    let one = SocketAddr::from((fixture.address(&network, 10).ip, 80));

    let server = serve(&network, "task-10", one, "to the host");
    assert_eq!(read_from(one).expect("reached"), "to the host");
    assert_eq!(server.join().expect("served"), network.gateway().to_string());

    let server = serve(&network, "task-10", one, "to a sibling");
    let sibling = network.get("task-11").expect("attached").path;
    assert_eq!(in_namespace(&sibling, move || read_from(one)).expect("reached"), "to a sibling");
    assert_eq!(server.join().expect("served"), fixture.address(&network, 11).ip.to_string());

    let traffic = network.traffic("task-10").await.expect("counted");
    assert!(traffic.rx_bytes > 0 && traffic.tx_packets > 0, "{traffic:?}");
}

#[tokio::test]
async fn the_interface_is_what_the_control_plane_said() {
    let fixture = Fixture::new(1);
    let network = fixture.open();
    // The first comes from the pool, the second does not.
    while network.prepared().await.expect("alive") == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    for n in [20, 21] {
        let address = fixture.address(&network, n);
        let path = network.attach(&format!("t{n}"), address.clone()).await.expect("attached").path;
        let (mac, ipv6, lo) = in_namespace(&path, || {
            let mac = host::mac_of("eth0")?;
            let ipv6 = std::fs::read_to_string("/proc/sys/net/ipv6/conf/eth0/disable_ipv6")?;
            let lo = TcpListener::bind("127.0.0.1:0").and_then(|own| TcpStream::connect(own.local_addr()?));
            Ok((mac, ipv6, lo.is_ok()))
        })
        .expect("looked");
        assert_eq!(mac, address.mac);
        assert_eq!(ipv6.trim(), "1");
        assert!(lo, "lo is up");
        let route =
            in_namespace(&path, || std::fs::read_to_string("/proc/thread-self/net/route")).expect("routes");
        let gateway = format!("{:08X}", u32::from_ne_bytes(network.gateway().octets()));
        assert!(
            route.lines().any(|line| line.contains("eth0\t00000000") && line.contains(&gateway)),
            "{route}"
        );
    }
}

#[tokio::test]
async fn an_address_used_again_is_reached_at_once() {
    let fixture = Fixture::new(0);
    let network = fixture.open();
    for round in 0u8..3 {
        let mut address = fixture.address(&network, 30);
        address.mac[5] = round;
        let target = SocketAddr::from((address.ip, 80));
        let id = format!("round-{round}");
        network.attach(&id, address).await.expect("attached");
        let server = serve(&network, &id, target, "here");
        assert_eq!(read_from(target).expect("reached"), "here");
        server.join().expect("served");
        network.detach(&id).await.expect("detached");
    }
}

#[tokio::test]
async fn a_crash_leaves_tasks_connected_and_is_adopted() {
    let fixture = Fixture::new(1);
    let network = fixture.open();
    let subnet = network.subnet();
    let address = fixture.address(&network, 40);
    network.attach("kept", address.clone()).await.expect("attached");
    drop(network);

    let network = fixture.open();
    assert_eq!(network.subnet(), subnet);
    assert_eq!(network.list().expect("listed"), ["kept"]);
    let again = network.attach("kept", address.clone()).await.expect("the same again is no error");
    assert_eq!(again, network.get("kept").expect("attached"));
    let other = fixture.address(&network, 41);
    let refused = network.attach("kept", other).await.expect_err("another address is");
    assert!(matches!(refused, NetworkError::AlreadyAttached { .. }), "{refused}");

    let target = SocketAddr::from((address.ip, 80));
    let server = serve(&network, "kept", target, "still here");
    assert_eq!(read_from(target).expect("reached"), "still here");
    server.join().expect("served");
    assert!(network.detach("kept").await.expect("detached"));
    assert!(!network.detach("kept").await.expect("nothing left to detach"));
}

#[tokio::test]
async fn two_instances_take_different_subnets() {
    let (one, two) = (Fixture::new(0), Fixture::new(0));
    let (a, b) = (one.open(), two.open());
    assert!(!a.subnet().overlaps(b.subnet()), "{} and {}", a.subnet(), b.subnet());
    let third = Fixture::new(0);
    let refused = third.try_open(Some(a.subnet())).expect_err("the subnet is in use");
    assert!(matches!(refused, NetworkError::SubnetTaken { .. }), "{refused}");
}

#[tokio::test]
async fn outward_traffic_carries_the_hosts_address() {
    // Another instance's bridge is "outside" as any other network is.
    let (inside, outside) = (Fixture::new(0), Fixture::new(0));
    let (a, b) = (inside.open(), outside.open());
    a.attach("client", inside.address(&a, 10)).await.expect("attached");
    b.attach("server", outside.address(&b, 10)).await.expect("attached");
    let target = SocketAddr::from((outside.address(&b, 10).ip, 80));
    let server = serve(&b, "server", target, "outside");
    let client = a.get("client").expect("attached").path;
    assert_eq!(in_namespace(&client, move || read_from(target)).expect("reached"), "outside");
    assert_eq!(server.join().expect("served"), b.gateway().to_string());
}

#[tokio::test]
async fn twenty_at_once_come_and_go() {
    let fixture = Fixture::new(4);
    let network = std::sync::Arc::new(fixture.open());
    let work = (0..20u8).map(|n| {
        let (network, address) = (network.clone(), fixture.address(&network, 50 + n));
        tokio::spawn(async move {
            let id = format!("burst-{n}");
            let handle = network.attach(&id, address).await.expect("attached");
            assert!(handle.path.exists());
            network.detach(&id).await.expect("detached");
        })
    });
    for task in work.collect::<Vec<_>>() {
        task.await.expect("no panic");
    }
    assert!(network.list().expect("listed").is_empty());
}

#[tokio::test]
async fn published_ports_lead_to_tasks() {
    let fixture = Fixture::new(0);
    let network = fixture.open();
    let address = fixture.address(&network, 60);
    network.attach("web", address.clone()).await.expect("attached");
    let port = Published { protocol: 6, host_port: 47_931, address: address.ip, container_port: 80 };
    network.publish(&[port]).expect("published");
    let server = serve(&network, "web", SocketAddr::from((address.ip, 80)), "published");
    // Locally the gateway is one of the host's own addresses.
    assert_eq!(read_from(SocketAddr::from((network.gateway(), 47_931))).expect("reached"), "published");
    server.join().expect("served");
    let server = serve(&network, "web", SocketAddr::from((address.ip, 80)), "by the loopback");
    assert_eq!(
        read_from(SocketAddr::from((Ipv4Addr::LOCALHOST, 47_931))).expect("reached"),
        "by the loopback"
    );
    assert_eq!(server.join().expect("served"), network.gateway().to_string());
    // Somebody else's firewall is loaded anew, and all rules with it.
    host::nft(&format!("flush table ip {0}; delete table ip {0}", fixture.prefix)).expect("flushed");
    network.reconcile().expect("rules set again");
    let server = serve(&network, "web", SocketAddr::from((address.ip, 80)), "published again");
    assert_eq!(read_from(SocketAddr::from((network.gateway(), 47_931))).expect("reached"), "published again");
    server.join().expect("served");
    network.unpublish(&[port]).expect("the port is there again");
    assert!(network.unpublish(&[port]).is_err());
    network.reconcile().expect("rules set again");
    assert!(network.unpublish(&[port]).is_err(), "what was closed stays closed");
}

#[tokio::test]
async fn a_container_gets_any_free_address_and_keeps_it() {
    let fixture = Fixture::new(0);
    let network = fixture.open();
    let (path, one) = network.attach_anywhere("one").await.expect("attached");
    let (_, two) = network.attach_anywhere("two").await.expect("attached");
    assert!(one != two && network.subnet().holds_task(one) && network.subnet().holds_task(two));
    let server = serve(&network, "two", SocketAddr::from((two, 80)), "to a sibling");
    let reached = in_namespace(&path.path, move || read_from(SocketAddr::from((two, 80))));
    assert_eq!(reached.expect("reached"), "to a sibling");
    server.join().expect("served");
    drop(network);
    let network = fixture.open();
    assert_eq!(network.attach_anywhere("one").await.expect("the same again").1, one);
    let (_, three) = network.attach_anywhere("three").await.expect("attached");
    assert!(three != one && three != two);
}

#[tokio::test]
async fn an_isolated_container_has_its_loopback_alone() {
    let fixture = Fixture::new(0);
    let network = fixture.open();
    let path = network.isolate("alone").await.expect("made").path;
    assert_eq!(network.isolate("alone").await.expect("the same again").path, path);
    let (interfaces, loopback) = in_namespace(&path, || {
        let interfaces = std::fs::read_to_string("/proc/thread-self/net/dev")?;
        let own = TcpListener::bind("127.0.0.1:0").and_then(|own| TcpStream::connect(own.local_addr()?));
        Ok((interfaces, own.is_ok()))
    })
    .expect("looked");
    assert!(loopback && !interfaces.contains("eth0"), "{interfaces}");
    drop(network);
    let network = fixture.open();
    assert!(network.detach("alone").await.expect("detached"));
}

#[tokio::test]
async fn nothing_is_left_behind() {
    let fixture = Fixture::new(2);
    let network = fixture.open();
    assert!(host::tables().contains(&fixture.prefix));
    for n in 70..73 {
        network.attach(&format!("task-{n}"), fixture.address(&network, n)).await.expect("attached");
    }
    let removed = network.destroy().expect("destroyed");
    assert_eq!((removed.namespaces, removed.bridge, removed.table), (3, true, true));
    assert!(!host::interfaces().iter().any(|name| name.starts_with(&fixture.prefix)));
    assert!(!host::tables().contains(&fixture.prefix));
    assert!(!fixture.state.path().join("netns").exists());
    let again =
        agent::network::teardown(&fixture.prefix, fixture.state.path()).expect("once more is no error");
    assert_eq!(again, Default::default());
}

#[tokio::test]
async fn a_forward_policy_of_drop_does_not_cut_tasks_off() {
    // In a network namespace of its own, so that no policy of this host is touched.
    let fixture = Fixture::new(0);
    let outcome = host::in_new_namespace(|| {
        host::nft("add table ip filter")?;
        host::nft("add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }")?;
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let network = fixture.open();
        runtime.block_on(async {
            for n in [10, 11] {
                network.attach(&format!("task-{n}"), fixture.address(&network, n)).await.expect("attached");
            }
        });
        let present = host::nft("list chain ip filter FORWARD")?;
        network.reconcile().expect("reconciled");
        let after = host::nft("list chain ip filter FORWARD")?;
        network.destroy().expect("destroyed");
        let left = host::nft("list chain ip filter FORWARD")?;
        Ok((present, after, left))
    });
    let (present, after, left) = outcome.expect("ran");
    for direction in ["iifname", "oifname"] {
        let rule = format!("{direction} \"{}\" counter packets 0 bytes 0 accept", fixture.prefix);
        assert_eq!(present.matches(&rule).count(), 1, "{present}");
        assert_eq!(after.matches(&rule).count(), 1, "{after}");
    }
    assert!(!left.contains(&fixture.prefix), "{left}");
}

#[tokio::test]
async fn nft_reads_our_rules_as_we_mean_them() {
    let fixture = Fixture::new(0);
    let network = fixture.open();
    let published =
        Published { protocol: 17, host_port: 5300, address: [10, 72, 0, 5].into(), container_port: 53 };
    network.publish(&[published]).expect("published");
    let listed = host::nft(&format!("list table ip {}", fixture.prefix)).expect("nft is installed");
    let listed = listed.replace(&fixture.prefix, "BRIDGE").replace(&network.subnet().to_string(), "SUBNET");
    for line in [
        "type inet_proto . inet_service : ipv4_addr . inet_service",
        "elements = { udp . 5300 : 10.72.0.5 . 53 }",
        "type filter hook forward priority filter; policy accept;",
        "iifname \"BRIDGE\" jump policy",
        "oifname \"BRIDGE\" jump policy",
        "type nat hook prerouting priority dstnat; policy accept;",
        "fib daddr type local dnat ip to meta l4proto . th dport map @ports",
        "type nat hook postrouting priority srcnat; policy accept;",
        "ip saddr SUBNET oifname != \"BRIDGE\" counter packets 0 bytes 0 masquerade",
        "oifname \"BRIDGE\" ip saddr SUBNET ct status dnat masquerade",
        "type filter hook prerouting priority raw; policy accept;",
        "iifname \"BRIDGE\" ip daddr 127.0.0.0/8 drop",
        "oifname \"BRIDGE\" ip saddr 127.0.0.0/8 ct status dnat masquerade",
    ] {
        assert!(listed.lines().any(|present| present.trim() == line), "{line}\n{listed}");
    }
}

#[tokio::test]
async fn iptables_still_reads_its_table() {
    let fixture = Fixture::new(0);
    let listed = host::in_new_namespace(|| {
        host::iptables("-P FORWARD DROP")?;
        let _network = fixture.open();
        let listed = host::iptables("-S FORWARD");
        agent::network::teardown(&fixture.prefix, fixture.state.path()).expect("torn down");
        Ok((listed?, host::iptables("-S FORWARD")?))
    });
    let (with, without) = listed.expect("iptables reads it");
    let expected = "-P FORWARD DROP\n-A FORWARD -i BRIDGE -j ACCEPT\n-A FORWARD -o BRIDGE -j ACCEPT\n";
    assert_eq!(with.replace(&fixture.prefix, "BRIDGE"), expected);
    assert_eq!(without, "-P FORWARD DROP\n");
}

#[tokio::test]
async fn bad_requests_change_nothing() {
    let fixture = Fixture::new(0);
    let network = fixture.open();
    let good = fixture.address(&network, 80);
    for id in ["", ".", "..", "a/b", "../x"] {
        let refused = network.attach(id, good.clone()).await.expect_err(id);
        assert!(matches!(refused, NetworkError::InvalidTaskId { .. }), "{refused}");
    }
    for ip in [
        network.gateway(),
        network.subnet().base(),
        network.subnet().broadcast(),
        Ipv4Addr::new(192, 0, 2, 1),
    ] {
        let mut address = good.clone();
        address.ip = ip;
        let refused = network.attach("task", address).await.expect_err("no task's address");
        assert!(matches!(refused, NetworkError::AddressOutsideSubnet { .. }), "{refused}");
    }
    // A gateway that cannot be reached fails late, after the veth is there: all of it goes.
    let mut address = good;
    address.gateway = Ipv4Addr::new(203, 0, 113, 1);
    network.attach("task", address).await.expect_err("no route to the gateway");
    assert!(network.list().expect("listed").is_empty());
    assert!(matches!(network.traffic("task").await, Err(NetworkError::NotAttached { .. })));
    assert!(matches!(
        Network::open(host::config("", &fixture, None)),
        Err(NetworkError::InvalidPrefix { .. })
    ));
}
