//! The agents' websockets: what is understood is written as it was understood.

use wire::acs::{self, Decoded};
use wire::tcs;

use crate::alike::texts_alike;
use crate::supply::Supply;

pub fn check(data: &[u8]) {
    let mut supply = Supply(data);
    let kind = supply.byte();
    let text = String::from_utf8_lossy(supply.0);
    macro_rules! both_ways {
        ($message:ty) => {
            if let Ok(Decoded::Known(message)) = <$message>::decode(&text) {
                let written = message.encode().expect("a message is JSON");
                match <$message>::decode(&written) {
                    Ok(Decoded::Known(again)) => {
                        let again = again.encode().expect("a message is JSON");
                        assert!(texts_alike(&again, &written), "{again} is not {written}");
                    }
                    other => panic!("what was written isn't read: {other:?}"),
                }
            }
        };
    }
    match kind % 5 {
        0 => both_ways!(acs::ToServer),
        1 => both_ways!(acs::ToAgent),
        2 => both_ways!(tcs::ToServer),
        3 => both_ways!(tcs::ToAgent),
        _ => framing(&text),
    }
}

/// A header block is taken off as it was put on, and a session's query read as it was written.
fn framing(text: &str) {
    let (headers, json) = tcs::split(text);
    let clean = |part: &str| !part.contains(['\r', '\n']) && part.trim() == part;
    let plain = |(name, value): &(String, String)| {
        !name.is_empty() && !name.starts_with('{') && !name.contains(':') && clean(name) && clean(value)
    };
    if !headers.is_empty() && headers.iter().all(plain) {
        let joined = tcs::join(&headers, json);
        assert_eq!(tcs::split(&joined), (headers, json));
    }
    let query = tcs::SessionQuery::parse(text);
    assert_eq!(tcs::SessionQuery::parse(&query.encode()), query);
    let query = acs::SessionQuery::parse(text);
    assert_eq!(acs::SessionQuery::parse(&query.encode()), query);
}
