//! Starting the server as a process of its own, and learning how that went.

use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::site::Site;

/// Opening a large state takes a while; nothing takes longer than this.
const PATIENCE: Duration = Duration::from_secs(120);

/// The one line that a starting server says to who started it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    Ready(Ready),
    Failed(String),
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Ready {
    pub pid: u32,
    pub listen: SocketAddr,
    pub endpoint: String,
}

/// Starts this program again in the background, with the same arguments, in a session of its own, and
/// waits until it is ready.
pub async fn start(site: &Site) -> Result<Ready> {
    site.dir.create()?;
    let path = site.dir.log_file();
    let log = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
    let log = log.with_context(|| format!("open {}", path.display()))?;
    let program = std::env::current_exe().context("find this program")?;
    let mut command = std::process::Command::new(program);
    // Its name as the person called it: `ps` shows it.
    command.arg0(std::env::args_os().next().unwrap_or_else(|| "longshore".into()));
    command.args(std::env::args_os().skip(1)).arg("--report");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
    // SAFETY: setsid is async-signal-safe and touches no memory of this process.
    unsafe { command.pre_exec(|| nix::unistd::setsid().map(drop).map_err(std::io::Error::from)) };
    let mut child = tokio::process::Command::from(command).spawn().context("start the server's process")?;
    let stdout = child.stdout.take().context("the server's stdout is a pipe")?;
    let mut line = String::new();
    let said = tokio::time::timeout(PATIENCE, BufReader::new(stdout).read_line(&mut line)).await;
    let log = path.display();
    match said {
        Ok(Ok(n)) if n > 0 => match serde_json::from_str(&line) {
            Ok(Report::Ready(ready)) => Ok(ready),
            Ok(Report::Failed(why)) => bail!("{why}"),
            Err(_) => bail!("the server said something else than it should: {line:?}; see {log}"),
        },
        Ok(_) => bail!("the server ended while it started; see the last lines of {log}"),
        Err(_) => {
            // Not ready and not ended: leave nothing half-started behind.
            let _ = child.start_kill();
            bail!("the server was not ready after {} s; see {log}", PATIENCE.as_secs())
        }
    }
}
