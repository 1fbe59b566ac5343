//! AWS STS, as far as clients ask who they are.

mod get_caller_identity;

use wire::dispatch::Router;
use wire::sts::ops;

pub(crate) fn operations() -> Router {
    let mut router = Router::new();
    router.register::<ops::GetCallerIdentity, _, _>(get_caller_identity::handle);
    router
}
