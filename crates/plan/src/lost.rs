//! Machines that nobody hears of any more.

use model::{Command, InstanceStatus, World};

/// Which instances are lost: their agents have been away for `after_ms`. `model::apply` gives up what they ran for
/// services, so that others take its place.
pub fn lost(world: &World, now_ms: u64, after_ms: u64) -> Vec<Command> {
    let away = world.all_instances().filter(|instance| {
        instance.status != InstanceStatus::Inactive && !instance.agent_connected && !instance.lost
    });
    let since = away.filter_map(|instance| Some((instance.id, instance.disconnected_at_ms?)));
    let lost = since.filter(|(_, since_ms)| now_ms.saturating_sub(*since_ms) >= after_ms);
    lost.map(|(id, away_since_ms)| Command::LoseInstance { id, away_since_ms }).collect()
}
