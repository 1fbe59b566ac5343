//! The operations of EventBridge, one function each, grouped by what they are about.

mod buses;
mod names;
mod pages;
mod patterns;
mod put_events;
mod rules;
mod tags;
mod targets;

use std::sync::Arc;

use wire::dispatch::Router;
use wire::events::ops;

use crate::clock::Clock;
use crate::state::{Catalog, ChangeError, Refusal};

/// What the operations work on.
#[derive(Debug)]
pub(crate) struct Service {
    pub catalog: Catalog,
    pub clock: Clock,
}

/// Registers `module::function` for each operation.
macro_rules! operations {
    ($router:ident, $service:ident, $($operation:ident => $module:ident::$function:ident),+ $(,)?) => {$(
        let service = Arc::clone($service);
        $router.register::<ops::$operation, _, _>(move |context, input| {
            let service = Arc::clone(&service);
            async move { $module::$function(&service, &context, input).await }
        });
    )+};
}

/// Every operation that is implemented, bound to `service`.
pub(crate) fn operations(service: &Arc<Service>) -> Router {
    let mut router = Router::new();
    operations! { router, service,
        PutRule => rules::put,
        DescribeRule => rules::describe,
        ListRules => rules::list,
        DeleteRule => rules::delete,
        EnableRule => rules::enable,
        DisableRule => rules::disable,
        PutTargets => targets::put,
        ListTargetsByRule => targets::list,
        RemoveTargets => targets::remove,
        ListRuleNamesByTarget => targets::rule_names,
        PutEvents => put_events::put,
        TestEventPattern => patterns::test,
        CreateEventBus => buses::create,
        DescribeEventBus => buses::describe,
        ListEventBuses => buses::list,
        DeleteEventBus => buses::delete,
        TagResource => tags::tag,
        UntagResource => tags::untag,
        ListTagsForResource => tags::list,
    }
    router
}

fn invalid(message: impl Into<String>) -> wire::Error {
    wire::Error::new("ValidationException", message)
}

impl From<Refusal> for wire::Error {
    fn from(refusal: Refusal) -> Self {
        let code = match refusal {
            Refusal::NoRule(_) | Refusal::NoBus(_) => "ResourceNotFoundException",
            Refusal::BusExists(_) => "ResourceAlreadyExistsException",
            Refusal::BusStays(_) | Refusal::BusHasRules(_) | Refusal::HasTargets => "ValidationException",
            Refusal::TooMany => "LimitExceededException",
        };
        Self::new(code, refusal.to_string())
    }
}

impl From<ChangeError> for wire::Error {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Refused(refusal) => refusal.into(),
            ChangeError::Failed(error) => {
                let source = std::error::Error::source(&*error).map(ToString::to_string);
                tracing::error!(%error, source, "an event operation failed");
                Self::internal(&wire::events::SERVICE, "The service cannot complete the request.")
            }
        }
    }
}
