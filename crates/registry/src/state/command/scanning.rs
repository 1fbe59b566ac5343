//! A registry's scanning configuration.

use super::{Command, Decision, Refusal};
use crate::state::{
    entities::{ScanningRecord, Scope},
    index::{Change, Index},
};

#[derive(Debug)]
pub struct PutScanning {
    pub scope: Scope,
    pub record: ScanningRecord,
}

impl Command for PutScanning {
    type Outcome = ();

    fn decide(self, _: &Index) -> Result<Decision<()>, Refusal> {
        Ok(Decision::new(vec![Change::PutScanning(self.scope, self.record)], ()))
    }
}
