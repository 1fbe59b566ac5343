//! Whose a key is, as the server that gave it knows now.

use iam::Principal;

/// Finds the owners of keys. Asked at each request, so that a key that is deleted, or a policy that is changed,
/// is so at once for passwords and tokens that were given before.
pub trait Principals: Send + Sync {
    /// The owner of a live key of the account.
    fn find(&self, access_key_id: &str, account: &str) -> Option<Principal>;
}

/// Every key is the account's root user's.
#[derive(Debug)]
pub struct OnlyRoot;

impl Principals for OnlyRoot {
    fn find(&self, _: &str, account: &str) -> Option<Principal> {
        Some(Principal::root(account))
    }
}
