//! The image store against a real HTTP registry on loopback and real overlays. Needs root, as the agent
//! does.

#[path = "images/build.rs"]
mod build;
#[path = "images/hostile.rs"]
mod hostile;
#[path = "images/pull.rs"]
mod pull;
#[path = "images/registry.rs"]
mod registry;
#[path = "images/rootfs.rs"]
mod rootfs;
