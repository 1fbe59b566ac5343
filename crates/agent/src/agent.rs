//! The composition: one agent, from its configuration to its open sessions.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use wire::Credentials;
use wire::ecs::{self, DiscoverPollEndpointRequest};

use crate::cdi::Specs;
use crate::engine::{self, Engine, Host, HostConfig, HostError, Reports, Storage, Usage};
use crate::images::unpack::Limits;
use crate::images::{EcrScope, EcrToken, ImageStore, ImagesConfig, OpenError, Resolver};
use crate::network::{Bridged, Cidr, Network, NetworkConfig, NetworkError};
use crate::runtime::{Runtime, RuntimeChoice, RuntimeError};
use crate::session::{
    AcsSession, Api, ApiError, ApiReports, Backoff, Capacity, Identity, Registration, TcsSession, register,
};
use crate::state::{StateDir, StateError};
use crate::volumes::{StoreError, Volumes};
use crate::whole;

/// The pseudo-cluster of the serverless pool; no user sees it.
pub const SERVERLESS_CLUSTER: &str = "longshore-serverless";

/// How long a pull waits for the control plane's registry while that is restarted.
const REGISTRY_PATIENCE: Duration = Duration::from_secs(120);

/// Everything an agent is told.
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// The control plane: `http://127.0.0.1:4580`, or an https:// URL where it is on another machine.
    pub endpoint: String,
    /// The certificate authorities, in PEM, whose word counts that it is that; those of the machine if absent.
    pub ca: Option<Vec<u8>>,
    pub credentials: Credentials,
    pub region: String,
    /// Whose registry an image name without an account means.
    pub account: String,
    /// Other `host:port` spellings of the endpoint in image names.
    pub own_hosts: Vec<String>,
    /// The cluster to register into; `default` if absent. Not used with `serverless`.
    pub cluster: Option<String>,
    /// Joins the pool that takes FARGATE tasks.
    pub serverless: bool,
    /// Of the pool: whose tasks it takes. Empty for FARGATE's and FARGATE_SPOT's.
    pub capacity_providers: Vec<String>,
    /// The agent's own directory: state, images, root file systems. One agent at a time.
    pub data_dir: PathBuf,
    pub runtime: RuntimeChoice,
    /// The shim's program; found by the runtime's name if absent.
    pub shim_path: Option<PathBuf>,
    /// What one layer of an image may hold.
    pub layers: Limits,
    /// The tasks' subnet; a free one is chosen, and kept, if absent.
    pub subnet: Option<Cidr>,
    pub instance_name: Option<String>,
    /// What the instance offers; the whole machine if absent.
    pub capacity: Option<Capacity>,
    /// Where the machine's GPUs are described. Those of the pool are nobody's: FARGATE has none.
    pub cdi_directories: Vec<PathBuf>,
    /// Network namespaces held ready.
    pub network_pool: usize,
}

