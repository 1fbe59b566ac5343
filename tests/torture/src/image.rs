//! Images of a static busybox, each with a layer of its own, and their way to the registry.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use base64::Engine as _;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use wire::ecr;

use crate::client::Client;

const BUSYBOX: &str = "/bin/busybox";
const AGAIN: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(300);

#[derive(Clone, Debug)]
pub struct Blob {
    pub digest: String,
    pub bytes: Vec<u8>,
}

impl Blob {
    fn new(bytes: Vec<u8>) -> Blob {
        Blob { digest: digest(&bytes), bytes }
    }
}

#[derive(Clone, Debug)]
pub struct Image {
    /// Layers, then the configuration.
    pub blobs: Vec<Blob>,
    pub manifest: Blob,
}

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// What all images share.
#[derive(Clone, Debug)]
pub struct Base {
    tar: String,
    layer: Blob,
}

impl Base {
    pub fn build() -> anyhow::Result<Base> {
        let busybox = std::fs::read(BUSYBOX)
            .with_context(|| format!("read {BUSYBOX}: the package busybox-static has it"))?;
        let mut tar = tar::Builder::new(Vec::new());
        for dir in ["bin/", "tmp/"] {
            add(&mut tar, dir, tar::EntryType::Directory, b"")?;
        }
        add(&mut tar, "bin/busybox", tar::EntryType::Regular, &busybox)?;
        for applet in ["sh", "cat", "sleep", "echo"] {
            let mut link = tar::Header::new_gnu();
            link.set_entry_type(tar::EntryType::Symlink);
            link.set_size(0);
            link.set_uid(0);
            link.set_gid(0);
            link.set_mtime(0);
            link.set_mode(0o777);
            tar.append_link(&mut link, format!("bin/{applet}"), "busybox")?;
        }
        let tar = tar.into_inner()?;
        Ok(Base { tar: digest(&tar), layer: Blob::new(gzip(&tar)?) })
    }

    /// An image with one more layer of `noise`.
    pub fn with(&self, noise: &[u8]) -> anyhow::Result<Image> {
        let mut tar = tar::Builder::new(Vec::new());
        add(&mut tar, "noise", tar::EntryType::Regular, noise)?;
        let tar = tar.into_inner()?;
        let layer = Blob::new(gzip(&tar)?);
        let architecture = if std::env::consts::ARCH == "aarch64" { "arm64" } else { "amd64" };
        let config = Blob::new(
            json!({
                "architecture": architecture, "os": "linux",
                "config": {"Env": ["PATH=/bin"]},
                "rootfs": {"type": "layers", "diff_ids": [self.tar, digest(&tar)]},
            })
            .to_string()
            .into_bytes(),
        );
        let kind = "application/vnd.oci.image.layer.v1.tar+gzip";
        let described = |blob: &Blob, kind: &str| json!({"mediaType": kind, "digest": blob.digest, "size": blob.bytes.len()});
        let manifest = Blob::new(
            json!({
                "schemaVersion": 2, "mediaType": MANIFEST,
                "config": described(&config, "application/vnd.oci.image.config.v1+json"),
                "layers": [described(&self.layer, kind), described(&layer, kind)],
            })
            .to_string()
            .into_bytes(),
        );
        Ok(Image { blobs: vec![self.layer.clone(), layer, config], manifest })
    }
}

fn add(
    tar: &mut tar::Builder<Vec<u8>>,
    path: &str,
    kind: tar::EntryType,
    bytes: &[u8],
) -> std::io::Result<()> {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o755);
    header.set_size(bytes.len() as u64);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    tar.append_data(&mut header, Path::new(path), bytes)
}

fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes)?;
    encoder.finish()
}

pub fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// One repository, as a client of the OCI distribution protocol sees it.
#[derive(Clone, Debug)]
pub struct Repository {
    client: Client,
    name: String,
    password: String,
}

impl Repository {
    /// Makes the repository and asks for a password.
    pub async fn create(client: &Client, name: &str) -> anyhow::Result<Repository> {
        let made = client.call::<ecr::ops::CreateRepository>(&json!({"repositoryName": name})).await;
        match made {
            Err(error) if error.code() != Some("RepositoryAlreadyExistsException") => {
                return Err(error.into());
            }
            _ => {}
        }
        let answer = client.call::<ecr::ops::GetAuthorizationToken>(&json!({})).await?;
        let token = answer["authorizationData"][0]["authorizationToken"].as_str().context("no token")?;
        let token = base64::engine::general_purpose::STANDARD.decode(token)?;
        let password = String::from_utf8(token)?.split_once(':').context("no password")?.1.to_owned();
        Ok(Repository { client: client.clone(), name: name.to_owned(), password })
    }

