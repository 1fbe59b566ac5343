//! Serves S3 over a directory, one folder a bucket, for the tests of a registry whose blobs are in one.
//!
//! It is the crate s3s-fs, made a program here, so that it is of the lock file's version and built with the other tests'
//! programs. It must add nothing to what that does: the registry is held to what others understand by S3.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;

#[derive(Debug, Parser)]
struct Arguments {
    #[arg(long)]
    listen: SocketAddr,
    #[arg(long)]
    access_key: String,
    #[arg(long)]
    secret_key: String,
    root: PathBuf,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let files = FileSystem::new(&arguments.root)
        .map_err(|error| anyhow!("{error:?}"))
        .with_context(|| format!("open {}", arguments.root.display()))?;
    let mut service = S3ServiceBuilder::new(files);
    service.set_auth(SimpleAuth::from_single(arguments.access_key, arguments.secret_key));
    let service = service.build();
    let listener = TcpListener::bind(arguments.listen).await.context("listen")?;
    loop {
        let (socket, _) = listener.accept().await.context("accept a connection")?;
        let service = service.clone();
        tokio::spawn(async move {
            let served =
                Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
            if let Err(error) = served {
                eprintln!("{error}");
            }
        });
    }
}
