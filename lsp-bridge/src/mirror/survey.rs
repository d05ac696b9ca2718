//! Looking at a directory without touching it: for `tutti status`, `leave` and `join`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tutti_engine::Replica;
use tutti_protocol::blob::{BlobHash, DEFAULT_MAX_BYTES};
use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::{self, FileEntry, Roots};
use tutti_protocol::path::ProjectPath;
use yrs::Transact;

use super::blob::record::BlobRecord;
use super::ignores::Ignores;
use super::lock::Lock;
use super::marks::Mark;
use super::merge::replica;
use super::names::Names;
use super::state::{BaseFile, Record, StateStore, hash};
use super::text::parse;
use super::tree::{Found, LeftAlone, MAX_FILE_BYTES, Tree};
use super::unwritten::note::{self, Noted};
use super::walk::{shown, walk};
use super::{MirrorError, doing, guest};

/// How a project's directory stands, as far as this machine knows.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Files that are the same here and in the project, as last seen.
    pub followed: usize,
    /// Documents with edits that the server has not confirmed, by path: under a view-only link it
    /// never will.
    pub unsaved: Vec<String>,
    /// Files changed, made or deleted here, beyond those, since a bridge last looked.
    pub changed: Vec<String>,
    /// Files whose contents are still to be fetched from the server, or of which the disk is behind
    /// what is known of them: others have typed into one that an editor had open.
    pub waiting: Vec<String>,
    /// Files that an editor has open which does not report any more what is typed in them.
    pub unheard: Vec<String>,
    /// Files that stand here under an older name than the project's, as `(here, there)`: one that
    /// an editor has open keeps its name until it is closed.
    pub renamed: Vec<(String, String)>,
    /// Files that others have deleted, and that are still here: one that an editor has open stays
    /// until it is closed, or is in the project again once it is saved.
    pub deleted: Vec<String>,
    /// What the bridge that is at work could not write and tries again, each with what there is to say of it, and how
    /// many there are beyond these.
    pub unwritten: Vec<(String, String)>,
    /// See [`Survey::unwritten`].
    pub unwritten_more: usize,
    /// What is not shared or not written, with the reason.
    pub left_alone: Vec<(String, LeftAlone)>,
    /// Whether a bridge is at work in the directory.
    pub bridge_runs: bool,
    /// Texts kept in `.tutti/recovered`.
    pub recovered: usize,
}

/// A document that the project lists, as its record has it.
struct Listed {
    /// Where the project has it.
    path: ProjectPath,
    unsaved: bool,
    /// The editor that has it open reports nothing any more.
    is_unheard: bool,
    /// Its text has outgrown what is written to a disk.
    is_too_big: bool,
    /// Its text is not what was last written to its file or read from it.
    is_ahead: bool,
    /// What was last written to its file or read from it.
    file: Option<BaseFile>,
    /// Of a file that is no text: the content that the project has, and what is remembered here.
    blob: Option<(BlobHash, Option<BlobRecord>)>,
}

impl Listed {
    /// Where its file stands: under its older name, as long as it is there.
    fn path_here(&self, tree: &Tree) -> &ProjectPath {
        match &self.file {
            Some(file) if file.path != self.path && !matches!(tree.look(&file.path), Ok(None)) => {
                &file.path
            }
            _ => &self.path,
        }
    }
}

/// Looks at the project in the directory `root`.
pub fn survey(root: &Path) -> Result<Survey, MirrorError> {
    survey_for(root, DEFAULT_MAX_BYTES)
}

/// The same, for a server that takes files of up to `cap` bytes.
pub fn survey_for(root: &Path, cap: u64) -> Result<Survey, MirrorError> {
    let tree = doing(format!("opening {}", root.display()), Tree::open(root))?;
    let private = doing("opening .tutti", tree.private())?;
    let store = doing("opening .tutti/state", StateStore::open(&private))?;
    let guests = private.subdirectory(guest::GUESTS);
    let guests = doing(
        "opening .tutti/guests",
        guests.and_then(|dir| guest::stores(&dir)),
    )?;
    let bridge_runs = doing("looking at .tutti/lock", Lock::is_taken(&private))?;
    let noted = match bridge_runs {
        true => note::read(&private),
        false => Noted::default(),
    };
    let mut ignores = Ignores::new(root);
    let mut survey = Survey {
        bridge_runs,
        recovered: private.recovered(),
        unwritten: noted.unwritten,
        unwritten_more: noted.more,
        ..Survey::default()
    };
    let entries = stored_index(&store)?;
    let mut listed = Vec::new();
    for (document, place) in index::visible(&entries) {
        let path = match place {
            Ok(path) => path,
            Err(refused) => {
                let path = shown(&entries[&document].path);
                survey.left_alone.push((path, refused.into()));
                continue;
            }
        };
        if let Some(hash) = entries[&document]
            .blob
            .as_ref()
            .and_then(|blob| blob.sha256)
        {
            let record = doing("reading a stored record", store.load_blob(&document))?;
            listed.push(Listed {
                path,
                unsaved: false,
                is_unheard: false,
                is_too_big: false,
                is_ahead: false,
                file: record.as_ref().and_then(BlobRecord::file),
                blob: Some((hash, record)),
            });
            continue;
        }
        let record = doing("reading a stored replica", store.load(&document))?;
        let record = with_guests(&tree, &guests, &document, record)?;
        let mut stores = std::iter::once(&store).chain(&guests);
        let is_unheard = stores.any(|store| store.is_marked(&document, Mark::Deaf));
        listed.push(Listed {
            path,
            blob: None,
            is_unheard: is_unheard && survey.bridge_runs,
            is_too_big: record.as_ref().is_some_and(is_too_big),
            is_ahead: record.as_ref().is_some_and(is_ahead),
            unsaved: record.as_ref().is_some_and(|record| record.unsaved),
            file: record.and_then(|record| record.base).map(|base| base.file),
        });
    }
    let mut names = survey.look_at_listed(&tree, &mut ignores, &listed, cap);
    for path in deleted(&tree, &store, &entries)? {
        survey.deleted.push(path.to_string());
        names.add(&path);
    }
    survey.look_at_rest(&tree, &mut ignores, names, cap);
    survey.left_alone.sort_by(|a, b| a.0.cmp(&b.0));
    survey.left_alone.dedup();
    Ok(survey)
}

