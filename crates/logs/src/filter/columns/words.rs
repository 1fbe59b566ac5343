//! A message's words: what blanks separate, with everything between `[` and `]` or between two `"` as
//! one word, without these marks.

/// At most `limit` words; the last one is then the rest of the line as it stands.
pub(super) fn words(message: &str, limit: usize) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = message.trim();
    while !rest.is_empty() {
        let (word, after) = first(rest);
        if words.len() + 1 == limit && !after.is_empty() {
            words.push(rest);
            break;
        }
        words.push(word);
        rest = after;
    }
    words
}

/// The first word, and what follows it without the blanks between. An opening mark that nothing closes
/// is a character like others.
fn first(text: &str) -> (&str, &str) {
    let close = match text.chars().next() {
        Some('[') => ']',
        Some('"') => '"',
        _ => return plain(text),
    };
    match text[1..].split_once(close) {
        Some((word, after)) => (word, after.trim_start()),
        None => plain(text),
    }
}

fn plain(text: &str) -> (&str, &str) {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}
