//! The server process: control plane, registry and logs behind one endpoint.

mod access_keys;
mod authority;
mod descriptors;
mod drain;
mod events;
mod in_use;
mod join_route;
mod keys_route;
mod log;
mod policies;
mod pushes;
mod roles;
mod roles_route;
mod rotate;
mod signed;
pub mod taken_down;
mod tokens_route;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ::events::{Clock, Events};
use ::logs::{Logs, LogsConfig};
use anyhow::{Context, Result, bail};
use control::clock::SystemClock;
use control::server::{Parts, Server};
use control::task_keys::TaskKeys;
use registry::{Registry, RegistryConfig};
use store::{SqliteStore, StoreError};
use tokio::net::TcpListener;

use crate::cli::ServerArgs;
use crate::data_dir::{DataDir, Key, Keys, Running};
use crate::site::{endpoint, endpoint_of, reachable};
use access_keys::AccessKeys;
use authority::{Authority, Names, OwnCertificates};

pub use descriptors::raise as raise_descriptors;
pub use drain::{DrainAnswer, DrainRequest, PATH as DRAIN_PATH};
pub use keys_route::{KeyShown, KeysAnswer, KeysRequest, PATH as KEYS_PATH};
pub use log::{to_file as log_to_file, to_stderr as log_to_stderr};
pub use roles_route::{PATH as ROLES_PATH, RoleShown, RolesAnswer, RolesRequest};
pub use tokens_route::{PATH as TOKENS_PATH, TokenShown, TokensAnswer, TokensRequest};

/// Blobs that nothing refers to are looked for that often.
const COLLECT_EVERY: Duration = Duration::from_secs(3600);

/// Everything that runs in a server process beside an agent.
#[derive(Debug)]
pub struct Serving {
    pub server: Server,
    pub endpoint: String,
    /// By which `host:port` it is reached.
    pub hosts: Vec<String>,
    // Their timers end with them.
    _logs: Logs,
    _events: ::events::Running,
}

/// Opens the state of `dir` and serves on `listen`. When it returns, requests are answered.
pub async fn start(dir: &DataDir, keys: &Keys, listen: SocketAddr, args: &ServerArgs) -> Result<Serving> {
    raise_descriptors();
    let listener = TcpListener::bind(listen).await.map_err(|error| cannot_listen(listen, error))?;
    let address = listener.local_addr().context("the listener's address")?;
    let advertised = args.advertise.clone().unwrap_or_else(|| reachable(address).to_string());
    let endpoint = args.advertise.as_deref().map_or_else(|| endpoint(address), endpoint_of);
    let named = args.advertise.iter().chain(&args.tls_name).cloned().collect();
    let names = Names { listen: address, hostname: hostname(), named };
    let authority = Authority::open(dir)?;
    let fingerprint = authority.fingerprint();
    let certificates = Arc::new(OwnCertificates::new(authority, names));
    let hosts = certificates.hosts();

    let open =
        |name: &str| SqliteStore::open(dir.join(name)).map(Arc::new).map_err(|error| opened(dir, error));
    let state = open("state.db")?;
    // Before whatever it is told of.
    let events = Events::open(open("events.db")?, Clock::system()).context("open the events")?;
    let rules = Arc::new(self::events::Rules(events.clone()));
    let in_use = Arc::new(in_use::InUse::default());
    let access_keys = Arc::new(AccessKeys::open(dir, keys).context("read the access keys")?);
    let owners = Arc::new(roles::Owners::new(access_keys.clone()));
    let task_roles = Arc::new(roles::Roles::open(dir, &keys.account).context("read the roles")?);
    let registry = RegistryConfig {
        bucket: args.blobs.bucket()?,
        create_on_push: args.create_on_push,
        expire_every: args.expire_every,
        in_use: in_use.clone(),
        principals: owners.clone(),
        audience: rules.clone(),
        one_host: args.advertise.is_some(),
        ..RegistryConfig::new(dir.join("registry"), advertised)
    };
    let database = open("registry.db")?;
    // A bucket far away is asked whose it is.
    let registry = tokio::task::spawn_blocking(move || Registry::open(registry, database)).await;
    let registry = registry.context("open the registry")?.context("open the registry")?;
    let logs = LogsConfig { max_bytes: args.max_log_size, ..LogsConfig::new(dir.join("logs")) };
    let logs = Logs::open(logs, open("logs.db")?).context("open the logs")?;
    let mut operations = registry.operations();
    operations.merge(logs.operations());
    operations.merge(events.operations());

    let drain = drain::Route::new(keys, dir.join("agent"));
    let keys_route = keys_route::Route::new(keys, access_keys.clone()).routes();
    let tokens_route = tokens_route::Route::new(keys, access_keys.clone(), fingerprint).routes();
    let joining = join_route::routes(access_keys.clone()).merge(tokens_route);
    let roles_route = roles_route::Route::new(keys, task_roles.clone()).routes();
    let parts = Parts {
        config: control::Config {
            endpoint: endpoint.clone(),
            hosts: hosts.clone(),
            account: keys.account.clone(),
            region: keys.region.clone(),
            stopped_task_retention_ms: milliseconds(args.stopped_task_retention),
            lost_after_ms: milliseconds(args.lost_after),
        },
        store: state,
        clock: Arc::new(SystemClock),
        keyring: access_keys.clone(),
        // The first key's secret is never told to an agent, and stays as long as the data directory.
        task_keys: TaskKeys::new(keys.user.secret_access_key.as_bytes(), task_roles),
        policies: Arc::new(policies::OfRegistry(registry.clone())),
        operations,
        routes: registry.routes().merge(drain.routes()).merge(keys_route).merge(joining).merge(roles_route),
        pushes: Arc::new(pushes::Outbox(registry.clone())),
        audience: rules,
        certificates,
        most_connections: descriptors::connections(),
    };
    let server = Server::start(parts, listener).await.context("start the control plane")?;
    taken_down::settle(dir, &server.app, drain.instance()).await?;
    drain.attach(server.app.clone()).await?;
    in_use.attach(server.app.clone());
    owners.attach(server.app.clone());
    let sources = [("ecs", server.app.writer.outbox()), ("ecr", registry.outbox())];
    let source = |(name, outbox): (_, &Arc<store::Outbox>)| {
        Arc::new(self::events::OutboxOf { name, outbox: outbox.clone() }) as Arc<dyn ::events::Source>
    };
    let calls = Arc::new(self::events::Operations(server.operations.clone()));
    let running =
        events.start(calls, sources.into_iter().map(source).collect()).context("start the events")?;
    let expiring = registry.clone();
    tokio::spawn(async move { expiring.keep_expiring().await });
    let replicating = registry.clone();
    tokio::spawn(async move { replicating.keep_replicating().await });
    tokio::spawn(collect(registry));
    dir.set_running(&Running { pid: std::process::id(), listen: address })?;
    tracing::info!(endpoint, data_dir = %dir.path().display(), "serving");
    Ok(Serving { server, endpoint, hosts, _logs: logs, _events: running })
}

