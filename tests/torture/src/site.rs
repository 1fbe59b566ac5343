//! The Longshore under test: its directories and its processes, to be killed and started again.

use std::fs::{self, File, OpenOptions};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use tokio::time::Instant;
use wire::Credentials;

use crate::client::Client;
use crate::host::Host;

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(300);
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// Which processes there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// `longshore server` and `longshore agent`, each to be killed alone.
    Apart,
    /// `longshore up`.
    Together,
}

/// A process that can be killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Server,
    Agent,
}

#[derive(Debug)]
pub struct Site {
    pub shape: Shape,
    pub host: Host,
    program: PathBuf,
    home: PathBuf,
    listen: String,
    server: Option<Child>,
    agent: Option<Child>,
    agent_environment: Vec<(String, String)>,
}

/// Below the ports that the kernel gives to clients: whoever calls a server that was just killed could be given the very
/// port that it calls, and would keep it from the next server.
fn free_port() -> anyhow::Result<u16> {
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    (20_000..32_000).find(free).context("no port is free")
}

impl Site {
    /// Starts a Longshore in a new directory below `home`.
    pub async fn start(bin: &Path, home: &Path, shape: Shape) -> anyhow::Result<Site> {
        fs::create_dir_all(home)?;
        let port = free_port()?;
        let agent_home = match shape {
            Shape::Apart => home.join("machine"),
            Shape::Together => home.join("data"),
        };
        fs::create_dir_all(agent_home.join("agent"))?;
        let mut site = Site {
            shape,
            host: Host::of(&fs::canonicalize(agent_home.join("agent"))?),
            program: bin.join("longshore"),
            home: home.to_owned(),
            listen: format!("127.0.0.1:{port}"),
            server: None,
            agent: None,
            agent_environment: vec![],
        };
        site.start_again(Part::Server)?;
        site.answers().await?;
        if shape == Shape::Apart {
            site.agent_environment = site.environment(&["--agent"])?;
            site.start_again(Part::Agent)?;
        }
        Ok(site)
    }

    /// A client as the person.
    pub fn client(&self) -> anyhow::Result<Client> {
        let environment = self.environment(&[])?;
        let get = |name: &str| {
            let found = environment.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.clone()).with_context(|| format!("no {name} in `longshore env`"))
        };
        let credentials = Credentials {
            access_key_id: get("AWS_ACCESS_KEY_ID")?,
            secret_access_key: get("AWS_SECRET_ACCESS_KEY")?,
            session_token: None,
        };
        Client::new(get("AWS_ENDPOINT_URL")?, get("AWS_REGION")?, credentials)
    }

    fn environment(&self, flags: &[&str]) -> anyhow::Result<Vec<(String, String)>> {
        let output = self.longshore("data").arg("env").arg("--format=json").args(flags).output()?;
        ensure!(output.status.success(), "longshore env: {}", String::from_utf8_lossy(&output.stderr));
        let Value::Object(members) = serde_json::from_slice(&output.stdout)? else { bail!("no JSON object") };
        Ok(members.into_iter().filter_map(|(k, v)| Some((k, v.as_str()?.to_owned()))).collect())
    }

    fn longshore(&self, directory: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--data-dir").arg(self.home.join(directory));
        if directory == "data" {
            command.args(["--listen", &self.listen]);
        }
        command.stdin(Stdio::null());
        command
    }

    fn log_path(&self, part: Part) -> PathBuf {
        self.home.join(match part {
            Part::Server => "server.log",
            Part::Agent => "agent.log",
        })
    }

    /// Starts a part that doesn't run. Doesn't wait until it is ready.
    pub fn start_again(&mut self, part: Part) -> anyhow::Result<()> {
        let log = OpenOptions::new().create(true).append(true).open(self.log_path(part))?;
        let mut command = match (part, self.shape) {
            (Part::Server, Shape::Apart) => {
                let mut command = self.longshore("data");
                command.arg("server");
                command
            }
            (Part::Server, Shape::Together) => {
                let mut command = self.longshore("data");
                command.args(["up", "--foreground", "--no-sample"]);
                command
            }
            (Part::Agent, _) => {
                let mut command = self.longshore("machine");
                command.args(["agent", "--serverless"]).envs(self.agent_environment.iter().cloned());
                command
            }
        };
        let child = command.stdout(log.try_clone()?).stderr(log).spawn().context("start longshore")?;
        *self.slot(part) = Some(child);
        Ok(())
    }

    /// `kill -9`, and gone when this returns.
    pub fn kill(&mut self, part: Part) -> anyhow::Result<()> {
        if let Some(mut child) = self.slot(part).take() {
            if let Some(status) = child.try_wait()? {
                bail!("{part:?} had ended by itself with {status}:\n{}", self.tail(part));
            }
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    fn slot(&mut self, part: Part) -> &mut Option<Child> {
        match part {
            Part::Server => &mut self.server,
            Part::Agent => &mut self.agent,
        }
    }

    pub fn parts(&self) -> &'static [Part] {
        match self.shape {
            Shape::Apart => &[Part::Server, Part::Agent],
            Shape::Together => &[Part::Server],
        }
    }

    /// Fails if one of the processes has ended.
    pub fn lives(&mut self) -> anyhow::Result<()> {
        for &part in self.parts() {
            let ended = self.slot(part).as_mut().map(Child::try_wait).transpose()?.flatten();
            if let Some(status) = ended {
                bail!("{part:?} ended by itself with {status}:\n{}", self.tail(part));
            }
        }
        Ok(())
    }

    /// Waits until the endpoint answers.
    pub async fn answers(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        let url = format!("http://{}/healthz", self.listen);
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
        while !http.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
            self.lives()?;
            ensure!(Instant::now() < until, "the server doesn't answer:\n{}", self.tail(Part::Server));
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// `longshore down` of all there is, as after a kill: nothing runs that could help.
    pub fn down(&mut self) -> anyhow::Result<()> {
        let directories: &[&str] = match self.shape {
            Shape::Apart => &["machine", "data"],
            Shape::Together => &["data"],
        };
        for &directory in directories {
            let output = self.longshore(directory).arg("down").output()?;
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(output.status.success(), "longshore down of {directory}: {said}");
        }
        for part in [Part::Server, Part::Agent] {
            if let Some(mut child) = self.slot(part).take() {
                // `down` has ended it; a child of ours stays a zombie until it is waited for.
                child.wait()?;
            }
        }
        Ok(())
    }

    /// The last lines that a part logged.
    pub fn tail(&self, part: Part) -> String {
        let text = fs::read_to_string(self.log_path(part)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    /// Lines of both logs that name a task.
    pub fn said_of(&self, id: &str) -> String {
        let mut found = vec![];
        for part in [Part::Server, Part::Agent] {
            let text = File::open(self.log_path(part)).and_then(std::io::read_to_string).unwrap_or_default();
            found.extend(text.lines().filter(|line| line.contains(id)).map(str::to_owned));
        }
        found[found.len().saturating_sub(8)..].join("\n")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        for child in [&mut self.server, &mut self.agent].into_iter().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
