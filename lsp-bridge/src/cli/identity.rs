//! The name under which a person is shown to the others.

use std::path::Path;
use std::process::{Command, Stdio};

/// The longest name that is shown, in characters.
const MAX_NAME_CHARS: usize = 60;

/// `TUTTI_NAME`, else git's `user.name` as it holds in `directory`, else the login name.
pub fn shown_name(directory: &Path) -> String {
    let variable = |name: &str| std::env::var(name).ok().and_then(|name| cleaned(&name));
    variable("TUTTI_NAME")
        .or_else(|| git_name(directory))
        .or_else(|| variable("USER"))
        .or_else(|| variable("LOGNAME"))
        .or_else(|| variable("USERNAME"))
        .unwrap_or_else(|| "someone".to_owned())
}

fn git_name(directory: &Path) -> Option<String> {
    let output = Command::new("git")
        .args(["config", "user.name"])
        .current_dir(directory)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    cleaned(&String::from_utf8(output.stdout).ok()?)
}

fn cleaned(name: &str) -> Option<String> {
    let plain = name.trim().chars().filter(|c| !c.is_control());
    let name: String = plain.take(MAX_NAME_CHARS).collect();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_short_line() {
        assert_eq!(cleaned(" Ada\n").as_deref(), Some("Ada"));
        assert_eq!(cleaned("A\x1b[31mda").as_deref(), Some("A[31mda"));
        assert_eq!(cleaned(" \n"), None);
        assert_eq!(cleaned(&"x".repeat(100)).unwrap().len(), MAX_NAME_CHARS);
    }
}
