//! Any bytes, taken for a path.
#![no_main]

#[allow(dead_code)] // Each target checks one of the two.
#[path = "../../protocol/tests/invariants/mod.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|text: &str| invariants::check_path(text));
