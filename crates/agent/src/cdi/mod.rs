//! The machine's GPUs, as the Container Device Interface names them
//! (<https://github.com/cncf-tags/container-device-interface>, SPEC.md): the vendor's tool writes what a container needs
//! of a device, and whoever makes the container does it.
//!
//! [`Specs`] reads the files ([`file`]); [`gpus`] (pure) says which GPUs there are, [`edits`] what containers get of them.
//! Nothing is kept: a container gets what the files say when it is made, and a GPU that they name no more is gone.
//!
//! Must never: give a container less than the files say in silence, or end the agent because of a file.

mod edits;
mod file;
mod gpus;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use crate::bundle::Edits;
use file::{Device, Spec};

/// Where vendors' tools put their files. One in a later directory takes the place of an earlier one's device.
pub const DIRECTORIES: [&str; 2] = ["/etc/cdi", "/var/run/cdi"];

/// Why a container can't have its GPU, in words for its reason.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum CdiError {
    #[error(
        "the GPU {id} is not on this machine any more: no CDI specification in {places} names it{unread}"
    )]
    Gone { id: String, places: String, unread: String },
    #[error("the CDI specification {path} asks for {what} for the GPU {id}, which this agent does not do")]
    Unsupported { id: String, path: String, what: &'static str },
    #[error("the device {path} of the GPU {id}: {why}")]
    Node { id: String, path: String, why: String },
}

/// A file that was read.
#[derive(Debug, Clone)]
struct Loaded {
    path: PathBuf,
    /// The number of its directory.
    rank: usize,
    spec: Spec,
}

/// A device with the file that it is in.
#[derive(Debug, Clone, Copy)]
struct Named<'s> {
    device: &'s Device,
    of: &'s Loaded,
}

impl Named<'_> {
    /// `vendor.com/gpu=name`, as it is given to `--device` elsewhere.
    fn name(&self) -> String {
        format!("{}={}", self.of.spec.kind, self.device.name)
    }
}

/// The directories of the machine's specifications.
#[derive(Debug, Clone)]
pub struct Specs {
    directories: Vec<PathBuf>,
}

impl Specs {
    pub fn new(directories: Vec<PathBuf>) -> Self {
        Self { directories }
    }

    /// The ids of the GPUs that there are, in the files' order. What can't be used of the files is told in the log.
    /// `held`: those that tasks have.
    pub fn gpus(&self, held: &[String]) -> Vec<String> {
        let (loaded, unread) = self.load();
        unread.iter().for_each(|why| tracing::warn!("{why}"));
        let (named, doubtful) = gpus::devices(&loaded);
        for name in doubtful {
            tracing::warn!("two CDI specifications of one directory name the device {name}: it is not used");
        }
        gpus::gpus(&named, held)
    }

    /// What a container gets that has these GPUs. Blocks.
    pub fn edits(&self, ids: &[String]) -> Result<Edits, CdiError> {
        if ids.is_empty() {
            return Ok(Edits::default());
        }
        let (loaded, unread) = self.load();
        let (named, _) = gpus::devices(&loaded);
        let wanted: Vec<Named<'_>> = ids
            .iter()
            .map(|id| {
                named.iter().find(|one| one.name() == *id).copied().ok_or_else(|| self.gone(id, &unread))
            })
            .collect::<Result<_, _>>()?;
        edits::of(&wanted, edits::look)
    }

    fn gone(&self, id: &str, unread: &[String]) -> CdiError {
        let places: Vec<_> = self.directories.iter().map(|dir| dir.display().to_string()).collect();
        let unread: String = unread.iter().map(|why| format!("; {why}")).collect();
        CdiError::Gone { id: id.to_owned(), places: places.join(" or "), unread }
    }

    /// What can be read, in the order of directories and names, and why other files can't.
    fn load(&self) -> (Vec<Loaded>, Vec<String>) {
        let (mut loaded, mut unread) = (Vec::new(), Vec::new());
        for (rank, directory) in self.directories.iter().enumerate() {
            let files = match files(directory) {
                Ok(files) => files,
                Err(error) => {
                    unread.push(format!("cannot read the directory {}: {error}", directory.display()));
                    continue;
                }
            };
            for path in files {
                match file::read(&path) {
                    Ok(spec) => loaded.push(Loaded { path, rank, spec }),
                    Err(why) => {
                        unread.push(format!("cannot use the CDI specification {}: {why}", path.display()));
                    }
                }
            }
        }
        (loaded, unread)
    }
}

/// Its `.json` and `.yaml` files, by name. A directory that isn't there has none.
fn files(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .filter(|path| path.as_ref().map_or(true, |path| file::is_spec(path)))
        .collect::<Result<Vec<_>, _>>()?;
    files.sort();
    Ok(files)
}
