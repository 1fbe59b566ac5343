use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;

fn cidr(text: &str) -> Cidr {
    text.parse().expect(text)
}

#[test]
fn subnets_are_read_and_written() {
    assert_eq!(cidr("10.72.1.2/20").to_string(), "10.72.0.0/20");
    assert_eq!(cidr("10.72.0.0/20").gateway(), Ipv4Addr::new(10, 72, 0, 1));
    assert_eq!(cidr("10.72.0.0/20").broadcast(), Ipv4Addr::new(10, 72, 15, 255));
    assert_eq!(cidr("0.0.0.0/0").netmask(), Ipv4Addr::UNSPECIFIED);
    assert_eq!(
        cidr("10.0.0.0/8").split(10).map(|subnet| subnet.to_string()).last().as_deref(),
        Some("10.192.0.0/10")
    );
    for text in ["10.72.0.0", "10.72.0.0/33", "10.72.0/20", "/20", "10.72.0.0/", "10.72.0.0/-1"] {
        assert!(text.parse::<Cidr>().is_err(), "{text}");
    }
    assert_eq!(serde_json::to_string(&cidr("10.72.0.0/20")).unwrap(), r#""10.72.0.0/20""#);
}

#[test]
fn a_free_subnet_is_chosen() {
    assert_eq!(choose_subnet(None, &[]), Some(cidr("10.72.0.0/20")));
    assert_eq!(
        choose_subnet(None, &[cidr("10.72.0.0/20"), cidr("10.72.31.0/24")]),
        Some(cidr("10.72.32.0/20"))
    );
    assert_eq!(choose_subnet(Some(cidr("10.9.0.0/24")), &[]), Some(cidr("10.9.0.0/24")));
    assert_eq!(choose_subnet(Some(cidr("10.9.0.0/24")), &[cidr("10.9.0.7/32")]), Some(cidr("10.72.0.0/20")));
    // A company's whole 10/8, and then everything.
    assert_eq!(choose_subnet(None, &[cidr("10.0.0.0/8")]), Some(cidr("198.18.0.0/20")));
    assert_eq!(choose_subnet(None, &[cidr("10.0.0.0/8"), cidr("198.0.0.0/8")]), None);
    assert_eq!(
        choose_subnet(None, &[cidr("0.0.0.0/0")]),
        Some(cidr("10.72.0.0/20")),
        "a default route is none"
    );
}

proptest! {
    #[test]
    fn what_is_chosen_overlaps_nothing(taken in prop::collection::vec((any::<u32>(), 9u8..=32), 0..40)) {
        // Close to our own ranges, so that there is something to avoid.
        let near = |bits: u32, prefix| Cidr::containing(Ipv4Addr::from_bits(0x0a48_0000 | bits & 0x0003_ffff), prefix);
        let taken: Vec<Cidr> = taken.into_iter().map(|(bits, prefix)| near(bits, prefix)).collect();
        let chosen = choose_subnet(None, &taken).expect("the second range is free");
        prop_assert!(taken.iter().all(|other| !other.overlaps(chosen)));
        // A second instance sees the first one's.
        let mut more = taken;
        more.push(chosen);
        prop_assert_ne!(choose_subnet(None, &more), Some(chosen));
    }

    #[test]
    fn reading_what_was_written(bits in any::<u32>(), prefix in 0u8..=32) {
        let subnet = Cidr::containing(Ipv4Addr::from_bits(bits), prefix);
        prop_assert_eq!(cidr(&subnet.to_string()), subnet);
        prop_assert!(subnet.contains(Ipv4Addr::from_bits(bits)));
    }
}

#[test]
fn mac_addresses() {
    assert_eq!(parse_mac("02:fc:00:00:0A:01").unwrap(), [2, 0xfc, 0, 0, 10, 1]);
    for text in ["", "02:fc:00:00:0a", "02:fc:00:00:0a:01:02", "2:fc:00:00:0a:01", "zz:fc:00:00:0a:01"] {
        assert!(matches!(parse_mac(text), Err(NetworkError::InvalidMac { .. })), "{text}");
    }
    assert!(parse_mac("01:00:5e:00:00:01").is_err(), "a group address");
}

#[test]
fn modes() {
    for mode in [NetworkMode::Awsvpc, NetworkMode::Bridge, NetworkMode::Host, NetworkMode::None] {
        assert_eq!(mode.to_string().parse::<NetworkMode>().unwrap(), mode);
    }
    assert_eq!("".parse::<NetworkMode>().unwrap(), NetworkMode::Bridge);
    assert!("vlan".parse::<NetworkMode>().is_err());
}

#[test]
fn names_of_veths_fit_an_interface() {
    for bridge in ["ls1a2b3c", "ls1a2b3cb", "a"] {
        let name = veth_name(bridge, u32::MAX);
        assert!(name.len() <= 15 && name.ends_with("fffff"), "{name}");
        assert_eq!(veth_name(bridge, 0).len(), name.len());
    }
}

#[test]
fn addresses_are_given_in_a_circle() {
    let subnet = cidr("10.0.0.0/29");
    let mut taken = std::collections::HashSet::new();
    let mut last = None;
    for wanted in ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"] {
        let ip = subnet::next_free(subnet, last, &taken).unwrap();
        assert_eq!(ip.to_string(), wanted);
        taken.insert(ip);
        last = Some(ip);
    }
    assert_eq!(subnet::next_free(subnet, last, &taken), None);
    taken.remove(&Ipv4Addr::new(10, 0, 0, 3));
    assert_eq!(subnet::next_free(subnet, last, &taken), Some(Ipv4Addr::new(10, 0, 0, 3)));
}