/// The directory's keys, made at the first start. An account or region other than theirs would hide
/// everything that is there.
pub fn keys(dir: &DataDir, args: &ServerArgs) -> Result<Keys> {
    dir.create()?;
    let keys = dir.keys_or_else(|| Keys {
        account: args.account.clone().unwrap_or_else(|| "000000000000".to_owned()),
        region: args.region.clone().unwrap_or_else(|| "us-east-1".to_owned()),
        user: fresh_key(),
        agent: fresh_key(),
    })?;
    for (what, asked, has) in
        [("account", &args.account, &keys.account), ("region", &args.region, &keys.region)]
    {
        if asked.as_ref().is_some_and(|asked| asked != has) {
            bail!(
                "the data directory {} belongs to {what} {has}; name another directory with --data-dir",
                dir.path().display()
            );
        }
    }
    Ok(keys)
}

fn fresh_key() -> Key {
    // The form of AWS's: 20 characters from AKIA on, in the alphabet of base 32; 40 for the secret.
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let id: String = (0..16).map(|_| char::from(LETTERS[usize::from(rand::random::<u8>() % 32)])).collect();
    Key { access_key_id: format!("AKIA{id}"), secret_access_key: hex::encode(rand::random::<[u8; 20]>()) }
}

/// Without one, the machine is not known by it.
fn hostname() -> String {
    nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default()
}

fn cannot_listen(listen: SocketAddr, error: std::io::Error) -> anyhow::Error {
    use std::io::ErrorKind;
    let step = match error.kind() {
        ErrorKind::AddrInUse => "another program has that address; name a free one with --listen HOST:PORT",
        ErrorKind::AddrNotAvailable => "this machine has no such address; name one of its own with --listen",
        ErrorKind::PermissionDenied => "ports below 1024 are root's; name another with --listen",
        _ => "name another address with --listen",
    };
    anyhow::Error::new(error).context(format!("cannot listen on {listen}: {step}"))
}

fn opened(dir: &DataDir, error: StoreError) -> anyhow::Error {
    let locked = matches!(error, StoreError::Locked { .. });
    let error = anyhow::Error::new(error);
    match locked {
        true => error.context(format!(
            "another Longshore has the data directory {}; `longshore down` ends it, --data-dir names another",
            dir.path().display()
        )),
        false => error.context("open the state"),
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

async fn collect(registry: Registry) {
    let mut timer = tokio::time::interval(COLLECT_EVERY);
    loop {
        timer.tick().await;
        match registry.collect().await {
            Ok(0) => {}
            Ok(blobs) => tracing::info!(blobs, "removed blobs that nothing refers to"),
            Err(error) => tracing::warn!(%error, "unused blobs stay"),
        }
    }
}
