//! The registry's outbox, as the control plane reads it.

use control::pushes::{Push, Pushes, Recorded};
use model::Scope;
use registry::Registry;
use tokio::sync::watch;

pub(super) struct Outbox(pub Registry);

impl Pushes for Outbox {
    fn after(&self, number: u64) -> Vec<Push> {
        let push = |(number, push): (u64, registry::Push)| Push {
            number,
            scope: Scope::new(push.account, push.region),
            repository: push.repository.to_string(),
            tag: push.tag.to_string(),
            digest: push.digest.to_string(),
            at_ms: push.pushed_at_ms,
            is_image: push.is_image,
        };
        self.0.pushes_after(number).into_iter().map(push).collect()
    }

    fn newest(&self) -> watch::Receiver<u64> {
        self.0.newest_push()
    }

    fn forget(&self, through: u64) -> Recorded<'_> {
        Box::pin(async move {
            if let Err(error) = self.0.forget_pushes(through).await {
                tracing::warn!(%error, "pushes that were acted on stay in the outbox");
            }
        })
    }
}
