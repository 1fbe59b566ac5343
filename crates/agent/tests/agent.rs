//! The whole agent against a control plane and a registry made for the test: real images, real
//! namespaces, the real shim, real containers. Needs root, as the agent does, busybox, and the shim
//! built (`cargo build -p shim`).

#[path = "agent/control.rs"]
mod control;
#[path = "agent/damage.rs"]
mod damage;
#[path = "agent/image.rs"]
mod image;
#[path = "agent/measure.rs"]
mod measure;
#[path = "agent/restarts.rs"]
mod restarts;
#[path = "agent/storage.rs"]
mod storage;
#[path = "agent/stories.rs"]
mod stories;
