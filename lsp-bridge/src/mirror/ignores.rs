//! Which paths stay out of the project: `.gitignore`, `.tuttiignore`, and git's own excludes.
//!
//! The rules are those of git: the file nearest to a path decides, the last matching line in it
//! wins, and what lies in an ignored directory is ignored. A `.tuttiignore` is stronger than a
//! `.gitignore` beside it. Weakest of all is what every editor's own files are kept out by: a line
//! such as `!*~` lets them in.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use tutti_protocol::path::ProjectPath;

use super::tree::{Found, LeftAlone, Tree};
use crate::project::PRIVATE_DIR;

/// The files that hold rules, the stronger first.
const RULE_FILES: [&str; 2] = [".tuttiignore", ".gitignore"];

/// What editors leave beside a file while it is being edited: Emacs' auto-saves, locks and backups,
/// and Vim's swap files and the file with which it tries whether it may write. What is called `~` alone is no file's backup.
const EDITORS_OWN: [&str; 5] = [r"\#*\#", r".\#*", "?*~", ".*.sw?", "4913"];

/// The rules, read as they are needed and kept until [`Ignores::forget`].
#[derive(Debug)]
pub(crate) struct Ignores {
    root: PathBuf,
    /// Per directory of the project ("" is its root), the stronger first.
    own: HashMap<String, [Gitignore; 2]>,
    /// From outside the project, the stronger first: the directories above it in the same git
    /// repository, `.git/info/exclude`, and the person's own excludes.
    outer: Vec<Gitignore>,
}

impl Ignores {
    pub(crate) fn new(root: &Path) -> Self {
        let root = root.canonicalize().unwrap_or_else(|_| root.to_owned());
        Self {
            outer: outer_rules(&root),
            root,
            own: HashMap::new(),
        }
    }

    /// Whether what is named `name` holds rules. A `.tutti` keeps what is around it out of the project above.
    pub(crate) fn is_rule_file(name: &str) -> bool {
        RULE_FILES.contains(&name) || name == PRIVATE_DIR
    }

    /// Reads all rules anew from here on.
    pub(crate) fn forget(&mut self) {
        *self = Self::new(&self.root);
    }

    /// Why the file at `path` stays out: it is ignored, or another project's.
    pub(crate) fn why_out(&mut self, tree: &Tree, path: &ProjectPath) -> Option<LeftAlone> {
        match self.is_ignored(tree, path) {
            true => Some(LeftAlone::Ignored),
            false => tree.other_project(path),
        }
    }

    /// Whether the file at `path`, or a directory on its way, is ignored.
    fn is_ignored(&mut self, tree: &Tree, path: &ProjectPath) -> bool {
        let text = path.as_str();
        let directories = text.match_indices('/').map(|(at, _)| &text[..at]);
        for directory in directories {
            if self.matches(tree, directory, true) {
                return true;
            }
        }
        self.matches(tree, text, false)
    }

    /// Whether `path` itself is ignored, given that no directory on its way is.
    pub(crate) fn matches(&mut self, tree: &Tree, path: &str, is_dir: bool) -> bool {
        let mut above = path;
        loop {
            above = above.rsplit_once('/').map_or("", |(parent, _)| parent);
            for rules in self.rules_in(tree, above) {
                match rules.matched(path, is_dir) {
                    Match::None => {}
                    decided => return decided.is_ignore(),
                }
            }
            if above.is_empty() {
                break;
            }
        }
        let absolute = self.root.join(path);
        for rules in &self.outer {
            match rules.matched(&absolute, is_dir) {
                Match::None => {}
                decided => return decided.is_ignore(),
            }
        }
        false
    }

    fn rules_in(&mut self, tree: &Tree, directory: &str) -> &[Gitignore; 2] {
        if !self.own.contains_key(directory) {
            let rules = RULE_FILES.map(|name| read_rules(tree, directory, name));
            self.own.insert(directory.to_owned(), rules);
        }
        &self.own[directory]
    }
}

/// The rules of one file; none if it cannot be read as text.
fn read_rules(tree: &Tree, directory: &str, name: &str) -> Gitignore {
    let path = if directory.is_empty() {
        name.to_owned()
    } else {
        format!("{directory}/{name}")
    };
    let Some(Found::File(file)) = path.parse().ok().map(|path| tree.read(&path)) else {
        return Gitignore::empty();
    };
    let mut builder = GitignoreBuilder::new(directory);
    let text = String::from_utf8_lossy(&file.bytes);
    for line in text.trim_start_matches('\u{feff}').lines() {
        if let Err(error) = builder.add_line(None, line) {
            tracing::warn!(%path, line, %error, "a rule is not understood");
        }
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

fn outer_rules(root: &Path) -> Vec<Gitignore> {
    let mut rules = Vec::new();
    let mut repository = None;
    for above in root.ancestors() {
        if above.join(".git").exists() {
            repository = Some(above);
            break;
        }
    }
    if let Some(repository) = repository {
        for above in root.ancestors().skip(1) {
            if !above.starts_with(repository) {
                break;
            }
            rules.push(Gitignore::new(above.join(".gitignore")).0);
        }
        let mut exclude = GitignoreBuilder::new(repository);
        exclude.add(repository.join(".git/info/exclude"));
        rules.extend(exclude.build());
    }
    let mut builder = GitignoreBuilder::new(root);
    if let Some(path) = ignore::gitignore::gitconfig_excludes_path() {
        builder.add(path);
    }
    rules.extend(builder.build());
    let mut builder = GitignoreBuilder::new(root);
    for line in EDITORS_OWN {
        builder.add_line(None, line).expect("a rule as git has it");
    }
    rules.extend(builder.build());
    rules
}
