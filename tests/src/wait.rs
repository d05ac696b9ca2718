//! Waiting for what is expected, never for a time.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long anything may take on a slow machine with one core free.
pub const LONG: Duration = Duration::from_secs(60);

/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(20);

/// Waits until `look` finds something; an error names `what` after [`LONG`].
///
/// # Errors
/// When it is not found in time.
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> Result<T> {
    until_or(what, look, String::new)
}

/// As [`until`]; `instead` tells what is the case instead, for the error.
///
/// # Errors
/// When it is not found in time.
pub fn until_or<T>(
    what: &str,
    mut look: impl FnMut() -> Option<T>,
    instead: impl FnOnce() -> String,
) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if start.elapsed() > LONG {
            bail!("waited {LONG:?} for {what}\n{}", instead());
        }
        pause(STEP);
    }
}

/// Lets time pass: between two looks at a condition, and between two keystrokes of a person.
pub fn pause(time: Duration) {
    std::thread::park_timeout(time);
}
