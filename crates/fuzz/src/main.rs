//! libFuzzer's main: `longshore-fuzz` with LONGSHORE_FUZZ_TARGET set, and libFuzzer's own arguments.
//!
//! One program for all targets, so that there is one to link. `scripts/fuzz` builds it with coverage
//! counters in our own crates and runs it.
//! What a target checks is in the library.
#![no_main]

use std::sync::OnceLock;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    static TARGET: OnceLock<fuzz::Target> = OnceLock::new();
    let target = TARGET.get_or_init(|| {
        let name = std::env::var("LONGSHORE_FUZZ_TARGET").unwrap_or_default();
        fuzz::target(&name).unwrap_or_else(|| panic!("LONGSHORE_FUZZ_TARGET names no target: '{name}'"))
    });
    target(data);
});
