//! Percent-encoding and `application/x-www-form-urlencoded`, as AWS uses them.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode, utf8_percent_encode};

/// Everything but RFC 3986's unreserved characters: SigV4's rule for names and values.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Percent-encodes all but unreserved characters.
pub(crate) fn escape(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// The same of bytes.
pub(crate) fn escape_bytes(bytes: &[u8]) -> String {
    percent_encode(bytes, RESERVED).to_string()
}

/// Fields of a form. The largest request of a model has some hundreds; each field takes many times its
/// bytes in memory.
const MOST_FIELDS: usize = 10_000;
pub(crate) const TOO_MANY: &str = "The form has more than 10000 fields.";

pub(crate) fn has_too_many(form: &[u8]) -> bool {
    form.iter().filter(|b| **b == b'&').count() >= MOST_FIELDS
}

/// `a=b&c` to pairs; `+` is a space; broken UTF-8 is replaced. Empty parts are left out.
pub(crate) fn pairs(form: &str) -> Vec<(String, String)> {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let parts = form.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(key), decode(value))
        })
        .collect()
}

/// Pairs to `a=b&c=d`, in the given order.
pub(crate) fn encode(pairs: &[(&str, &str)]) -> String {
    let parts: Vec<String> =
        pairs.iter().map(|(key, value)| format!("{}={}", escape(key), escape(value))).collect();
    parts.join("&")
}