    /// How a task definition names the image.
    pub fn image(&self, tag: &str) -> String {
        format!("{}/{}:{tag}", self.client.endpoint.trim_start_matches("http://"), self.name)
    }

    /// Pushes until the registry has said that it has it all.
    pub async fn push(&self, image: &Image, tag: &str) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.try_push(image, tag).await {
                Ok(()) => return Ok(()),
                Err(error) if Instant::now() > until => return Err(error.context("push")),
                Err(_) => tokio::time::sleep(AGAIN).await,
            }
        }
    }

    async fn try_push(&self, image: &Image, tag: &str) -> anyhow::Result<()> {
        for blob in &image.blobs {
            let there = self.request(Method::HEAD, &format!("blobs/{}", blob.digest), None).await?;
            if there.status() == StatusCode::OK {
                continue;
            }
            let begun = self.request(Method::POST, "blobs/uploads/", None).await?;
            let location = begun.headers().get(header::LOCATION).context("no upload location")?.to_str()?;
            let mut url = begun.url().join(location)?;
            // In two pieces, so that a kill finds uploads that have begun.
            let (first, rest) = blob.bytes.split_at(blob.bytes.len() / 2);
            let patched =
                self.send(Method::PATCH, url.clone(), Some(("application/octet-stream", first))).await?;
            expect(&patched, StatusCode::ACCEPTED)?;
            let next = patched.headers().get(header::LOCATION).context("no upload location")?.to_str()?;
            url = patched.url().join(next)?;
            url.query_pairs_mut().append_pair("digest", &blob.digest);
            let put = self.send(Method::PUT, url, Some(("application/octet-stream", rest))).await?;
            expect(&put, StatusCode::CREATED)?;
        }
        let path = format!("manifests/{tag}");
        let put = self.request(Method::PUT, &path, Some((MANIFEST, &image.manifest.bytes))).await?;
        expect(&put, StatusCode::CREATED)
    }

    /// The digest under a tag, after its manifest and blobs have been read and checked against it.
    pub async fn check(&self, tag: &str) -> anyhow::Result<String> {
        let (digest, manifest) = self.read(&format!("manifests/{tag}")).await?;
        let manifest: Value = serde_json::from_slice(&manifest)?;
        let layers = manifest["layers"].as_array().cloned().unwrap_or_default();
        for blob in layers.iter().chain([&manifest["config"]]) {
            let said = blob["digest"].as_str().context("a descriptor without a digest")?;
            let (actual, _) = self.read(&format!("blobs/{said}")).await?;
            anyhow::ensure!(actual == said, "blob {said} has the content of {actual}");
        }
        Ok(digest)
    }

    async fn read(&self, path: &str) -> anyhow::Result<(String, Vec<u8>)> {
        let answer = self.request(Method::GET, path, None).await?;
        expect(&answer, StatusCode::OK).with_context(|| path.to_owned())?;
        let bytes = answer.bytes().await?.to_vec();
        Ok((digest(&bytes), bytes))
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, &[u8])>,
    ) -> anyhow::Result<reqwest::Response> {
        let url = format!("{}/v2/{}/{path}", self.client.endpoint, self.name);
        self.send(method, reqwest::Url::parse(&url)?, body).await
    }

    async fn send(
        &self,
        method: Method,
        url: reqwest::Url,
        body: Option<(&str, &[u8])>,
    ) -> anyhow::Result<reqwest::Response> {
        let mut request = self
            .client
            .http
            .request(method, url)
            .basic_auth("AWS", Some(&self.password))
            .header(header::ACCEPT, MANIFEST);
        if let Some((kind, bytes)) = body {
            request = request.header(header::CONTENT_TYPE, kind).body(bytes.to_vec());
        }
        Ok(request.send().await?)
    }
}

fn expect(answer: &reqwest::Response, wanted: StatusCode) -> anyhow::Result<()> {
    if answer.status() != wanted {
        bail!("{} answered {}", answer.url(), answer.status());
    }
    Ok(())
}
