//! `POST /longshore/drain`: stops the tasks of the agent in this process, before it goes down for good.
//!
//! Only that agent's: tasks on other machines outlive a control plane. Its instance is set DRAINING
//! first, so that nothing is placed there anew, and ACTIVE again by the next start.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use agent::state::StateDir;
use anyhow::{Context, Result};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use control::App;
use model::{Command, DesiredStatus, InstanceId, InstanceStatus, StopCode, TaskStatus};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use wire::Credentials;

use super::signed;
use super::taken_down::REASON;
use crate::data_dir::Keys;
use crate::site::credentials;

pub const PATH: &str = "/longshore/drain";
/// How often tasks are looked at while they stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);

#[derive(Debug, Serialize, Deserialize)]
pub struct DrainRequest {
    /// How long tasks may take, in milliseconds.
    pub timeout_ms: u64,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct DrainAnswer {
    pub stopped: usize,
    /// Tasks that had not stopped when the time was over.
    pub left: usize,
}

/// The route; it answers once the control plane is attached.
#[derive(Clone, Debug)]
pub struct Route {
    user: Credentials,
    agent_dir: PathBuf,
    app: Arc<OnceLock<Arc<App>>>,
}

impl Route {
    pub fn new(keys: &Keys, agent_dir: PathBuf) -> Route {
        Route { user: credentials(&keys.user), agent_dir, app: Arc::default() }
    }

    pub fn routes(&self) -> axum::Router {
        axum::Router::new().route(PATH, post(answer)).with_state(self.clone())
    }

    /// Takes back what the last drain did.
    pub async fn attach(&self, app: Arc<App>) -> Result<()> {
        if let Some(id) = self.instance()
            && app.world().instance(id).is_some_and(|i| i.status == InstanceStatus::Draining)
        {
            let command = Command::SetInstanceStatus { id, status: InstanceStatus::Active };
            app.submit(command).await.context("let tasks be placed here again")?;
        }
        // Nobody else sets it.
        let _ = self.app.set(app);
        Ok(())
    }

    /// The instance that the agent of this directory is registered as.
    pub fn instance(&self) -> Option<InstanceId> {
        if !self.agent_dir.exists() {
            return None;
        }
        let arn = StateDir::open(&self.agent_dir).ok()?.instance().ok()?.arn?;
        arn.rsplit('/').next()?.parse().ok()
    }
}

async fn answer(State(route): State<Route>, request: Request) -> Response {
    match signed::by(&route.user, request).await {
        Ok(body) => match serde_json::from_slice::<DrainRequest>(&body) {
            Ok(asked) => match drain(&route, Duration::from_millis(asked.timeout_ms)).await {
                Ok(answer) => axum::Json(answer).into_response(),
                Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, crate::talk::told(&error)).into_response(),
            },
            Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
        },
        Err(refusal) => refusal,
    }
}

async fn drain(route: &Route, timeout: Duration) -> Result<DrainAnswer> {
    let app = route.app.get().context("the control plane is still starting")?;
    let Some(id) = route.instance() else { return Ok(DrainAnswer { stopped: 0, left: 0 }) };
    let Some(status) = app.world().instance(id).map(|instance| instance.status) else {
        return Ok(DrainAnswer { stopped: 0, left: 0 });
    };
    if status == InstanceStatus::Active {
        let command = Command::SetInstanceStatus { id, status: InstanceStatus::Draining };
        app.submit(command).await.context("let no more tasks be placed here")?;
    }
    let until = Instant::now() + timeout;
    let mut first = None;
    loop {
        let world = app.world();
        let live: Vec<_> =
            world.live_tasks_on(id).filter(|task| task.last_status != TaskStatus::Stopped).cloned().collect();
        let count = *first.get_or_insert(live.len());
        if live.is_empty() || Instant::now() >= until {
            tracing::info!(stopped = count.saturating_sub(live.len()), left = live.len(), "drained");
            return Ok(DrainAnswer { stopped: count.saturating_sub(live.len()), left: live.len() });
        }
        for task in live.iter().filter(|task| task.desired_status != DesiredStatus::Stopped) {
            let stop = Command::StopTask {
                cluster: task.cluster.clone(),
                task: task.id,
                code: StopCode::UserInitiated,
                reason: REASON.into(),
            };
            app.submit(stop).await.context("stop a task")?;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
