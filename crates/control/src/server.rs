//! Putting the server together and running it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use model::Command;
use store::Store;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use wire::dispatch::Router;

use crate::access::ResourcePolicies;
use crate::announce::SharedAudience;
use crate::app::{App, Config};
use crate::clock::Clock;
use crate::front::connections::{self, Bounds};
use crate::front::opening::Entrance;
use crate::front::{api, own, pages};
use crate::keyring::Keyring;
use crate::metrics::Metrics;
use crate::pushes::SharedPushes;
use crate::sessions::{self, Hub, Sessions};
use crate::task_keys::TaskKeys;
use crate::tls::Certificates;
use crate::usage::Usages;
use crate::writer::{self, SubmitError, Writer};
use crate::{drivers, ecs, sts};

/// What a server is made of.
pub struct Parts {
    pub config: Config,
    pub store: Arc<dyn Store>,
    pub clock: Arc<dyn Clock>,
    pub keyring: Arc<dyn Keyring>,
    pub task_keys: TaskKeys,
    pub policies: Arc<dyn ResourcePolicies>,
    /// Operations of the sibling services.
    pub operations: Router,
    /// Routes of the sibling services.
    pub routes: axum::Router,
    /// What is pushed to the registry.
    pub pushes: SharedPushes,
    /// Who is told of changes, by the outbox of the writer.
    pub audience: SharedAudience,
    /// For whoever comes from another machine.
    pub certificates: Arc<dyn Certificates>,
    /// Connections at once; further ones are answered that there is no room.
    pub most_connections: usize,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("config", &self.config).finish_non_exhaustive()
    }
}

/// Why a server didn't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the state could not be loaded")]
    Open(#[from] writer::OpenError),
    #[error("the first commit failed")]
    FirstCommit(#[from] SubmitError),
    #[error("the listener has no address")]
    Address(#[source] io::Error),
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    pub app: Arc<App>,
    pub address: SocketAddr,
    /// All operations, past the front: for calls on behalf of somebody who was asked before.
    pub operations: Router,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// The control plane's own operations, with those of the sibling services: the one table that
/// dispatches, and that coverage is read from.
pub fn operations(app: &Arc<App>, siblings: Router) -> Router {
    let mut router = ecs::operations(app);
    router.merge(sts::operations());
    router.merge(siblings);
    router
}

impl Server {
    /// Loads the state and begins to serve on `listener`. When it returns, requests are answered.
    pub async fn start(parts: Parts, listener: TcpListener) -> Result<Server, StartError> {
        let address = listener.local_addr().map_err(StartError::Address)?;
        let metrics = Arc::new(Metrics::default());
        let writer = Writer::open(
            parts.store,
            parts.clock.clone(),
            metrics.clone(),
            parts.audience,
            parts.config.home(),
        )?;
        let app = Arc::new(App {
            config: parts.config,
            writer,
            clock: parts.clock,
            keyring: parts.keyring,
            task_keys: parts.task_keys,
            policies: parts.policies,
            metrics,
            usage: Usages::default(),
            hub: Arc::new(Hub::default()),
            placements: Arc::default(),
        });
        app.keyring.attach(&app);
        // Whatever was connected before is gone; agents come back by themselves.
        app.submit(Command::DropSessions).await?;
        drivers::ensure_default_cluster(&app).await?;

        let router = operations(&app, parts.operations);
        let hub = app.hub.clone();
        let api = {
            let (app, router) = (app.clone(), router.clone());
            move |request: Request<Body>| {
                let (app, router) = (app.clone(), router.clone());
                async move { api::answer(app, router, request).await }
            }
        };
        let routes = axum::Router::new()
            .merge(pages::routes(app.clone()))
            .merge(own::routes(app.clone()))
            .merge(sessions::routes(Sessions { app: app.clone(), hub: hub.clone() }))
            .merge(parts.routes)
            .fallback(api);
        let bounds = Bounds::new(parts.most_connections);
        let (stop, stopped) = watch::channel(false);
        let mut tasks = drivers::start(&app, parts.pushes, &stopped);
        tasks.push(tokio::spawn(hub.dispatch(app.writer.clone())));
        let entrance = Entrance::new(parts.certificates);
        tasks.push(tokio::spawn(connections::serve(listener, routes, entrance, bounds, stopped)));
        Ok(Server { app, address, operations: router, stop, tasks })
    }

    /// Ends the server: requests under way get their answers, within bounds. Everything acknowledged
    /// is durable already.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        if let Some(serving) = self.tasks.pop() {
            let _ = serving.await;
        }
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
