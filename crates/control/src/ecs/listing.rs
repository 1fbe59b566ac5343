//! Pages of lists: `maxResults`, `nextToken`, and the token that follows.

use wire::{Context, Error, page};

/// What a list operation was asked for.
#[derive(Debug)]
pub(crate) struct Listing<'a> {
    operation: &'static str,
    /// What the token must not outlive: the scope and every filter of the call.
    bound_to: Vec<&'a str>,
    limit: usize,
    /// Where the page before ended.
    after: Option<String>,
}

impl<'a> Listing<'a> {
    /// `most`: the operation's largest `maxResults`, which is also what a call without one gets.
    pub(crate) fn new(
        operation: &'static str,
        context: &'a Context,
        filters: impl IntoIterator<Item = &'a str>,
        max_results: Option<i32>,
        most: u16,
        next_token: Option<&str>,
    ) -> Result<Self, Error> {
        let limit = match max_results {
            None => most,
            Some(wanted) => {
                u16::try_from(wanted).ok().filter(|wanted| (1..=most).contains(wanted)).ok_or_else(|| {
                    Error::invalid_parameter(format!("maxResults should be between 1 and {most}."))
                })?
            }
        };
        let mut bound_to = vec![context.account.as_str(), context.region.as_str()];
        bound_to.extend(filters);
        let after = next_token
            .filter(|token| !token.is_empty())
            .map(|token| page::decode(operation, &bound_to, token))
            .transpose()?;
        Ok(Self { operation, bound_to, limit: limit.into(), after })
    }

    /// The position at which the page before ended, for a list that can begin behind it.
    pub(crate) fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// The page, and the token of the next. `items` are sorted by `position`.
    pub(crate) fn page<T>(
        &self,
        items: impl IntoIterator<Item = T>,
        position: impl Fn(&T) -> String,
    ) -> (Vec<T>, Option<String>) {
        let later = |item: &T| self.after.as_ref().is_none_or(|after| position(item) > *after);
        page::page(items.into_iter().filter(later), self.limit, &position, |position| {
            page::encode(self.operation, &self.bound_to, position)
        })
    }

    /// As [`Listing::page`], for items sorted the other way round.
    pub(crate) fn page_descending<T>(
        &self,
        items: impl IntoIterator<Item = T>,
        position: impl Fn(&T) -> String,
    ) -> (Vec<T>, Option<String>) {
        let later = |item: &T| self.after.as_ref().is_none_or(|after| position(item) < *after);
        page::page(items.into_iter().filter(later), self.limit, &position, |position| {
            page::encode(self.operation, &self.bound_to, position)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pages(items: &[String], size: i32) -> Vec<String> {
        let context = Context::default();
        let (mut all, mut token) = (Vec::new(), None);
        loop {
            let listing = Listing::new("List", &context, [], Some(size), 100, token.as_deref()).unwrap();
            let (page, next) = listing.page(items.iter().cloned(), Clone::clone);
            assert!(page.len() <= size as usize);
            all.extend(page);
            match next {
                Some(next) => token = Some(next),
                None => return all,
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn pages_hold_every_item_once(items in proptest::collection::btree_set("[a-z]{1,4}", 0..40), size in 1..10) {
            let items: Vec<String> = items.into_iter().collect();
            prop_assert_eq!(pages(&items, size), items);
        }
    }

    #[test]
    fn sizes_out_of_range_are_refused() {
        for size in [0, -1, 101, i32::MAX] {
            assert!(Listing::new("List", &Context::default(), [], Some(size), 100, None).is_err(), "{size}");
        }
    }
}
