//! Pages of listings: a token holds where the next page begins and is bound to what was asked.

use serde::Serialize;
use serde::de::DeserializeOwned;
use wire::{Error, page};

use crate::read::position::BadToken;

/// CloudWatch Logs describes at most 50 groups or streams at once.
const MAX: usize = 50;

/// What a token belongs to: the operation, and every parameter that shapes its list.
pub(super) struct Question {
    operation: &'static str,
    parameters: String,
}

impl Question {
    pub(super) fn new(operation: &'static str, parameters: &impl Serialize) -> Question {
        // Parameters are strings and flags, which always have a text.
        Question { operation, parameters: serde_json::to_string(parameters).unwrap_or_default() }
    }

    /// Where the last page ended. `None`: this is the first.
    pub(super) fn parse<C: DeserializeOwned>(&self, token: Option<&str>) -> Result<Option<C>, Error> {
        let Some(token) = token else { return Ok(None) };
        let text = page::decode(self.operation, &[&self.parameters], token).map_err(|_| BadToken)?;
        Ok(Some(serde_json::from_str(&text).map_err(|_| BadToken)?))
    }

    /// The first page of `rest`, and the token for what follows. `cursor` names an item's place.
    pub(super) fn take<T, C: Serialize>(
        &self,
        rest: impl Iterator<Item = T>,
        limit: Option<i32>,
        cursor: impl Fn(&T) -> C,
    ) -> (Vec<T>, Option<String>) {
        let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(MAX).clamp(1, MAX);
        let position = |item: &T| serde_json::to_string(&cursor(item)).unwrap_or_default();
        let token = |position: &str| page::encode(self.operation, &[&self.parameters], position);
        page::page(rest, limit, position, token)
    }
}
