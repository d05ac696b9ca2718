//! Looking at a directory without touching it: for `tutti status`, `leave` and `join`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tutti_engine::Replica;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::{self, FILES, FileEntry};
use tutti_protocol::path::ProjectPath;
use yrs::Transact;

use super::ignores::Ignores;
use super::lock::Lock;
use super::merge::replica;
use super::state::{StateStore, hash};
use super::text::parse;
use super::tree::{Found, LeftAlone, Tree};
use super::walk::{shown, walk};
use super::{MirrorError, doing};

/// How a project's directory stands, as far as this machine knows.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Files that are the same here and in the project, as last seen.
    pub followed: usize,
    /// Documents with edits that the server has not confirmed, by path: under a view-only link it
    /// never will.
    pub unsaved: Vec<String>,
    /// Files changed, made or deleted here since a bridge last looked.
    pub changed: Vec<String>,
    /// What is not shared or not written, with the reason.
    pub left_alone: Vec<(String, LeftAlone)>,
    /// Whether a bridge is at work in the directory.
    pub bridge_runs: bool,
    /// Texts kept in `.tutti/recovered`.
    pub recovered: usize,
}

/// The project's paths, by what file systems that fold case and form make of them.
type Names = BTreeMap<String, ProjectPath>;

/// Looks at the project in the directory `root`.
pub fn survey(root: &Path) -> Result<Survey, MirrorError> {
    let tree = doing(format!("opening {}", root.display()), Tree::open(root))?;
    let private = doing("opening .tutti", tree.private())?;
    let store = doing("opening .tutti/state", StateStore::open(&private))?;
    let lock = doing("locking .tutti/lock", Lock::try_acquire(&private))?;
    let mut ignores = Ignores::new(root);
    let mut survey = Survey {
        bridge_runs: lock.is_none(),
        recovered: private.recovered(),
        ..Survey::default()
    };
    let entries = stored_index(&store)?;
    let mut names = Names::new();
    for (document, place) in index::visible(&entries) {
        let path = match place {
            Ok(path) => path,
            Err(refused) => {
                let path = shown(&entries[&document].path);
                survey.left_alone.push((path, refused.into()));
                continue;
            }
        };
        let record = doing("reading a stored replica", store.load(&document))?;
        let unsaved = record.as_ref().is_some_and(|record| record.unsaved);
        if unsaved {
            survey.unsaved.push(path.to_string());
        }
        if ignores.is_ignored(&tree, &path) {
            let left = (path.to_string(), LeftAlone::Ignored);
            survey.left_alone.push(left);
            continue;
        }
        let base = record.and_then(|record| record.base);
        match (tree.read(&path), base) {
            (Found::Blocked(reason), _) => survey.left_alone.push((path.to_string(), reason)),
            (Found::File(file), Some(base)) if hash(&file.bytes) == base.file.hash => {
                survey.followed += usize::from(!unsaved);
            }
            (Found::Missing, None) => {}
            _ => survey.changed.push(path.to_string()),
        }
        names.insert(path.folded(), path);
    }
    survey.look_at_rest(&tree, &mut ignores, names);
    survey.left_alone.sort_by(|a, b| a.0.cmp(&b.0));
    survey.left_alone.dedup();
    Ok(survey)
}

impl Survey {
    /// How many files the project does not have as they are here, as far as is known.
    pub fn differing(&self) -> usize {
        let paths: BTreeSet<_> = self.unsaved.iter().chain(&self.changed).collect();
        paths.len()
    }

    fn look_at_rest(&mut self, tree: &Tree, ignores: &mut Ignores, mut names: Names) {
        let listing = walk(tree, ignores, "");
        self.left_alone.extend(listing.left_alone);
        for path in &listing.files {
            match names.get(&path.folded()) {
                Some(known) if known == path => continue,
                Some(other) => {
                    let reason = LeftAlone::Namesake(other.clone());
                    self.left_alone.push((path.to_string(), reason));
                    continue;
                }
                None => {}
            }
            match tree.read(path) {
                Found::File(file) => match parse(file.bytes, None) {
                    Some(_) => {
                        self.changed.push(path.to_string());
                        names.insert(path.folded(), path.clone());
                    }
                    None => self.left_alone.push((path.to_string(), LeftAlone::NotText)),
                },
                Found::Blocked(reason) => self.left_alone.push((path.to_string(), reason)),
                Found::Missing => {}
            }
        }
    }
}

fn stored_index(store: &StateStore) -> Result<BTreeMap<DocumentId, FileEntry>, MirrorError> {
    let document = DocumentId::index();
    let record = doing("reading the stored index", store.load(&document))?;
    let Some(record) = record else {
        return Ok(BTreeMap::new());
    };
    let replica: Replica =
        replica(&record.state).map_err(|source| MirrorError::BadState { document, source })?;
    replica.doc().get_or_insert_map(FILES);
    Ok(index::entries(&replica.doc().transact()))
}

/// Which files a directory and a project have, by path.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// In both.
    pub both: Vec<String>,
    /// In the directory only, neither ignored nor called like another but for case.
    pub only_here: Vec<String>,
    /// In the project only.
    pub only_there: Vec<String>,
}

/// Compares the directory `root` with a project's index.
pub fn compare(
    root: &Path,
    entries: &BTreeMap<DocumentId, FileEntry>,
) -> Result<Comparison, MirrorError> {
    let tree = doing(format!("opening {}", root.display()), Tree::open(root))?;
    let here: BTreeSet<ProjectPath> = walk(&tree, &mut Ignores::new(root), "")
        .files
        .into_iter()
        .collect();
    let there: BTreeSet<ProjectPath> = index::visible(entries).into_values().flatten().collect();
    let names: BTreeSet<String> = there.iter().map(ProjectPath::folded).collect();
    let is_added = |path: &&ProjectPath| !names.contains(&path.folded());
    let texts =
        |paths: &mut dyn Iterator<Item = &ProjectPath>| paths.map(ToString::to_string).collect();
    Ok(Comparison {
        both: texts(&mut here.intersection(&there)),
        only_here: texts(&mut here.difference(&there).filter(is_added)),
        only_there: texts(&mut there.difference(&here)),
    })
}
