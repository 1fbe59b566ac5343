//! How bad an episode is: what fails in it, and how often.

use crate::dice::Dice;

/// Times are milliseconds, and means: the next one comes after up to twice as long. 0 is never.
#[derive(Debug, Clone, Default)]
pub struct Weather {
    /// Machines of the pool, and of the cluster's own.
    pub pool: u64,
    pub own: u64,
    pub services: u64,
    /// Messages that are lost, in a hundred.
    pub loss: u64,
    /// Messages that come late, in a hundred, and how late at most.
    pub late: u64,
    pub latest_ms: u64,
    /// Images that come slowly, in a hundred, and how slowly at most.
    pub slow_images: u64,
    pub slowest_image_ms: u64,
    /// Services, in a hundred, whose deployments go through stages, and those that somebody else decides on.
    pub staged: u64,
    pub external: u64,
    /// Answers of lifecycle hooks, in a hundred, that say no, or not yet.
    pub hooks_fail: u64,
    pub hooks_wait: u64,
    /// Commits that fail, in a hundred, and how long one takes at most.
    pub bad_commits: u64,
    pub slowest_commit_ms: u64,
    pub control_dies_every_ms: u64,
    pub agent_dies_every_ms: u64,
    pub link_breaks_every_ms: u64,
    pub machine_dies_every_ms: u64,
    /// When a machine that is away is given up as lost.
    pub lost_after_ms: u64,
    /// Machines, of a hundred that are away when the trouble ends, that never come back. Nobody deregisters them.
    pub never_back: u64,
    pub user_acts_every_ms: u64,
    /// How long all that goes on.
    pub lasts_ms: u64,
}

impl Weather {
    /// Some episodes have a bit of everything, others much of one thing: what one trouble hides, another shows.
    pub fn draw(dice: &mut Dice) -> Weather {
        let mut often = |percent: u64, from: u64, to: u64| match dice.chance(percent) {
            true => dice.between(from, to),
            false => 0,
        };
        Weather {
            pool: often(90, 1, 4),
            own: often(90, 1, 6),
            services: often(100, 1, 5),
            loss: often(50, 1, 20),
            late: often(60, 1, 30),
            latest_ms: often(100, 100, 30_000),
            slow_images: often(60, 1, 60),
            slowest_image_ms: often(100, 1_000, 240_000),
            staged: often(70, 10, 60),
            external: often(40, 10, 40),
            hooks_fail: often(60, 1, 25),
            hooks_wait: often(60, 1, 80),
            bad_commits: often(30, 1, 5),
            slowest_commit_ms: often(70, 10, 3_000),
            control_dies_every_ms: often(60, 5_000, 200_000),
            agent_dies_every_ms: often(60, 5_000, 200_000),
            link_breaks_every_ms: often(60, 5_000, 200_000),
            machine_dies_every_ms: often(50, 30_000, 400_000),
            lost_after_ms: often(80, 20_000, 300_000),
            never_back: often(50, 20, 100),
            user_acts_every_ms: often(100, 500, 20_000),
            lasts_ms: often(100, 200_000, 1_500_000),
        }
    }
}
