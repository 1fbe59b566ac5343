//! `longshore down`: tasks first, then the server, then everything that they made on this machine.

use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cli::DownArgs;
use crate::data_dir::Running;
use crate::server::{DRAIN_PATH, DrainAnswer, DrainRequest, taken_down};
use crate::site::{Site, credentials, endpoint};
use crate::talk::{Client, Progress, told};

/// How long a server may take to end after SIGTERM, before SIGKILL.
const END_PATIENCE: Duration = Duration::from_secs(15);

pub async fn down(site: &Site, args: &DownArgs) -> Result<ExitCode> {
    let dir = site.dir.path();
    if !dir.exists() {
        eprintln!(
            "there is nothing at {}: no Longshore was started there, or it is gone already",
            dir.display()
        );
        return Ok(ExitCode::SUCCESS);
    }
    if !nix::unistd::geteuid().is_root() {
        bail!("removing containers needs root: run it again with sudo");
    }
    let progress = Progress::new();
    if let Some(running) = site.dir.running()? {
        stop_tasks(site, &running, args.timeout, progress).await;
        let step = progress.step("end the server");
        end(running.pid).await?;
        step.done("the server has ended");
    }
    if site.dir.join("agent").exists() {
        // An agent alone has no state beside it that could be settled.
        if site.dir.join("state.db").exists() {
            taken_down::mark(&site.dir)?;
        }
        clean_up(site, progress).await?;
    }
    if args.purge {
        site.dir.purge()?;
        eprintln!("✓ removed what Longshore kept in {}", dir.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// As gracefully as it goes: what doesn't stop here is killed by the clean-up.
async fn stop_tasks(site: &Site, running: &Running, timeout: Duration, progress: Progress) {
    // An agent alone has no endpoint: its tasks are stopped by the clean-up.
    if running.listen.port() == 0 {
        return;
    }
    let step = progress.step("stop the tasks");
    match drain(site, running, timeout).await {
        Ok(DrainAnswer { stopped, left: 0 }) => step.done(&match stopped {
            0 => "no tasks were running".to_owned(),
            1 => "1 task stopped".to_owned(),
            n => format!("{n} tasks stopped"),
        }),
        Ok(DrainAnswer { stopped, left }) => step.done(&format!(
            "{stopped} tasks stopped; {left} did not within {} s and will be killed",
            timeout.as_secs()
        )),
        Err(error) => {
            drop(step);
            eprintln!("  {}; the tasks will be killed", told(&error));
        }
    }
}

async fn drain(site: &Site, running: &Running, timeout: Duration) -> Result<DrainAnswer> {
    let keys = site.keys()?;
    let (ca, user) = (site.dir.ca(), credentials(&keys.user));
    let client = Client::new(endpoint(running.listen), Some(&ca), user, keys.account, keys.region)?;
    let request = DrainRequest { timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX) };
    let answer =
        client.own(DRAIN_PATH, serde_json::to_vec(&request)?, timeout + Duration::from_secs(10)).await?;
    Ok(serde_json::from_slice(&answer)?)
}

async fn end(pid: u32) -> Result<()> {
    let process = Pid::from_raw(i32::try_from(pid).context("a process id")?);
    for (signal, patience) in [(Signal::SIGTERM, END_PATIENCE), (Signal::SIGKILL, END_PATIENCE)] {
        // It may have ended meanwhile.
        let _ = kill(process, signal);
        let until = Instant::now() + patience;
        while Instant::now() < until {
            if is_gone(pid) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    bail!("process {pid} does not end")
}

/// Gone, or a zombie that only its parent still knows.
fn is_gone(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    // The name before the state may hold anything, parentheses too.
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('Z'))
}

async fn clean_up(site: &Site, progress: Progress) -> Result<()> {
    let step = progress.step("remove what was made on this machine");
    let report =
        agent::cleanup(&site.dir.join("agent")).await.context("remove what was made on this machine")?;
    if !report.left.is_empty() {
        bail!("some things could not be removed; run it again:\n  {}", report.left.join("\n  "));
    }
    let mut removed = vec![];
    for (count, one, many) in [
        (report.containers, "container", "containers"),
        (report.root_file_systems, "root file system", "root file systems"),
        (report.volumes, "task's volumes", "tasks' volumes"),
        (report.namespaces, "network namespace", "network namespaces"),
        (report.cgroups, "cgroup", "cgroups"),
        (usize::from(report.bridge), "bridge", "bridges"),
    ] {
        if count > 0 {
            removed.push(format!("{count} {}", if count == 1 { one } else { many }));
        }
    }
    step.done(&match removed.is_empty() {
        true => "nothing was left on this machine".to_owned(),
        false => format!("removed {}", removed.join(", ")),
    });
    Ok(())
}
