//! How many tasks to start and to stop: arithmetic alone.

/// What there is of a service, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub desired: u32,
    pub minimum_percent: u32,
    pub maximum_percent: u32,
    /// Wanted tasks of the PRIMARY deployment that didn't fail their health checks, and how many of
    /// them are healthy.
    pub new: u32,
    pub new_healthy: u32,
    /// And of these, how many don't count yet when it comes to stopping old ones: the circuit breaker waits to see
    /// that they hold.
    pub new_unproven: u32,
    /// Those that did: to be replaced.
    pub unhealthy: u32,
    /// Wanted tasks that are to be replaced (of older deployments, or on an instance that drains),
    /// and how many of them are healthy.
    pub old: u32,
    pub old_healthy: u32,
    /// How many of each are protected: they stay, and count as all others.
    pub kept_new: u32,
    pub kept_new_healthy: u32,
    pub kept_old: u32,
    pub kept_old_healthy: u32,
    /// Asked to stop, and holding their resources until they have.
    pub leaving: u32,
    /// No task may be started now.
    pub held_back: bool,
    /// Tasks that may be started, but that no instance has room for.
    pub no_room_for: u32,
}

impl Counts {
    /// Healthy tasks that a stop of ours must leave: rounded up (ECS API reference,
    /// DeploymentConfiguration.minimumHealthyPercent).
    pub fn lower_bound(self) -> u32 {
        percent(self.desired, self.minimum_percent).div_ceil(100) as u32
    }

    /// Wanted tasks that there may be during a deployment: rounded down (maximumPercent).
    pub fn upper_bound(self) -> u32 {
        (percent(self.desired, self.maximum_percent) / 100) as u32
    }
}

fn percent(count: u32, percent: u32) -> u64 {
    u64::from(count) * u64::from(percent)
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moves {
    pub start: u32,
    /// Tasks of the PRIMARY deployment beyond the desired count.
    pub stop_new: u32,
    /// Tasks of the PRIMARY deployment that failed their health checks.
    pub stop_unhealthy: u32,
    /// Old tasks that aren't healthy: nobody misses them.
    pub stop_old_idle: u32,
    pub stop_old_healthy: u32,
    pub wait: Option<Wait>,
}

/// What a plan waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// New tasks must become healthy before more old ones may stop.
    Healthy,
    /// Neither may an old task stop nor a new one start, whatever happens: the percents leave no step.
    Bounds,
    /// Tasks to be stopped are protected.
    Protected,
    /// Its tasks keep failing.
    Throttled { until_ms: u64 },
}

/// The next moves. Starting comes before stopping where the upper bound has room; where it hasn't,
/// or no instance has, old tasks make room as far as the lower bound lets them.
pub fn moves(counts: Counts) -> Moves {
    let Counts { desired, new, new_healthy, unhealthy, old, old_healthy, .. } = counts;
    let healthy = new_healthy + old_healthy;
    let mut moves = Moves::default();

    let missing = desired.saturating_sub(new);
    let kept_old_idle = counts.kept_old - counts.kept_old_healthy;
    let stop_old_idle = old - old_healthy - kept_old_idle;
    // With nothing to replace, nothing but the desired count is a bound.
    let replacing = old > 0 || unhealthy > 0;
    let there = new + unhealthy + old_healthy + kept_old_idle;
    let room = if replacing { counts.upper_bound().saturating_sub(there) } else { missing };
    let may_start = missing.min(room);
    moves.start = if counts.held_back { 0 } else { may_start };
    moves.stop_old_idle = stop_old_idle;

    // A replacement comes first and must be healthy before what it replaces goes. Where the upper
    // bound or the instances have no room for it, unhealthy tasks make it, one by one (ECS API
    // reference, DeploymentConfiguration). None of them counts as healthy, so the lower bound is kept.
    let replaced = (new_healthy + unhealthy).saturating_sub(desired).min(unhealthy);
    let no_room = !counts.held_back && (may_start < missing || counts.no_room_for > 0);
    let making_room = u32::from(no_room && counts.leaving == 0 && stop_old_idle == 0).min(unhealthy);
    moves.stop_unhealthy = replaced.max(making_room);

    // The least advanced go first, so that healthy ones go only when all that is left is healthy.
    let excess = new.saturating_sub(desired);
    let idle_new = new.saturating_sub(new_healthy);
    let from_idle = excess.min(idle_new.saturating_sub(counts.kept_new - counts.kept_new_healthy));
    let spare = healthy.saturating_sub(counts.lower_bound());
    let from_healthy = new_healthy.saturating_sub(counts.kept_new_healthy);
    moves.stop_new = from_idle + (excess - from_idle).min(spare).min(from_healthy);

    let not_for_old = moves.stop_new - from_idle + counts.new_unproven;
    let spare = spare.saturating_sub(not_for_old);
    let surplus = healthy.saturating_sub(not_for_old).saturating_sub(desired);
    let lacking_bound = missing - may_start;
    // What is leaving makes room already, and so do the idle ones that leave now.
    let coming_room = counts.leaving + stop_old_idle + moves.stop_unhealthy;
    let lacking_room = counts.no_room_for.saturating_sub(coming_room);
    let need = surplus.max(if counts.held_back { 0 } else { lacking_bound + lacking_room });
    moves.stop_old_healthy = (old_healthy - counts.kept_old_healthy).min(spare).min(need);

    let quiet = moves.start == 0
        && moves.stop_new == 0
        && moves.stop_unhealthy == 0
        && stop_old_idle == 0
        && moves.stop_old_healthy == 0;
    if quiet && old_healthy > 0 && counts.leaving == 0 {
        let coming = new > new_healthy - counts.new_unproven;
        moves.wait = match (coming || counts.held_back, lacking_bound > 0) {
            (true, _) => Some(Wait::Healthy),
            (false, true) => Some(Wait::Bounds),
            (false, false) => None,
        };
    }
    moves
}
