//! Errors in the form of the OCI distribution spec ("Error Codes"), and what of ours becomes which.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use crate::{
    blobs::{storage::BlobError, upload::UploadError},
    digest::InvalidDigest,
    manifest::InvalidManifest,
    name::InvalidName,
    state::{command::Refusal, writer::WriteError},
};

/// Seconds after which a client that was refused for too many uploads may try again: some have ended by then.
const RETRY_AFTER: &str = "30";

/// A refused request.
#[derive(Debug)]
pub struct OciError {
    pub status: StatusCode,
    errors: Vec<Entry>,
    /// Sent beside the body. Boxed: errors travel in every `Result`.
    pub headers: Box<HeaderMap>,
}

#[derive(Debug)]
struct Entry {
    code: &'static str,
    message: String,
    detail: Value,
}

impl OciError {
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            errors: vec![Entry { code, message: message.into(), detail: Value::Null }],
            headers: Box::default(),
        }
    }

    fn detail(mut self, detail: Value) -> Self {
        self.errors[0].detail = detail;
        self
    }

    fn header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// A failure of ours: logged in full, told in general.
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        let causes: Vec<String> =
            std::iter::successors(Some(error), |e| e.source()).map(ToString::to_string).collect();
        tracing::error!(error = causes.join(": "), "the registry failed a request");
        let message = "The registry failed; its log says why.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", message)
    }

    /// RFC 4918, 11.5. Of the codes that there are for a failure of ours, none says more.
    fn full(error: &(dyn std::error::Error + 'static)) -> Self {
        let message = "The registry's store is full. Nothing was stored; push again when there is room.";
        Self { status: StatusCode::INSUFFICIENT_STORAGE, ..Self::internal(error).message(message) }
    }

    /// The store of the blobs is elsewhere, and didn't do what it should.
    fn elsewhere(error: &(dyn std::error::Error + 'static)) -> Self {
        let message = "The registry's blob store failed; the registry's log says why. Try again.";
        Self { status: StatusCode::SERVICE_UNAVAILABLE, ..Self::internal(error).message(message) }
            .header(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER))
    }

    fn message(mut self, message: &str) -> Self {
        message.clone_into(&mut self.errors[0].message);
        self
    }

    /// `methods` are those that there are.
    pub fn not_allowed(methods: &'static str) -> Self {
        let message = "The operation is not supported.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", message)
            .header(header::ALLOW, HeaderValue::from_static(methods))
    }

    /// Who asks is known, and may not.
    pub fn denied(denial: &iam::Denial) -> Self {
        Self::new(StatusCode::FORBIDDEN, "DENIED", denial.to_string())
    }

    pub fn not_found() -> Self {
        let message = "The registry has no such address.";
        Self::new(StatusCode::NOT_FOUND, "UNSUPPORTED", message)
    }

    pub fn blob_unknown(digest: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", "blob unknown to registry")
            .detail(json!({"digest": digest}))
    }

    pub fn manifest_unknown(reference: &str) -> Self {
        let message = format!("Requested image not found: '{reference}'");
        Self::new(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", message).detail(json!({"reference": reference}))
    }

    pub fn digest_mismatch(said: &str, actual: &str) -> Self {
        let message = "provided digest did not match uploaded content";
        Self::new(StatusCode::BAD_REQUEST, "DIGEST_INVALID", message)
            .detail(json!({"provided": said, "actual": actual}))
    }
}

impl IntoResponse for OciError {
    fn into_response(self) -> Response {
        let errors: Vec<Value> = self
            .errors
            .into_iter()
            .map(|e| match e.detail {
                Value::Null => json!({"code": e.code, "message": e.message}),
                detail => json!({"code": e.code, "message": e.message, "detail": detail}),
            })
            .collect();
        (self.status, *self.headers, Json(json!({"errors": errors}))).into_response()
    }
}

impl From<InvalidName> for OciError {
    fn from(error: InvalidName) -> Self {
        let code = match &error {
            InvalidName::Repository(_) => "NAME_INVALID",
            // Not of the spec's list, but what docker's and ECR's registries say of a bad tag.
            InvalidName::Tag(_) => "TAG_INVALID",
        };
        Self::new(StatusCode::BAD_REQUEST, code, error.to_string())
    }
}

