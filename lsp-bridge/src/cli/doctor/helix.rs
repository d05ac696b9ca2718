//! Which of a project's files Helix shares: it starts its servers by language, and asks none for other files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;

use super::editors::Homes;
use crate::project::{PRIVATE_DIR, Project};

/// The endings of files, or their whole names, by what Helix calls their language. `text` is the README's.
const LANGUAGES: &[(&str, &[&str])] = &[
    ("bash", &["sh", "bash"]),
    ("c", &["c", "h"]),
    ("c-sharp", &["cs"]),
    ("cmake", &["cmake", "CMakeLists.txt"]),
    ("cpp", &["cpp", "cc", "hpp"]),
    ("css", &["css"]),
    ("diff", &["diff", "patch"]),
    ("dockerfile", &["Dockerfile", "Containerfile"]),
    ("elixir", &["ex", "exs"]),
    ("go", &["go"]),
    ("haskell", &["hs"]),
    ("html", &["html", "htm"]),
    ("ini", &["ini", "conf", "service", ".editorconfig"]),
    ("java", &["java"]),
    ("javascript", &["js", "mjs", "cjs"]),
    ("json", &["json"]),
    ("jsx", &["jsx"]),
    ("kotlin", &["kt", "kts"]),
    ("lua", &["lua"]),
    ("make", &["mk", "Makefile", "makefile", "GNUmakefile"]),
    ("markdown", &["md", "markdown"]),
    ("ocaml", &["ml"]),
    ("php", &["php"]),
    ("python", &["py"]),
    ("ruby", &["rb"]),
    ("rust", &["rs"]),
    ("scss", &["scss"]),
    ("svelte", &["svelte"]),
    ("sql", &["sql"]),
    ("swift", &["swift"]),
    ("text", &["txt"]),
    ("toml", &["toml"]),
    ("tsx", &["tsx"]),
    ("typescript", &["ts", "mts", "cts"]),
    ("vue", &["vue"]),
    ("xml", &["xml", "svg"]),
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
            let named = |ending: &toml::Value| {
                let glob = ending.get("glob").unwrap_or(ending);
                Some(glob.as_str()?.to_owned())
            };
            let endings = endings.filter_map(named);
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
    let mut unknown: BTreeMap<&str, &str> = BTreeMap::new();
    for (kind, example) in found.iter().filter(|(it, _)| !named.contains(it.as_str())) {
        match LANGUAGES.iter().find(|(_, all)| all.contains(&&**kind)) {
            Some((language, _)) if used.contains_key(*language) => {}
            Some((language, _)) => {
                others.entry(language).or_insert(example);
            }
            // Most projects have some of these, and nobody types in them together.
            None if kind.starts_with('.') => {}
            None => {
                unknown.insert(kind, example);
            }
        }
    }
    let line = |(language, example)| format!("{language}, such as {example}");
    let mut others: Vec<String> = others.into_iter().map(line).collect();
    // Helix may know them, or not; those that it does not know are shared as the README's plain text.
    others.extend(some_of(&unknown).map(|examples| {
        format!(
            "and perhaps {examples}: a language of yours shares a file that its file-types name"
        )
    }));
    Reach {
        others,
        languages: used.into_keys().collect::<Vec<_>>().join(", "),
    }
}

/// A few of these examples, for a sentence.
fn some_of(unknown: &BTreeMap<&str, &str>) -> Option<String> {
    const SHOWN: usize = 5;
    let mut shown: Vec<&str> = unknown.values().take(SHOWN).copied().collect();
    shown.extend((unknown.len() > SHOWN).then_some("others"));
    (!shown.is_empty()).then(|| shown.join(", "))
}

/// Whether the language of a file goes by its whole name: it has no ending, or one that is not all.
fn goes_by_name(name: &str) -> bool {
    let is_named = |(_, all): &&(&str, &[&str])| all.contains(&name);
    !name.trim_start_matches('.').contains('.') || LANGUAGES.iter().any(|it| is_named(&it))
}

/// The endings of a project's files, or the names of those that go by name, each with one of them.
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
        let name = path.file_name().and_then(|name| name.to_str());
        let ending = path.extension().and_then(|ending| ending.to_str());
        let kind = match name.is_some_and(goes_by_name) {
            true => name,
            false => ending,
        };
        let (true, Some(kind), Ok(path)) = (is_file, kind, path.strip_prefix(root)) else {
            continue;
        };
        let example = crate::mirror::shown(&path.to_string_lossy());
        found.entry(kind.to_owned()).or_insert(example);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_go_by_their_names_or_by_their_endings() {
        let dir = tempfile::tempdir().unwrap();
        let names = [
            "Makefile",
            "conf.ini",
            "d.diff",
            "a.rs",
            "LICENSE",
            "CMakeLists.txt",
            ".editorconfig",
        ];
        for name in names {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        let found: Vec<String> = endings(dir.path()).into_keys().collect();
        let expected = [
            ".editorconfig",
            "CMakeLists.txt",
            "LICENSE",
            "Makefile",
            "diff",
            "ini",
            "rs",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn only_a_few_examples_are_shown() {
        assert_eq!(some_of(&BTreeMap::new()), None);
        let few = BTreeMap::from([("a", "x.a"), ("b", "x.b")]);
        assert_eq!(some_of(&few).as_deref(), Some("x.a, x.b"));
        let many: Vec<String> = (0..9).map(|n| n.to_string()).collect();
        let many = many.iter().map(|n| (n.as_str(), n.as_str())).collect();
        assert_eq!(some_of(&many).as_deref(), Some("0, 1, 2, 3, 4, others"));
    }
}
