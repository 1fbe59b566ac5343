//! Pages of listings.

use wire::{Context, Error, page};

use super::invalid;

/// API reference, `Limit`.
const MAX: usize = 100;

/// What a token belongs to: whose listing it is, and of what.
pub(super) struct Listing<'a> {
    operation: &'static str,
    of: Vec<&'a str>,
}

impl<'a> Listing<'a> {
    pub(super) fn new(operation: &'static str, context: &'a Context, of: &[&'a str]) -> Self {
        Self { operation, of: [&[context.account.as_str(), context.region.as_str()], of].concat() }
    }

    /// Those behind the token, as many as asked for. `items`: all, in the order of their names.
    pub(super) fn page<T>(
        &self,
        items: impl Iterator<Item = T>,
        name: impl Fn(&T) -> String,
        token: Option<&str>,
        limit: Option<i32>,
    ) -> Result<(Vec<T>, Option<String>), Error> {
        let after = token.map(|token| page::decode(self.operation, &self.of, token)).transpose();
        let after = after.map_err(|_| invalid("Parameter NextToken is not valid."))?;
        let rest = items.filter(|item| after.as_ref().is_none_or(|after| name(item) > *after));
        let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(MAX);
        Ok(page::page(rest, limit, &name, |name| page::encode(self.operation, &self.of, name)))
    }
}
