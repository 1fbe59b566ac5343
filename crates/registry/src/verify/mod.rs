//! Verifying what is stored: every blob is read again, and every record looked at.
//!
//! It only looks on, so it is as good beside a running server as without one: the records are a snapshot, a blob
//! never changes under its name, and what is found wrong is looked at again in later snapshots, since a push or a
//! deletion may just have been under way.
//!
//! `files.rs` reads the disk; `examine.rs` decides, purely, what is wrong; `finding.rs` is what it can say.

mod examine;
mod files;
mod finding;

use std::{io, path::Path, thread, time::Duration};

use store::Entry;

pub use finding::{Finding, Image, User};

use crate::{
    BucketConfig,
    blobs::{bucket::Bucket, storage::BlobStorage},
};
use examine::{Records, examine};
use files::{Files, Home};

/// How often what is wrong is looked at again, and how long after each time: together longer than a push takes
/// from its file to its record.
const LOOKS: usize = 3;
const BETWEEN_LOOKS: Duration = Duration::from_millis(300);

/// What was read, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verified {
    pub repositories: usize,
    pub manifests: usize,
    /// Files read, those of manifests among them, and their bytes.
    pub blobs: usize,
    pub bytes: u64,
    pub findings: Vec<Finding>,
}

impl Verified {
    /// Whether all that was pushed can be pulled. Left-over files don't count: they take room, nothing else.
    pub fn is_whole(&self) -> bool {
        !self.findings.iter().any(Finding::is_damage)
    }
}

/// Verifies the registry in `data_dir`, whose blobs may be in a bucket, and whose records `load` gives as they stand at each call. `progress` is told
/// how many bytes have been read. Blocks.
///
/// # Errors
/// Those of `load`, and where the directories can't be listed. A blob that can't be read is a finding.
pub fn verify<E: From<io::Error>>(
    data_dir: &Path,
    bucket: Option<&BucketConfig>,
    load: impl Fn() -> Result<Vec<Entry>, E>,
    progress: impl Fn(u64) + Sync,
) -> Result<Verified, E> {
    let home = match bucket {
        Some(config) => Bucket::look(data_dir, config).map(Home::Bucket),
        None => BlobStorage::in_directory(data_dir).map(Home::Directory),
    };
    let home = home.map_err(io::Error::other)?;
    // The records first: what is deleted after them is found missing, and found gone at the next look.
    let mut records = Records::read(&load()?);
    let mut files = Files::read(data_dir, home, &progress)?;
    let mut findings = examine(&records, &files);
    for _ in 0..LOOKS {
        if findings.is_empty() {
            break;
        }
        thread::sleep(BETWEEN_LOOKS);
        records = Records::read(&load()?);
        files.read_again(findings.iter().filter_map(Finding::digest))?;
        let mut now = examine(&records, &files);
        now.retain(|finding| findings.iter().any(|before| before.is_about(finding)));
        findings = now;
    }
    let (repositories, manifests) = records.counts();
    let (blobs, bytes) = files.totals();
    Ok(Verified { repositories, manifests, blobs, bytes, findings })
}
