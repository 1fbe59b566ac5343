//! `POST /longshore/roles`: the roles of tasks are defined, listed and deleted. AWS does it by IAM, which isn't here
//! (`docs/decisions/0060`).

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use serde::{Deserialize, Serialize};
use wire::Credentials;

use super::access_keys::Unchanged;
use super::keys_route::done;
use super::roles::Roles;
use super::signed;
use crate::data_dir::{Keys, Role};
use crate::site::credentials;
use crate::talk::now_ms;

pub const PATH: &str = "/longshore/roles";

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum RolesRequest {
    Put { name: String, policy: String },
    List,
    Delete { name: String },
}

#[derive(Debug, Serialize, Deserialize)]
pub struct RolesAnswer {
    pub roles: Vec<RoleShown>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoleShown {
    pub name: String,
    pub arn: String,
    pub created_at_ms: u64,
    pub policy: String,
}

#[derive(Clone, Debug)]
pub struct Route {
    user: Credentials,
    roles: Arc<Roles>,
}

impl Route {
    pub fn new(keys: &Keys, roles: Arc<Roles>) -> Route {
        Route { user: credentials(&keys.user), roles }
    }

    pub fn routes(self) -> axum::Router {
        axum::Router::new().route(PATH, post(answer)).with_state(self)
    }
}

async fn answer(State(route): State<Route>, request: Request) -> Response {
    let asked = match signed::asked::<RolesRequest>(&route.user, request).await {
        Ok(asked) => asked,
        Err(refusal) => return refusal,
    };
    let roles = route.roles.clone();
    done(move || carry_out(&roles, asked)).await
}

fn carry_out(roles: &Roles, asked: RolesRequest) -> Result<RolesAnswer, Unchanged> {
    let found = match asked {
        RolesRequest::Put { name, policy } => {
            vec![roles.put(Role { name, created_at_ms: now_ms(), policy })?]
        }
        RolesRequest::List => roles.all(),
        RolesRequest::Delete { name } => vec![roles.delete(&name)?],
    };
    let shown = |role: Role| RoleShown {
        arn: roles.arn(&role.name),
        name: role.name,
        created_at_ms: role.created_at_ms,
        policy: role.policy,
    };
    Ok(RolesAnswer { roles: found.into_iter().map(shown).collect() })
}
