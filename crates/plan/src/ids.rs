use model::{DeploymentId, TaskId, Uuid};

/// Fresh ids from a seed. Whoever draws the seed from 128 random bits, once for each plan, gets ids
/// that nobody else has.
#[derive(Debug, Clone)]
pub struct Ids {
    seed: TaskId,
    drawn: usize,
}

impl Ids {
    pub fn new(seed: u128) -> Self {
        Self { seed: TaskId(seed), drawn: 0 }
    }

    fn draw(&mut self) -> u128 {
        self.drawn += 1;
        self.seed.derive("ids", self.drawn)
    }

    pub fn task(&mut self) -> TaskId {
        TaskId(self.draw())
    }

    /// In the form of version 4.
    pub fn uuid(&mut self) -> Uuid {
        TaskId(self.draw()).derive_uuid("uuid", 0)
    }

    /// `ecs-svc/` and nineteen digits.
    pub fn deployment(&mut self) -> DeploymentId {
        let digits = 10u64.pow(18);
        let number = digits + (self.draw() % (8 * u128::from(digits))) as u64;
        DeploymentId::from(format!("ecs-svc/{number}"))
    }
}
