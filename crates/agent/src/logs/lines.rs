//! From bytes to lines. A read ends anywhere, so what follows the last newline waits for more.

use super::batch::MAX_EVENT_BYTES;

/// The part of a line that has been read so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Partial(pub Vec<u8>);

impl Partial {
    /// Takes a chunk in and hands on every message that it completes, in order.
    ///
    /// As Docker's driver does, a message longer than the service takes is cut, and an empty line
    /// (which the service refuses) is left out. Bytes that are not UTF-8 become U+FFFD.
    pub fn take(&mut self, chunk: &[u8], mut emit: impl FnMut(String)) {
        let mut rest = chunk;
        while let Some(end) = rest.iter().position(|&b| b == b'\n') {
            if self.0.is_empty() {
                messages(&rest[..end], &mut emit);
            } else {
                self.0.extend_from_slice(&rest[..end]);
                messages(&std::mem::take(&mut self.0), &mut emit);
            }
            rest = &rest[end + 1..];
        }
        self.0.extend_from_slice(rest);
        // A line without end does not grow without end either.
        while self.0.len() >= MAX_EVENT_BYTES + 4 {
            let cut = char_boundary(&self.0, MAX_EVENT_BYTES);
            let tail = self.0.split_off(cut);
            messages(&std::mem::replace(&mut self.0, tail), &mut emit);
        }
    }

    /// The stream has ended: what is left is the last line.
    pub fn end(&mut self, mut emit: impl FnMut(String)) {
        messages(&std::mem::take(&mut self.0), &mut emit);
    }
}

fn messages(line: &[u8], emit: &mut impl FnMut(String)) {
    let text = String::from_utf8_lossy(line);
    let mut rest = text.as_ref();
    while rest.len() > MAX_EVENT_BYTES {
        let (head, tail) = rest.split_at(char_boundary(rest.as_bytes(), MAX_EVENT_BYTES));
        emit(head.to_owned());
        rest = tail;
    }
    if !rest.is_empty() {
        emit(rest.to_owned());
    }
}

/// The last place at or before `at` that does not split a UTF-8 sequence.
fn char_boundary(bytes: &[u8], at: usize) -> usize {
    (at.saturating_sub(3)..=at).rev().find(|&i| bytes[i] & 0xC0 != 0x80).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(chunks: &[&[u8]]) -> Vec<String> {
        let mut partial = Partial::default();
        let mut out = vec![];
        for chunk in chunks {
            partial.take(chunk, |m| out.push(m));
        }
        partial.end(|m| out.push(m));
        out
    }

    #[test]
    fn lines_come_whole() {
        assert_eq!(read(&[b"a", b"b\nc", b"\n\nd"]), ["ab", "c", "d"]);
        assert_eq!(read(&[b"\xff\n"]), ["\u{fffd}"]);
        assert_eq!(read(&[b"x\r\n"]), ["x\r"]);
    }

    #[test]
    fn a_long_line_is_cut_between_characters() {
        let line = "é".repeat(MAX_EVENT_BYTES);
        let parts = read(&[line.as_bytes()]);
        assert!(parts.len() >= 2 && parts.iter().all(|p| p.len() <= MAX_EVENT_BYTES));
        assert_eq!(parts.concat(), line);
    }

    proptest! {
        #[test]
        fn how_the_bytes_were_cut_does_not_matter(text in "([a-zé]{0,6}\n?){0,12}", cuts in prop::collection::vec(1usize..5, 0..40)) {
            let mut chunks = vec![];
            let mut rest = text.as_bytes();
            for cut in cuts {
                let (head, tail) = rest.split_at(cut.min(rest.len()));
                chunks.push(head);
                rest = tail;
            }
            chunks.push(rest);
            let want: Vec<_> = text.split('\n').filter(|l| !l.is_empty()).collect();
            prop_assert_eq!(read(&chunks), want);
        }
    }
}
