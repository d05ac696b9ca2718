//! Listing the project's files.

use tutti_protocol::path::ProjectPath;

use super::ignores::Ignores;
use super::tree::{LeftAlone, Tree, is_temporary};

/// What a walk finds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Listing {
    /// Plain files, sorted by path.
    pub(crate) files: Vec<ProjectPath>,
    /// The directories that were entered, "" for the root: those to watch.
    pub(crate) directories: Vec<String>,
    /// What cannot be shared, with the reason, escaped for a terminal.
    pub(crate) left_alone: Vec<(String, LeftAlone)>,
    /// The mirror's own temporary files.
    pub(crate) temporaries: Vec<ProjectPath>,
}

/// Lists what the rules leave beneath `start` ("" for everything). `.git` and `.tutti` are never
/// entered, and no link is followed.
pub(crate) fn walk(tree: &Tree, ignores: &mut Ignores, start: &str) -> Listing {
    let mut listing = Listing::default();
    let mut waiting = vec![start.to_owned()];
    while let Some(directory) = waiting.pop() {
        if let Err(reason) = visit(tree, ignores, &directory, &mut listing, &mut waiting) {
            listing.left_alone.push((shown(&directory), reason));
        }
    }
    listing.files.sort();
    listing
}

fn visit(
    tree: &Tree,
    ignores: &mut Ignores,
    directory: &str,
    listing: &mut Listing,
    waiting: &mut Vec<String>,
) -> Result<(), LeftAlone> {
    let at = (!directory.is_empty()).then_some(directory);
    let dir = tree.directory(at)?;
    listing.directories.push(directory.to_owned());
    for entry in dir.entries()? {
        let entry = entry?;
        let raw_name = entry.file_name();
        let Some(name) = raw_name.to_str() else {
            let name = format!("{directory}/{}", raw_name.to_string_lossy());
            let reason = LeftAlone::Io("its name is not UTF-8".into());
            listing.left_alone.push((shown(&name), reason));
            continue;
        };
        let path = if directory.is_empty() {
            name.to_owned()
        } else {
            format!("{directory}/{name}")
        };
        let kind = entry.file_type()?;
        if is_private(name) {
            continue;
        }
        if is_temporary(name) {
            listing.temporaries.extend(path.parse());
            continue;
        }
        if ignores.matches(tree, &path, kind.is_dir()) {
            continue;
        }
        match path.parse::<ProjectPath>() {
            Err(refused) => listing.left_alone.push((shown(&path), refused.into())),
            Ok(_) if kind.is_dir() => waiting.push(path),
            Ok(path) if kind.is_file() => listing.files.push(path),
            Ok(path) if kind.is_symlink() => {
                listing.left_alone.push((path.to_string(), LeftAlone::Link));
            }
            Ok(path) => listing
                .left_alone
                .push((path.to_string(), LeftAlone::Special)),
        }
    }
    Ok(())
}

/// Git's and Tutti's own files, which nobody wants to hear about.
fn is_private(name: &str) -> bool {
    [".git", ".tutti"].contains(&name)
}

/// A path from elsewhere, made safe for a terminal and short.
pub(crate) fn shown(path: &str) -> String {
    let escaped: String = path
        .chars()
        .take(200)
        .flat_map(|c| {
            let hidden = c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
            let plain = (!hidden).then_some(c);
            let code = hidden.then(|| c.escape_unicode());
            plain.into_iter().chain(code.into_iter().flatten())
        })
        .collect();
    if escaped.is_empty() {
        "(an empty path)".to_owned()
    } else {
        escaped
    }
}