#[test]
fn the_resolvers_are_ones_a_task_can_reach() {
    let plain =
        "# written by hand\nsearch corp.example\nnameserver 10.1.1.1\nnameserver ::1\noptions ndots:2\n";
    assert_eq!(
        files::resolv_conf(plain, None, &[], &[]),
        "search corp.example\noptions ndots:2\nnameserver 10.1.1.1\n"
    );
    let stub = "nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch .\n";
    let upstream = "nameserver 192.0.2.53\nnameserver fe80::1%2\nsearch lan\n";
    assert_eq!(files::resolv_conf(stub, Some(upstream), &[], &[]), "search lan\nnameserver 192.0.2.53\n");
    assert_eq!(files::resolv_conf(stub, None, &[], &[]), "options edns0 trust-ad\nsearch .\n");
    let own = [Ipv4Addr::new(10, 72, 0, 1)];
    assert_eq!(
        files::resolv_conf(plain, None, &own, &[]),
        "search corp.example\noptions ndots:2\nnameserver 10.72.0.1\n"
    );
    let domains = ["a.example".to_owned(), "b.example".to_owned()];
    assert_eq!(
        files::resolv_conf(plain, None, &own, &domains),
        "search a.example b.example\noptions ndots:2\nnameserver 10.72.0.1\n"
    );
}

#[test]
fn names_of_a_task() {
    let ip = Ipv4Addr::new(10, 72, 0, 5);
    assert_eq!(files::hostname(ip, "eu-west-1"), "ip-10-72-0-5.eu-west-1.compute.internal");
    assert_eq!(files::hostname(ip, "us-east-1"), "ip-10-72-0-5.ec2.internal");
    assert_eq!(
        files::hosts(Some(ip), "ip-10-72-0-5.ec2.internal", &[]),
        "127.0.0.1 localhost\n10.72.0.5 ip-10-72-0-5.ec2.internal ip-10-72-0-5\n"
    );
    let others = [("db mysql".to_owned(), ip.into()), ("six".to_owned(), "::1".parse().unwrap())];
    assert_eq!(
        files::hosts(Some(ip), "web", &others),
        "127.0.0.1 localhost\n10.72.0.5 web\n10.72.0.5 db mysql\n::1 six\n"
    );
    assert_eq!(files::hosts(None, "web", &[]), "127.0.0.1 localhost\n");
    assert_eq!(files::with_hosts("1.2.3.4 a", &others[..1]), "1.2.3.4 a\n10.72.0.5 db mysql\n");
    assert_eq!(files::hostname_file("web"), "web\n");
}
