//! Log configurations, as far as they don't depend on the launch type (API reference,
//! LogConfiguration; ECS developer guide, "Send Amazon ECS logs to CloudWatch").

use wire::Error;
use wire::ecs::{LogConfiguration, LogDriver};

use super::proposed::Proposed;
use super::refusal::said;

pub(super) fn check(proposed: &Proposed<'_>) -> Result<(), Error> {
    let routed = proposed.containers.iter().any(|container| container.firelens_configuration.is_some());
    for log in proposed.containers.iter().filter_map(|container| container.log_configuration.as_ref()) {
        check_options(log)?;
        if log.log_driver == LogDriver::Awsfirelens && !routed {
            return Err(said(
                "When awsfirelens log driver is specified in log configuration, \
                 a firelens configuration object must be specified",
            ));
        }
    }
    Ok(())
}

fn check_options(log: &LogConfiguration) -> Result<(), Error> {
    let needed: &[&str] = match log.log_driver {
        LogDriver::Awslogs => &["awslogs-region", "awslogs-group"],
        LogDriver::Splunk => &["splunk-token", "splunk-url"],
        _ => &[],
    };
    let secret = |name: &str| log.secret_options.iter().flatten().any(|secret| secret.name == name);
    let missing: Vec<&str> =
        needed.iter().copied().filter(|name| option(log, name).is_none() && !secret(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(said(format!("Log driver {} requires options: {}", log.log_driver, missing.join(", "))))
}

/// An option that says something.
pub(super) fn option<'l>(log: &'l LogConfiguration, name: &str) -> Option<&'l str> {
    log.options.as_ref()?.get(name).map(String::as_str).filter(|value| !value.is_empty())
}
