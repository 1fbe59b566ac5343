//! What would happen, in words.

use super::{Done, End, Move, Pause, Preview};
use crate::reconcile::{Counts, StopReason};
use crate::schedule::{Failure, FailureReason};
use model::{Deployment, DeploymentStrategy, Lifecycle, Service};
use std::fmt::Write;

/// What the change is from, and to: the service before it and after.
#[derive(Debug, Clone, Copy)]
pub struct Change<'s> {
    pub before: &'s Service,
    pub after: &'s Service,
}

/// Lines to be printed, without one at the end.
pub fn text(change: Change<'_>, preview: &Preview) -> String {
    let mut lines = vec![change.intent()];
    lines.extend(change.bounds());
    lines.push(String::new());
    let mut explained = false;
    for (at, step) in preview.moves.iter().enumerate() {
        let sentence = match step {
            // The reason is the same from then on.
            Move::NoRoom(count, _) if explained => format!("no room for {}", tasks(*count)),
            _ => sentence(step),
        };
        explained |= matches!(step, Move::NoRoom(..));
        lines.push(format!("{:>3}. {sentence}", at + 1));
    }
    if preview.moves.is_empty() {
        lines.push("     nothing to start or to stop".to_owned());
    }
    lines.push(String::new());
    lines.push(change.ending(preview));
    lines.extend(change.failing());
    let hooks = preview.moves.iter().any(|step| matches!(step, Move::Hooks(..)));
    let hooks = if hooks { "hooks let it go on, " } else { "" };
    lines.push(format!(
        "Assumed: new tasks start and stay healthy, {hooks}and nothing else changes meanwhile."
    ));
    lines.join("\n")
}

impl Change<'_> {
    fn deploys(&self) -> bool {
        let id = |service: &Service| service.primary().map(|primary| primary.id.clone());
        id(self.before) != id(self.after)
    }

    fn intent(&self) -> String {
        let Change { before, after } = self;
        let definition = |service: &Service| {
            service.primary().map(|primary| primary.definition.to_string()).unwrap_or_default()
        };
        let (old, new) = (definition(before), definition(after));
        let name = format!("{} (cluster {})", after.key.name, after.key.cluster.name);
        let deploys = match self.deploys() {
            false if before.desired_count == after.desired_count => {
                return format!("{name} is left as it is: {} of {new}.", tasks(after.desired_count));
            }
            false => format!("{name} goes on with {new}"),
            true if old == new => format!("{name} is deployed anew as {new}"),
            true => format!("{name} goes from {old} to {new}"),
        };
        match before.desired_count == after.desired_count {
            true => format!("{deploys}, with {} as before.", tasks(after.desired_count)),
            false => {
                format!("{deploys}, with {} instead of {}.", tasks(after.desired_count), before.desired_count)
            }
        }
    }

    /// Where tasks are replaced.
    fn bounds(&self) -> Option<String> {
        let primary = self.after.primary().filter(|primary| primary.is_rolling_out())?;
        let beside = |one: &&Lifecycle| one.stages.strategy != DeploymentStrategy::Rolling;
        if let Some(lifecycle) = primary.lifecycle.as_deref().filter(beside) {
            return Some(format!(
                "The new tasks come up beside the old ones ({}); the old ones go last.",
                lifecycle.stages.strategy
            ));
        }
        let counts = Counts {
            desired: self.after.desired_count,
            minimum_percent: self.after.minimum_healthy_percent,
            maximum_percent: self.after.maximum_percent,
            ..Counts::default()
        };
        Some(format!(
            "While tasks are replaced: never fewer than {} healthy, never more than {} at once ({} to {} percent).",
            counts.lower_bound(),
            counts.upper_bound(),
            self.after.minimum_healthy_percent,
            self.after.maximum_percent
        ))
    }

    fn ending(&self, preview: &Preview) -> String {
        let total = format!("{} started, {} stopped.", preview.started, preview.stopped);
        let end = match &preview.end {
            End::Steady => format!("Then the service is steady with {}", tasks(self.after.desired_count)),
            End::NoRoom(count, failure) => {
                let known = |step: &Move| matches!(step, Move::NoRoom(before, _) if before == count);
                match preview.moves.iter().any(known) {
                    true => format!("It goes no further: there is no room for {}", tasks(*count)),
                    false => format!("It goes no further: {}", no_room(*count, failure)),
                }
            }
            End::Bounds => {
                "It goes no further: the percents leave no step. A lower minimumHealthyPercent or a higher \
                            maximumPercent would leave one"
                    .to_owned()
            }
            End::Failed => {
                "It starts nothing more: its deployment has failed. A new deployment is the way on".to_owned()
            }
            End::Open => "What comes then depends on tasks that run and aren't healthy".to_owned(),
        };
        format!("{end}. {total}")
    }

    /// What becomes of it when its tasks fail.
    fn failing(&self) -> Option<String> {
        let Change { after, .. } = self;
        let primary = after.primary().filter(|primary| primary.is_rolling_out())?;
        if !after.breaker.enable {
            return Some(
                "If its tasks fail, new ones are tried without end: it has no circuit breaker.".to_owned(),
            );
        }
        let failures = match after.breaker.allows(after.desired_count) {
            1 => "1 task fails".to_owned(),
            count => format!("{count} tasks fail"),
        };
        let mut text = format!("If {failures} on the way, it is given up");
        let other = |completed: &&Deployment| after.breaker.rollback && completed.id != primary.id;
        match after.completed.as_deref().filter(other) {
            // Writing to a string does not fail.
            Some(back) => {
                write!(text, " and goes back to {} ({}).", back.definition, back.id).unwrap_or_default()
            }
            None => text.push_str(", and the service stays as it is then."),
        }
        Some(text)
    }
}

