//! Files that are there whole or not at all, whenever this process is killed: its successor stumbles over no half of one.

use std::io;
use std::path::Path;

/// Puts `content` in the place of what `path` holds.
pub(crate) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let new = path.with_added_extension("new");
    std::fs::write(&new, content)?;
    std::fs::rename(&new, path)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    #[test]
    fn who_has_the_old_content_open_reads_all_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("address");
        super::write(&path, b"the old one").unwrap();
        let mut old = std::fs::File::open(&path).unwrap();
        super::write(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        let mut text = String::new();
        old.read_to_string(&mut text).unwrap();
        assert_eq!(text, "the old one");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
