//! Pagination tokens: opaque, bound to their operation and its filters, no secret.
//!
//! A token says where a listing goes on. A client that changes it, or brings it to another call,
//! gets ECS's "Invalid token" rather than a page of something else. Whoever makes a checksum on
//! purpose only reads on from elsewhere in what they may list anyway, so there is no key.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::error::Error;

/// The first byte of every token: what follows may change with it.
const VERSION: u8 = 1;
const CHECKSUM: usize = 12;

/// A token after which the next page begins behind `position`.
///
/// `operation` and `filters`: whatever the token must not outlive, such as the account, the
/// cluster and the status asked for.
pub fn encode(operation: &str, filters: &[&str], position: &str) -> String {
    let mut bytes = vec![VERSION];
    bytes.extend(checksum(operation, filters, position));
    bytes.extend(position.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The position in a token, or `InvalidParameterException`.
pub fn decode(operation: &str, filters: &[&str], token: &str) -> Result<String, Error> {
    read(operation, filters, token).ok_or_else(|| Error::invalid_parameter("Invalid token"))
}

fn read(operation: &str, filters: &[&str], token: &str) -> Option<String> {
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (&version, rest) = bytes.split_first()?;
    let (sum, position) = rest.split_at_checked(CHECKSUM)?;
    let position = std::str::from_utf8(position).ok()?;
    let good = checksum(operation, filters, position).as_slice().ct_eq(sum);
    (version == VERSION && bool::from(good)).then(|| position.to_owned())
}

fn checksum(operation: &str, filters: &[&str], position: &str) -> [u8; CHECKSUM] {
    let mut hash = Sha256::new();
    for part in [operation, position].iter().chain(filters) {
        // The length keeps ("ab", "c") apart from ("a", "bc").
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut sum = [0; CHECKSUM];
    sum.copy_from_slice(&hash.finalize()[..CHECKSUM]);
    sum
}

/// One page of `items` (all that match, in order), and the token of the next.
///
/// `limit`: at least one. `position`: of an item in the order that `items` are sorted by.
pub fn page<T>(
    items: impl IntoIterator<Item = T>,
    limit: usize,
    position: impl Fn(&T) -> String,
    token: impl Fn(&str) -> String,
) -> (Vec<T>, Option<String>) {
    let mut items = items.into_iter();
    let page: Vec<T> = items.by_ref().take(limit.max(1)).collect();
    let more = items.next().is_some();
    let next = page.last().filter(|_| more).map(|last| token(&position(last)));
    (page, next)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_page_has_no_token() {
        let token = |position: &str| encode("ListTasks", &[], position);
        let (first, next) = page(["a", "b", "c"], 2, |item| (*item).to_owned(), token);
        assert_eq!(
            (first, decode("ListTasks", &[], &next.unwrap()).unwrap().as_str()),
            (vec!["a", "b"], "b")
        );
        assert_eq!(page(["c"], 2, |item| (*item).to_owned(), token).1, None);
        assert_eq!(page(["c", "d"], 2, |item| (*item).to_owned(), token).1, None);
    }

    #[test]
    fn a_token_of_another_call_is_invalid() {
        let token = encode("ListTasks", &["default", "RUNNING"], "x");
        let error = decode("ListTasks", &["default", "STOPPED"], &token).unwrap_err();
        assert_eq!(error.to_string(), "InvalidParameterException: Invalid token");
        assert!(decode("ListServices", &["default", "RUNNING"], &token).is_err());
        assert!(decode("ListTasks", &["defaultR", "UNNING"], &token).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_encoded_decodes(position in "\\PC*", filter in "\\PC*") {
            let token = encode("Op", &[&filter], &position);
            prop_assert_eq!(decode("Op", &[&filter], &token).unwrap(), position);
        }

        #[test]
        fn what_nobody_encoded_does_not(token in "\\PC*") {
            prop_assert!(decode("Op", &[], &token).is_err());
        }
    }
}
