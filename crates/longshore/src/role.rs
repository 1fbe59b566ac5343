//! `longshore role`: what tasks may do.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cli::{RoleArgs, RoleCommand};
use crate::key::policy_text;
use crate::server::{ROLES_PATH, RoleShown, RolesAnswer, RolesRequest};
use crate::site::Site;
use crate::talk::{CallError, Client, ago, now_ms, table};

const PATIENCE: Duration = Duration::from_secs(10);

pub async fn role(site: &Site, args: &RoleArgs) -> Result<ExitCode> {
    let client = site.client()?;
    let text = match &args.command {
        RoleCommand::Put { name, policy } => {
            let put = RolesRequest::Put { name: name.clone(), policy: policy_text(policy)? };
            let roles = ask(&client, put).await?;
            roles.first().map(|role| format!("{}\n", role.arn)).unwrap_or_default()
        }
        RoleCommand::List { json } => {
            let roles = ask(&client, RolesRequest::List).await?;
            match json {
                true => {
                    format!("{}\n", serde_json::to_string_pretty(&roles).context("write the roles as JSON")?)
                }
                false => format!("{}\n", listed(&roles)),
            }
        }
        RoleCommand::Delete { name } => {
            ask(&client, RolesRequest::Delete { name: name.clone() }).await?;
            String::new()
        }
    };
    // `longshore role list | head` closes the pipe: that's no failure.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(ExitCode::SUCCESS)
}

async fn ask(client: &Client, request: RolesRequest) -> Result<Vec<RoleShown>> {
    let body = serde_json::to_vec(&request).context("write the request")?;
    let answer = match client.own(ROLES_PATH, body, PATIENCE).await {
        // What the server says is for the person.
        Err(CallError::Own { body, .. }) => bail!("{body}"),
        answer => answer?,
    };
    let answer: RolesAnswer = serde_json::from_slice(&answer).context("read the server's answer")?;
    Ok(answer.roles)
}

fn listed(roles: &[RoleShown]) -> String {
    let now_ms = now_ms();
    let cells =
        roles.iter().map(|role| vec![role.name.clone(), ago(role.created_at_ms, now_ms), role.arn.clone()]);
    table(&["NAME", "MADE", "ARN"], cells)
}
