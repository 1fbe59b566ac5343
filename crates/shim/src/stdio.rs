//! A process's standard streams.
//!
//! The streams go straight to the process: no byte passes through the shim. For a FIFO the shim holds two descriptors
//! of its own, one of each direction:
//! - the *writer*, until the process has ended: a reader that comes, goes and comes again never sees an end of file
//!   while there is more to come, and sees one after the last byte;
//! - the *reader*, until Delete: what the process wrote stays in the pipe while nobody else has it open, and the
//!   process isn't killed by SIGPIPE when its reader is away.
//!
//! A FIFO of input is held open too, so that the process doesn't see its end before a client has come; and let go when
//! that client closes it, as containerd's shims do.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};

/// The paths that Create or Exec named. Empty means `/dev/null`.
#[derive(Debug, Clone, Default)]
pub struct Paths {
    pub stdin: String,
    pub stdout: String,
    pub stderr: String,
}

/// What the shim keeps open.
#[derive(Debug, Default)]
pub struct Held {
    input: Option<Input>,
    writers: Vec<OwnedFd>,
    readers: Vec<OwnedFd>,
}

#[derive(Debug)]
struct Input {
    /// A writer, for as long as more may come.
    _hold: OwnedFd,
    /// Tells when somebody else closes theirs.
    closed: Inotify,
}

/// What the process gets: three descriptors of its own, all different and above 2, so that none is in another's place.
#[derive(Debug)]
pub struct Given {
    pub stdin: OwnedFd,
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
}

/// A stream can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum StdioError {
    #[error("{stream} {path:?}")]
    Open {
        stream: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{stream} {uri:?}: only FIFOs and files can be given")]
    Scheme { stream: &'static str, uri: String },
}

/// Opens the streams. `owner` is who the process will be: it must be able to open `/dev/stdout` by name again.
pub fn open(paths: &Paths, owner: Option<(u32, u32)>) -> Result<(Held, Given), StdioError> {
    let mut held = Held::default();
    let stdin = input(&paths.stdin, &mut held)?;
    let stdout = output("stdout", &paths.stdout, owner, &mut held)?;
    let stderr = output("stderr", &paths.stderr, owner, &mut held)?;
    Ok((held, Given { stdin, stdout, stderr }))
}

impl Held {
    /// No more input will come: once the client has closed its end too, the process sees the end of its input.
    pub fn close_stdin(&mut self) {
        self.input = None;
    }

    /// What becomes readable when a client may have closed its end of the input.
    pub fn watch(&self) -> Option<BorrowedFd<'_>> {
        self.input.as_ref().map(|input| input.closed.as_fd())
    }

    /// Lets go of the input if a client has closed its end.
    pub fn check_stdin(&mut self) {
        if self.input.as_ref().is_some_and(|input| input.closed.read_events().is_ok()) {
            self.input = None;
        }
    }

    /// The process has ended: readers see the end of file after the last byte.
    pub fn close_writers(&mut self) {
        self.input = None;
        self.writers = Vec::new();
    }
}

fn input(uri: &str, held: &mut Held) -> Result<OwnedFd, StdioError> {
    let path = local("stdin", uri)?;
    let failed = |source| StdioError::Open { stream: "stdin", path: path.clone(), source };
    let fifo = std::fs::metadata(&path).map_err(failed)?.file_type().is_fifo();
    if fifo {
        // Watched before it is opened: no client can come in between.
        let watch = || {
            let closed = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
            closed.add_watch(&path, AddWatchFlags::IN_CLOSE_WRITE)?;
            Ok(closed)
        };
        let closed = watch().map_err(|errno: nix::errno::Errno| failed(errno.into()))?;
        // Also makes the blocking open below return at once.
        let hold = both_ways().open(&path).map_err(failed)?.into();
        held.input = Some(Input { _hold: hold, closed });
    }
    Ok(OpenOptions::new().read(true).open(&path).map_err(failed)?.into())
}

fn output(
    stream: &'static str,
    uri: &str,
    owner: Option<(u32, u32)>,
    held: &mut Held,
) -> Result<OwnedFd, StdioError> {
    let path = local(stream, uri)?;
    let failed = |source| StdioError::Open { stream, path: path.clone(), source };
    let given = match std::fs::metadata(&path) {
        Ok(meta) if meta.file_type().is_fifo() => {
            let reader =
                OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&path).map_err(failed)?;
            let writer =
                OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(&path).map_err(failed)?;
            held.readers.push(reader.into());
            held.writers.push(writer.into());
            OpenOptions::new().write(true).open(&path).map_err(failed)?
        }
        Ok(meta) if meta.file_type().is_char_device() => {
            OpenOptions::new().write(true).open(&path).map_err(failed)?
        }
        _ => OpenOptions::new().append(true).create(true).open(&path).map_err(failed)?,
    };
    hand_over(&given, owner).map_err(failed)?;
    Ok(given.into())
}

/// Programs open `/dev/stdout` by name; for one that doesn't run as root the file must be its own.
fn hand_over(file: &File, owner: Option<(u32, u32)>) -> io::Result<()> {
    let Some((uid, gid)) = owner else { return Ok(()) };
    let meta = file.metadata()?;
    if uid == 0 || meta.uid() == uid || meta.file_type().is_char_device() {
        return Ok(());
    }
    fchown(file, Some(uid), Some(gid))
}

fn both_ways() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(libc::O_NONBLOCK);
    options
}

fn local(stream: &'static str, uri: &str) -> Result<PathBuf, StdioError> {
    if uri.is_empty() {
        return Ok(PathBuf::from("/dev/null"));
    }
    let path = uri.strip_prefix("file://").or_else(|| uri.strip_prefix("fifo://")).unwrap_or(uri);
    if path.starts_with('/') {
        Ok(Path::new(path).to_owned())
    } else {
        Err(StdioError::Scheme { stream, uri: uri.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    fn fifo(dir: &Path) -> String {
        let path = dir.join("out");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn late_reader(path: &str) -> File {
        OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).unwrap()
    }

    #[test]
    fn what_was_written_waits_for_its_reader_and_then_ends() {
        let dir = tempfile::tempdir().unwrap();
        let path = fifo(dir.path());
        let paths = Paths { stdout: path.clone(), ..Paths::default() };
        let (mut held, given) = open(&paths, None).unwrap();
        File::from(given.stdout).write_all(b"last words").unwrap();
        let mut text = String::new();
        let mut reader = late_reader(&path);
        // The writer that we hold keeps the end away.
        assert_eq!(reader.read_to_string(&mut text).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(reader);
        OpenOptions::new().write(true).open(&path).unwrap().write_all(b"!").unwrap();
        held.close_writers();
        late_reader(&path).read_to_string(&mut text).unwrap();
        assert_eq!(text, "last words!");
    }

    #[test]
    fn files_are_appended_to_and_other_schemes_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::fs::write(&path, "a").unwrap();
        let paths = Paths { stdout: format!("file://{}", path.display()), ..Paths::default() };
        let (_held, given) = open(&paths, None).unwrap();
        File::from(given.stdout).write_all(b"b").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "ab");
        let paths = Paths { stderr: "binary:///bin/logger".into(), ..Paths::default() };
        assert!(matches!(open(&paths, None), Err(StdioError::Scheme { .. })));
        let paths = Paths { stdin: "/nowhere/at/all".into(), ..Paths::default() };
        assert!(matches!(open(&paths, None), Err(StdioError::Open { stream: "stdin", .. })));
    }
}
