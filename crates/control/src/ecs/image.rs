//! Images as definitions and tasks name them, and which of them are our registry's.

use model::Scope;
use wire::{ecr_host, endpoint};

use crate::app::Config;

/// By which names our registry is known in images.
#[derive(Clone, Debug)]
pub(crate) struct OwnRegistry {
    /// `host:port`: these name no account and no region.
    hosts: Vec<String>,
    home: Scope,
}

impl OwnRegistry {
    /// Of a server's: what clients reach at its endpoint, and by its other names. A loopback address has several.
    pub(crate) fn of(config: &Config) -> Self {
        Self { hosts: config.hosts.clone(), home: config.home() }.and_at(&config.endpoint)
    }

    /// The same, which somebody reached at another `endpoint`.
    pub(crate) fn and_at(mut self, endpoint: &str) -> Self {
        self.hosts.extend(hosts(endpoint));
        self
    }

    /// Whose registry a host means; `None` where it isn't ours.
    pub(crate) fn scope_of(&self, host: &str) -> Option<Scope> {
        match self.hosts.iter().any(|own| own == host) {
            true => Some(self.home.clone()),
            false => ecr_host::account_and_region(host).map(|(account, region)| Scope::new(account, region)),
        }
    }

    /// An image of ours as it is named by who calls us `host`, where that is another name: an agent elsewhere can't pull
    /// from 127.0.0.1.
    pub(crate) fn as_called(&self, image: &str, host: &str) -> Option<String> {
        let (named, rest) = image.split_once('/')?;
        (named != host && self.hosts.iter().any(|own| own == named)).then(|| format!("{host}/{rest}"))
    }

    /// As [`Self::scope_of`], with every doubt in favour of ours: a proxy or another name of this machine may lead
    /// here. `None` only where no host is written.
    pub(crate) fn may_be_in(&self, host: &str) -> Option<Scope> {
        let is_host = host == "localhost" || host.contains(['.', ':']);
        self.scope_of(host).or_else(|| is_host.then(|| self.home.clone()))
    }
}

/// `host:port` of an endpoint, in every spelling.
fn hosts(endpoint: &str) -> Vec<String> {
    let host = endpoint::authority(endpoint);
    let loopback = ["127.0.0.1", "localhost", "[::1]"];
    match host.rsplit_once(':') {
        Some((name, port)) if loopback.contains(&name) => {
            loopback.iter().map(|name| format!("{name}:{port}")).collect()
        }
        _ => vec![host.to_owned()],
    }
}

/// An image's name, as far as it can be one of our registry's.
pub(crate) struct Named<'a> {
    pub host: &'a str,
    pub repository: &'a str,
    /// `latest` where neither a tag nor a digest is written.
    pub tag: Option<&'a str>,
    pub digest: Option<&'a str>,
}

impl<'a> Named<'a> {
    pub fn of(image: &'a str) -> Option<Self> {
        let (name, digest) = image.split_once('@').map_or((image, None), |(name, d)| (name, Some(d)));
        let (host, path) = name.split_once('/')?;
        let (repository, tag) = path.split_once(':').map_or((path, None), |(path, tag)| (path, Some(tag)));
        let tag = tag.or(if digest.is_none() { Some("latest") } else { None });
        Some(Self { host, repository, tag, digest })
    }
}
