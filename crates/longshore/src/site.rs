//! Which Longshore a command means: from the two flags to an endpoint and credentials.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use wire::Credentials;

use crate::cli::SiteArgs;
use crate::data_dir::{DataDir, Key, Keys};
use crate::talk::Client;

/// Where a Longshore listens unless it is told otherwise.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4580);
const DEFAULT_DATA_DIR: &str = ".longshore";

#[derive(Clone, Debug)]
pub struct Site {
    pub dir: DataDir,
    /// Whether the person named the directory.
    dir_named: bool,
    /// What the person named.
    pub listen: Option<SocketAddr>,
    /// The file with the certificate authorities of a server elsewhere, as the person named it.
    pub ca: Option<PathBuf>,
}

impl Site {
    pub fn new(args: &SiteArgs) -> Result<Site> {
        let dir = args.data_dir.as_deref().unwrap_or(Path::new(DEFAULT_DATA_DIR));
        let dir_named = args.data_dir.is_some();
        Ok(Site { dir: DataDir::new(dir)?, dir_named, listen: args.listen, ca: args.ca.clone() })
    }

    /// Where a server of this site is to listen: what was named, else where the last one did.
    pub fn listen(&self) -> Result<SocketAddr> {
        match self.listen {
            Some(listen) => Ok(listen),
            None => Ok(self.dir.last_listen()?.unwrap_or(DEFAULT_LISTEN)),
        }
    }

    pub fn endpoint(&self) -> Result<String> {
        Ok(endpoint(self.listen()?))
    }

    /// The keys of a directory in which a Longshore was started.
    pub fn keys(&self) -> Result<Keys> {
        match self.dir.keys()? {
            Some(keys) => Ok(keys),
            None => bail!(
                "no Longshore was ever started with the data directory {}; start one with `{}`, or name \
                 another directory with --data-dir",
                self.dir.path().display(),
                self.call("up")
            ),
        }
    }

    /// A client as the person. Away from any data directory, the environment that `longshore env` made
    /// names the server.
    pub fn client(&self) -> Result<Client> {
        if !self.dir_named
            && self.dir.keys()?.is_none()
            && let Some(client) = self.client_from_environment()?
        {
            return Ok(client);
        }
        let keys = self.keys()?;
        let ca = self.dir.ca();
        Client::new(self.endpoint()?, Some(&ca), credentials(&keys.user), keys.account, keys.region)
    }

    fn client_from_environment(&self) -> Result<Option<Client>> {
        let variable = |name: &str| std::env::var(name).ok();
        let named =
            variable("AWS_ENDPOINT_URL").zip(credentials_from_environment()).zip(region_from_environment());
        let Some(((endpoint, credentials), region)) = named else { return Ok(None) };
        let account = variable("LONGSHORE_ACCOUNT").unwrap_or_else(|| "000000000000".to_owned());
        Client::new(endpoint, self.ca.as_deref(), credentials, account, region).map(Some)
    }

    /// How the person would call another command of the same site.
    pub fn call(&self, command: &str) -> String {
        format!("{} {command}", self.program())
    }

    /// This program as the person called it, with the flags that name the site.
    pub fn program(&self) -> String {
        let mut words = vec![std::env::args().next().unwrap_or_else(|| "longshore".to_owned())];
        if self.dir_named {
            words.push(format!(
                "--data-dir {}",
                crate::environment::quoted(&self.dir.path().to_string_lossy())
            ));
        }
        words.join(" ")
    }
}

/// The endpoint for clients on this machine.
pub fn endpoint(listen: SocketAddr) -> String {
    endpoint_of(&reachable(listen).to_string())
}

/// The endpoint that is reached by `host:port`: TLS is spoken unless that is this machine.
pub fn endpoint_of(host: &str) -> String {
    let scheme = if wire::endpoint::is_loopback(host) { "http" } else { "https" };
    format!("{scheme}://{host}")
}

/// An address that a client on this machine can connect to.
pub fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

pub fn credentials(key: &Key) -> Credentials {
    Credentials {
        access_key_id: key.access_key_id.clone(),
        secret_access_key: key.secret_access_key.clone(),
        session_token: None,
    }
}

/// The credentials in AWS's own variables.
pub fn credentials_from_environment() -> Option<Credentials> {
    let get = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    Some(Credentials {
        access_key_id: get("AWS_ACCESS_KEY_ID")?,
        secret_access_key: get("AWS_SECRET_ACCESS_KEY")?,
        session_token: get("AWS_SESSION_TOKEN"),
    })
}

pub fn region_from_environment() -> Option<String> {
    ["AWS_REGION", "AWS_DEFAULT_REGION"].iter().find_map(|name| std::env::var(name).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_on_all_addresses_is_reached_on_the_loopback() {
        assert_eq!(endpoint("0.0.0.0:81".parse().unwrap()), "http://127.0.0.1:81");
        assert_eq!(endpoint("[::]:81".parse().unwrap()), "http://[::1]:81");
        assert_eq!(endpoint("10.1.2.3:81".parse().unwrap()), "https://10.1.2.3:81");
    }

    #[test]
    fn what_was_named_wins_over_where_the_last_server_was() {
        let temporary = tempfile::tempdir().unwrap();
        let args = |listen| SiteArgs { data_dir: Some(temporary.path().to_owned()), listen, ca: None };
        let site = Site::new(&args(None)).unwrap();
        assert_eq!(site.listen().unwrap(), DEFAULT_LISTEN);
        let last = "127.0.0.1:9".parse().unwrap();
        site.dir.set_running(&crate::data_dir::Running { pid: 1, listen: last }).unwrap();
        assert_eq!(site.listen().unwrap(), last);
        let named = "127.0.0.1:10".parse().unwrap();
        assert_eq!(Site::new(&args(Some(named))).unwrap().listen().unwrap(), named);
    }
}
