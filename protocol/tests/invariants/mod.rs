//! What must hold of any path and any index, whoever wrote it. The fuzz targets check the same.

use std::collections::HashSet;

use tutti_protocol::index::{Roots, entries, new_doc, visible};
use tutti_protocol::path::{MAX_NAME_BYTES, MAX_PATH_BYTES, ProjectPath};
use yrs::updates::decoder::Decode;
use yrs::{Transact, Update};

/// A path that is let through is a plain relative one on every file system.
///
/// # Panics
/// It is not.
pub(crate) fn check_path(text: &str) {
    let Ok(path) = text.parse::<ProjectPath>() else {
        return;
    };
    assert_eq!(path.as_str(), text, "nothing is repaired");
    assert!(text.len() <= MAX_PATH_BYTES);
    for part in path.parts() {
        assert!(!part.is_empty() && part.len() <= MAX_NAME_BYTES, "{text:?}");
        assert!(!part.ends_with(['.', ' ']), "{text:?}");
        assert!(!part.contains(['\\', ':', '\0', '\n']), "{text:?}");
        assert!(!part.chars().any(char::is_control), "{text:?}");
        let seen: String = part.chars().filter(|c| !is_ignored_somewhere(*c)).collect();
        assert!(!seen.eq_ignore_ascii_case(".git"), "{text:?}");
        assert!(!seen.eq_ignore_ascii_case("git~1"), "{text:?}");
        assert!(!seen.eq_ignore_ascii_case(".tutti"), "{text:?}");
        assert!(!seen.eq_ignore_ascii_case("con"), "{text:?}");
    }
    let again: ProjectPath = path.as_str().parse().expect("it was let through");
    assert_eq!(again.folded(), path.folded());
}

/// From Unicode's list of what has no look of its own.
fn is_ignored_somewhere(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0001}'..='\u{e007f}')
}

/// Any bytes, taken for the index of a project: no two files are shown at one place, and nothing
/// panics.
///
/// # Panics
/// Two are.
pub(crate) fn check_index(bytes: &[u8]) {
    let Ok(update) = Update::decode_v1(bytes) else {
        return;
    };
    let doc = new_doc(1);
    Roots::of(&doc);
    if doc.transact_mut().apply_update(update).is_err() {
        return;
    }
    let entries = entries(&doc.transact());
    let shown = visible(&entries);
    let there = entries.values().filter(|entry| entry.is_there()).count();
    assert_eq!(shown.len(), there);
    let mut names = HashSet::new();
    for path in shown.into_values().flatten() {
        check_path(path.as_str());
        assert!(names.insert(path.folded()), "two files at {path}");
    }
}
