//! `longshore registry verify`: is all that was pushed still there, byte for byte?
//!
//! It reads the data directory, and the bucket where the blobs are in one, and asks no server: what is wanted is what
//! the disk gives, also when the server doesn't start any more.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use indicatif::HumanBytes;
use registry::verify::{Finding, Verified};
use store::{Entry, SqliteStore};

use crate::cli::VerifyArgs;
use crate::site::Site;
use crate::talk::Progress;

pub async fn verify(site: &Site, args: &VerifyArgs) -> Result<ExitCode> {
    // Says what to do where there never was a Longshore.
    site.keys()?;
    let (database, registry) = (site.dir.join("registry.db"), site.dir.join("registry"));
    let bucket = args.blobs.bucket()?;
    let step = Progress::new().step("Reading the registry's blobs");
    let (verified, step) = tokio::task::spawn_blocking(move || {
        let progress = |bytes| step.note(&HumanBytes(bytes).to_string());
        registry::verify::verify(&registry, bucket.as_ref(), || records(&database), progress)
            .map(|verified| (verified, step))
    })
    .await
    .context("verify the registry")?
    .context("verify the registry")?;
    step.done(&summary(&verified));
    let text = match args.json {
        true => serde_json::to_string_pretty(&verified).context("write the findings as JSON")?,
        false => told(&verified.findings),
    };
    if !text.is_empty() {
        // `longshore registry verify | head` closes the pipe: that's no failure.
        let _ = writeln!(std::io::stdout(), "{text}");
    }
    Ok(if verified.is_whole() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn records(database: &Path) -> Result<Vec<Entry>> {
    let snapshot = SqliteStore::look(database);
    Ok(snapshot.context("the registry's records can't be read; a backup of registry.db would help")?.entries)
}

fn summary(verified: &Verified) -> String {
    let Verified { repositories, manifests, blobs, bytes, findings } = verified;
    let damaged = findings.iter().filter(|finding| finding.is_damage()).count();
    let left_over = findings.len() - damaged;
    let end = match (damaged, left_over) {
        (0, 0) => "all is as it was pushed".to_owned(),
        (0, n) => format!("all is as it was pushed; left-over files: {n}"),
        (n, 0) => format!("wrong: {n}"),
        (n, m) => format!("wrong: {n}; left-over files: {m}"),
    };
    let bytes = HumanBytes(*bytes);
    format!("Read {blobs} blobs ({bytes}) for {manifests} manifests in {repositories} repositories: {end}")
}

fn told(findings: &[Finding]) -> String {
    findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
