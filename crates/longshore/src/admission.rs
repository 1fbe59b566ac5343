//! By which right an agent goes to its control plane: the key that it joined for, a token, or keys in the environment.

use agent::joining::{Joined, join, joined};
use agent::session::{Api, ApiError};
use anyhow::{Context, Result, bail};
use wire::Credentials;
use wire::ecs::{self, DiscoverPollEndpointRequest};

use crate::cli::AgentArgs;
use crate::site::{Site, credentials_from_environment, region_from_environment};

/// Who the agent is, and whom it believes.
pub struct Admission {
    pub credentials: Credentials,
    pub region: Option<String>,
    pub account: Option<String>,
    pub cluster: Option<String>,
    pub ca: Option<Vec<u8>>,
}

/// Where a machine keeps what it joined for, in its data directory.
const KEPT: &str = "joined.json";

pub async fn admission(site: &Site, args: &AgentArgs) -> Result<Admission> {
    let path = site.dir.join(KEPT);
    let ca = match &site.ca {
        Some(path) => {
            let pem = std::fs::read(path);
            Some(pem.with_context(|| format!("the certificate authority {}", path.display()))?)
        }
        None => None,
    };
    if let Some(joined) = joined(&path)? {
        if !is_forgotten(args, &joined).await? {
            return of(joined, args);
        }
        match &args.token {
            Some(token) if token.id != joined.token => {
                tracing::warn!("this machine's key is not known any more; it joins anew");
            }
            _ => bail!(
                "the control plane doesn't know this machine's key any more: its container instance was \
                 deregistered. `longshore token create` makes a token to join anew, for --token"
            ),
        }
    }
    if let Some(token) = &args.token {
        return of(join(&args.endpoint, token, &path).await?, args);
    }
    let credentials = credentials_from_environment().context(
        "no credentials: give --token (`longshore token create` where the server runs), or set AWS_ACCESS_KEY_ID \
         and AWS_SECRET_ACCESS_KEY (`longshore env --agent` there)",
    )?;
    Ok(Admission {
        credentials,
        region: region_from_environment(),
        account: None,
        cluster: args.cluster.clone(),
        ca,
    })
}

fn of(joined: Joined, args: &AgentArgs) -> Result<Admission> {
    if let Some(other) = args.cluster.as_ref().filter(|cluster| **cluster != joined.cluster) {
        bail!(
            "this machine has joined the cluster {} and can't be in {other} with the same key",
            joined.cluster
        );
    }
    Ok(Admission {
        credentials: joined.credentials,
        region: Some(joined.region),
        account: Some(joined.account),
        cluster: Some(joined.cluster),
        ca: joined.ca.map(String::into_bytes),
    })
}

/// Whether the control plane says that there is no such key. One that is away says nothing.
async fn is_forgotten(args: &AgentArgs, joined: &Joined) -> Result<bool> {
    let ca = joined.ca.as_deref().map(str::as_bytes);
    let api = Api::new(&args.endpoint, ca, joined.credentials.clone(), &joined.region)?;
    let asked =
        DiscoverPollEndpointRequest { cluster: Some(joined.cluster.clone()), container_instance: None };
    match api.call::<ecs::ops::DiscoverPollEndpoint>(&asked).await {
        Err(ApiError::Service { code, .. }) => Ok(code == "UnrecognizedClientException"),
        _ => Ok(false),
    }
}
