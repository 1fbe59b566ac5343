//! What is left of a container after the agent was away.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::shim::drain_found_log;
use super::{Ended, RuntimeError, Shim, Status};
use crate::whole;

/// `<bundle>/exit.json`, which the shim makes durable before it tells anybody of an exit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExitRecord {
    pub exit_code: u32,
    pub exited_at_ms: u64,
}

impl ExitRecord {
    pub fn ended(self) -> Ended {
        Ended { code: self.exit_code, at_ms: self.exited_at_ms }
    }
}

/// Reads the exit record; `None` when there is none, or none that can be read.
pub fn read_exit_record(bundle: &Path) -> Option<ExitRecord> {
    serde_json::from_slice(&std::fs::read(bundle.join("exit.json")).ok()?).ok()
}

/// Writes down, for a shim that does not, how a container ended whose bundle stays.
pub fn keep_exit_record(bundle: &Path, ended: Ended) -> std::io::Result<()> {
    let path = bundle.join("exit.json");
    if path.exists() {
        return Ok(());
    }
    let record = ExitRecord { exit_code: ended.code, exited_at_ms: ended.at_ms };
    whole::write(&path, &serde_json::to_vec(&record)?)
}

/// What was found.
#[derive(Debug)]
pub enum Adopted {
    /// No bundle, or one that no shim has ever served.
    Nothing,
    Created(Shim),
    Running(Shim),
    /// It ended while nobody looked. The shim may still hold it until Delete.
    Exited {
        shim: Option<Shim>,
        ended: Ended,
    },
    /// Its shim was killed and left no record.
    ShimKilled,
}

impl Adopted {
    /// Looks the bundle of container `id` up. Never waits for a container.
    pub async fn find(bundle: &Path, id: &str) -> Adopted {
        let Ok(address) = std::fs::read_to_string(bundle.join("address")) else {
            return Adopted::Nothing;
        };
        drain_found_log(bundle);
        let shim = match Shim::connect(address.trim()).await {
            Ok(shim) => shim,
            Err(_) => return Adopted::without_shim(bundle),
        };
        match shim.state(id).await {
            Ok((Status::Created, _)) => Adopted::Created(shim),
            Ok((Status::Running, _)) => Adopted::Running(shim),
            Ok((Status::Stopped, ended)) => {
                let ended = read_exit_record(bundle).map_or(ended, ExitRecord::ended);
                Adopted::Exited { shim: Some(shim), ended }
            }
            Ok((Status::Other, _)) => Adopted::without_shim(bundle),
            Err(RuntimeError::Gone { .. }) => Adopted::without_shim(bundle),
            // The shim lives and doesn't know the container: Create never reached it.
            Err(_) => match read_exit_record(bundle) {
                Some(r) => Adopted::Exited { shim: Some(shim), ended: r.ended() },
                None => Adopted::Nothing,
            },
        }
    }

    fn without_shim(bundle: &Path) -> Adopted {
        match read_exit_record(bundle) {
            Some(record) => Adopted::Exited { shim: None, ended: record.ended() },
            None => Adopted::ShimKilled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shim whose agent was killed before it had opened its log waits for a reader, and serves nobody.
    #[tokio::test]
    async fn a_shim_that_waits_for_its_logs_reader_gets_one() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        nix::unistd::mkfifo(&log, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let opening = std::thread::spawn(move || std::fs::OpenOptions::new().write(true).open(log));
        std::fs::write(dir.path().join("address"), "unix:///nobody/there").unwrap();
        assert!(matches!(Adopted::find(dir.path(), "one").await, Adopted::ShimKilled));
        opening.join().unwrap().unwrap();
    }
}
