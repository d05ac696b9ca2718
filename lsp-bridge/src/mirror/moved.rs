//! Files that were moved here, until the index is known to list them where they stand.
//!
//! A record that names another place than the index means that others have moved the file, and the
//! file follows. So of a file that was moved *here* it is stored first where the index may still list
//! it, in `.tutti/state/moved.json`, safe from a loss of power; only then its record is changed and the
//! index edited. Whenever the bridge ends between these steps, the next one finds either the old record,
//! and sees the move once more, or the new one, and knows whose move it was. Of files that have traded their names
//! some records may be old and others new: so the next bridge first writes those that are old. What is stored is
//! forgotten when the index lists the file where it stands, or where only others can have moved it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use serde::{Deserialize, Serialize};
use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::FileEntry;
use tutti_protocol::path::ProjectPath;

use super::effect::{Effect, IndexEdit};
use super::places::Places;
use super::state::StateStore;
use super::tree::{read_small, write_atomically};
use super::{Mirror, MirrorError, doing};

const NAME: &str = "moved.json";

/// The files that were moved.
pub(super) type Moved = BTreeMap<DocumentId, Move>;

/// Where a file was moved.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Move {
    /// Where the index may still list it.
    from: BTreeSet<String>,
    /// Where it went last.
    to: String,
}

impl StateStore {
    /// What [`StateStore::save_moved`] has stored last. What cannot be read counts as nothing.
    fn load_moved(&self) -> io::Result<Moved> {
        let bytes = match read_small(self.dir(), NAME) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Moved::new()),
            read => read?,
        };
        let moved = serde_json::from_slice(&bytes);
        Ok(moved.unwrap_or_else(|error| {
            tracing::warn!(%error, "what was remembered of moved files is damaged");
            Moved::new()
        }))
    }

    fn save_moved(&self, moved: &Moved) -> io::Result<()> {
        if moved.is_empty() {
            return match self.dir().remove_file(NAME) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        let bytes = serde_json::to_vec(moved).map_err(io::Error::other)?;
        write_atomically(self.dir(), NAME, &bytes, true)
    }
}

impl Mirror {
    pub(super) fn load_moved(&mut self) -> Result<(), MirrorError> {
        let loaded = self.store.load_moved();
        self.moved = doing("reading .tutti/state", loaded)?;
        Ok(())
    }

    /// Writes the records that an earlier bridge could not write any more.
    pub(super) fn finish_moves(&mut self) -> Result<(), MirrorError> {
        let old = self.moved.iter().filter_map(|(document, moved)| {
            let file = self.known.get(document)?.file.as_ref()?;
            let to: ProjectPath = moved.to.parse().ok()?;
            let is_old = file.path != to && moved.from.contains(file.path.as_str());
            let is_there = file.identity.is_some() && self.tree.identity(&to) == file.identity;
            (is_old && is_there).then(|| (document.clone(), to))
        });
        for (document, to) in old.collect::<Vec<_>>() {
            self.relocated(&document, &to)?;
        }
        Ok(())
    }

    /// These files were moved here to these paths: follows, in the order that the
    /// [module](self) explains.
    pub(super) fn moved_here(
        &mut self,
        moves: Vec<(DocumentId, ProjectPath)>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        if moves.is_empty() {
            return Ok(());
        }
        for (document, to) in &moves {
            if let Some(from) = self.stands(document).map(ToString::to_string) {
                let before = self.moved.remove(document);
                let mut all = before.map_or_else(BTreeSet::new, |before| before.from);
                all.insert(from);
                let moved = Move {
                    from: all,
                    to: to.to_string(),
                };
                self.moved.insert(document.clone(), moved);
            }
        }
        self.store_moved()?;
        for (document, to) in moves {
            self.relocated(&document, &to)?;
            self.not_missing(&document);
            self.edit_index(IndexEdit::Rename(document, to), effects);
        }
        Ok(())
    }

    /// The index is this now. Files that it still lists where they were moved away from here count as
    /// listed where they stand, and a `current` index is told so again: the bridge that moved them ended
    /// before it was, or this one is about to tell.
    pub(super) fn keep_moved(
        &mut self,
        mut entries: BTreeMap<DocumentId, FileEntry>,
        current: bool,
        effects: &mut Vec<Effect>,
    ) -> Result<BTreeMap<DocumentId, FileEntry>, MirrorError> {
        if self.moved.is_empty() {
            return Ok(entries);
        }
        let shown = Places::of(&entries);
        let before = self.moved.len();
        for (document, moved) in std::mem::take(&mut self.moved) {
            let at = self.stands(&document).cloned();
            let listed = shown.get(&document).and_then(|place| place.as_ref().ok());
            let (Some(at), Some(entry)) = (at, entries.get_mut(&document)) else {
                // A stored index may be older than the file.
                if !current {
                    self.moved.insert(document, moved);
                }
                continue;
            };
            match listed {
                Some(listed) if *listed == at => {}
                Some(listed) if moved.from.contains(listed.as_str()) && !self.read_only => {
                    entry.path = at.to_string();
                    if current {
                        let edit = IndexEdit::Rename(document.clone(), at);
                        effects.push(Effect::Index(edit));
                    }
                    self.moved.insert(document, moved);
                }
                _ if current => {}
                _ => drop(self.moved.insert(document, moved)),
            }
        }
        if self.moved.len() < before {
            self.store_moved()?;
        }
        Ok(entries)
    }

    /// Where the document's file stands, as far as is known.
    pub(super) fn stands(&self, document: &DocumentId) -> Option<&ProjectPath> {
        Some(&self.known.get(document)?.file.as_ref()?.path)
    }

    fn store_moved(&self) -> Result<(), MirrorError> {
        let stored = self.store.save_moved(&self.moved);
        doing("storing in .tutti/state which files were moved", stored)
    }
}
