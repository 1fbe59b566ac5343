//! Making a container's cgroup, limiting it, moving a process in, and removing it.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oci_spec::runtime::{LinuxDeviceCgroup, LinuxResources};

use super::limits::{self, Write};
use super::{Cgroup, ROOT, devices, guard};

/// How long the kernel may take to let go of the processes of a cgroup that is removed.
const PATIENCE: Duration = Duration::from_secs(2);

/// The cgroup can't be had as it is wanted.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    #[error("{0}")]
    Refused(String),
    #[error("cgroup: {what} {path}")]
    Io {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CgroupError {
    let path = path.to_owned();
    move |source| CgroupError::Io { what, path, source }
}

impl Cgroup {
    /// Makes the cgroup, where it is missing, and sets its limits.
    pub fn make(&self, resources: Option<&LinuxResources>) -> Result<(), CgroupError> {
        if self.path.as_os_str().is_empty() {
            return Err(CgroupError::Refused("linux.cgroupsPath: that is the root cgroup".into()));
        }
        if self.unified {
            self.make_unified()?;
            if let Some(rules) = resources.and_then(|resources| resources.devices().as_deref()) {
                self.guard_devices(rules)?;
            }
        } else {
            for (name, dir) in self.hierarchies() {
                std::fs::create_dir_all(&dir).map_err(io("make", &dir))?;
                if name.split(',').any(|controller| controller == "cpuset") {
                    self.inherit_cpuset(&Path::new(ROOT).join(name))?;
                }
            }
        }
        resources.map_or(Ok(()), |resources| self.limit(resources))
    }

    /// Changes the limits of a cgroup that is in use, and leaves those alone that aren't named.
    pub fn change(&self, resources: &LinuxResources) -> Result<(), CgroupError> {
        if self.unified && resources.devices().as_ref().is_some_and(|rules| !rules.is_empty()) {
            let why = "resources.devices: they are decided when the container is made on cgroup v2";
            return Err(CgroupError::Refused(why.into()));
        }
        self.limit(resources)
    }

    fn limit(&self, resources: &LinuxResources) -> Result<(), CgroupError> {
        let writes = if self.unified { limits::unified(resources) } else { limits::legacy(resources) };
        let writes = writes.map_err(CgroupError::Refused)?;
        // Of v1's two memory limits one must go first when they rise and the other when they fall.
        let mut late = Vec::new();
        let mut open = None;
        for one in &writes {
            match self.write(one, &mut open) {
                Err(_) if one.file.ends_with("limit_in_bytes") => late.push(one),
                other => other?,
            }
        }
        late.into_iter().try_for_each(|one| self.write(one, &mut open))
    }

    /// Rules for devices are many writes to one file, which stays `open` meanwhile.
    fn write(&self, one: &Write, open: &mut Option<(PathBuf, File)>) -> Result<(), CgroupError> {
        let path = self.dir(one.controller).join(&one.file);
        let file = match open {
            Some((of, file)) if *of == path => file,
            _ => {
                let file = File::options().write(true).open(&path).map_err(io("open", &path))?;
                &mut open.insert((path.clone(), file)).1
            }
        };
        // One call to write(2), as the kernel wants it.
        file.write_all(one.value.as_bytes()).map_err(io("write to", &path))
    }

    /// On v2 the directory that a process can be cloned into (clone(2), CLONE_INTO_CGROUP).
    pub fn birthplace(&self) -> Result<Option<File>, CgroupError> {
        let dir = self.dir("");
        if self.unified { File::open(&dir).map(Some).map_err(io("open", &dir)) } else { Ok(None) }
    }

    /// On v2, moves a process in that could not be cloned into it.
    pub fn take_in(&self, pid: i32) -> Result<(), CgroupError> {
        if !self.unified {
            return Ok(());
        }
        let path = self.dir("").join("cgroup.procs");
        std::fs::write(&path, pid.to_string()).map_err(io("move a process into", &path))
    }

    /// On v1, what a process needs to move itself in; on v2 nothing.
    pub fn doors(&self) -> Result<Doors, CgroupError> {
        if self.unified {
            return Ok(Doors(Vec::new()));
        }
        let open = |(_, dir): (&str, PathBuf)| {
            let path = dir.join("tasks");
            let file = File::options().write(true).open(&path).map_err(io("open", &path))?;
            Ok((path, file))
        };
        self.hierarchies().map(open).collect::<Result<_, _>>().map(Doors)
    }

    /// Stops everything in it where it is, or lets it go on.
    pub fn freeze(&self, frozen: bool) -> Result<(), CgroupError> {
        let (file, text) = match (self.unified, frozen) {
            (true, true) => ("cgroup.freeze", "1"),
            (true, false) => ("cgroup.freeze", "0"),
            (false, true) => ("freezer.state", "FROZEN"),
            (false, false) => ("freezer.state", "THAWED"),
        };
        let path = self.dir("freezer").join(file);
        std::fs::write(&path, text).map_err(io("write to", &path))?;
        let end = Instant::now() + PATIENCE;
        // It takes effect a little later, on v1 after more than one attempt.
        while frozen && !self.is_frozen() {
            if Instant::now() > end {
                let _ = self.freeze(false);
                let source = io::ErrorKind::TimedOut.into();
                return Err(CgroupError::Io { what: "freeze", path, source });
            }
            std::thread::sleep(Duration::from_millis(1));
            let _ = std::fs::write(&path, text);
        }
        Ok(())
    }

    fn is_frozen(&self) -> bool {
        if self.unified {
            self.keyed("freezer", "cgroup.events", "frozen") == 1
        } else {
            self.read("freezer", "freezer.state").trim() == "FROZEN"
        }
    }

    /// Removes it with those that were made below it. Nothing may run there any more.
    pub fn remove(&self) -> Result<(), CgroupError> {
        if self.path.as_os_str().is_empty() {
            return Ok(());
        }
        let end = Instant::now() + PATIENCE;
        let dirs =
            if self.unified { vec![self.dir("")] } else { self.hierarchies().map(|(_, dir)| dir).collect() };
        for dir in dirs {
            while let Err(source) = remove_all(&dir) {
                if Instant::now() > end {
                    return Err(CgroupError::Io { what: "remove", path: dir, source });
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    }

    /// v1's hierarchies: the name of each one's directory below [`ROOT`], and the cgroup's own directory there.
    pub fn hierarchies(&self) -> impl Iterator<Item = (&str, PathBuf)> {
        let own = |name: &String| Path::new(ROOT).join(name).join(&self.path);
        self.hierarchies.iter().map(move |name| (name.as_str(), own(name)))
    }

    /// Each controller must be given to a cgroup's children by all above it (cgroup-v2.rst, "Enabling and Disabling").
    fn make_unified(&self) -> Result<(), CgroupError> {
        let dir = self.dir("");
        std::fs::create_dir_all(&dir).map_err(io("make", &dir))?;
        let mut above = PathBuf::from(ROOT);
        for part in self.path.components() {
            let given = std::fs::read_to_string(above.join("cgroup.controllers")).unwrap_or_default();
            for controller in given.split_whitespace() {
                // One that can't be given on is missed by the limit that needs it.
                let _ = std::fs::write(above.join("cgroup.subtree_control"), format!("+{controller}"));
            }
            above.push(part);
        }
        Ok(())
    }

    fn guard_devices(&self, rules: &[LinuxDeviceCgroup]) -> Result<(), CgroupError> {
        let rules = devices::rules(rules).map_err(CgroupError::Refused)?;
        if rules.is_empty() {
            return Ok(());
        }
        let dir = self.dir("");
        guard::set(&dir, &rules).map_err(io("guard the devices of", &dir))
    }

    /// A new cpuset of v1 has no processors and takes nobody in before it is given some.
    fn inherit_cpuset(&self, root: &Path) -> Result<(), CgroupError> {
        let mut dir = root.to_owned();
        for part in self.path.components() {
            let above = dir.clone();
            dir.push(part);
            for file in ["cpuset.cpus", "cpuset.mems"] {
                let read = |dir: &Path| std::fs::read_to_string(dir.join(file)).unwrap_or_default();
                if read(&dir).trim().is_empty() {
                    let path = dir.join(file);
                    std::fs::write(&path, read(&above).trim()).map_err(io("write to", &path))?;
                }
            }
        }
        Ok(())
    }
}

/// The `tasks` files of a cgroup in each of v1's hierarchies, open: a process that has left the host's file systems
/// behind can still enter by them.
#[derive(Debug)]
pub struct Doors(Vec<(PathBuf, File)>);

impl Doors {
    /// Moves this process in, which must have one thread, and closes the files.
    ///
    /// By "0" in `tasks`, which is the calling thread. Any other pid, and whatever is written to `cgroup.procs`, takes
    /// the kernel's `cgroup_threadgroup_rwsem` for writing, which waits for an RCU grace period: 9 to 14 ms, in which
    /// nobody can make a cgroup. A thread that moves itself alone takes no such lock
    /// (`cgroup_procs_write_start` in kernel/cgroup/cgroup.c).
    pub fn enter(self) -> Result<(), CgroupError> {
        self.0
            .into_iter()
            .try_for_each(|(path, mut file)| file.write_all(b"0").map_err(io("move a process into", &path)))
    }
}

/// v1's hierarchies with controllers, by the names of their directories below [`ROOT`].
pub(super) fn hierarchies() -> Vec<String> {
    let text = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let names = text.lines().filter_map(|line| line.split(':').nth(1));
    // Without controllers: v2's in a hybrid set-up, or systemd's own.
    let counts = |name: &&str| {
        !name.is_empty()
            && !name.starts_with("name=")
            && Path::new(ROOT).join(name).join("cgroup.procs").exists()
    };
    names.filter(counts).map(str::to_owned).collect()
}

fn remove_all(dir: &Path) -> io::Result<()> {
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_all(&entry.path())?;
        }
    }
    match std::fs::remove_dir(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
