//! One blow: who is killed, when, and what is started again.

use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::sync::watch;

use crate::dice::Dice;
use crate::load::Load;
use crate::site::{Part, Shape, Site};

/// How long a moment is waited for before the blow falls anyway.
const PATIENCE: Duration = Duration::from_millis(500);

/// Kills, and starts again what it killed. Returns how many it killed and in words what it did.
pub async fn strike(site: &mut Site, load: &Load, dice: &mut Dice) -> anyhow::Result<(u32, String)> {
    let moment = wait_for_moment(load, dice).await;
    let (mut killed, mut words) = (0, vec![]);
    let parts: &[Part] = match (site.shape, dice.below(100)) {
        (Shape::Apart, 0..30) | (Shape::Together, 0..60) => &[Part::Server],
        (Shape::Apart, 30..55) => &[Part::Agent],
        (Shape::Apart, 55..70) => &[Part::Server, Part::Agent],
        _ => &[],
    };
    if parts.is_empty() {
        let shims = site.host.shims();
        if let Some((pid, task)) = dice.pick(&shims) {
            // Noted first: the load must not go on to stop a task of which nothing is promised any more.
            let new = load.ledger().shims_killed.insert(task.clone());
            if kill(Pid::from_raw(i32::try_from(*pid)?), Signal::SIGKILL).is_ok() {
                killed += 1;
                words.push(format!("the shim of {task}"));
            } else if new {
                // It had ended by itself meanwhile: this was no blow.
                load.ledger().shims_killed.remove(task);
            }
        }
        if !dice.chance(25) {
            return Ok((killed, format!("{moment}: {}", words.join(", "))));
        }
    }
    let parts = if parts.is_empty() { &site.parts()[site.parts().len() - 1..] } else { parts };
    for part in parts {
        site.kill(*part)?;
        killed += 1;
        words.push(format!("{part:?}"));
    }
    for part in parts {
        site.start_again(*part)?;
    }
    // Again, before it is ready or just after.
    if dice.chance(30) {
        let ms = dice.below(200);
        tokio::time::sleep(Duration::from_millis(ms)).await;
        for part in parts {
            site.kill(*part)?;
            killed += 1;
            words.push(format!("{part:?} again after {ms} ms"));
            site.start_again(*part)?;
        }
    }
    Ok((killed, format!("{moment}: {}", words.join(", "))))
}

async fn wait_for_moment(load: &Load, dice: &mut Dice) -> String {
    let (what, sender, ms) = match dice.below(5) {
        0 | 1 => {
            let ms = dice.below(150);
            tokio::time::sleep(Duration::from_millis(ms)).await;
            return format!("after {ms} ms");
        }
        2 => ("an acknowledgement", &load.moments.acknowledged, 0),
        3 => ("RunTask", &load.moments.run, dice.below(80)),
        _ => ("the begin of a push", &load.moments.pushing, dice.below(30)),
    };
    next(sender).await;
    tokio::time::sleep(Duration::from_millis(ms)).await;
    format!("{ms} ms after {what}")
}

async fn next(sender: &watch::Sender<u64>) {
    let mut receiver = sender.subscribe();
    // Without one in time, the blow falls all the same.
    let _ = tokio::time::timeout(PATIENCE, receiver.changed()).await;
}
