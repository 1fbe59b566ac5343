use super::message::{Attributes, Message, attributes, parse};
use super::{Published, own_table, published};

#[test]
fn attributes_are_padded_and_read_back() {
    let inner = Attributes::new().number(1, 7);
    let list = Attributes::new().text(1, "ab").bytes(2, &[9]).nested(3, &inner);
    let mut bytes = Vec::new();
    Message::new(libc::NFT_MSG_NEWRULE, libc::NLM_F_CREATE, 2, list).write(5, libc::NLM_F_ACK, &mut bytes);
    assert_eq!(bytes.len() % 4, 0);
    assert_eq!(u32::from_ne_bytes(bytes[..4].try_into().unwrap()) as usize, bytes.len());
    assert_eq!(u32::from_ne_bytes(bytes[8..12].try_into().unwrap()), 5);
    let (family, list) = parse(&bytes[16..]).unwrap();
    assert_eq!(family, 2);
    assert_eq!(list[0], (1, &b"ab\0"[..]));
    assert_eq!(list[1], (2, &[9][..]));
    assert_eq!(attributes(list[2].1), [(1, &[0, 0, 0, 7][..])]);
}

#[test]
fn broken_attributes_end_the_list() {
    for broken in [&[][..], &[1], &[3, 0, 1, 0], &[255, 0, 1, 0, 1], &[0, 0, 0, 0]] {
        assert!(attributes(broken).is_empty(), "{broken:?}");
    }
    assert!(parse(&[]).is_none());
}

#[test]
fn the_same_wish_gives_the_same_messages() {
    let subnet = "10.72.0.0/20".parse().unwrap();
    let bytes = || {
        let mut bytes = Vec::new();
        for message in own_table("ls1a2b3c", subnet) {
            message.write(0, 0, &mut bytes);
        }
        bytes
    };
    assert_eq!(bytes(), bytes());
}

#[test]
fn a_published_port_is_one_element() {
    let port = Published { protocol: 6, host_port: 8080, address: [10, 72, 0, 5].into(), container_port: 80 };
    let mut bytes = Vec::new();
    published("ls", &[port], true)[0].write(0, 0, &mut bytes);
    // Each part of a concatenation takes four bytes.
    let key = [6, 0, 0, 0, 0x1f, 0x90, 0, 0];
    let data = [10, 72, 0, 5, 0, 80, 0, 0];
    for part in [key, data] {
        assert!(bytes.windows(8).any(|window| window == part), "{part:?}");
    }
}
