//! A registry behind a real socket, and a client that speaks to it.
#![allow(dead_code, reason = "each test file uses its own part of it")]

use std::{
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use base64::{Engine, engine::general_purpose::STANDARD};
use registry::{ImagesInUse, Registry, RegistryConfig, UsedImage};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use store::{MemoryStore, Store};
use tempfile::TempDir;
use wire::Context;

pub const ACCOUNT: &str = "000000000000";
pub const REGION: &str = "us-east-1";
pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const START_MS: u64 = 1_790_000_000_000;

pub struct Harness {
    pub dir: Arc<TempDir>,
    pub store: Arc<dyn Store>,
    pub registry: Registry,
    pub base: String,
    pub password: String,
    pub now_ms: Arc<AtomicU64>,
    pub in_use: Arc<InUse>,
    client: reqwest::Client,
    server: tokio::task::JoinHandle<()>,
}

/// What a test says is in use; `None`: not known yet.
pub struct InUse(pub Mutex<Option<Vec<UsedImage>>>);

impl InUse {
    pub fn set(&self, used: Option<Vec<UsedImage>>) {
        *self.0.lock().unwrap() = used;
    }
}

impl ImagesInUse for InUse {
    fn now(&self) -> Option<Vec<UsedImage>> {
        self.0.lock().unwrap().clone()
    }
}

impl Drop for Harness {
    fn drop(&mut self) {
        self.server.abort();
    }
}

pub fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

pub fn context(region: &str) -> Context {
    Context { account: ACCOUNT.to_owned(), region: region.to_owned(), ..Context::default() }
}

impl Harness {
    pub async fn start() -> Self {
        Self::open(Arc::new(TempDir::new().unwrap()), Arc::new(MemoryStore::new())).await
    }

    /// With another configuration.
    pub async fn start_with(change: impl FnOnce(&mut RegistryConfig)) -> Self {
        Self::open_with(Arc::new(TempDir::new().unwrap()), Arc::new(MemoryStore::new()), change).await
    }

    /// The same directory and store in a new registry.
    pub async fn restart(self) -> Self {
        let (dir, store) = (self.dir.clone(), self.store.clone());
        drop(self);
        Self::open(dir, store).await
    }

    pub async fn open(dir: Arc<TempDir>, store: Arc<dyn Store>) -> Self {
        Self::open_with(dir, store, |_| ()).await
    }

    async fn open_with(
        dir: Arc<TempDir>,
        store: Arc<dyn Store>,
        change: impl FnOnce(&mut RegistryConfig),
    ) -> Self {
        // The workspace's reqwest brings no provider of its own; a second installation is refused, which is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let now_ms = Arc::new(AtomicU64::new(START_MS));
        let clock = now_ms.clone();
        let in_use = Arc::new(InUse(Mutex::new(Some(Vec::new()))));
        let mut config = RegistryConfig {
            in_use: in_use.clone(),
            clock: Arc::new(move || clock.load(Ordering::SeqCst)),
            ..RegistryConfig::new(dir.path(), &address)
        };
        change(&mut config);
        let registry = Registry::open(config, store.clone()).unwrap();
        let routes = registry.routes();
        let server = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        let password = password(&registry, REGION).await;
        Self {
            dir,
            store,
            registry,
            base: format!("http://{address}"),
            password,
            now_ms,
            in_use,
            client: reqwest::Client::new(),
            server,
        }
    }

    pub async fn call(&self, operation: &str, input: Value) -> Result<Value, wire::Error> {
        self.call_in(REGION, operation, input).await
    }

    pub async fn call_in(&self, region: &str, operation: &str, input: Value) -> Result<Value, wire::Error> {
        let body = input.to_string();
        let operations = self.registry.operations();
        let answer = operations.call("ecr", operation, context(region), body.as_bytes()).await?;
        Ok(serde_json::from_slice(&answer).unwrap())
    }

    pub async fn create(&self, name: &str) {
        self.call("CreateRepository", json!({"repositoryName": name})).await.unwrap();
    }

    pub fn anonymous(&self, method: &str, path: &str) -> RequestBuilder {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.base) };
        self.client.request(Method::from_bytes(method.as_bytes()).unwrap(), url)
    }

    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.anonymous(method, path).basic_auth("AWS", Some(&self.password))
    }

    pub async fn send(&self, method: &str, path: &str) -> Response {
        self.request(method, path).send().await.unwrap()
    }

    /// Begins an upload; gives its location.
    pub async fn begin(&self, name: &str) -> String {
        let answer = self.send("POST", &format!("/v2/{name}/blobs/uploads/")).await;
        assert_eq!(answer.status(), 202);
        header(&answer, "location")
    }

    pub async fn push_blob(&self, name: &str, bytes: &[u8]) -> String {
        let digest = sha256(bytes);
        let url = format!("/v2/{name}/blobs/uploads/?digest={digest}");
        let answer = self.request("POST", &url).body(bytes.to_vec()).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        digest
    }

    pub async fn put_manifest(&self, name: &str, reference: &str, media_type: &str, body: &str) -> Response {
        self.request("PUT", &format!("/v2/{name}/manifests/{reference}"))
            .header("content-type", media_type)
            .body(body.to_owned())
            .send()
            .await
            .unwrap()
    }

    /// Pushes an image of one layer; gives its manifest's digest.
    pub async fn push_image(&self, name: &str, tag: &str, layer: &[u8]) -> String {
        let config = br#"{"architecture":"amd64","os":"linux"}"#;
        self.push_blob(name, config).await;
        self.push_blob(name, layer).await;
        let manifest = image(config, &[layer]).to_string();
        let answer = self.put_manifest(name, tag, OCI_MANIFEST, &manifest).await;
        assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap());
        sha256(manifest.as_bytes())
    }
}

/// A password for a region, as `aws ecr get-login-password` gives it.
pub async fn password(registry: &Registry, region: &str) -> String {
    let operations = registry.operations();
    let answer = operations.call("ecr", "GetAuthorizationToken", context(region), b"{}").await.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let token = answer["authorizationData"][0]["authorizationToken"].as_str().unwrap();
    let token = String::from_utf8(STANDARD.decode(token).unwrap()).unwrap();
    token.strip_prefix("AWS:").unwrap().to_owned()
}

/// An `Authorization` header's value.
pub fn basic(password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("AWS:{password}")))
}

pub fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": sha256(bytes), "size": bytes.len()})
}

pub fn image(config: &[u8], layers: &[&[u8]]) -> Value {
    let layer = |bytes: &&[u8]| descriptor("application/vnd.oci.image.layer.v1.tar", bytes);
    json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": descriptor("application/vnd.oci.image.config.v1+json", config),
        "layers": layers.iter().map(layer).collect::<Vec<_>>(),
    })
}

pub fn header(answer: &Response, name: &str) -> String {
    let value = answer.headers().get(name);
    value.unwrap_or_else(|| panic!("no {name}")).to_str().unwrap().to_owned()
}

/// The first error's code of an OCI error body.
pub async fn code(answer: Response) -> String {
    let body: Value = answer.json().await.unwrap();
    body["errors"][0]["code"].as_str().unwrap().to_owned()
}

/// How many files lie below a directory.
pub fn files(dir: &Path) -> usize {
    let entries = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
    entries.map(|p| if p.is_dir() { files(&p) } else { 1 }).sum()
}
