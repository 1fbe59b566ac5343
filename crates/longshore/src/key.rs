//! `longshore key`: access keys with policies of their own.

use std::io::{Read, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cli::{EnvFormat, KeyArgs, KeyCommand};
use crate::data_dir::Key;
use crate::environment;
use crate::server::{KEYS_PATH, KeyShown, KeysAnswer, KeysRequest};
use crate::site::Site;
use crate::talk::{CallError, Client, ago, now_ms, table};

const PATIENCE: Duration = Duration::from_secs(10);

pub async fn key(site: &Site, args: &KeyArgs) -> Result<ExitCode> {
    let client = site.client()?;
    let text = match &args.command {
        KeyCommand::Create { name, policy, format } => {
            let policy = policy.as_deref().map(policy_text).transpose()?;
            let key = one(ask(&client, KeysRequest::Create { name: name.clone(), policy }).await?)?;
            made(&client, key, *format)?
        }
        KeyCommand::List { json } => {
            let keys = ask(&client, KeysRequest::List).await?;
            match json {
                true => {
                    format!("{}\n", serde_json::to_string_pretty(&keys).context("write the keys as JSON")?)
                }
                false => format!("{}\n", listed(&keys)),
            }
        }
        KeyCommand::Policy { name, policy: None, none: false } => {
            let keys = ask(&client, KeysRequest::List).await?;
            match keys.into_iter().find(|key| key.name == *name) {
                Some(KeyShown { policy: Some(policy), .. }) => format!("{}\n", policy.trim_end()),
                Some(_) => bail!(
                    "the key {name:?} has no policy: it may do only what policies of repositories give it"
                ),
                None => bail!("there is no key {name:?}"),
            }
        }
        KeyCommand::Policy { name, policy, .. } => {
            let policy = policy.as_deref().map(policy_text).transpose()?;
            ask(&client, KeysRequest::SetPolicy { name: name.clone(), policy }).await?;
            String::new()
        }
        KeyCommand::Delete { name } => {
            ask(&client, KeysRequest::Delete { name: name.clone() }).await?;
            String::new()
        }
    };
    // `longshore key list | head` closes the pipe: that's no failure.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(ExitCode::SUCCESS)
}

async fn ask(client: &Client, request: KeysRequest) -> Result<Vec<KeyShown>> {
    let body = serde_json::to_vec(&request).context("write the request")?;
    let answer = match client.own(KEYS_PATH, body, PATIENCE).await {
        // What the server says is for the person.
        Err(CallError::Own { body, .. }) => bail!("{body}"),
        answer => answer?,
    };
    let answer: KeysAnswer = serde_json::from_slice(&answer).context("read the server's answer")?;
    Ok(answer.keys)
}

fn one(keys: Vec<KeyShown>) -> Result<KeyShown> {
    keys.into_iter().next().context("the server names no key")
}

/// A policy of AWS's by its name, or a file's text.
pub fn policy_text(from: &str) -> Result<String> {
    if let Some(text) = iam::managed(from) {
        return Ok(text);
    }
    if from == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("read the policy from stdin")?;
        return Ok(text);
    }
    std::fs::read_to_string(from).with_context(|| {
        let names: Vec<&str> = iam::managed_names().collect();
        format!("read the policy {from}, which is none of {}", names.join(", "))
    })
}

fn made(client: &Client, key: KeyShown, format: EnvFormat) -> Result<String> {
    let secret_access_key = key.secret_access_key.context("the server tells no secret")?;
    let written = Key { access_key_id: key.access_key_id, secret_access_key };
    Ok(environment::shown(client.endpoint(), client.ca(), &client.region, &written, format))
}

fn listed(keys: &[KeyShown]) -> String {
    let now_ms = now_ms();
    let cells = keys.iter().map(|key| {
        let policy = if key.policy.is_some() { "yes" } else { "-" };
        let age = ago(key.created_at_ms, now_ms);
        vec![key.name.clone(), key.access_key_id.clone(), policy.to_owned(), age, key.arn.clone()]
    });
    table(&["NAME", "ACCESS KEY", "POLICY", "MADE", "ARN"], cells)
}
