//! Deployment strategies that go through lifecycle stages: what `deploymentConfiguration` says of them.

use std::sync::Arc;

use model::{
    DeploymentStrategy, Document, Hook, HookAction, HookTarget, SchedulingStrategy, Shift, Stage, Stages,
};
use wire::{Error, ecs};

use super::unsupported::{self, given};

const MINUTE_MS: u64 = 60_000;
const DAY_MINUTES: i32 = 1440;
/// A pause may take two weeks (ECS developer guide, "Pause hooks for Amazon ECS service deployments").
const LONGEST_PAUSE_MINUTES: i32 = 20_160;
/// So many hooks of each kind.
const MOST_HOOKS: usize = 10;
const LAMBDA: &str = "arn:aws:lambda:";

/// `None` for a service whose tasks are replaced a few at a time.
pub(crate) fn check(
    operation: &str,
    scheduling: SchedulingStrategy,
    config: &ecs::DeploymentConfiguration,
) -> Result<Option<Arc<Stages>>, Error> {
    use ecs::DeploymentStrategy as Given;
    let strategy = match config.strategy {
        None | Some(Given::Rolling) => return rolling(operation, scheduling, config),
        Some(Given::BlueGreen) => DeploymentStrategy::BlueGreen,
        Some(Given::Linear) => DeploymentStrategy::Linear,
        Some(Given::Canary) => DeploymentStrategy::Canary,
    };
    if scheduling == SchedulingStrategy::Daemon {
        return Err(Error::invalid_parameter(format!(
            "The daemon scheduling strategy does not support the {strategy} deployment strategy. Change the \
             deployment strategy and try again"
        )));
    }
    let bake = bake(config)?;
    Ok(Some(Arc::new(Stages {
        strategy,
        shift: shift(strategy, config)?,
        bake_ms: bake * MINUTE_MS,
        hooks: hooks(config.lifecycle_hooks.as_deref().unwrap_or_default())?,
    })))
}

/// "You must provide this parameter when you use the BLUE_GREEN deployment strategy."
pub(crate) fn check_bake_time(given: Option<&ecs::DeploymentConfiguration>) -> Result<(), Error> {
    let asked = |given: &&ecs::DeploymentConfiguration| {
        given.strategy == Some(ecs::DeploymentStrategy::BlueGreen) && given.bake_time_in_minutes.is_none()
    };
    match given.filter(asked) {
        Some(_) => Err(Error::invalid_parameter(
            "bakeTimeInMinutes is required with the deployment strategy BLUE_GREEN.",
        )),
        None => Ok(()),
    }
}

/// A rolling update takes stages only if something is asked for at one of them.
fn rolling(
    operation: &str,
    scheduling: SchedulingStrategy,
    config: &ecs::DeploymentConfiguration,
) -> Result<Option<Arc<Stages>>, Error> {
    if config.linear_configuration.is_some() || config.canary_configuration.is_some() {
        return Err(misplaced());
    }
    let bakes = config.bake_time_in_minutes.is_some_and(|minutes| minutes != 0);
    if scheduling == SchedulingStrategy::Daemon {
        let refused = [
            (bakes, "bakeTimeInMinutes with the daemon scheduling strategy"),
            (given(&config.lifecycle_hooks), "lifecycleHooks with the daemon scheduling strategy"),
        ];
        unsupported::check(operation, &refused)?;
    }
    let hooks = hooks(config.lifecycle_hooks.as_deref().unwrap_or_default())?;
    let of_traffic = hooks.iter().flat_map(|hook| &hook.stages).find(|stage| stage.is_of_traffic());
    if let Some(stage) = of_traffic {
        return Err(invalid(&format!("the deployment strategy ROLLING doesn't come to {stage}")));
    }
    let asked = bakes || !hooks.is_empty();
    let bake = bake(config)?;
    let (strategy, shift) = (DeploymentStrategy::Rolling, Shift::default());
    Ok(asked.then(|| Arc::new(Stages { strategy, shift, bake_ms: bake * MINUTE_MS, hooks })))
}

fn bake(config: &ecs::DeploymentConfiguration) -> Result<u64, Error> {
    within("bakeTimeInMinutes", config.bake_time_in_minutes.unwrap_or(0), 0, DAY_MINUTES)
}

fn misplaced() -> Error {
    Error::invalid_parameter(
        "linearConfiguration and canaryConfiguration are valid with the deployment strategy of that name only.",
    )
}

/// (ECS API reference, LinearConfiguration and CanaryConfiguration)
fn shift(strategy: DeploymentStrategy, config: &ecs::DeploymentConfiguration) -> Result<Shift, Error> {
    let (linear, canary) = (config.linear_configuration.as_ref(), config.canary_configuration.as_ref());
    match (strategy, linear, canary) {
        (DeploymentStrategy::Linear, linear, None) => {
            let step = linear.and_then(|linear| linear.step_percent).unwrap_or(10.0);
            let bake = linear.and_then(|linear| linear.step_bake_time_in_minutes).unwrap_or(6);
            let bake = within("stepBakeTimeInMinutes", bake, 0, DAY_MINUTES)?;
            Ok(Shift::linear(tenths("stepPercent", step, 30)?, bake * MINUTE_MS))
        }
        (DeploymentStrategy::Canary, None, canary) => {
            let first = canary.and_then(|canary| canary.canary_percent).unwrap_or(5.0);
            let bake = canary.and_then(|canary| canary.canary_bake_time_in_minutes).unwrap_or(10);
            let bake = within("canaryBakeTimeInMinutes", bake, 0, DAY_MINUTES)?;
            Ok(Shift::canary(tenths("canaryPercent", first, 1)?, bake * MINUTE_MS))
        }
        (DeploymentStrategy::Rolling | DeploymentStrategy::BlueGreen, None, None) => Ok(Shift::default()),
        _ => Err(misplaced()),
    }
}

