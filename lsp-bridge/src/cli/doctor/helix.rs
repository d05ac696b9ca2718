//! Which of a project's files Helix shares: it starts its servers by language, and asks none for other files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;

use super::editors::Homes;
use crate::project::{PRIVATE_DIR, Project};

/// The endings of files, by what Helix calls their language. `text` is the README's.
const LANGUAGES: &[(&str, &[&str])] = &[
    ("bash", &["sh", "bash"]),
    ("c", &["c", "h"]),
    ("c-sharp", &["cs"]),
    ("cpp", &["cpp", "cc", "hpp"]),
    ("css", &["css"]),
    ("elixir", &["ex", "exs"]),
    ("go", &["go"]),
    ("haskell", &["hs"]),
    ("html", &["html", "htm"]),
    ("java", &["java"]),
    ("javascript", &["js", "mjs", "cjs"]),
    ("json", &["json"]),
    ("jsx", &["jsx"]),
    ("kotlin", &["kt", "kts"]),
    ("lua", &["lua"]),
    ("markdown", &["md", "markdown"]),
    ("ocaml", &["ml"]),
    ("php", &["php"]),
    ("python", &["py"]),
    ("ruby", &["rb"]),
    ("rust", &["rs"]),
    ("scss", &["scss"]),
    ("sql", &["sql"]),
    ("swift", &["swift"]),
    ("text", &["txt"]),
    ("toml", &["toml"]),
    ("tsx", &["tsx"]),
    ("typescript", &["ts", "mts", "cts"]),
    ("yaml", &["yaml", "yml"]),
    ("zig", &["zig"]),
];
/// No more files are looked at.
const MOST_FILES: usize = 20_000;

/// The languages of these `languages.toml` that use `tutti`, with the endings that they name.
fn used(files: &[PathBuf]) -> BTreeMap<String, BTreeSet<String>> {
    let mut used = BTreeMap::new();
    let tables = files.iter().filter_map(|file| {
        let text = std::fs::read_to_string(file).ok()?;
        text.parse::<toml::Table>().ok()
    });
    for table in tables {
        let languages = table.get("language").and_then(toml::Value::as_array);
        for language in languages.into_iter().flatten().filter(|it| uses(it)) {
            let Some(name) = language.get("name").and_then(toml::Value::as_str) else {
                continue;
            };
            let endings = language.get("file-types").and_then(toml::Value::as_array);
            let endings = endings.into_iter().flatten();
            let endings = endings.filter_map(|ending| Some(ending.as_str()?.to_owned()));
            let known: &mut BTreeSet<String> = used.entry(name.to_owned()).or_default();
            known.extend(endings);
        }
    }
    used
}

/// Whether a language of a `languages.toml` uses `tutti`.
pub(super) fn uses(language: &toml::Value) -> bool {
    let servers = language.get("language-servers");
    let servers = servers.and_then(toml::Value::as_array);
    let servers = servers.into_iter().flatten();
    let mut names = servers.map(|server| server.get("name").unwrap_or(server));
    names.any(|name| name.as_str() == Some("tutti"))
}

/// How far Helix is set up.
pub(super) struct Reach {
    /// The languages that are shared, for a sentence.
    pub(super) languages: String,
    /// A line for each other language of the project's files.
    pub(super) others: Vec<String>,
}

/// Looks at `files`, Helix's configuration, and at the project.
pub(super) fn reach(files: &[PathBuf], homes: &Homes) -> Reach {
    let used = used(files);
    let is_project = Project::at(&homes.project).is_ok_and(|project| project.is_some());
    let found = match is_project {
        true => endings(&homes.project),
        false => BTreeMap::new(),
    };
    let named: BTreeSet<&str> = used.values().flatten().map(String::as_str).collect();
    let mut others: BTreeMap<&str, &str> = BTreeMap::new();
    for (ending, example) in found.iter().filter(|(it, _)| !named.contains(it.as_str())) {
        let language = LANGUAGES.iter().find(|(_, all)| all.contains(&&**ending));
        if let Some((language, _)) = language.filter(|(name, _)| !used.contains_key(*name)) {
            others.entry(language).or_insert(example);
        }
    }
    let line = |(language, example)| format!("{language}, such as {example}");
    Reach {
        others: others.into_iter().map(line).collect(),
        languages: used.into_keys().collect::<Vec<_>>().join(", "),
    }
}

/// The endings of a project's files, each with one of them.
fn endings(root: &Path) -> BTreeMap<String, String> {
    let mut walk = WalkBuilder::new(root);
    walk.hidden(false)
        .add_custom_ignore_filename(".tuttiignore");
    walk.sort_by_file_name(Ord::cmp);
    walk.filter_entry(|entry| {
        ![".git", PRIVATE_DIR]
            .iter()
            .any(|own| entry.file_name() == *own)
    });
    let mut found = BTreeMap::new();
    for entry in walk.build().filter_map(Result::ok).take(MOST_FILES) {
        let path = entry.path();
        let is_file = entry.file_type().is_some_and(|kind| kind.is_file());
        let ending = path.extension().and_then(|ending| ending.to_str());
        let (true, Some(ending), Ok(path)) = (is_file, ending, path.strip_prefix(root)) else {
            continue;
        };
        let example = crate::mirror::shown(&path.to_string_lossy());
        found.entry(ending.to_owned()).or_insert(example);
    }
    found
}
