//! From an image's name to the registry that holds it. Pure: no look-ups, no requests.

use super::reference::Reference;
use std::{fmt, future::Future, pin::Pin, sync::Arc};
use wire::endpoint;

/// A user name and a password for a registry.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Basic {
    pub username: String,
    pub password: String,
}

impl fmt::Debug for Basic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Basic").field("username", &self.username).finish_non_exhaustive()
    }
}

/// How a pull authenticates.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Auth {
    /// As the name says: an ECR token for our own registry, nothing for any other.
    #[default]
    ByName,
    /// These credentials (`repositoryCredentials`), whatever the registry.
    Basic(Basic),
}

/// Credentials for our own registry, as `ecr:GetAuthorizationToken` gives them.
#[derive(Debug, Clone)]
pub struct EcrToken {
    pub credentials: Basic,
    /// Milliseconds since the epoch.
    pub expires_at_ms: u64,
}

/// Asks for an ECR token of an account and a region. The error is a text for people.
/// The image store keeps the token until five minutes before it expires.
pub type EcrCredentials = Arc<
    dyn Fn(String, String) -> Pin<Box<dyn Future<Output = Result<EcrToken, String>> + Send>> + Send + Sync,
>;

/// An account and a region: whose registry a name means.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EcrScope {
    pub account: String,
    pub region: String,
}

/// Where an image is to be had.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Target {
    /// `scheme://host[:port]`, no slash at the end.
    pub base: String,
    pub repository: String,
    /// Set where the registry is our own.
    pub ecr: Option<EcrScope>,
}

/// The rules by which names become registries.
#[derive(Debug, Clone, Default)]
pub struct Resolver {
    /// Our own endpoint (`http://127.0.0.1:4580`), if there is one: it is the registry of every
    /// `<account>.dkr.ecr.<region>.amazonaws.com`, and of names that begin with its host and port.
    pub endpoint: Option<String>,
    /// Other `host:port` spellings of our endpoint.
    pub own_hosts: Vec<String>,
    /// The account and region of names that begin with our endpoint, which carry neither.
    pub default_scope: Option<EcrScope>,
    /// Hosts (`host` or `host:port`) spoken to over http. Loopback hosts always are, as Docker does it.
    pub insecure: Vec<String>,
}

impl Resolver {
    /// Where `reference` is to be had.
    pub fn resolve(&self, reference: &Reference) -> Target {
        let host = reference.host.as_str();
        if let Some(endpoint) = &self.endpoint {
            let scope = if self.is_own_host(host) { self.default_scope.clone() } else { ecr_scope(host) };
            if let Some(scope) = scope {
                return Target {
                    base: endpoint.trim_end_matches('/').to_owned(),
                    repository: reference.repository.clone(),
                    ecr: Some(scope),
                };
            }
        }
        let base = match host {
            // Docker Hub's registry answers under another name than its images carry.
            "docker.io" => "https://registry-1.docker.io".to_owned(),
            _ if endpoint::is_loopback(host) || self.insecure.iter().any(|insecure| insecure == host) => {
                format!("http://{host}")
            }
            _ => format!("https://{host}"),
        };
        Target { base, repository: reference.repository.clone(), ecr: None }
    }

    fn is_own_host(&self, host: &str) -> bool {
        self.own_hosts.iter().any(|own| own == host)
            || self.endpoint.as_deref().map(endpoint::authority) == Some(host)
    }
}

fn ecr_scope(host: &str) -> Option<EcrScope> {
    let (account, region) = wire::ecr_host::account_and_region(host)?;
    Some(EcrScope { account: account.to_owned(), region: region.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolver() -> Resolver {
        Resolver {
            endpoint: Some("http://127.0.0.1:4580/".into()),
            own_hosts: vec!["longshore.local:4580".into()],
            default_scope: Some(EcrScope { account: "000000000000".into(), region: "us-east-1".into() }),
            insecure: vec!["registry.lan:5000".into()],
        }
    }

    fn target(name: &str) -> Target {
        resolver().resolve(&Reference::parse(name).unwrap())
    }

    #[test]
    fn ecr_names_and_our_endpoint_mean_our_registry() {
        let scope =
            |account: &str, region: &str| Some(EcrScope { account: account.into(), region: region.into() });
        let ecr = target("123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/web:v1");
        assert_eq!(ecr.base, "http://127.0.0.1:4580");
        assert_eq!(ecr.repository, "team/web");
        assert_eq!(ecr.ecr, scope("123456789012", "eu-west-1"));
        for own in ["127.0.0.1:4580/web", "longshore.local:4580/web"] {
            assert_eq!(target(own).ecr, scope("000000000000", "us-east-1"));
            assert_eq!(target(own).base, "http://127.0.0.1:4580");
        }
    }

    #[test]
    fn names_that_only_look_like_ours_do_not() {
        for other in [
            "12345678901.dkr.ecr.eu-west-1.amazonaws.com/web",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com.evil.example/web",
            "x.123456789012.dkr.ecr.eu-west-1.amazonaws.com/web",
            "127.0.0.1:4581/web",
        ] {
            assert_eq!(target(other).ecr, None, "{other}");
        }
    }

    #[test]
    fn others_are_https_unless_loopback_or_named_insecure() {
        assert_eq!(target("nginx").base, "https://registry-1.docker.io");
        assert_eq!(target("ghcr.io/a/b").base, "https://ghcr.io");
        assert_eq!(target("registry.lan:5000/a").base, "http://registry.lan:5000");
        assert_eq!(target("registry.lan/a").base, "https://registry.lan");
        assert_eq!(target("localhost:5000/a").base, "http://localhost:5000");
        assert_eq!(target("127.8.0.1/a").base, "http://127.8.0.1");
        assert_eq!(target("[::1]:5000/a").base, "http://[::1]:5000");
    }
}
