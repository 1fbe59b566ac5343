//! A task's record on disk: a line for each state that it had, the last whole one is the present one.
//!
//! A launch has half a dozen states. To replace a file by rename makes an inode each time, removes another, and on ext4
//! sends the data to the disk at once (ext4(5), `auto_da_alloc`); to append a line takes a tenth of the time. Whole or
//! not at all holds as well: the first state is written by rename, and a line that was cut, because the agent was killed
//! or the disk was full, is no JSON and doesn't count.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::whole;

/// Beyond this size the file begins anew: tasks whose containers restart have many states.
const LARGE: u64 = 64 << 10;

/// Adds a state.
pub(super) fn append(path: &Path, text: &[u8]) -> io::Result<()> {
    match File::options().append(true).open(path) {
        Ok(mut file) if file.metadata()?.len() <= LARGE => file.write_all(&line(text)),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => whole::write(path, &line(text)),
    }
}

/// The newline before it ends a line that was cut.
fn line(text: &[u8]) -> Vec<u8> {
    [b"\n", text, b"\n"].concat()
}

/// The present state. An error is the newest line's, where no other can be read either.
pub(super) fn last<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    let mut lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).rev();
    let newest = serde_json::from_slice(lines.next().unwrap_or_default());
    newest.or_else(|error| lines.find_map(|line| serde_json::from_slice(line).ok()).ok_or(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_whole_line_counts() {
        let last = |text: &str| super::last::<(u32, u32)>(text.as_bytes()).map_err(|_| ());
        // As agents before this one wrote it.
        assert_eq!(last("[1,2]"), Ok((1, 2)));
        assert_eq!(last("[1,2]\n[3,4]\n"), Ok((3, 4)));
        assert_eq!(last("\n[1,2]\n\n[3,"), Ok((1, 2)), "the second was cut");
        assert_eq!(last("\n[1,2]\n\n[3,\n[5,6]\n"), Ok((5, 6)), "and is followed by a third");
        for damaged in ["", "\n[1,", "\n{}\n", "\0\0"] {
            assert_eq!(last(damaged), Err(()));
        }
    }

    #[test]
    fn a_long_file_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("record.json");
        let state = |n: usize| serde_json::to_vec(&(n, "x".repeat(10_000))).unwrap();
        for n in 0..20 {
            append(&path, &state(n)).unwrap();
            let found: (usize, String) = super::last(&std::fs::read(&path).unwrap()).unwrap();
            assert_eq!(found.0, n);
            assert!(std::fs::metadata(&path).unwrap().len() < LARGE + 20_000);
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_cut_at_any_byte_leaves_the_state_before() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("record.json");
        append(&path, b"[1,1]").unwrap();
        let whole = std::fs::metadata(&path).unwrap().len();
        append(&path, b"[2,2]").unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for end in whole as usize..bytes.len() {
            std::fs::write(&path, &bytes[..end]).unwrap();
            let found = super::last::<(u32, u32)>(&bytes[..end]).unwrap();
            // The last byte is the newline: without it the second is whole already.
            assert_eq!(found, if end < bytes.len() - 1 { (1, 1) } else { (2, 2) });
            append(&path, b"[3,3]").unwrap();
            assert_eq!(super::last::<(u32, u32)>(&std::fs::read(&path).unwrap()).unwrap(), (3, 3));
        }
    }
}