#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Images(#[from] OpenError),
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Volumes(#[from] StoreError),
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error("{what} {path}: {source}")]
    Io {
        what: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

/// An agent that runs. Dropping the handle does not stop it.
#[derive(Debug)]
pub struct AgentHandle {
    engine: Engine,
    subnet: Cidr,
    connected: watch::Receiver<bool>,
    supervisor: JoinHandle<()>,
}

impl AgentHandle {
    /// Waits until the agent has registered and its ACS session is open.
    pub async fn connected(&self) {
        let mut connected = self.connected.clone();
        // The sender lives as long as the supervisor; without it nothing will connect any more.
        let _ = connected.wait_for(|is| *is).await;
    }

    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The subnet of the tasks' addresses.
    pub fn subnet(&self) -> Cidr {
        self.subnet
    }

    /// Ends the sessions. Every task keeps running; the next agent of this directory adopts them.
    pub async fn shutdown(self) {
        self.supervisor.abort();
        let _ = self.supervisor.await;
    }
}

/// An agent that is not started yet.
#[derive(Debug)]
pub struct Agent;

impl Agent {
    /// Opens the agent's directory, takes up every task that is there, and connects in the
    /// background: the control plane may come later.
    pub async fn start(config: AgentConfig) -> Result<AgentHandle, AgentError> {
        let places = Places::of(&config.data_dir)?;
        let api =
            Api::new(&config.endpoint, config.ca.as_deref(), config.credentials.clone(), &config.region)?;
        let images = ImageStore::open(places.images(), images_config(&config, &api))?;
        let runtime = Runtime::new(
            &config.runtime,
            config.shim_path.as_deref(),
            &places.prefix,
            &places.sockets(),
            &places.containers(),
        )?;
        places.remember(&runtime)?;
        let own = NetworkConfig {
            name_prefix: places.prefix.clone(),
            subnet: config.subnet,
            state_dir: places.run.clone(),
            pool: config.network_pool,
            loopback: false,
        };
        let bridged = Bridged::beside(&own);
        let network = Network::open(own)?;
        let subnet = network.subnet();
        let dir = StateDir::open(&places.root)?;
        engine::salvage(&dir)?;
        let volumes = Volumes::open(&places.volumes())?;
        let open = dir.load()?.into_iter().filter(|t| t.record.closed_ms.is_none()).map(|t| t.id);
        volumes.sweep(&open.chain(dir.all_lost()?).collect())?;
        let devices = Specs::new(config.cdi_directories);
        let host = Host::new(HostConfig {
            images,
            network,
            bridged,
            runtime,
            logs: Arc::new(api.clone()),
            prefix: places.prefix.clone(),
            region: config.region.clone(),
            spools: places.root.join("spools"),
            volumes,
            devices: devices.clone(),
        })?;
        let cluster = match config.serverless {
            true => SERVERLESS_CLUSTER.to_owned(),
            false => config.cluster.clone().unwrap_or_else(|| "default".to_owned()),
        };
        let (is_registered, registered) = watch::channel(false);
        let reports: Arc<dyn Reports> =
            Arc::new(ApiReports { api: api.clone(), cluster: cluster.clone(), registered });
        let engine = Engine::open(dir.clone(), host.clone(), reports.clone())?;
        // Before any new task can be given them.
        let works = engine.works();
        works.iter().for_each(|work| host.hold_ports(work));
        let held: Vec<String> =
            works.iter().flat_map(|work| &work.containers).flat_map(|c| c.gpus.clone()).collect();
        let gpus = if config.serverless { Vec::new() } else { devices.gpus(&held) };
        let identity = Identity {
            cluster,
            capacity: config.capacity.unwrap_or_else(Capacity::of_this_machine),
            subnet: Some(subnet.to_string()),
            serverless: config.serverless,
            capacity_providers: config.capacity_providers,
            name: config.instance_name,
            gpus,
        };
        let usage = Arc::new(Usage::new(host.clone(), engine.clone()));
        let storage = Arc::new(Storage::new(host.clone(), engine.clone()));
        let (sender, connected) = watch::channel(false);
        let supervisor =
            Supervisor { api, engine: engine.clone(), reports, is_registered, dir, identity, usage, host };
        let supervisor = tokio::spawn(async move {
            tokio::join!(supervisor.run(sender), storage.run());
        });
        Ok(AgentHandle { engine, subnet, connected, supervisor })
    }
}

/// Where an agent keeps things.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    pub root: PathBuf,
    /// Short-lived things whose paths must be short, on a file system that a reboot empties.
    pub run: PathBuf,
    /// Names the bridge, the cgroups and the runtime's namespace: unique to the directory.
    pub prefix: String,
}

/// What `cleanup` must know of the agent that ran.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Remembered {
    pub shim: PathBuf,
}

impl Places {
    pub fn of(data_dir: &Path) -> Result<Self, AgentError> {
        let io = |what| move |source| AgentError::Io { what, path: data_dir.to_owned(), source };
        std::fs::create_dir_all(data_dir).map_err(io("cannot create"))?;
        let root = std::fs::canonicalize(data_dir).map_err(io("cannot find"))?;
        let hash = Sha256::digest(root.as_os_str().as_encoded_bytes());
        let prefix = format!("ls{}", hex::encode(&hash[..3]));
        let run = Path::new("/run/longshore").join(&prefix);
        std::fs::create_dir_all(&run).map_err(|source| AgentError::Io {
            what: "cannot create",
            path: run.clone(),
            source,
        })?;
        Ok(Places { root, run, prefix })
    }

    pub fn images(&self) -> PathBuf {
        self.root.join("images")
    }

    pub fn volumes(&self) -> PathBuf {
        self.root.join("volumes")
    }

    pub fn sockets(&self) -> PathBuf {
        self.run.join("s")
    }

    pub fn containers(&self) -> PathBuf {
        self.run.join("c")
    }

    pub fn host_file(&self) -> PathBuf {
        self.root.join("host.json")
    }

    fn remember(&self, runtime: &Runtime) -> Result<(), AgentError> {
        let path = self.host_file();
        let text = serde_json::json!(Remembered { shim: runtime.program().to_owned() }).to_string();
        whole::write(&path, text.as_bytes()).map_err(|source| AgentError::Io {
            what: "cannot write",
            path,
            source,
        })
    }
}

