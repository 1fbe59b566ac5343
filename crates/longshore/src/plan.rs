//! `longshore plan`: what an UpdateService would do.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use control::foresight::{PlanAnswer, PlanRequest};

use crate::cli::PlanArgs;
use crate::find;
use crate::site::Site;

/// A service of thousands takes a few seconds.
const PATIENCE: Duration = Duration::from_secs(60);

pub async fn plan(site: &Site, args: &PlanArgs) -> Result<ExitCode> {
    let client = site.client()?;
    let request = PlanRequest {
        cluster: Some(find::cluster_of(&args.service, &args.cluster).to_owned()),
        service: args.service.clone(),
        task_definition: args.task_definition.clone(),
        desired_count: args.desired_count,
        force_new_deployment: args.force_new_deployment,
    };
    let body = serde_json::to_vec(&request).context("write the request")?;
    let answer = client.own(control::PLAN_PATH, body, PATIENCE).await?;
    let answer: PlanAnswer = serde_json::from_slice(&answer).context("read the plan")?;
    match args.json {
        true => println!("{}", serde_json::to_string_pretty(&answer).context("write the plan as JSON")?),
        false => println!("{}", answer.text),
    }
    Ok(if answer.completes { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
