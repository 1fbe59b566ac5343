//! A log file of bounded size: `longshore.log`, and the older ones `longshore.log.1` … `longshore.log.4`.
//!
//! Our own, because stderr has to move along (what a panic or a library writes must land in the newest
//! file, not in one that is deleted); the crates that rotate know nothing of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Older files that are kept.
pub const KEPT: usize = 4;

/// One writer of one file. A write is never split between two files, and none is lost.
#[derive(Debug)]
pub struct Rotating {
    path: PathBuf,
    file: File,
    size: u64,
    limit: u64,
    carries_stderr: bool,
}

impl Rotating {
    /// Goes on at the end of what is there.
    pub fn open(path: &Path, limit: u64) -> io::Result<Rotating> {
        let file = append(path)?;
        let size = file.metadata()?.len();
        Ok(Rotating { path: path.to_owned(), file, size, limit, carries_stderr: false })
    }

    /// The same, and stderr is this file from now on, whichever is the newest.
    pub fn with_stderr(path: &Path, limit: u64) -> io::Result<Rotating> {
        let rotating = Rotating { carries_stderr: true, ..Rotating::open(path, limit)? };
        nix::unistd::dup2_stderr(&rotating.file)?;
        Ok(rotating)
    }

    /// On an error the current file goes on: a log that is too long is better than none.
    fn rotate(&mut self) -> io::Result<()> {
        for n in (1..KEPT).rev() {
            if let Err(error) = fs::rename(older(&self.path, n), older(&self.path, n + 1))
                && error.kind() != io::ErrorKind::NotFound
            {
                return Err(error);
            }
        }
        fs::rename(&self.path, older(&self.path, 1))?;
        let file = append(&self.path)?;
        if self.carries_stderr {
            nix::unistd::dup2_stderr(&file)?;
        }
        self.file = file;
        self.size = 0;
        Ok(())
    }
}

impl Write for Rotating {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.size > 0 && self.size + line.len() as u64 > self.limit {
            let _ = self.rotate();
        }
        // The whole line or an error: the next line is not to begin within this one's file's successor.
        self.file.write_all(line)?;
        self.size += line.len() as u64;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn older(path: &Path, n: usize) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{n}"));
    name.into()
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(path: &Path) -> Vec<u32> {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.lines().map(|line| line.trim_start_matches("line ").parse().unwrap()).collect()
    }

    /// As the subscriber writes: a whole line at once.
    fn say(log: &mut Rotating, line: &str) {
        log.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    #[test]
    fn lines_go_on_where_the_last_file_ended_and_the_oldest_go() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("longshore.log");
        let mut next = 0..;
        // Opened again and again, as `up` does.
        for _ in 0..7 {
            let mut log = Rotating::open(&path, 64).unwrap();
            for n in next.by_ref().take(9) {
                say(&mut log, &format!("line {n}"));
            }
        }
        let files: Vec<PathBuf> = (1..=KEPT).rev().map(|n| older(&path, n)).chain([path.clone()]).collect();
        let kept: Vec<u32> = files.iter().flat_map(|file| numbers(file)).collect();
        let first = *kept.first().unwrap();
        assert_eq!(kept, (first..63).collect::<Vec<_>>(), "no line is missing among those that are kept");
        assert!(first > 0, "older ones are gone");
        for file in &files {
            assert!(fs::metadata(file).unwrap().len() <= 64);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), KEPT + 1);
    }

    #[test]
    fn a_line_longer_than_the_limit_stays_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("longshore.log");
        let mut log = Rotating::open(&path, 8).unwrap();
        let long = "x".repeat(100);
        say(&mut log, &long);
        say(&mut log, "short");
        assert_eq!(fs::read_to_string(older(&path, 1)).unwrap(), format!("{long}\n"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "short\n");
    }

    #[test]
    fn where_it_cannot_rotate_the_file_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("longshore.log");
        // A file can't take the place of a directory.
        fs::create_dir(older(&path, 4)).unwrap();
        fs::write(older(&path, 3), "").unwrap();
        let mut log = Rotating::open(&path, 8).unwrap();
        for n in 0..3 {
            say(&mut log, &format!("line {n}"));
        }
        assert_eq!(numbers(&path), [0, 1, 2]);
    }
}
