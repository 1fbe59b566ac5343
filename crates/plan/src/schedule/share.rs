use model::CapacityStrategyItem;
use std::{cmp::Ordering, sync::Arc};

/// How tasks are shared out between the capacity providers of a strategy: a provider's base comes
/// first, and what is beyond the bases is in the ratio of the weights (ECS API reference,
/// CapacityProviderStrategyItem). What is there already counts, so tasks started one by one are
/// shared out as those started at once.
#[derive(Debug, Clone)]
pub struct Shares<'s> {
    strategy: &'s [CapacityStrategyItem],
    given: Vec<u64>,
}

impl<'s> Shares<'s> {
    /// `present`: the providers of the tasks that are there and stay.
    pub fn new<'t>(strategy: &'s [CapacityStrategyItem], present: impl IntoIterator<Item = &'t str>) -> Self {
        let mut given = vec![0; strategy.len()];
        for provider in present {
            if let Some(index) = strategy.iter().position(|item| *item.provider == *provider) {
                given[index] += 1;
            }
        }
        Self { strategy, given }
    }

    /// The provider of the next task; `None` without a strategy, or with one that has no weight left.
    pub fn give(&mut self) -> Option<Arc<str>> {
        let items = || self.strategy.iter().enumerate();
        let below_base = items().find(|(index, item)| self.given[*index] < u64::from(item.base));
        let lightest = || {
            let weighted = items().filter(|(_, item)| item.weight > 0);
            weighted.min_by(|(a, _), (b, _)| self.lighter(*a, *b))
        };
        let (index, item) = below_base.or_else(lightest)?;
        self.given[index] += 1;
        Some(item.provider.clone())
    }

    /// Who has less for its weight; of equals the heavier. Multiplied crosswise, there are no
    /// fractions, and neither factor is above 32 bits.
    fn lighter(&self, a: usize, b: usize) -> Ordering {
        let (one, other) = (&self.strategy[a], &self.strategy[b]);
        let beyond = |index: usize| self.given[index].saturating_sub(self.strategy[index].base.into());
        let (left, right) = (beyond(a) * u64::from(other.weight), beyond(b) * u64::from(one.weight));
        left.cmp(&right).then(other.weight.cmp(&one.weight))
    }
}
