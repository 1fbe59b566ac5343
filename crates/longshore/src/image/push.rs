//! Pushing an image to an OCI registry (OCI distribution spec 1.1, "Push").

use anyhow::{Context, Result, bail, ensure};
use reqwest::{Client, StatusCode, Url, header};

use super::build::{Blob, Image};

/// A user and password for HTTP basic authentication.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub user: String,
    pub password: String,
}

/// Pushes `image` as `repository:tag` to the registry at `base` (`http://host:port`). Blobs that the
/// registry has are not sent again.
pub async fn push(
    client: &Client,
    base: &Url,
    auth: &Credentials,
    repository: &str,
    tag: &str,
    image: &Image,
) -> Result<()> {
    for blob in [&image.layer, &image.config] {
        push_blob(client, base, auth, repository, blob)
            .await
            .with_context(|| format!("push {} to {repository}", blob.digest))?;
    }
    let url = base.join(&format!("/v2/{repository}/manifests/{tag}"))?;
    let response = client
        .put(url)
        .basic_auth(&auth.user, Some(&auth.password))
        .header(header::CONTENT_TYPE, image.manifest.media_type)
        .body(image.manifest.bytes.clone())
        .send()
        .await?;
    expect(response, StatusCode::CREATED).await.with_context(|| format!("push {repository}:{tag}"))?;
    Ok(())
}

async fn push_blob(
    client: &Client,
    base: &Url,
    auth: &Credentials,
    repository: &str,
    blob: &Blob,
) -> Result<()> {
    let existing = base.join(&format!("/v2/{repository}/blobs/{}", blob.digest))?;
    let head = client.head(existing).basic_auth(&auth.user, Some(&auth.password)).send().await?;
    if head.status() == StatusCode::OK {
        return Ok(());
    }
    let start = base.join(&format!("/v2/{repository}/blobs/uploads/"))?;
    let response = client.post(start).basic_auth(&auth.user, Some(&auth.password)).send().await?;
    let response = expect(response, StatusCode::ACCEPTED).await?;
    let location = response
        .headers()
        .get(header::LOCATION)
        .context("the registry named no upload location")?
        .to_str()
        .context("the upload location is not text")?;
    // The location may be absolute or relative, and may have a query of its own.
    let mut upload = response.url().join(location)?;
    upload.query_pairs_mut().append_pair("digest", &blob.digest);
    ensure!(upload.origin() == base.origin(), "the upload location {upload} is on another host");
    let response = client
        .put(upload)
        .basic_auth(&auth.user, Some(&auth.password))
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .body(blob.bytes.clone())
        .send()
        .await?;
    expect(response, StatusCode::CREATED).await?;
    Ok(())
}

async fn expect(response: reqwest::Response, wanted: StatusCode) -> Result<reqwest::Response> {
    if response.status() == wanted {
        return Ok(response);
    }
    let status = response.status();
    let body = response.text().await.unwrap_or_default();
    bail!("the registry answered {status}: {}", body.chars().take(500).collect::<String>())
}
