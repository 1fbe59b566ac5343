//! Pages of listings: a token holds where the next page begins and is bound to what was asked.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wire::Error;

use crate::read::position::BadToken;

/// CloudWatch Logs describes at most 50 groups or streams at once.
const MAX: usize = 50;

#[derive(Serialize, Deserialize)]
struct Envelope<C> {
    /// Of this layout.
    v: u8,
    /// Checksum of the request's other parameters: a token is good only for the same question.
    q: u32,
    /// Where the next page begins.
    c: C,
}

/// The question that a token belongs to: the operation and every parameter that shapes its list.
pub(super) fn question(parameters: &impl Serialize) -> u32 {
    serde_json::to_vec(parameters).map_or(0, |text| crc32fast::hash(&text))
}

pub(super) fn parse<C: DeserializeOwned>(token: Option<&str>, question: u32) -> Result<Option<C>, Error> {
    let Some(token) = token else { return Ok(None) };
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| BadToken)?;
    let envelope: Envelope<C> = serde_json::from_slice(&bytes).map_err(|_| BadToken)?;
    if envelope.v != 1 || envelope.q != question {
        return Err(BadToken.into());
    }
    Ok(Some(envelope.c))
}

/// The first page of `rest`, and the token for what follows. `cursor` names the last item taken.
pub(super) fn take<T, C: Serialize>(
    mut rest: impl Iterator<Item = T>,
    limit: Option<i32>,
    question: u32,
    cursor: impl Fn(&T) -> C,
) -> (Vec<T>, Option<String>) {
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(MAX).clamp(1, MAX);
    let page: Vec<T> = rest.by_ref().take(limit).collect();
    let last = page.last().filter(|_| rest.next().is_some());
    let token = last.and_then(|last| {
        let envelope = Envelope { v: 1, q: question, c: cursor(last) };
        serde_json::to_vec(&envelope).ok().map(|text| URL_SAFE_NO_PAD.encode(text))
    });
    (page, token)
}
