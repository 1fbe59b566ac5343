use crate::spelling::spelled;
use serde::{Deserialize, Deserializer, Serialize};
use std::sync::Arc;

spelled! {
    ConstraintKind { DistinctInstance = "distinctInstance", MemberOf = "memberOf" }
}
spelled! {
    StrategyKind { Random = "random", Spread = "spread", Binpack = "binpack" }
}

/// Which container instances a task may be placed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacementConstraint {
    pub kind: ConstraintKind,
    /// Of `memberOf`: in the cluster query language.
    pub expression: Option<Arc<str>>,
}

/// Which of several container instances is the better one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlacementStrategy {
    pub kind: StrategyKind,
    /// What is spread over, or packed by.
    pub field: Option<Arc<str>>,
}

/// A list that once was stored as `null` where there was none.
pub(super) fn or_empty<'de, D: Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(d)?.unwrap_or_default())
}
