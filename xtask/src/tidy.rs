//! Rules for tracked files that no other tool checks.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::command::output;
use crate::tools::repository;

/// A file longer than this holds more than one concept.
const MOST_LINES: usize = 500;
const SOURCES: &[&str] = &["rs", "ts", "svelte", "lua", "js", "mjs", "sh"];

/// Checks every tracked file and names all that is wrong.
pub(crate) fn check() -> Result<()> {
    let files = output(
        Command::new("git")
            .args(["ls-files", "-z"])
            .current_dir(repository()),
    )?;
    let mut wrong = Vec::new();
    for file in files.split_terminator('\0') {
        let path = repository().join(file);
        // Deleted in the work tree and not yet committed, or a link to nowhere.
        if !path.is_file() {
            continue;
        }
        let bytes = fs::read(&path).with_context(|| format!("cannot read {file}"))?;
        // Pictures and fonts have no wording.
        if let Ok(text) = std::str::from_utf8(&bytes) {
            wrong.extend(faults(file, text).map(|fault| format!("{file}{fault}")));
        }
    }
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    Ok(())
}

fn faults(file: &str, text: &str) -> impl Iterator<Item = String> {
    let source = file
        .rsplit_once('.')
        .is_some_and(|(_, extension)| SOURCES.contains(&extension));
    let rules = if file.ends_with("package-lock.json") {
        LOCK_RULES
    } else if source && file != "xtask/src/tidy.rs" {
        SOURCE_RULES
    } else {
        &[]
    };
    let lines = text.lines().count();
    let long = (source && lines > MOST_LINES)
        .then(|| format!(": {lines} lines, over {MOST_LINES}: is it one concept?"));
    let found = text.lines().enumerate().flat_map(move |(index, line)| {
        rules
            .iter()
            .filter(move |(needle, _)| line.contains(needle))
            .map(move |(_, fault)| format!(":{}: {fault}", index + 1))
    });
    found.chain(long).collect::<Vec<_>>().into_iter()
}

const LOCK_RULES: &[(&str, &str)] = &[(
    "\"resolved\": \"http",
    "records a download host; install with --omit-lockfile-registry-resolved",
)];

const SOURCE_RULES: &[(&str, &str)] = &[
    ("TODO", "unfinished work: do it, or open an issue"),
    ("FIXME", "unfinished work: do it, or open an issue"),
    ("#[ignore", "a test that is switched off"),
    (".only(", "a test that switches all others off"),
    ("it.skip(", "a test that is switched off"),
    ("test.skip(", "a test that is switched off"),
    ("describe.skip(", "a test that is switched off"),
    ("/home/", "a path that only one machine has"),
    ("/root/", "a path that only one machine has"),
];

#[cfg(test)]
mod tests {
    use super::faults;

    #[test]
    fn a_lock_file_with_hosts_is_found() {
        let text = "{\n  \"resolved\": \"https://example.org/x.tgz\"\n}\n";
        let found: Vec<_> = faults("a/package-lock.json", text).collect();
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with(":2: "), "{found:?}");
    }

    #[test]
    fn long_and_unfinished_sources_are_found() {
        let text = "//! Doc\n// TODO more\n".repeat(251);
        assert_eq!(faults("src/a.rs", &text).count(), 252);
        assert_eq!(faults("notes.md", &text).count(), 0);
    }
}
