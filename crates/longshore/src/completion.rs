//! Completion of command lines: the script for a shell, and the names that the server knows.
//!
//! The script calls this program again at each Tab, with `COMPLETE` in the environment. Then nothing may be
//! printed but candidates: a server that is away has none.

use std::ffi::OsString;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::CommandFactory;
use clap_complete::CompleteEnv;
use clap_complete::engine::CompletionCandidate;
use clap_complete::env::Shells;

use crate::cli::{Cli, CompletionArgs, SiteArgs};
use crate::ps;
use crate::site::Site;
use crate::talk::Client;

const VARIABLE: &str = "COMPLETE";
/// Who presses Tab doesn't wait longer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Answers a shell that asks for candidates, and ends; does nothing for anybody else.
pub fn answer_shell() {
    CompleteEnv::with_factory(Cli::command).var(VARIABLE).complete();
}

pub fn completion(args: &CompletionArgs) -> Result<ExitCode> {
    let shells = Shells::builtins();
    let shell = shells.completer(args.shell.name()).context("no script for this shell")?;
    let mut script = Vec::new();
    let program = std::env::args().next().unwrap_or_else(|| "longshore".to_owned());
    // Called by a path, it is found by that path; by its name, by PATH.
    let program = match program.contains('/') {
        true => std::path::absolute(&program).context("this program's path")?.display().to_string(),
        false => program,
    };
    shell
        .write_registration(VARIABLE, "longshore", "longshore", &program, &mut script)
        .context("write the script")?;
    // `longshore completion bash | head` closes the pipe: that's no failure.
    let _ = std::io::stdout().write_all(&script);
    Ok(ExitCode::SUCCESS)
}

/// Services and tasks of the cluster that the line names.
pub fn tasks_and_services() -> Vec<CompletionCandidate> {
    asked(|client, cluster| async move {
        let mut found = services_of(&client, &cluster).await?;
        for task in ps::tasks(&client, &cluster, None, true).await? {
            let id = task.task_arn.as_deref().map(ps::short).unwrap_or_default();
            let group = task.group.as_deref().unwrap_or_default();
            let status = task.last_status.as_deref().unwrap_or_default();
            found.push(candidate(id, &format!("{status} {group}")));
        }
        Ok(found)
    })
}

pub fn services() -> Vec<CompletionCandidate> {
    asked(|client, cluster| async move { services_of(&client, &cluster).await })
}

pub fn clusters() -> Vec<CompletionCandidate> {
    asked(|client, _| async move {
        Ok(ps::clusters(&client).await?.iter().map(|arn| candidate(ps::id(arn), "")).collect())
    })
}

pub fn images() -> Vec<CompletionCandidate> {
    asked(|client, _| async move {
        let found = client.call::<wire::ecr::ops::DescribeRepositories>(&Default::default()).await?;
        let names =
            found.repositories.into_iter().flatten().filter_map(|repository| repository.repository_name);
        Ok(names.map(|name| candidate(&name, "")).collect())
    })
}

async fn services_of(client: &Client, cluster: &str) -> Result<Vec<CompletionCandidate>> {
    let list = wire::ecs::ListServicesRequest {
        cluster: Some(cluster.to_owned()),
        max_results: Some(100),
        ..Default::default()
    };
    let found = client.call::<wire::ecs::ops::ListServices>(&list).await?.service_arns.unwrap_or_default();
    Ok(found.iter().map(|arn| candidate(ps::id(arn), "service")).collect())
}

fn candidate(value: &str, help: &str) -> CompletionCandidate {
    CompletionCandidate::new(value).help((!help.is_empty()).then(|| help.to_owned().into()))
}

/// Asks the server that the line is about; whatever goes wrong, there is just nothing to offer.
fn asked<F>(ask: impl FnOnce(Client, String) -> F) -> Vec<CompletionCandidate>
where
    F: Future<Output = Result<Vec<CompletionCandidate>>>,
{
    let words: Vec<OsString> = std::env::args_os().skip(1).collect();
    let of = |flag: &str| value(&words, flag);
    let site = SiteArgs {
        data_dir: of("--data-dir").or_else(|| std::env::var("LONGSHORE_DATA_DIR").ok()).map(PathBuf::from),
        listen: of("--listen")
            .or_else(|| std::env::var("LONGSHORE_LISTEN").ok())
            .and_then(|text| text.parse().ok()),
        ca: of("--ca").or_else(|| std::env::var("AWS_CA_BUNDLE").ok()).map(PathBuf::from),
    };
    let cluster = of("--cluster").unwrap_or_else(|| "default".to_owned());
    let answer = || -> Result<Vec<CompletionCandidate>> {
        let client = Site::new(&site)?.client()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async { tokio::time::timeout(PATIENCE, ask(client, cluster)).await? })
    };
    answer().unwrap_or_default()
}

/// `--flag VALUE` or `--flag=VALUE` of an unfinished line.
fn value(words: &[OsString], flag: &str) -> Option<String> {
    let mut words = words.iter().filter_map(|word| word.to_str());
    while let Some(word) = words.next() {
        if word == flag {
            return words.next().map(ToOwned::to_owned);
        }
        if let Some(value) = word.strip_prefix(flag).and_then(|rest| rest.strip_prefix('=')) {
            return Some(value.to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_an_unfinished_line() {
        let words: Vec<OsString> =
            ["--", "longshore", "--data-dir", "/d", "logs", "--cluster=web", "--listen"]
                .map(Into::into)
                .into();
        assert_eq!(value(&words, "--data-dir").as_deref(), Some("/d"));
        assert_eq!(value(&words, "--cluster").as_deref(), Some("web"));
        assert_eq!(value(&words, "--listen"), None);
    }
}
