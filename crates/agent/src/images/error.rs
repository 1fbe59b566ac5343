//! Why a pull failed. The texts are worded as ECS's stopped-task messages are ("CannotPullContainer task
//! errors" in the ECS developer guide, which hands on containerd's wording), without the leading
//! `CannotPullContainerError: `, which the caller puts in front.

use super::{digest::Digest, manifest::Platform, unpack::UnpackError};
use std::{io, path::PathBuf, sync::Arc};

/// A pull that failed. `Clone`, because every caller that was waiting for the same download gets it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PullError {
    /// The name can't be parsed.
    #[error("failed to parse reference \"{reference}\": {source}")]
    Reference { reference: String, source: super::reference::ReferenceSyntax },

    /// The registry did not give the manifest (or the image's configuration).
    #[error(
        "pull image manifest has been retried {attempts} time(s): failed to resolve ref {reference}: {source}"
    )]
    Resolve { reference: String, attempts: u32, source: Box<RequestError> },

    /// No manifest of the index, or not this image, is for the platform.
    #[error(
        "pull image manifest has been retried 1 time(s): image Manifest does not contain descriptor matching platform '{platform}'"
    )]
    Platform { reference: String, platform: Platform },

    /// A manifest, an index or a configuration that is malformed or of an unknown kind.
    #[error("pull image manifest has been retried 1 time(s): failed to resolve ref {reference}: {reason}")]
    Manifest { reference: String, reason: String },

    /// The registry did not give a layer.
    #[error(
        "ref pull has been retried {attempts} time(s): failed to copy: httpReadSeeker: failed open: {source}"
    )]
    Fetch { digest: Digest, attempts: u32, source: Box<RequestError> },

    /// Content isn't what its digest says.
    #[error(
        "ref pull has been retried 1 time(s): failed commit on ref \"{what}-{expected}\": unexpected commit digest {actual}, expected {expected}: failed precondition"
    )]
    Digest { what: &'static str, expected: Digest, actual: Digest },

    /// The disk that holds the image store is full (or over its quota).
    #[error(
        "ref pull has been retried 1 time(s): failed to extract layer {diff_id}: write {path}: no space left on device"
    )]
    DiskFull { diff_id: Digest, path: PathBuf },

    /// A layer can't be unpacked.
    #[error("ref pull has been retried 1 time(s): failed to extract layer {diff_id}: {source}")]
    Unpack { diff_id: Digest, source: Arc<UnpackError> },

    /// No credentials for the registry could be had.
    #[error(
        "pull image manifest has been retried 1 time(s): failed to resolve ref {reference}: failed to authorize: {reason}"
    )]
    Credentials { reference: String, reason: String },

    /// The image store itself can't be read or written.
    #[error("failed to {action} {path}: {source}")]
    Store { action: &'static str, path: PathBuf, source: Arc<io::Error> },

    /// The download that this pull had joined ended without a result.
    #[error("ref pull has been retried 1 time(s): failed to copy: context canceled")]
    Interrupted,
}

/// What kind of failure it was, for deciding what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PullErrorKind {
    NotFound,
    Auth,
    Network,
    Platform,
    BadDigest,
    BadImage,
    DiskFull,
    Unpack,
    Internal,
}

impl PullError {
    /// The kind of failure.
    pub fn kind(&self) -> PullErrorKind {
        match self {
            Self::Reference { .. } | Self::Manifest { .. } => PullErrorKind::BadImage,
            Self::Resolve { source, .. } | Self::Fetch { source, .. } => source.kind(),
            Self::Platform { .. } => PullErrorKind::Platform,
            Self::Digest { .. } => PullErrorKind::BadDigest,
            Self::DiskFull { .. } => PullErrorKind::DiskFull,
            Self::Unpack { .. } => PullErrorKind::Unpack,
            Self::Credentials { .. } => PullErrorKind::Auth,
            Self::Store { source, .. } if is_disk_full(source) => PullErrorKind::DiskFull,
            Self::Store { .. } | Self::Interrupted => PullErrorKind::Internal,
        }
    }

    pub(super) fn store(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Store { action, path, source: Arc::new(source) }
    }
}

/// A stranger's text as a part of one line: control characters replaced, cut to `most` characters.
pub(super) fn short(text: &str, most: usize) -> String {
    let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    let mut line: String = text.chars().take(most).map(shown).collect();
    if text.chars().nth(most).is_some() {
        line.push('…');
    }
    line
}

/// `ENOSPC` and `EDQUOT` both mean that the disk has no room for us.
pub(super) fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT))
}

/// One request to a registry that failed, after its retries.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RequestError {
    /// 404.
    #[error("{what}: not found")]
    NotFound { what: String },

    /// 401 or 403 although we gave what credentials we have, or a challenge that we can't meet.
    #[error(
        "pull access denied, repository does not exist or may require authorization: {message}: unexpected status from {method} request to {url}: {status}"
    )]
    Denied { method: String, url: String, status: String, message: String },

    /// Any other status that isn't success.
    #[error("unexpected status from {method} request to {url}: {status}{message}")]
    Status { method: String, url: String, code: u16, status: String, message: String },

    /// No answer: no connection, no name, TLS refused, a time-out, a broken connection.
    #[error("failed to do request: {method} \"{url}\": {reason}")]
    Transport { method: String, url: String, reason: String, source: Arc<reqwest::Error> },

    /// The body ended before, or went on after, the size that was declared.
    #[error("unexpected EOF: {url} gave {received} of {expected} bytes")]
    Truncated { url: String, received: u64, expected: u64 },

    /// The answer is larger than we take.
    #[error("{url} is larger than {limit} bytes")]
    TooLarge { url: String, limit: u64 },

    /// An answer that doesn't follow the distribution specification.
    #[error("{url}: {reason}")]
    Protocol { url: String, reason: String },

    /// The TLS client can't be made (no trusted roots on this machine, for example).
    #[error("https is not available: {reason}")]
    Tls { reason: String },

    /// Whoever should have taken the body went away.
    #[error("context canceled")]
    Canceled,
}

impl RequestError {
    fn kind(&self) -> PullErrorKind {
        match self {
            Self::NotFound { .. } => PullErrorKind::NotFound,
            Self::Denied { .. } => PullErrorKind::Auth,
            Self::Status { .. } | Self::Transport { .. } | Self::Truncated { .. } | Self::Tls { .. } => {
                PullErrorKind::Network
            }
            Self::TooLarge { .. } | Self::Protocol { .. } => PullErrorKind::BadImage,
            Self::Canceled => PullErrorKind::Internal,
        }
    }

    /// Whether the same request may well succeed a moment later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Transport { .. } | Self::Truncated { .. } => true,
            Self::Status { code, .. } => *code == 408 || *code == 429 || *code >= 500,
            _ => false,
        }
    }
}
