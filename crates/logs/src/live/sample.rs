//! At most so many of however many, spread evenly over all that came. Pure.

/// An update holds so many events (API reference, LiveTailSessionUpdate).
const MOST: usize = 500;
/// And so many bytes of messages: far less than what clients take for one message of a stream.
const MOST_BYTES: usize = 4 << 20;

/// Keeps every `stride`-th of the items offered, in their order.
#[derive(Debug)]
pub(super) struct Sample<T> {
    /// Each with its bytes.
    kept: Vec<(usize, T)>,
    offered: usize,
    stride: usize,
    bytes: usize,
    left_out: bool,
}

impl<T> Default for Sample<T> {
    fn default() -> Sample<T> {
        Sample { kept: Vec::new(), offered: 0, stride: 1, bytes: 0, left_out: false }
    }
}

impl<T> Sample<T> {
    pub(super) fn offer(&mut self, bytes: usize, item: impl FnOnce() -> T) {
        let position = self.offered;
        self.offered += 1;
        if !position.is_multiple_of(self.stride) || self.bytes + bytes > MOST_BYTES {
            self.left_out = true;
            return;
        }
        if self.kept.len() == 2 * MOST {
            self.thin();
            self.stride *= 2;
            if !position.is_multiple_of(self.stride) {
                return;
            }
        }
        self.bytes += bytes;
        self.kept.push((bytes, item()));
    }

    /// More came than anybody looked at.
    pub(super) fn leave_out(&mut self) {
        self.left_out = true;
    }

    /// What is kept, and whether anything isn't.
    pub(super) fn finish(mut self) -> (Vec<T>, bool) {
        if self.kept.len() > MOST {
            let len = self.kept.len();
            let mut index = 0;
            // The k-th of all stays where k·MOST/len steps to the next whole number.
            self.kept.retain(|_| {
                index += 1;
                index * MOST / len != (index - 1) * MOST / len
            });
            self.left_out = true;
        }
        (self.kept.into_iter().map(|(_, item)| item).collect(), self.left_out)
    }

    fn thin(&mut self) {
        let mut index = 0;
        self.kept.retain(|_| {
            index += 1;
            index % 2 == 1
        });
        self.bytes = self.kept.iter().map(|(bytes, _)| bytes).sum();
        self.left_out = true;
    }
}
