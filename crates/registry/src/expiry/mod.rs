//! Lifecycle policies at work: the timer that applies them, and their previews. What expires is decided in
//! `lifecycle/`, and deleted in `state/command/lifecycle.rs`.

mod preview;
mod timetable;

pub use preview::{Preview, PreviewRunning, Previewed, Previews};
pub use timetable::{Timetable, expire_due, keep_expiring};
