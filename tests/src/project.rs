//! Projects to share: directories of files, this repository's own among them.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::tools::repository;

/// Writes files, given as path and text, beneath `dir`.
///
/// # Errors
/// When they cannot be written.
pub fn write(dir: &Path, files: &[(&str, &str)]) -> Result<()> {
    for (path, text) in files {
        let path = dir.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, text)?;
    }
    Ok(())
}

/// Copies this repository's own sources, as git knows them, into `dir`. Returns their paths.
///
/// # Errors
/// When they cannot be copied.
pub fn copy_of_this_repository(dir: &Path) -> Result<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "-z"])
        .current_dir(repository())
        .output()?;
    ensure!(output.status.success(), "the sources are no git checkout");
    let mut files = Vec::new();
    for path in String::from_utf8(output.stdout)?.split_terminator('\0') {
        let from = repository().join(path);
        // Deleted in the work tree and not yet committed.
        if !from.is_file() {
            continue;
        }
        let to = dir.join(path);
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(&from, &to)?;
        files.push(path.to_owned());
    }
    Ok(files)
}

/// Where two texts part, for a message.
#[must_use]
pub fn difference(expected: &str, found: &str) -> String {
    let same = expected
        .chars()
        .zip(found.chars())
        .take_while(|(one, other)| one == other)
        .count();
    let from = |text: &str| -> String {
        text.chars()
            .skip(same.saturating_sub(40))
            .take(160)
            .collect()
    };
    format!(
        "the texts part at character {same} ({} and {} bytes):\nexpected …{:?}…\nfound    …{:?}…",
        expected.len(),
        found.len(),
        from(expected),
        from(found)
    )
}