impl From<InvalidDigest> for OciError {
    fn from(error: InvalidDigest) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "DIGEST_INVALID", error.to_string())
    }
}

impl From<InvalidManifest> for OciError {
    fn from(error: InvalidManifest) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", error.to_string())
    }
}

impl From<Refusal> for OciError {
    fn from(refusal: Refusal) -> Self {
        let message = refusal.to_string();
        match refusal {
            Refusal::RepositoryUnknown(key) => {
                Self::new(StatusCode::NOT_FOUND, "NAME_UNKNOWN", message).detail(json!({"name": key.name}))
            }
            Refusal::BlobUnknown(digest) => Self::blob_unknown(digest.as_str()),
            Refusal::ManifestUnknown(reference) => Self::manifest_unknown(&reference),
            Refusal::TagImmutable { .. } => Self::new(StatusCode::BAD_REQUEST, "TAG_INVALID", message),
            Refusal::ReferencesUnknown(missing) => Self {
                status: StatusCode::BAD_REQUEST,
                errors: missing
                    .into_iter()
                    .map(|m| Entry {
                        code: "MANIFEST_BLOB_UNKNOWN",
                        message: "manifest references a manifest or blob unknown to registry".into(),
                        detail: json!({"digest": m.digest}),
                    })
                    .collect(),
                headers: Box::default(),
            },
            Refusal::SizeMismatch { digest, .. } => {
                Self::new(StatusCode::BAD_REQUEST, "SIZE_INVALID", message).detail(json!({"digest": digest}))
            }
            Refusal::RepositoryExists(_)
            | Refusal::RepositoryNotEmpty(_)
            | Refusal::LifecycleUnknown(_)
            | Refusal::PolicyUnknown(_)
            | Refusal::RegistryPolicyUnknown(_)
            | Refusal::TemplateExists { .. }
            | Refusal::HeldByIndex(_)
            | Refusal::CacheRuleExists { .. }
            | Refusal::CacheRuleUnknown { .. }
            | Refusal::TooManyCacheRules(_)
            | Refusal::ExclusionExists(_)
            | Refusal::ExclusionUnknown(_)
            | Refusal::SigningUnknown(_)
            | Refusal::TemplateUnknown { .. } => Self::new(StatusCode::CONFLICT, "DENIED", message),
        }
    }
}

impl From<WriteError> for OciError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Refused(refusal) => refusal.into(),
            other if other.is_full() => Self::full(&other),
            other if other.is_elsewhere() => Self::elsewhere(&other),
            other => Self::internal(&other),
        }
    }
}

impl From<UploadError> for OciError {
    fn from(error: UploadError) -> Self {
        let message = error.to_string();
        match error {
            UploadError::Unknown => Self::new(StatusCode::NOT_FOUND, "BLOB_UPLOAD_UNKNOWN", message),
            UploadError::OutOfOrder { .. } => {
                let status = StatusCode::RANGE_NOT_SATISFIABLE;
                Self::new(status, "BLOB_UPLOAD_INVALID", message)
            }
            UploadError::WrongLength { .. } => Self::new(StatusCode::BAD_REQUEST, "SIZE_INVALID", message),
            UploadError::Body(_) => Self::new(StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID", message),
            UploadError::DigestMismatch { said, actual } => {
                Self::digest_mismatch(said.as_str(), actual.as_str())
            }
            UploadError::TooMany(_) => Self::new(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", message)
                .header(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER)),
            UploadError::Storage(ref storage) if storage.is_full() => Self::full(storage),
            UploadError::Storage(_) | UploadError::Task(_) => Self::internal(&error),
        }
    }
}

impl From<BlobError> for OciError {
    fn from(error: BlobError) -> Self {
        match error {
            _ if error.is_full() => Self::full(&error),
            _ if error.is_elsewhere() => Self::elsewhere(&error),
            _ => Self::internal(&error),
        }
    }
}
