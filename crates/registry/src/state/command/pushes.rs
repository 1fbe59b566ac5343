//! The outbox of pushes is emptied by who has acted on them.

use super::{Command, Decision, Refusal};
use crate::state::index::{Change, Index};

/// Drops the pushes up to a number. The newest stays: the numbers go on from it.
#[derive(Debug)]
pub struct ForgetPushes {
    pub through: u64,
}

impl Command for ForgetPushes {
    type Outcome = ();

    fn decide(self, index: &Index) -> Result<Decision<()>, Refusal> {
        let kept = index.newest_push();
        let done = index.pushes_after(0).map(|(number, _)| number).take_while(|n| *n <= self.through);
        Ok(Decision::new(done.filter(|n| *n != kept).map(Change::DeletePush).collect(), ()))
    }
}
