//! What the machine itself has of an agent: processes, namespaces, mounts, cgroups, interfaces. It asks
//! the kernel and nobody of ours.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};

/// The traces of one agent, found by what names them.
#[derive(Clone, Debug)]
pub struct Host {
    /// Names the agent's bridge, cgroups and runtime files.
    prefix: String,
    directory: PathBuf,
}

/// A task's traces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// First processes of containers: process 1 of a pid namespace, in a cgroup of the task.
    pub processes: Vec<u32>,
    pub shims: Vec<u32>,
    /// Everything else, in words.
    pub others: Vec<String>,
}

impl Host {
    /// Of the agent whose directory is `directory`.
    pub fn of(directory: &Path) -> Host {
        let hash = Sha256::digest(directory.as_os_str().as_encoded_bytes());
        Host { prefix: format!("ls{}", hex::encode(&hash[..3])), directory: directory.to_owned() }
    }

    /// The shims that serve now, with their tasks' ids.
    pub fn shims(&self) -> Vec<(u32, String)> {
        processes().filter_map(|pid| Some((pid, self.shim_of(pid)?))).collect()
    }

    fn shim_of(&self, pid: u32) -> Option<String> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        if !serves(&stat, &status) {
            return None;
        }
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let words: Vec<&str> =
            line.split(|b| *b == 0).filter_map(|word| std::str::from_utf8(word).ok()).collect();
        let after = |flag: &str| words.iter().skip_while(|word| **word != flag).nth(1).copied();
        if after("-namespace") != Some(&self.prefix) {
            return None;
        }
        let (task, _) = after("-id")?.rsplit_once('-')?;
        Some(task.to_owned())
    }

    /// Everything on the machine that belongs to a task, by the task's id.
    pub fn traces(&self) -> BTreeMap<String, Traces> {
        let mut found: BTreeMap<String, Traces> = BTreeMap::new();
        for (pid, task) in self.shims() {
            found.entry(task).or_default().shims.push(pid);
        }
        for pid in processes() {
            let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
            let Some(task) = text.lines().find_map(|line| self.task_of(line)) else { continue };
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let inner = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
            let first =
                inner.is_some_and(|pids| pids.split_whitespace().count() > 1 && pids.ends_with("\t1"));
            let traces = found.entry(task).or_default();
            match first {
                true => traces.processes.push(pid),
                false => traces.others.push(format!("process {pid}")),
            }
        }
        for name in names(&Path::new("/run/longshore").join(&self.prefix).join("netns")) {
            found.entry(name.clone()).or_default().others.push(format!("network namespace {name}"));
        }
        for line in fs::read_to_string("/proc/self/mountinfo").unwrap_or_default().lines() {
            let Some(at) = line.split(' ').nth(4) else { continue };
            let tasks = self.directory.join("tasks");
            if let Ok(rest) = Path::new(at).strip_prefix(&tasks)
                && let Some(task) = rest.iter().next()
            {
                let task = task.to_string_lossy().into_owned();
                found.entry(task).or_default().others.push(format!("mount {at}"));
            }
        }
        for controller in names(Path::new("/sys/fs/cgroup")) {
            let root = Path::new("/sys/fs/cgroup").join(&controller);
            // v1 has a hierarchy for each controller, v2 one for all.
            for dir in [root.join(self.cgroup()), PathBuf::from("/sys/fs/cgroup").join(self.cgroup())] {
                for task in names(&dir).into_iter().filter(|name| dir.join(name).is_dir()) {
                    let words = format!("cgroup {}", dir.join(&task).display());
                    let others = &mut found.entry(task).or_default().others;
                    if !others.contains(&words) {
                        others.push(words);
                    }
                }
            }
        }
        found
    }

    fn cgroup(&self) -> String {
        format!("longshore-{}", self.prefix)
    }

    /// The task in a line of /proc/PID/cgroup: `…/longshore-<prefix>/<task>/<container>`.
    fn task_of(&self, line: &str) -> Option<String> {
        let ours = self.cgroup();
        let mut parts = line.split('/').skip_while(|part| **part != ours).skip(1);
        parts.next().map(str::to_owned)
    }

    /// Everything of the agent, tasks or not: empty after `down`.
    pub fn leftovers(&self) -> Vec<String> {
        let mut left: Vec<String> = self
            .traces()
            .into_iter()
            .flat_map(|(task, traces)| {
                let shims = traces.shims.into_iter().map(|pid| format!("shim {pid}"));
                let processes = traces.processes.into_iter().map(|pid| format!("process {pid}"));
                let all: Vec<String> = shims.chain(processes).chain(traces.others).collect();
                all.into_iter().map(move |what| format!("task {task}: {what}"))
            })
            .collect();
        let run = Path::new("/run/longshore").join(&self.prefix);
        if run.exists() {
            left.push(run.display().to_string());
        }
        let links =
            names(Path::new("/sys/class/net")).into_iter().filter(|name| name.starts_with(&self.prefix));
        left.extend(links.map(|name| format!("interface {name}")));
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let directory = self.directory.to_string_lossy();
        left.extend(
            mounts.lines().filter(|line| line.contains(&*directory)).map(|line| format!("mount {line}")),
        );
        let tables = Command::new("nft").args(["list", "tables"]).output();
        let tables =
            tables.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
        left.extend(tables.lines().filter(|line| line.contains(&self.prefix)).map(str::to_owned));
        left
    }
}

/// Whether a process's `stat` and `status` (proc(5)) are those of a serving shim.
///
/// A serving shim gives itself a name and leads a session. Its copies have the name too: a container's first
/// process until it executes its program, which is the first of a pid namespace; and a helper of a few
/// milliseconds, which leads no session. To kill one of those is no blow to the shim.
fn serves(stat: &str, status: &str) -> bool {
    let name = status.lines().find_map(|line| line.strip_prefix("Name:"));
    let pids = status.lines().find_map(|line| line.strip_prefix("NSpid:")).unwrap_or_default();
    // After the name, which may hold anything: state, parent, group, session.
    let session = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(3));
    let pid = stat.split_whitespace().next();
    name.is_some_and(|name| name.trim() == "longshore-shim")
        && pids.split_whitespace().count() == 1
        && session.is_some()
        && session == pid
}

fn processes() -> impl Iterator<Item = u32> {
    names(Path::new("/proc")).into_iter().filter_map(|name| name.parse().ok())
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shims_copies_are_not_taken_for_it() {
        let stat = |session: u32| format!("70 (longshore-shim) S 1 70 {session} 0 -1 4194304");
        let status = |pids: &str| format!("Name:\tlongshore-shim\nPid:\t70\nNSpid:\t{pids}\n");
        assert!(serves(&stat(70), &status("70")));
        assert!(!serves(&stat(60), &status("70")), "one that hurries the kernel");
        assert!(!serves(&stat(70), &status("70\t1")), "a container's first process");
        assert!(!serves(&stat(70), "Name:\tsleep\nNSpid:\t70\n"));
    }
}
