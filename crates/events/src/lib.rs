//! EventBridge for what runs here: rules that match events or follow a schedule, and bring them to targets.
//!
//! Rules and deliveries under way are in the key-value store (`state`); patterns are `pattern`, schedules `schedule`
//! (both pure). Events come from the outboxes of other services (`sources`), from PutEvents and from schedules
//! (`timer`), become deliveries in one commit, and are brought to `targets` by `post`: at least once, and in order for
//! each subject at each target.
//!
//! It must never acknowledge an event before its deliveries are durable, let one target hold up another, or know what
//! another service's event means.
//!
//! Start at [`Events`], then `state/change.rs`, then `post`.

mod api;
mod clock;
mod envelope;
mod error;
mod pattern;
mod post;
mod schedule;
mod sources;
mod state;
mod targets;
mod timer;

use std::sync::Arc;

use serde_json::Value;
use store::Store;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use wire::dispatch::Router;

pub use clock::Clock;
pub use error::EventsError;
pub use sources::Source;
pub use targets::{Call, Called, Calls};

use api::Service;
use state::{BusKey, Catalog, DEFAULT_BUS};
use targets::Postman;

/// The event service. Clones are the same service.
#[derive(Clone, Debug)]
pub struct Events {
    service: Arc<Service>,
}

/// What delivers, fires and takes over. It ends when it is dropped.
#[derive(Debug)]
pub struct Running {
    _stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Events {
    /// Opens what is there. `store` is for this service alone (`events.db`). Nothing is delivered yet.
    ///
    /// # Errors
    /// When the store can't be read, or what is in it can't be understood.
    pub fn open(store: Arc<dyn Store>, clock: Clock) -> Result<Self, EventsError> {
        let catalog = Catalog::open(store, clock.clone())?;
        Ok(Self { service: Arc::new(Service { catalog, clock }) })
    }

    /// The operations of EventBridge, to be merged into the endpoint's router.
    pub fn operations(&self) -> Router {
        api::operations(&self.service)
    }

    /// Whether a rule may want an event of a service: asked before the event is made.
    pub fn wants(&self, account: &str, region: &str, source: &str, detail_type: &str) -> bool {
        let state = self.service.catalog.state();
        !state.rules.is_empty() && state.wants(&default_bus(account, region), source, detail_type)
    }

    /// Whether a rule wants this event: asked before it is put into an outbox.
    pub fn matches(&self, account: &str, region: &str, event: &Value) -> bool {
        let state = self.service.catalog.state();
        state.matching(&default_bus(account, region), event).next().is_some()
    }

    /// Begins to take over, to fire and to deliver.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn start(
        &self,
        calls: Arc<dyn Calls>,
        sources: Vec<Arc<dyn Source>>,
    ) -> Result<Running, EventsError> {
        let Service { catalog, clock } = &*self.service;
        let (stop, stopped) = watch::channel(false);
        let mut tasks = vec![
            tokio::spawn(post::run(catalog.clone(), Postman::new(calls)?, clock.clone(), stopped.clone())),
            tokio::spawn(timer::run(catalog.clone(), clock.clone(), stopped.clone())),
        ];
        for source in sources {
            tasks.push(tokio::spawn(sources::run(catalog.clone(), source, stopped.clone())));
        }
        Ok(Running { _stop: stop, tasks })
    }
}

fn default_bus(account: &str, region: &str) -> BusKey {
    BusKey { account: account.to_owned(), region: region.to_owned(), name: DEFAULT_BUS.to_owned() }
}

impl Drop for Running {
    /// What was under way is repeated after the next start.
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}