/// What the owner of the directory has stored of a document, and what the bridges beside it know
/// better: their editors' edits, and what these have written into the file.
fn with_guests(
    tree: &Tree,
    guests: &[StateStore],
    document: &DocumentId,
    own: Option<Record>,
) -> Result<Option<Record>, MirrorError> {
    let mut all = own;
    for guest in guests {
        let loaded = doing("reading a guest's store", guest.load(document))?;
        let Some(theirs) = loaded else {
            continue;
        };
        let Some(ours) = &mut all else {
            all = Some(theirs);
            continue;
        };
        ours.unsaved |= theirs.unsaved;
        let (Some(known), Some(saved)) = (&ours.base, theirs.base) else {
            continue;
        };
        let Found::File(file) = tree.read(&known.file.path) else {
            continue;
        };
        let later = guest::later(known, saved, hash(&file.bytes));
        let later = later.map_err(|source| MirrorError::BadState {
            document: document.clone(),
            source,
        })?;
        if later.is_some() {
            (ours.state, ours.base) = (theirs.state, later);
        }
    }
    Ok(all)
}

/// Whether the text that was stored last is larger than a file that is written.
fn is_too_big(record: &Record) -> bool {
    // A state holds its text, and more.
    let may_be = record.state.len() as u64 > MAX_FILE_BYTES;
    may_be && replica(&record.state).is_ok_and(|text| text.text().len() as u64 > MAX_FILE_BYTES)
}

/// Whether the text that was stored last is another than its file's.
fn is_ahead(record: &Record) -> bool {
    let text = |state: &[u8]| replica(state).ok().map(|replica| replica.text());
    // Most are the same, byte for byte.
    let base = record.base.as_ref();
    let base = base.filter(|base| base.state != record.state);
    base.is_some_and(|base| text(&base.state) != text(&record.state))
}

impl Survey {
    /// How many files the project does not have as they are here, as far as is known.
    pub fn differing(&self) -> usize {
        self.unsaved.len() + self.changed.len()
    }

    /// Looks at the project's files, and returns the names that they have here or wait for.
    fn look_at_listed(
        &mut self,
        tree: &Tree,
        ignores: &mut Ignores,
        listed: &[Listed],
        cap: u64,
    ) -> Names {
        let files = listed.iter().filter_map(|one| one.file.as_ref());
        let taken: BTreeSet<&ProjectPath> = files.map(|file| &file.path).collect();
        let told = self.unwritten.iter().map(|(path, _)| path.clone());
        let told: BTreeSet<String> = told.collect();
        let mut names = Names::default();
        for one in listed {
            let here = one.path_here(tree);
            if one.unsaved {
                self.unsaved.push(here.to_string());
            }
            if told.contains(here.as_str()) || told.contains(one.path.as_str()) {
                names.add(here);
                continue;
            }
            if let Some(reason) = ignores.why_out(tree, &one.path) {
                self.left_alone.push((one.path.to_string(), reason));
                continue;
            }
            if one.is_too_big {
                let left = (one.path.to_string(), LeftAlone::TooBig);
                self.left_alone.push(left);
                names.add(here);
                continue;
            }
            if let Some((hash, record)) = &one.blob {
                self.look_at_blob(tree, here, hash, record.as_ref(), cap);
                names.add(here);
                continue;
            }
            if one.is_unheard {
                self.unheard.push(here.to_string());
            }
            let found = tree.read(here);
            // Deleted here, and nobody has written there since: its name is free again.
            let is_free = found == Found::Missing && one.file.is_some() && !one.is_ahead;
            let is_waiting = found == Found::Missing && !is_free;
            let in_the_way = is_waiting.then(|| tree.in_the_way(here)).flatten();
            match (found, &one.file) {
                (Found::Blocked(reason), _) => self.left_alone.push((here.to_string(), reason)),
                _ if let Some(reason) = in_the_way => {
                    self.left_alone.push((here.to_string(), reason));
                }
                (Found::File(file), Some(base)) if hash(&file.bytes) == base.hash => {
                    // Of one that is open the editor is ahead, until it saves.
                    match one.is_ahead && !self.bridge_runs {
                        true if one.unsaved => {}
                        true => self.waiting.push(here.to_string()),
                        false => self.followed += usize::from(!one.unsaved && !one.is_unheard),
                    }
                }
                (Found::Missing, None) => self.waiting.push(here.to_string()),
                // What stands there is a file that others have renamed, and that is open here.
                (_, None) if taken.contains(here) => {}
                _ if one.unsaved => {}
                _ => self.changed.push(here.to_string()),
            }
            if *here != one.path {
                self.renamed.push((here.to_string(), one.path.to_string()));
            }
            if !is_free {
                names.add(here);
            }
        }
        names
    }

