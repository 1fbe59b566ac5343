use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wire::arn::Home;

/// The bus that is there without being made, and that the services' own events come to.
pub const DEFAULT_BUS: &str = "default";

/// One bus of an account and region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BusKey {
    pub account: String,
    pub region: String,
    pub name: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Bus {
    pub created_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

impl BusKey {
    pub(crate) fn home(&self) -> Home<'_> {
        Home { region: &self.region, account: &self.account }
    }

    pub(crate) fn arn(&self) -> String {
        self.home().event_bus(&self.name)
    }
}
