//! `longshore token`: what lets machines join.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cli::{TokenArgs, TokenCommand};
use crate::server::{TOKENS_PATH, TokenShown, TokensAnswer, TokensRequest};
use crate::site::Site;
use crate::talk::{CallError, Client, ago, now_ms, span, table};

const PATIENCE: Duration = Duration::from_secs(10);

pub async fn token(site: &Site, args: &TokenArgs) -> Result<ExitCode> {
    let client = site.client()?;
    let text = match &args.command {
        TokenCommand::Create { cluster, ttl, uses } => {
            let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
            let asked = TokensRequest::Create { cluster: cluster.clone(), ttl_ms, uses: *uses };
            let made = ask(&client, asked).await?.into_iter().next();
            format!("{}\n", made.and_then(|made| made.token).context("the server tells no token")?)
        }
        TokenCommand::List { json } => {
            let tokens = ask(&client, TokensRequest::List).await?;
            match json {
                true => format!("{}\n", serde_json::to_string_pretty(&tokens).context("write the tokens")?),
                false => format!("{}\n", listed(&tokens)),
            }
        }
        TokenCommand::Revoke { id } => {
            ask(&client, TokensRequest::Revoke { id: id.clone() }).await?;
            String::new()
        }
    };
    // `longshore token list | head` closes the pipe: that's no failure.
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(ExitCode::SUCCESS)
}

async fn ask(client: &Client, request: TokensRequest) -> Result<Vec<TokenShown>> {
    let body = serde_json::to_vec(&request).context("write the request")?;
    let answer = match client.own(TOKENS_PATH, body, PATIENCE).await {
        // What the server says is for the person.
        Err(CallError::Own { body, .. }) => bail!("{body}"),
        answer => answer?,
    };
    let answer: TokensAnswer = serde_json::from_slice(&answer).context("read the server's answer")?;
    Ok(answer.tokens)
}

fn listed(tokens: &[TokenShown]) -> String {
    let now_ms = now_ms();
    let cells = tokens.iter().map(|token| {
        let left = span(token.expires_at_ms.saturating_sub(now_ms));
        let made = ago(token.created_at_ms, now_ms);
        vec![token.id.clone(), token.cluster.clone(), token.uses_left.to_string(), left, made]
    });
    table(&["TOKEN", "CLUSTER", "MACHINES", "EXPIRES IN", "MADE"], cells)
}
