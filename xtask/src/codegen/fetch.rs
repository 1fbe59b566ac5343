//! Brings the pinned botocore wheel under `target/` and reads service models out of it.
//!
//! pip fetches (it knows the user's proxies and mirrors) and checks the hash of `botocore.txt`;
//! the hash is checked here again, so that a wheel left from an earlier run is safe to reuse.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use sha2::{Digest, Sha256};

use super::model::Model;

/// The unpacked `botocore/data` folder.
pub struct Models(PathBuf);

impl Models {
    pub fn fetch(root: &Path) -> anyhow::Result<Self> {
        let pin_file = root.join("xtask/botocore.txt");
        let (version, sha256) = read_pin(&pin_file)?;
        let folder = root.join("target/codegen");
        let wheel = folder.join(format!("botocore-{version}-py3-none-any.whl"));
        if !matches_hash(&wheel, &sha256)? {
            fs::create_dir_all(&folder)?;
            run(Command::new("python3")
                .args(["-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"])
                .args(["--only-binary", ":all:", "--disable-pip-version-check", "-r"])
                .arg(&pin_file)
                .arg("-d")
                .arg(&folder))?;
            ensure!(matches_hash(&wheel, &sha256)?, "{} is not the pinned file", wheel.display());
        }
        let unpacked = folder.join(format!("botocore-{version}-{}", &sha256[..12]));
        if !unpacked.join("botocore/data").exists() {
            run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&unpacked))?;
        }
        Ok(Self(unpacked.join("botocore/data")))
    }

    /// The newest API version of `service`.
    pub fn load(&self, service: &str) -> anyhow::Result<Model> {
        let folder = self.0.join(service);
        let mut versions: Vec<_> = fs::read_dir(&folder)
            .with_context(|| format!("botocore has no {service}"))?
            .map(|entry| entry.map(|e| e.path()))
            .collect::<Result<_, _>>()?;
        versions.sort();
        let newest = versions.pop().with_context(|| format!("{service} has no version"))?;
        let packed = fs::read(newest.join("service-2.json.gz"))
            .with_context(|| format!("reading the model in {}", newest.display()))?;
        let mut json = Vec::new();
        flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut json)?;
        serde_json::from_slice(&json).with_context(|| format!("parsing the model of {service}"))
    }
}

fn read_pin(file: &Path) -> anyhow::Result<(String, String)> {
    let text = fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let pin = regex::Regex::new(r"(?m)^botocore==(\S+) --hash=sha256:([0-9a-f]{64})$")?;
    let found = pin.captures(&text).with_context(|| format!("no pin in {}", file.display()))?;
    Ok((found[1].to_owned(), found[2].to_owned()))
}

fn matches_hash(file: &Path, sha256: &str) -> anyhow::Result<bool> {
    match fs::read(file) {
        Ok(bytes) => Ok(hex::encode(Sha256::digest(bytes)) == sha256),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).with_context(|| format!("reading {}", file.display())),
    }
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("starting {command:?}"))?;
    if !status.success() {
        bail!("{command:?} failed: {status}");
    }
    Ok(())
}
