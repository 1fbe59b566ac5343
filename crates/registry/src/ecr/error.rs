//! What of ours becomes which of ECR's errors.

use wire::Error;

use crate::{
    blobs::upload::UploadError,
    manifest::InvalidManifest,
    name::RepositoryName,
    shared::PutManifestError,
    state::{command::Refusal, entities::RepositoryKey, writer::WriteError},
};

/// A parameter that passed the model's checks but not ours, in ECR's words.
pub(super) fn invalid(parameter: &str, constraint: &str) -> Error {
    Error::invalid_parameter(format!(
        "Invalid parameter at '{parameter}' failed to satisfy constraint: '{constraint}'"
    ))
}

pub(super) fn repository_not_found(name: &str, registry_id: &str) -> Error {
    let message =
        format!("The repository with name '{name}' does not exist in the registry with id '{registry_id}'");
    Error::new("RepositoryNotFoundException", message)
}

/// `{imageDigest:'…', imageTag:'…'}` with `null` for what wasn't given: ECR's own spelling.
pub(super) fn image_not_found(key: &RepositoryKey, digest: Option<&str>, tag: Option<&str>) -> Error {
    let message = format!(
        "The image with imageId {{imageDigest:'{}', imageTag:'{}'}} does not exist within the repository \
         with name '{}' in the registry with id '{}'",
        digest.unwrap_or("null"),
        tag.unwrap_or("null"),
        key.name,
        key.scope.account,
    );
    Error::new("ImageNotFoundException", message)
}

/// What isn't an image can't be scanned as one.
pub(super) fn unsupported_image(key: &RepositoryKey, id: &wire::ecr::ImageIdentifier) -> Error {
    let message = format!(
        "The image with imageId {{imageDigest:'{}', imageTag:'{}'}} in the repository with name '{}' in the registry \
         with id '{}' is of a type that cannot be scanned",
        id.image_digest.as_deref().unwrap_or("null"),
        id.image_tag.as_deref().unwrap_or("null"),
        key.name,
        key.scope.account,
    );
    Error::new("UnsupportedImageTypeException", message)
}

pub(super) fn image_archived(key: &RepositoryKey, digest: &crate::digest::Digest) -> Error {
    let message = format!(
        "The image with the digest '{digest}' in the repository with name '{}' in the registry with id '{}' is \
         archived and cannot be scanned",
        key.name, key.scope.account,
    );
    Error::new("ImageArchivedException", message)
}

/// A failure of ours: logged in full, told in general.
pub(super) fn internal(error: &(dyn std::error::Error + 'static)) -> Error {
    let causes: Vec<String> =
        std::iter::successors(Some(error), |e| e.source()).map(ToString::to_string).collect();
    tracing::error!(error = causes.join(": "), "the registry failed an ECR operation");
    Error::server("The registry failed; its log says why.")
}

/// The store is full: logged as any failure of ours, and said, since the client's owner can help it.
fn full(error: &(dyn std::error::Error + 'static)) -> Error {
    let _ = internal(error);
    Error::server("The registry's store is full. Nothing was stored; try again when there is room.")
}

/// The store of the blobs is elsewhere, and didn't do what it should.
fn elsewhere(error: &(dyn std::error::Error + 'static)) -> Error {
    let _ = internal(error);
    Error::server("The registry's blob store failed; the registry's log says why. Try again.")
}

pub(super) fn refused(refusal: Refusal) -> Error {
    let message = refusal.to_string();
    let code = match refusal {
        Refusal::RepositoryUnknown(_) => "RepositoryNotFoundException",
        Refusal::RepositoryExists(_) => "RepositoryAlreadyExistsException",
        Refusal::RepositoryNotEmpty(_) => "RepositoryNotEmptyException",
        Refusal::TagImmutable { .. } => "ImageTagAlreadyExistsException",
        Refusal::LifecycleUnknown(_) => "LifecyclePolicyNotFoundException",
        Refusal::PolicyUnknown(_) => "RepositoryPolicyNotFoundException",
        Refusal::RegistryPolicyUnknown(_) => "RegistryPolicyNotFoundException",
        Refusal::TemplateExists { .. } => "TemplateAlreadyExistsException",
        Refusal::TemplateUnknown { .. } => "TemplateNotFoundException",
        Refusal::HeldByIndex(_) => "ImageStorageClassUpdateNotSupportedException",
        Refusal::CacheRuleExists { .. } => "PullThroughCacheRuleAlreadyExistsException",
        Refusal::CacheRuleUnknown { .. } => "PullThroughCacheRuleNotFoundException",
        Refusal::TooManyCacheRules(_) => "LimitExceededException",
        Refusal::ExclusionExists(_) => "ExclusionAlreadyExistsException",
        Refusal::ExclusionUnknown(_) => "ExclusionNotFoundException",
        Refusal::SigningUnknown(_) => "SigningConfigurationNotFoundException",
        Refusal::BlobUnknown(_) => "LayersNotFoundException",
        Refusal::ManifestUnknown(_) => "ImageNotFoundException",
        Refusal::ReferencesUnknown(ref missing) if missing.iter().any(|m| m.is_manifest) => {
            "ReferencedImagesNotFoundException"
        }
        Refusal::ReferencesUnknown(_) => "LayersNotFoundException",
        Refusal::SizeMismatch { .. } => "InvalidParameterException",
    };
    Error::new(code, message)
}

pub(super) fn write(error: WriteError) -> Error {
    match error {
        WriteError::Refused(refusal) => refused(refusal),
        other if other.is_full() => full(&other),
        other if other.is_elsewhere() => elsewhere(&other),
        other => internal(&other),
    }
}

pub(super) fn put_manifest(error: PutManifestError) -> Error {
    match error {
        PutManifestError::Write(error) => write(error),
        PutManifestError::Upload(UploadError::Storage(error)) if error.is_full() => full(&error),
        PutManifestError::Upload(error) => internal(&error),
    }
}

pub(super) fn manifest(error: &InvalidManifest) -> Error {
    invalid("imageManifest", &error.to_string())
}

/// An upload's error; `id` is what the client calls the upload.
pub(super) fn upload(error: UploadError, name: &RepositoryName, registry: &str, id: &str) -> Error {
    match error {
        UploadError::Unknown => Error::new(
            "UploadNotFoundException",
            format!(
                "The upload with id '{id}' does not exist in the repository with name '{name}' in the registry \
                 with id '{registry}'"
            ),
        ),
        UploadError::DigestMismatch { .. } => Error::new("InvalidLayerException", error.to_string()),
        UploadError::OutOfOrder { offset, .. } => Error::new("InvalidLayerPartException", error.to_string())
            .with_detail("registryId", registry)
            .with_detail("repositoryName", name.as_str())
            .with_detail("uploadId", id)
            .with_detail("lastValidByteReceived", offset.saturating_sub(1)),
        UploadError::WrongLength { .. } | UploadError::Body(_) => {
            Error::new("InvalidLayerPartException", error.to_string())
        }
        UploadError::TooMany(_) => Error::new("ThrottlingException", error.to_string()),
        UploadError::Storage(storage) if storage.is_full() => full(&storage),
        UploadError::Storage(_) | UploadError::Task(_) => internal(&error),
    }
}
