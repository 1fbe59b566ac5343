//! Reading a request's body: bounded in bytes, in time, and in how much of all bodies is in memory at once.
//!
//! The signature covers the body, so it must be here before anything is known for certain. But a request
//! that doesn't even claim a key of ours is worth a few kilobytes only.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use http_body_util::{BodyExt, Limited};
use tokio::sync::{Semaphore, SemaphorePermit};
use wire::{Error, Protocol};

use super::authenticate;
use crate::app::App;

/// Bodies above are refused. ECR's UploadLayerPart holds 10 MiB in base64; nothing else comes near.
const MAX_BYTES: usize = 8 * 1024 * 1024;
const MAX_ECR_BYTES: usize = 16 * 1024 * 1024;
/// The same for whoever names no key of ours. Such a request is refused whatever it says.
const MAX_STRANGER_BYTES: usize = 16 * 1024;
/// A body must be here by then.
const TIME: Duration = Duration::from_secs(60);

/// Kilobytes of bodies in memory at once, those aside that are as small as a stranger's may be.
const ROOM_KB: u32 = 256 * 1024;
static ROOM: Semaphore = Semaphore::const_new(ROOM_KB as usize);
/// How long a large body waits for others to make room.
const ROOM_TIME: Duration = Duration::from_secs(10);

/// The whole body, and the hold on the memory that it takes.
pub(super) async fn read(
    app: &App,
    parts: &Parts,
    body: Body,
) -> Result<(Bytes, Option<SemaphorePermit<'static>>), Error> {
    let most = most(parts);
    let stranger = authenticate::plausible(app, parts).err();
    let limit = if stranger.is_some() { MAX_STRANGER_BYTES } else { most };
    let too_large = || match &stranger {
        Some(refusal) => refusal.to_error(protocol(parts)),
        None => Error::new(
            "RequestEntityTooLargeException",
            format!("A request's body may have {limit} bytes at most."),
        ),
    };
    let announced = parts.headers.get("content-length").and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > limit) {
        return Err(too_large());
    }
    let room = make_room(announced.unwrap_or(limit)).await?;
    let whole = tokio::time::timeout(TIME, Limited::new(body, limit).collect()).await;
    match whole {
        Ok(Ok(collected)) => Ok((collected.to_bytes(), room)),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(Error::serialization(format!("The body could not be read: {error}"))),
        Err(_) => Err(Error::new("RequestTimeoutException", "The body did not arrive in time.")),
    }
}

fn most(parts: &Parts) -> usize {
    let ecr = wire::ecr::SERVICE.target_prefix.as_bytes();
    let is_ecr = parts.headers.get("x-amz-target").is_some_and(|target| target.as_bytes().starts_with(ecr));
    if is_ecr { MAX_ECR_BYTES } else { MAX_BYTES }
}

/// In which a refusal is told, before anything is routed.
pub(super) fn protocol(parts: &Parts) -> Protocol {
    match parts.headers.contains_key("x-amz-target") {
        true => Protocol::Json,
        false => Protocol::Query,
    }
}

async fn make_room(bytes: usize) -> Result<Option<SemaphorePermit<'static>>, Error> {
    if bytes <= MAX_STRANGER_BYTES {
        return Ok(None);
    }
    let kilobytes = u32::try_from(bytes.div_ceil(1024)).unwrap_or(ROOM_KB).min(ROOM_KB);
    match tokio::time::timeout(ROOM_TIME, ROOM.acquire_many(kilobytes)).await {
        Ok(Ok(permit)) => Ok(Some(permit)),
        _ => Err(Error::new("ServiceUnavailableException", "Too many large requests at once. Try again.")),
    }
}
