//! ECR.
use crate::Shared;
use std::sync::Arc;
pub(crate) fn operations(_: &Arc<Shared>) -> wire::dispatch::Router {
    wire::dispatch::Router::new()
}
