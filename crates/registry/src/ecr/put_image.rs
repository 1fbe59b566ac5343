//! `PutImage`: a manifest through the API. Also how a tag is added to an image that is there.

use bytes::Bytes;
use wire::{
    Context, Error,
    ecr::{Image, PutImageRequest, PutImageResponse},
};

use super::{
    error::{self, invalid},
    image::identifier,
    repository::find,
};
use crate::{Shared, digest::Digest, manifest::Manifest, name::Tag};

pub(super) async fn call(
    shared: &Shared,
    context: &Context,
    input: PutImageRequest,
) -> Result<PutImageResponse, Error> {
    let (key, _) = find(shared, context, input.registry_id.as_deref(), &input.repository_name)?;
    let tag: Option<Tag> = match &input.image_tag {
        Some(tag) => Some(tag.parse().map_err(|_| {
            invalid("imageTag", "must satisfy regular expression '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'")
        })?),
        None => None,
    };
    let bytes = Bytes::from(input.image_manifest);
    let digest = match &input.image_digest {
        Some(said) => {
            let said: Digest =
                said.parse().map_err(|_| invalid("imageDigest", "must be a sha256 or sha512 digest"))?;
            let actual = Digest::with(said.algorithm(), &bytes);
            if actual != said {
                let message = format!(
                    "The digest '{said}' does not match the digest '{actual}' of the image manifest that was \
                     supplied"
                );
                return Err(Error::new("ImageDigestDoesNotMatchException", message));
            }
            actual
        }
        None => Digest::of(&bytes),
    };
    let manifest = Manifest::parse(&bytes, input.image_manifest_media_type.as_deref())
        .map_err(|e| error::manifest(&e))?;
    let media_type = manifest.media_type.clone();
    let tags = tag.iter().cloned().collect();
    let put = shared
        .put_manifest(key.clone(), manifest, digest.clone(), bytes.clone(), tags)
        .await
        .map_err(error::put_manifest)?;
    if !put.changed {
        let tag = tag.as_ref().map(|t| format!(" and tag '{t}'")).unwrap_or_default();
        let message = format!(
            "Image with digest '{digest}'{tag} already exists in the repository with name '{}' in registry \
             with id '{}'",
            key.name, key.scope.account
        );
        return Err(Error::new("ImageAlreadyExistsException", message));
    }
    Ok(PutImageResponse {
        image: Some(Image {
            registry_id: Some(key.scope.account.clone()),
            repository_name: Some(key.name.to_string()),
            image_id: Some(identifier(&digest, tag.as_ref())),
            image_manifest: Some(String::from_utf8_lossy(&bytes).into_owned()),
            image_manifest_media_type: Some(media_type),
        }),
    })
}
