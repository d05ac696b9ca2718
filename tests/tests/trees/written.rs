//! What is written, and where it is found again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::Result;

/// Each line that is written is unique.
#[derive(Default)]
pub(crate) struct Written {
    pub(crate) count: u32,
    pub(crate) lines: BTreeSet<String>,
    /// Taken away on purpose, where it stood then.
    pub(crate) removed: BTreeSet<String>,
}

impl Written {
    pub(crate) fn line(&mut self, name: &str) -> String {
        self.count += 1;
        let line = format!("line {} of {name}\n", self.count);
        self.lines.insert(line.trim().to_owned());
        line
    }
}

/// Whether the person of this name has written the line.
pub(crate) fn is_by(line: &str, name: &str) -> bool {
    line.ends_with(&format!(" of {name}"))
}

/// What is no text, with a line in it by which it is found again.
pub(crate) fn data(line: &str) -> Vec<u8> {
    [b"\xff\xd8\0\n", line.as_bytes()].concat()
}

/// The content of each file, and whether it may be executed.
pub(crate) type Tree = BTreeMap<String, (Vec<u8>, bool)>;

/// The files of a project's directory, but Tutti's own and git's.
pub(crate) fn tree(dir: &Path) -> Result<Tree> {
    use std::os::unix::fs::PermissionsExt;
    let mut found = BTreeMap::new();
    let mut waiting = vec![dir.to_owned()];
    while let Some(next) = waiting.pop() {
        let Ok(entries) = fs::read_dir(&next) else {
            continue;
        };
        for entry in entries {
            let path = entry?.path();
            let name = path.strip_prefix(dir)?.to_string_lossy().into_owned();
            if name == ".tutti" || name == ".git" {
                continue;
            }
            if path.is_dir() {
                waiting.push(path);
            } else if let (Ok(bytes), Ok(about)) = (fs::read(&path), fs::metadata(&path)) {
                found.insert(name, (bytes, about.permissions().mode() & 0o100 != 0));
            }
        }
    }
    Ok(found)
}

pub(crate) fn lines<'a>(texts: impl IntoIterator<Item = &'a [u8]>) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let texts = texts.into_iter().map(text);
    texts
        .flat_map(|text| {
            let lines: Vec<String> = text.lines().map(|line| line.trim().to_owned()).collect();
            lines
        })
        .collect()
}