fn sentence(step: &Move) -> String {
    match step {
        Move::Act { starts, stops } => {
            let started =
                starts.iter().map(|(definition, count)| format!("start {} of {definition}", tasks(*count)));
            let stopped = stops.iter().map(|((definition, why), count)| {
                let why = match why {
                    StopReason::Unhealthy => " that failed its health checks",
                    StopReason::ScaleIn | StopReason::Superseded | StopReason::Draining => "",
                };
                format!("stop {} of {definition}{why}", tasks(*count))
            });
            started.chain(stopped).collect::<Vec<_>>().join("; ")
        }
        Move::Wait(Done { ready, ended }) => {
            let ready = (*ready > 0).then(|| format!("{} to be healthy", tasks(*ready)));
            let ended = (*ended > 0).then(|| format!("{} to end", tasks(*ended)));
            let what: Vec<String> = ready.into_iter().chain(ended).collect();
            match what.is_empty() {
                true => "wait for tasks to start".to_owned(),
                false => format!("wait for {}", what.join(" and ")),
            }
        }
        Move::Pause { ms, why } => {
            let why = match why {
                Pause::Hold => "for the new tasks to hold: the circuit breaker watches",
                Pause::Throttled => "because tasks have failed before",
                Pause::Protected => "for the protection of tasks to end",
                Pause::Grace => "for the health checks' grace period to end",
                Pause::Bake => "while both revisions run",
            };
            format!("wait {} s {why}", ms.div_ceil(1000))
        }
        Move::Hooks(stage, 1) => format!("wait for a hook at {stage}"),
        Move::Hooks(stage, count) => format!("wait for {count} hooks at {stage}"),
        Move::NoRoom(count, failure) => no_room(*count, failure),
        Move::GiveUp => "give up the deployment under way".to_owned(),
    }
}

/// Whoever sees no machines is told what they lack, and the others ECS's word for it too.
fn no_room(count: u32, failure: &Failure) -> String {
    let reason = match failure.reason {
        FailureReason::Capacity => failure.detail.clone(),
        reason => format!("{reason}: {}", failure.detail),
    };
    format!("no room for {}: {reason}", tasks(count))
}

fn tasks(count: u32) -> String {
    match count {
        1 => "1 task".to_owned(),
        count => format!("{count} tasks"),
    }
}