fn within(name: &str, value: i32, least: i32, most: i32) -> Result<u64, Error> {
    match u64::try_from(value) {
        Ok(fine) if (least..=most).contains(&value) => Ok(fine),
        _ => Err(Error::invalid_parameter(format!(
            "{name} must be between {least} and {most}, and is {value}."
        ))),
    }
}

/// Percents come in tenths.
fn tenths(name: &str, percent: f64, least: u32) -> Result<u32, Error> {
    let tenths = percent * 10.0;
    let whole = tenths.round();
    if (tenths - whole).abs() < 1e-6 && (f64::from(least)..=f64::from(Shift::ALL)).contains(&whole) {
        return Ok(whole as u32);
    }
    Err(Error::invalid_parameter(format!(
        "{name} must be a multiple of 0.1 between {:.1} and 100.0, and is {percent}.",
        f64::from(least) / 10.0
    )))
}

fn hooks(given: &[ecs::DeploymentLifecycleHook]) -> Result<Vec<Hook>, Error> {
    let hooks = given.iter().map(hook).collect::<Result<Vec<Hook>, Error>>()?;
    let pauses = hooks.iter().filter(|hook| hook.target == HookTarget::Pause).count();
    if pauses > MOST_HOOKS || hooks.len() - pauses > MOST_HOOKS {
        return Err(invalid(&format!("a service may have {MOST_HOOKS} of each target type")));
    }
    Ok(hooks)
}

fn hook(given: &ecs::DeploymentLifecycleHook) -> Result<Hook, Error> {
    use ecs::DeploymentLifecycleHookTargetType::{AwsLambda, Pause};
    let pauses = given.target_type == Some(Pause);
    let stages = given.lifecycle_stages.as_deref().unwrap_or_default();
    if stages.is_empty() {
        return Err(invalid("it needs lifecycleStages"));
    }
    let stages = stages.iter().filter_map(|stage| stage.as_str().parse().ok()).collect::<Vec<Stage>>();
    let shifting = |stage: &Stage| matches!(stage, Stage::TestTrafficShift | Stage::ProductionTrafficShift);
    if let Some(stage) = stages.iter().find(|stage| pauses && shifting(stage)) {
        return Err(invalid(&format!("a PAUSE can't be at {stage}")));
    }
    let target = match given.target_type {
        Some(Pause) if given.hook_target_arn.is_some() || given.role_arn.is_some() => {
            return Err(invalid("a PAUSE has neither hookTargetArn nor roleArn"));
        }
        Some(Pause) => HookTarget::Pause,
        None | Some(AwsLambda) => {
            let target = given.hook_target_arn.as_deref().unwrap_or_default();
            url(target)?;
            HookTarget::Url(target.into())
        }
    };
    let timeout = given.timeout_configuration.as_ref();
    let longest = if pauses { LONGEST_PAUSE_MINUTES } else { DAY_MINUTES };
    let minutes = timeout.and_then(|timeout| timeout.timeout_in_minutes).unwrap_or(DAY_MINUTES);
    let action = timeout.and_then(|timeout| timeout.action);
    let details = given.hook_details.as_ref().map(Document::of).transpose();
    Ok(Hook {
        target,
        stages,
        details: details.map_err(|_| Error::server("The request could not be recorded."))?,
        timeout_ms: within("timeoutInMinutes", minutes, 1, longest)? * MINUTE_MS,
        on_timeout: action.and_then(|action| action.as_str().parse().ok()).unwrap_or(HookAction::Rollback),
    })
}

/// The endpoint: a URL, as it is or as the function's name in a Lambda function's ARN, for clients that take
/// nothing but an ARN.
pub(crate) fn url(given: &str) -> Result<&str, Error> {
    if given.is_empty() {
        return Err(invalid("it needs a hookTargetArn"));
    }
    let function = given.strip_prefix(LAMBDA).and_then(|rest| rest.splitn(4, ':').nth(3));
    let text = function.unwrap_or(given);
    let uri = text.parse::<hyper::Uri>().ok().filter(|uri| uri.host().is_some());
    match uri.as_ref().and_then(|uri| uri.scheme_str()) {
        Some("http" | "https") => Ok(text),
        _ => Err(invalid(
            "the hookTargetArn is an http:// or https:// URL here, or \
             arn:aws:lambda:REGION:ACCOUNT:function:URL, and no Lambda function",
        )),
    }
}

fn invalid(why: &str) -> Error {
    Error::invalid_parameter(format!("Invalid deployment lifecycle hook: {why}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints() {
        let fine = [
            "http://127.0.0.1:9000/hook",
            "https://hooks.example/a?b=c",
            "arn:aws:lambda:us-east-1:000000000000:function:http://127.0.0.1:9000/hook",
        ];
        assert!(fine.iter().all(|text| url(text).unwrap().starts_with("http")));
        let bad = ["", "ftp://x/", "/path", "arn:aws:lambda:us-east-1:000000000000:function:name"];
        assert!(bad.iter().all(|text| url(text).is_err()));
    }

    #[test]
    fn percents_are_whole_tenths() {
        assert_eq!(tenths("p", 12.3, 30).unwrap(), 123);
        assert!([2.9, 100.1, 12.34, f64::NAN].iter().all(|percent| tenths("p", *percent, 30).is_err()));
    }
}
