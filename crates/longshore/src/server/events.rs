//! What the event service has to do with the others: it is told of their changes, and calls their operations.

use std::fmt;
use std::sync::Arc;

use control::announce::Audience;
use events::{Call, Called, Calls, Events, Source};
use model::Scope;
use serde_json::Value;
use store::Outbox;
use tokio::sync::watch;
use wire::Context;
use wire::dispatch::Router;

/// The rules, as the writers ask whether anybody wants an event.
pub(super) struct Rules(pub Events);

impl fmt::Debug for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rules")
    }
}

impl Audience for Rules {
    fn wants(&self, scope: &Scope, source: &str, detail_type: &str) -> bool {
        self.0.wants(scope.account.as_str(), scope.region.as_str(), source, detail_type)
    }

    fn takes(&self, scope: &Scope, event: &Value) -> bool {
        self.0.matches(scope.account.as_str(), scope.region.as_str(), event)
    }
}

impl registry::Audience for Rules {
    fn wants(&self, account: &str, region: &str, source: &str, detail_type: &str) -> bool {
        self.0.wants(account, region, source, detail_type)
    }

    fn takes(&self, account: &str, region: &str, event: &Value) -> bool {
        self.0.matches(account, region, event)
    }
}

/// A service's outbox, as the events come out of it.
pub(super) struct OutboxOf {
    pub name: &'static str,
    pub outbox: Arc<Outbox>,
}

impl Source for OutboxOf {
    fn name(&self) -> &'static str {
        self.name
    }

    fn after(&self, number: u64, most: usize) -> Vec<(u64, Arc<[u8]>)> {
        self.outbox.after(number, most)
    }

    fn newest(&self) -> watch::Receiver<u64> {
        self.outbox.newest()
    }

    fn forget(&self, through: u64) {
        self.outbox.forget(through);
    }
}

/// The operations of the other services, as targets call them.
pub(super) struct Operations(pub Router);

impl Calls for Operations {
    fn call(&self, call: Call) -> Called<'_> {
        Box::pin(async move {
            let context = Context {
                account: call.account,
                region: call.region,
                principal_arn: call.on_behalf_of,
                request_id: format!("{:032x}", rand::random::<u128>()),
                ..Context::default()
            };
            self.0.call(call.service, call.operation, context, &call.body).await
        })
    }
}