    fn look_at_blob(
        &mut self,
        tree: &Tree,
        here: &ProjectPath,
        listed: &BlobHash,
        record: Option<&BlobRecord>,
        cap: u64,
    ) {
        let known = record.and_then(|record| Some((record.stamp?, record.hash)));
        let found = match tree.look(here) {
            Err(reason) => Err(reason),
            Ok(None) => Ok(None),
            Ok(Some(looked)) => match known {
                Some((stamp, hash)) if stamp == looked.stamp => Ok(Some(hash)),
                _ => tree.hash(here).map(|found| found.map(|(hash, _)| hash)),
            },
        };
        match (found, record.map(|record| record.hash)) {
            (Err(reason), _) => self.left_alone.push((here.to_string(), reason)),
            (Ok(None), None) => self.waiting.push(here.to_string()),
            (Ok(Some(hash)), _) if hash == *listed => self.followed += 1,
            (Ok(Some(hash)), Some(was)) if hash == was => self.waiting.push(here.to_string()),
            (Ok(Some(_)), _) => self.changed_or_left(tree, here, cap),
            (Ok(None), Some(_)) => self.changed.push(here.to_string()),
        }
    }

    /// A file is here that the project does not have as it is: what cannot be shared is told apart.
    fn changed_or_left(&mut self, tree: &Tree, path: &ProjectPath, cap: u64) {
        match what_is(tree, path, cap) {
            Ok(true) => self.changed.push(path.to_string()),
            Ok(false) => {}
            Err(reason) => self.left_alone.push((path.to_string(), reason)),
        }
    }

    fn look_at_rest(&mut self, tree: &Tree, ignores: &mut Ignores, mut names: Names, cap: u64) {
        let listing = walk(tree, ignores, "");
        self.left_alone.extend(listing.left_alone);
        for path in &listing.files {
            if names.has(path) {
                continue;
            }
            if let Some(reason) = names.why_not(path) {
                self.left_alone.push((path.to_string(), reason));
                continue;
            }
            let before = self.changed.len();
            self.changed_or_left(tree, path, cap);
            if self.changed.len() > before {
                names.add(path);
            }
        }
    }
}

/// The files here of which it is known that the project listed them once, in the order of their paths.
fn deleted(
    tree: &Tree,
    store: &StateStore,
    entries: &BTreeMap<DocumentId, FileEntry>,
) -> Result<BTreeSet<ProjectPath>, MirrorError> {
    let mut found = BTreeSet::new();
    let documents = doing("reading .tutti/state", store.documents())?;
    for document in documents.iter().filter(|one| !entries.contains_key(one)) {
        let record = doing("reading a stored replica", store.load(document))?;
        let file = record.and_then(|record| record.base).map(|base| base.file);
        let listed = file.filter(|file| file.listed && !document.is_index());
        found.extend(listed.map(|file| file.path));
    }
    found.retain(|path| matches!(tree.read(path), Found::File(_)));
    Ok(found)
}

/// Whether a file is there, and why it cannot be shared.
fn what_is(tree: &Tree, path: &ProjectPath, cap: u64) -> Result<bool, LeftAlone> {
    let Some(looked) = tree.look(path)? else {
        return Ok(false);
    };
    let is_text = match tree.read(path) {
        Found::File(file) => parse(file.bytes, None).is_some(),
        Found::Missing => return Ok(false),
        Found::Blocked(LeftAlone::TooBig) => false,
        Found::Blocked(reason) => return Err(reason),
    };
    match is_text || looked.bytes <= cap {
        true => Ok(true),
        false if cap == 0 => Err(LeftAlone::NotText),
        false => Err(LeftAlone::OverCap(cap)),
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
    Roots::of(replica.doc());
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
