//! What happens to one task: a pure, total function from what was observed to what to do.
//!
//! [`step`] takes the task's state and one [`Observation`] and returns the next state with the
//! [`Action`]s that must follow. It does no I/O and reads no clock. The state is written down
//! before the actions run, so an agent that dies between the two repeats them: every action is
//! therefore carried out idempotently, and every observation may arrive twice.
//!
//! Read `state.rs` and `binding.rs` for the words, `step.rs` for the verbs, `order.rs` for `dependsOn`, `health.rs`
//! for health checks, `restart.rs` for restart policies, `unknown.rs` for tasks whose state was lost.

mod binding;
mod health;
mod observe;
mod order;
mod report;
mod restart;
mod state;
mod step;
mod unknown;

pub use binding::{Binding, Ports, Protocol};
pub use health::{Checkup, Health, HealthCheck};
pub use observe::{Action, Found, Observation, Timer};
pub use report::{ContainerChange, Known, StateChange};
pub use restart::RestartPolicy;
pub use state::{
    Condition, ContainerSpec, ContainerState, Dependency, Desired, Exit, NetworkPhase, Phase, TaskSpec,
    TaskState,
};
pub use step::step;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod stories;
