//! A payload's health check: its times for the step function, its command for the machine.

use wire::acs::Container;
use wire::acs::docker::Healthcheck;

use super::Refusal;
use crate::task::HealthCheck;

/// ECS's defaults (API reference, HealthCheck), for a payload that leaves them out.
const INTERVAL_MS: u64 = 30_000;
const TIMEOUT_MS: u64 = 5_000;
const RETRIES: u32 = 3;
/// What runs a CMD-SHELL (Docker's Engine API, HealthConfig).
const SHELL: [&str; 2] = ["/bin/sh", "-c"];

/// A check that ECS asks for. One that stands in Docker's configuration alone isn't ECS's to watch.
fn asked(c: &Container) -> Result<Option<Healthcheck>, Refusal> {
    match c.health_check_type.as_deref() {
        None | Some("") => return Ok(None),
        Some("docker") => {}
        Some(other) => {
            return Err(Refusal::new(super::unsupported(c, &format!("healthCheckType {other}"))));
        }
    }
    let config = c.docker_config.clone().unwrap_or_default().config();
    // What can't be read is refused with the rest of the configuration.
    match config.ok().and_then(|config| config.healthcheck) {
        Some(check) => Ok(Some(check).filter(|check| check.test.first().is_none_or(|word| word != "NONE"))),
        None => Err(Refusal::new(format!(
            "DockerClientConfigError: container {} has a healthCheckType and no Healthcheck",
            c.name
        ))),
    }
}

pub(super) fn times(c: &Container) -> Option<HealthCheck> {
    let check = asked(c).ok().flatten()?;
    let ms = |ns: Option<i64>, default| match ns.and_then(|ns| u64::try_from(ns).ok()) {
        None | Some(0) => default,
        Some(ns) => (ns / 1_000_000).max(1),
    };
    Some(HealthCheck {
        interval_ms: ms(check.interval, INTERVAL_MS),
        timeout_ms: ms(check.timeout, TIMEOUT_MS),
        retries: check.retries.and_then(|n| u32::try_from(n).ok()).filter(|n| *n > 0).unwrap_or(RETRIES),
        start_period_ms: ms(check.start_period, 0),
    })
}

/// The arguments of the process that checks.
pub(super) fn command(c: &Container) -> Result<Option<Vec<String>>, Refusal> {
    let Some(check) = asked(c)? else { return Ok(None) };
    let bad = || {
        Refusal::new(format!(
            "DockerClientConfigError: container {}: the health check has no command",
            c.name
        ))
    };
    let (word, rest) = check.test.split_first().ok_or_else(bad)?;
    let args = match word.as_str() {
        "CMD" if !rest.is_empty() => rest.to_vec(),
        "CMD-SHELL" if !rest.is_empty() => {
            SHELL.iter().map(|s| (*s).to_owned()).chain([rest.join(" ")]).collect()
        }
        "CMD" | "CMD-SHELL" => return Err(bad()),
        other => {
            return Err(Refusal::new(format!(
                "DockerClientConfigError: container {}: a health check starts with CMD or CMD-SHELL, not {other:?}",
                c.name
            )));
        }
    };
    Ok(Some(args))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::acs::container::DockerConfig;

    fn container(check: &str) -> Container {
        let config = format!(r#"{{"Healthcheck":{check}}}"#);
        Container {
            health_check_type: Some("docker".into()),
            docker_config: Some(DockerConfig { config: Some(config), ..Default::default() }),
            ..Default::default()
        }
    }

    #[test]
    fn commands() {
        let of = |test: &str| command(&container(&format!(r#"{{"Test":{test}}}"#)));
        assert_eq!(of(r#"["CMD","a","b c"]"#).unwrap().unwrap(), ["a", "b c"]);
        assert_eq!(of(r#"["CMD-SHELL","a || exit 1"]"#).unwrap().unwrap(), ["/bin/sh", "-c", "a || exit 1"]);
        assert_eq!(of(r#"["NONE"]"#), Ok(None));
        for bad in ["[]", r#"["CMD"]"#, r#"["true"]"#] {
            assert!(of(bad).is_err(), "{bad}");
        }
        let none = Container { health_check_type: Some("docker".into()), ..Default::default() };
        assert!(command(&none).unwrap_err().reason.starts_with("DockerClientConfigError"));
        assert_eq!(command(&Container::default()), Ok(None));
    }

    #[test]
    fn nanoseconds_and_defaults() {
        let given = times(&container(
            r#"{"Test":["CMD","x"],"Interval":5000000000,"Timeout":2000000000,"StartPeriod":1000000000,"Retries":1}"#,
        ));
        let wanted = HealthCheck { interval_ms: 5000, timeout_ms: 2000, retries: 1, start_period_ms: 1000 };
        assert_eq!(given, Some(wanted));
        let left_out = times(&container(r#"{"Test":["CMD","x"]}"#));
        let defaults = HealthCheck { interval_ms: 30_000, timeout_ms: 5000, retries: 3, start_period_ms: 0 };
        assert_eq!(left_out, Some(defaults));
    }
}
