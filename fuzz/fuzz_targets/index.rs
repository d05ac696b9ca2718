//! Any bytes, taken for a project's index.
#![no_main]

#[allow(dead_code)] // Each target checks one of the two.
#[path = "../../protocol/tests/invariants/mod.rs"]
mod invariants;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| invariants::check_index(bytes));
