//! What a person may want to know afterwards. Nothing is opened before there is something to say.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use crate::exit_record::Exit;

/// Lines into the FIFO `log` of the bundle where a daemon reads one, else into `shim.log` beside it.
#[derive(Debug, Clone)]
pub struct Log {
    bundle: PathBuf,
    debug: bool,
}

impl Log {
    /// The log of the bundle that the shim was started in.
    pub fn new(bundle: PathBuf, debug: bool) -> Self {
        Self { bundle, debug }
    }

    /// Something failed and nobody else is told.
    pub fn error(&self, text: &str) {
        self.line("error", text);
    }

    /// Written only with `-debug`.
    pub fn debug(&self, text: &str) {
        if self.debug {
            self.line("debug", text);
        }
    }

    fn line(&self, level: &str, text: &str) {
        let now_ms = Exit::now(0).exited_at_ms;
        let line = format!("time_ms={now_ms} level={level} msg={text:?}\n");
        // Non-blocking: a FIFO without a reader is refused at once, a full one loses the line.
        let fifo =
            OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(self.bundle.join("log"));
        let file =
            fifo.or_else(|_| OpenOptions::new().append(true).create(true).open(self.bundle.join("shim.log")));
        if let Ok(mut file) = file {
            let _ = file.write_all(line.as_bytes());
        }
    }
}
