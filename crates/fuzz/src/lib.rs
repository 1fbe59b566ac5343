//! Fuzz targets: what strangers send, read by the code that reads it in the product.
//!
//! A target is a function of bytes that panics when a promise is broken, and each promises more than
//! not to panic: what is read and written again is the same, a changed request is never authentic,
//! nothing lands outside a layer's root. `main.rs` gives them to libFuzzer (`make fuzz`); the tests
//! replay the seeds in `corpus/` and everything that was ever found, which is kept in `findings/`.
//!
//! It must never be linked into anything that is shipped. Start reading at [`TARGETS`].

mod alike;
mod json;
mod layer;
mod messages;
mod names;
mod oci;
mod query;
mod sigv4;
mod supply;

/// Panics where the bytes break a promise.
pub type Target = fn(&[u8]);

/// Every target by its name, which is that of its folder of seeds, too.
pub const TARGETS: &[(&str, Target)] = &[
    ("layer", layer::check),
    ("json", json::check),
    ("sigv4", sigv4::check),
    ("oci", oci::check),
    ("query", query::check),
    ("messages", messages::check),
    ("names", names::check),
];

/// The target of that name.
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().find(|(have, _)| *have == name).map(|(_, target)| *target)
}
