//! Serves a registry by itself, for clients and conformance suites to be tried on:
//! `cargo run -p registry --example serve -- <data-dir> <host:port>`.
//!
//! Prints the password for the user `AWS`. Missing repositories are made on push.

use std::{error::Error, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use registry::{Registry, RegistryConfig};
use wire::{Context, ecr::GetAuthorizationTokenResponse};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(dir), Some(address)) = (arguments.next(), arguments.next()) else {
        return Err("usage: serve <data-dir> <host:port>".into());
    };
    std::fs::create_dir_all(&dir)?;
    let store = store::SqliteStore::open(format!("{dir}/registry.db"))?;
    let listener = tokio::net::TcpListener::bind(&address).await?;
    let address = listener.local_addr()?.to_string();
    let config =
        RegistryConfig { create_on_push: true, ..RegistryConfig::new(format!("{dir}/registry"), address) };
    let registry = Registry::open(config, Arc::new(store))?;
    let context =
        Context { account: "000000000000".to_owned(), region: "us-east-1".to_owned(), ..Context::default() };
    let answer = registry.operations().call("ecr", "GetAuthorizationToken", context, b"{}").await?;
    let answer: GetAuthorizationTokenResponse = serde_json::from_slice(&answer)?;
    let data = answer.authorization_data.into_iter().flatten().next().ok_or("no token")?;
    let token = STANDARD.decode(data.authorization_token.unwrap_or_default())?;
    let token = String::from_utf8(token)?;
    println!("{}", token.trim_start_matches("AWS:"));
    axum::serve(listener, registry.routes()).await?;
    Ok(())
}
