//! The agents' sessions: what an agent is told (ACS) and what it measures (TCS).

mod acs;
mod handshake;
mod hub;
pub(crate) mod identity;
pub mod payload;
mod renewals;
mod tcs;

use axum::routing::get;

pub(crate) use acs::Sessions;
pub use hub::Hub;

pub(crate) fn routes(sessions: Sessions) -> axum::Router {
    axum::Router::new().route("/acs/ws", get(acs::open)).route("/tcs/ws", get(tcs::open)).with_state(sessions)
}