fn images_config(config: &AgentConfig, api: &Api) -> ImagesConfig {
    let own_tls = api.tls().cloned();
    let api = api.clone();
    ImagesConfig {
        resolver: Resolver {
            endpoint: Some(config.endpoint.clone()),
            own_hosts: config.own_hosts.clone(),
            default_scope: Some(EcrScope { account: config.account.clone(), region: config.region.clone() }),
            insecure: vec![],
        },
        ecr: Some(Arc::new(move |_account, region| {
            let api = api.in_region(&region);
            Box::pin(async move { registry_token(&api).await })
        })),
        own_tls,
        own_patience: REGISTRY_PATIENCE,
        limits: config.layers,
        ..Default::default()
    }
}

/// Credentials for our own registry, of a control plane that may be away for a moment.
async fn registry_token(api: &Api) -> Result<EcrToken, String> {
    let mut backoff = Backoff::api();
    let until = Instant::now() + REGISTRY_PATIENCE;
    loop {
        match api.registry_token().await {
            Err(error) if error.is_transient() && Instant::now() < until => {
                sleep(backoff.pause(rand::random())).await;
            }
            other => return other.map_err(|error| error.to_string()),
        }
    }
}

/// Registers and keeps the sessions open.
struct Supervisor {
    api: Api,
    engine: Engine,
    reports: Arc<dyn Reports>,
    is_registered: watch::Sender<bool>,
    dir: StateDir,
    identity: Identity,
    usage: Arc<Usage>,
    host: Arc<Host>,
}

impl Supervisor {
    async fn run(self, connected: watch::Sender<bool>) {
        let mut instance = self.dir.instance().unwrap_or_else(|error| {
            tracing::error!(%error, "which instance this was is not known any more");
            Default::default()
        });
        if instance.cluster.as_deref() != Some(&self.identity.cluster) {
            instance = Default::default();
        }
        let mut backoff = Backoff::api();
        let Registration { arn } = loop {
            if instance.arn.is_none() && instance.token.is_none() {
                instance.token = Some(uuid::Uuid::new_v4().to_string());
                instance.cluster = Some(self.identity.cluster.clone());
                if let Err(error) = self.dir.save_instance(&instance) {
                    tracing::error!(%error, "the registration's token could not be written down");
                }
            }
            match register(&self.api, &self.identity, &instance).await {
                Ok(registration) => break registration,
                Err(error) => {
                    // A control plane that lost its state does not know the ARN: a new instance,
                    // then. Its tasks are told to it as they come.
                    if error.code() == Some("InvalidParameterException") {
                        (instance.arn, instance.token) = (None, None);
                    }
                    tracing::warn!(%error, "not registered yet");
                    sleep(backoff.pause(rand::random())).await;
                }
            }
        };
        tracing::info!(arn, cluster = self.identity.cluster, "registered");
        self.is_registered.send_replace(true);
        (instance.arn, instance.token) = (Some(arn.clone()), None);
        instance.cluster = Some(self.identity.cluster.clone());
        if let Err(error) = self.dir.save_instance(&instance) {
            tracing::error!(%error, "the instance's ARN could not be written down");
        }
        backoff.reset();
        let endpoints = loop {
            let input = DiscoverPollEndpointRequest {
                cluster: Some(self.identity.cluster.clone()),
                container_instance: Some(arn.clone()),
            };
            match self.api.call::<ecs::ops::DiscoverPollEndpoint>(&input).await {
                Ok(found) if found.endpoint.is_some() => break found,
                Ok(_) => tracing::warn!("no endpoint in the answer to DiscoverPollEndpoint"),
                Err(error) => tracing::warn!(%error, "no endpoint yet"),
            }
            sleep(backoff.pause(rand::random())).await;
        };
        let acs = AcsSession {
            api: self.api.clone(),
            engine: self.engine,
            reports: self.reports,
            dir: self.dir,
            instance: Mutex::new(instance),
            endpoint: endpoints.endpoint.unwrap_or_default(),
            cluster: self.identity.cluster.clone(),
            arn: arn.clone(),
            connected,
            had_connected: AtomicBool::new(false),
        };
        let tcs = endpoints.telemetry_endpoint.map(|endpoint| TcsSession {
            api: self.api,
            endpoint,
            cluster: self.identity.cluster,
            arn,
            telemetry: self.usage,
        });
        let tcs = async {
            match tcs {
                Some(tcs) => tcs.run().await,
                None => std::future::pending().await,
            }
        };
        tokio::join!(Arc::new(acs).run(), tcs, self.host.keep_rules());
    }
}
