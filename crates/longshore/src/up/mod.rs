//! `longshore up`: everything in one process, detached unless told otherwise, and the sample service.

mod detach;
mod foreground;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cli::UpArgs;
use crate::data_dir::Running;
use crate::site::{Site, endpoint};
use crate::talk::Progress;
use crate::{preflight, sample, server, talk};

pub use foreground::{agent_config, ending_signal};

/// How long a server that exists may take to answer.
const HEALTH_PATIENCE: Duration = Duration::from_secs(10);

pub async fn up(site: &Site, args: &UpArgs) -> Result<ExitCode> {
    preflight::check()?;
    if args.report {
        return foreground::reporting(site, args).await;
    }
    let progress = Progress::new();
    let mut site = site.clone();
    match site.dir.running()? {
        Some(running) => {
            same_address(&site, &running)?;
            site.listen = Some(running.listen);
            // As a start would: what a running server can't become is said.
            server::keys(&site.dir, &args.server)?;
            healthy(&site).await?;
            eprintln!("Longshore is running already at {} (process {})", site.endpoint()?, running.pid);
        }
        None if args.foreground => return foreground::plain(&site, args).await,
        None => {
            let step = progress.step("start Longshore");
            let ready = detach::start(&site).await?;
            site.listen = Some(ready.listen);
            step.done(&format!("Longshore is up at {} (process {})", ready.endpoint, ready.pid));
        }
    }
    let sample = match args.no_sample {
        true => None,
        false => Some(sample::deploy(&site.client()?, progress).await?),
    };
    println!("{}", welcome(&site, sample.as_deref())?);
    Ok(ExitCode::SUCCESS)
}

/// A second `up` must not look as if it had moved the server.
fn same_address(site: &Site, running: &Running) -> Result<()> {
    match site.listen {
        Some(asked) if asked != running.listen && asked.port() != 0 => bail!(
            "Longshore runs already with this data directory, at {}; `{}` ends it, another --data-dir starts another",
            endpoint(running.listen),
            site.call("down")
        ),
        _ => Ok(()),
    }
}

async fn healthy(site: &Site) -> Result<()> {
    let url = format!("{}/healthz", site.endpoint()?);
    let ca = site.dir.ca();
    let ca = url.starts_with("https://").then_some(ca.as_path());
    let http = talk::http(ca)?.timeout(HEALTH_PATIENCE).build()?;
    let answer = http.get(&url).send().await;
    let answer = answer.with_context(|| {
        format!(
            "Longshore's process is there but doesn't answer; see {}; `{}` ends it",
            site.dir.log_file().display(),
            site.call("down")
        )
    })?;
    if !answer.status().is_success() {
        bail!("Longshore is there, but {}", answer.text().await.unwrap_or_default().trim_end());
    }
    Ok(())
}

/// What to do next.
fn welcome(site: &Site, sample: Option<&str>) -> Result<String> {
    let mut lines = vec![
        format!("Endpoint   {}", site.endpoint()?),
        format!(
            "Clients    eval \"$({})\"      then any AWS client works: aws ecs list-services",
            site.call("env")
        ),
    ];
    if !site.listen()?.ip().is_loopback() {
        lines.push(format!(
            "Elsewhere  {} lets a machine join, {} prints whom clients trust",
            site.call("token create"),
            site.call("ca")
        ));
    }
    if let Some(address) = sample {
        lines.push(format!("Sample     {address}"));
    }
    lines.push(format!("Next       {}", site.call("ps")));
    lines.push(format!("           {}", site.call("top")));
    if sample.is_some() {
        lines.push(format!("           {}", site.call("logs sample -f")));
    }
    lines.push(format!("           {}", site.call("down")));
    Ok(lines.join("\n"))
}
