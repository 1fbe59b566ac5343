//! The server under load: the product's program, in a directory of its own.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use wire::Credentials;

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(60);
const CONNECTIONS_FROM_ONE: u32 = 10_000;
const ADDRESSES: u32 = 100;

/// Where to call, and as whom.
#[derive(Clone, Debug)]
pub struct Caller(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    address: String,
    region: String,
    opened: AtomicU32,
    credentials: Credentials,
}

impl Caller {
    /// `127.0.0.1:port`
    pub fn address(&self) -> &str {
        &self.0.address
    }

    /// From the next of several addresses of this machine: one has ports for 28,000 connections to the same place.
    pub async fn connect(&self) -> anyhow::Result<TcpStream> {
        let number = self.0.opened.fetch_add(1, Ordering::Relaxed) / CONNECTIONS_FROM_ONE;
        let socket = TcpSocket::new_v4()?;
        let from = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 0, 1, 1)) + number % ADDRESSES);
        socket.bind(SocketAddr::from((from, 0)))?;
        let stream = socket.connect(self.0.address.parse()?).await.context("connect")?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    pub fn region(&self) -> &str {
        &self.0.region
    }

    pub fn credentials(&self) -> &Credentials {
        &self.0.credentials
    }
}

#[derive(Debug)]
pub struct Site {
    program: PathBuf,
    home: PathBuf,
    address: String,
    server: Child,
}

impl Site {
    pub async fn start(bin: &Path, home: &Path) -> anyhow::Result<Site> {
        let program = std::fs::canonicalize(bin.join("longshore"))
            .with_context(|| format!("{}: `make build` makes it", bin.display()))?;
        // Nobody else takes a port that was just given back, in practice.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let address = format!("127.0.0.1:{port}");
        let server = spawn(&program, home, &address)?;
        let mut site = Site { program, home: home.to_owned(), address, server };
        site.answers().await?;
        Ok(site)
    }

    pub fn caller(&self, agent: bool) -> anyhow::Result<Caller> {
        let mut command = longshore(&self.program, &self.home, &self.address);
        command.args(["env", "--format=json"]).args(agent.then_some("--agent"));
        let output = command.output()?;
        ensure!(output.status.success(), "longshore env: {}", String::from_utf8_lossy(&output.stderr));
        let said: serde_json::Value = serde_json::from_slice(&output.stdout)?;
        let get = |name: &str| {
            said[name].as_str().map(str::to_owned).with_context(|| format!("no {name} in `longshore env`"))
        };
        Ok(Caller(Arc::new(Inner {
            address: self.address.clone(),
            region: get("AWS_REGION")?,
            opened: AtomicU32::new(0),
            credentials: Credentials {
                access_key_id: get("AWS_ACCESS_KEY_ID")?,
                secret_access_key: get("AWS_SECRET_ACCESS_KEY")?,
                session_token: None,
            },
        })))
    }

    /// `kill -9`; returns how long it took from the new start to the first answer.
    pub async fn kill_and_restart(&mut self) -> anyhow::Result<Duration> {
        self.server.kill()?;
        self.server.wait()?;
        let begun = Instant::now();
        self.server = spawn(&self.program, &self.home, &self.address)?;
        self.answers().await?;
        Ok(begun.elapsed())
    }

    pub fn pid(&self) -> u32 {
        self.server.id()
    }

    async fn answers(&mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        while !healthy(&self.address).await {
            if let Some(status) = self.server.try_wait()? {
                let log = std::fs::read_to_string(self.home.join("server.log")).unwrap_or_default();
                bail!("the server ended with {status}:\n{log}");
            }
            ensure!(begun.elapsed() < PATIENCE, "the server doesn't answer");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}

fn longshore(program: &Path, home: &Path, address: &str) -> Command {
    let mut command = Command::new(program);
    command.arg("--data-dir").arg(home.join("data")).args(["--listen", address]).stdin(Stdio::null());
    command
}

fn spawn(program: &Path, home: &Path, address: &str) -> anyhow::Result<Child> {
    let log = File::options().create(true).append(true).open(home.join("server.log"))?;
    longshore(program, home, address)
        .arg("server")
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("start longshore")
}

/// Processor time that a process has used. It says more than the clock on a machine that others use, too.
pub fn processor_time(pid: u32) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("a process's stat")?;
    // utime and stime, in hundredths of a second (proc(5), USER_HZ).
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    Ok(Duration::from_millis(ticks.sum::<Result<u64, _>>()? * 10))
}

/// Memory that a process has, in MiB.
pub fn resident_mib(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("a process's VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024)
}

async fn healthy(address: &str) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: longshore\r\nconnection: close\r\n\r\n").await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<_, std::io::Error>(answer.starts_with("HTTP/1.1 200"))
    };
    ask.await.unwrap_or(false)
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
