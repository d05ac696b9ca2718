//! The replicas that outlive the bridge, and what the mirror knows by them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ropey::Rope;
use tutti_engine::{Left, Replica};
use tutti_protocol::ids::DocumentId;
use tutti_protocol::path::ProjectPath;

use super::blob::record::BlobRecord;
use super::state::{BaseFile, Record};
use super::{Journals, Mirror, MirrorError, Role, doing, merge};

/// A document's replica as it was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its state, an update in v1 encoding.
    pub state: Vec<u8>,
    /// Whether it holds edits that the server has not confirmed.
    pub unsaved: bool,
    /// What it was when the server had last confirmed everything, if that is known.
    pub confirmed: Option<Vec<u8>>,
}

/// What others do in ignorance of an edit is heard of within this time after the server has confirmed the
/// edit: both come over one connection.
const FRESH: Duration = Duration::from_secs(5);

/// What the mirror keeps in memory of each document.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    pub(super) file: Option<BaseFile>,
    pub(super) unsaved: bool,
    /// Of what the server has not confirmed, some is an edit of a file that others have, too.
    pub(super) edited: bool,
    /// When the server confirmed the last such edit.
    pub(super) confirmed: Option<Instant>,
    /// Of a file that is no text.
    pub(super) blob: Option<BlobRecord>,
}

impl Known {
    /// Whether others may not have seen what was written here when they did what is heard of them now.
    pub(super) fn is_fresh(&self) -> bool {
        self.unsaved || self.confirmed.is_some_and(|at| at.elapsed() < FRESH)
    }
}

impl Mirror {
    /// The replica of a document, or of [`DocumentId::index`], as it was stored.
    pub fn stored(&self, document: &DocumentId) -> Result<Option<Stored>, MirrorError> {
        let record = match self.own_record(document)? {
            // A guest starts from what the owner has.
            None if !self.is_owner() => self.load(document)?,
            own => own,
        };
        Ok(record.map(|record| Stored {
            confirmed: match record.unsaved {
                true => record.confirmed,
                false => Some(record.state.clone()),
            },
            state: record.state,
            unsaved: record.unsaved,
        }))
    }

    /// Keeps journals of what is open from now on, and looks up what earlier bridges have left.
    pub fn keep_journals(&mut self) -> Result<Arc<Journals>, MirrorError> {
        let opened = Journals::open(&self.private);
        let (journals, left_behind) = doing("opening .tutti/journals", opened)?;
        let journals = Arc::new(journals);
        self.journals = Some(Arc::clone(&journals));
        self.left_behind = left_behind;
        Ok(journals)
    }

    /// What the journals of a document end with: that of an earlier opening by this bridge, and
    /// those of bridges that have ended.
    pub fn left(&self, document: &DocumentId) -> Vec<Left> {
        let own = self.journals.as_ref().and_then(|own| own.left(document));
        own.into_iter()
            .chain(self.left_behind.of(document))
            .collect()
    }

    /// Those of them that an editor which shows the document under its present name may have left.
    pub fn left_here(&self, document: &DocumentId) -> Vec<Left> {
        let Some(at) = self.open_at.get(document) else {
            return self.left(document);
        };
        let own = self.journals.as_ref();
        let own = own.and_then(|own| own.left_at(document, at));
        own.into_iter()
            .chain(self.left_behind.of_at(document, at))
            .collect()
    }

    /// An editor has come back with this text to what a journal ends with. Other windows may come back
    /// to what the others end with.
    pub fn came_back(&mut self, document: &DocumentId, text: &Rope) {
        self.left_behind.came_back(document, text);
    }

    /// Adds to what was stored of a document what journals have besides, which no server may have.
    pub fn with_left(
        &self,
        document: &DocumentId,
        stored: Option<Stored>,
        left: &[Left],
    ) -> Result<Option<Stored>, MirrorError> {
        let mut all = stored;
        for Left { state, .. } in left {
            all = Some(match all {
                None => Stored {
                    state: state.clone(),
                    unsaved: true,
                    confirmed: None,
                },
                Some(stored) => {
                    let whole = self.whole(document, &stored.state, state)?;
                    Stored {
                        state: whole.state,
                        unsaved: stored.unsaved || whole.lacked.is_some(),
                        confirmed: stored.confirmed,
                    }
                }
            });
        }
        Ok(all)
    }

    /// Stores a document's replica. `unsaved` says whether it holds edits that the server has not
    /// confirmed; such a replica is safe from a loss of power before this returns.
    pub fn persist(
        &mut self,
        document: &DocumentId,
        state: &[u8],
        unsaved: bool,
    ) -> Result<(), MirrorError> {
        // A session that leaves a document which was deleted here knows nothing that others do not.
        if self.removed.contains(document) && !unsaved {
            return Ok(());
        }
        let record = self.grown(document, state, unsaved)?;
        let durable = record.unsaved;
        self.save_or_hold(document, record, durable)
    }

    /// The record of a document whose session has `state`.
    ///
    /// What is stored only grows: a session hears only later of what the mirror has stored of a
    /// file or of a guest. A state without it would be behind its own base, and the text that the
    /// base has more would pass for one that others deleted.
    pub(super) fn grown(
        &self,
        document: &DocumentId,
        state: &[u8],
        unsaved: bool,
    ) -> Result<Record, MirrorError> {
        let Some(stored) = self.own_record(document)? else {
            return Ok(Record::after(None, state.to_vec(), unsaved, None));
        };
        let whole = self.whole(document, state, &stored.state)?;
        let unsaved = unsaved || stored.unsaved && whole.lacked.is_some();
        let base = stored.base.clone();
        Ok(Record::after(Some(&stored), whole.state, unsaved, base))
    }

    pub(super) fn whole(
        &self,
        document: &DocumentId,
        state: &[u8],
        stored: &[u8],
    ) -> Result<merge::Whole, MirrorError> {
        merge::whole(state, stored).map_err(|source| MirrorError::BadState {
            document: document.clone(),
            source,
        })
    }

    /// Where the files of documents stand, as far as is known.
    pub fn files(&self) -> BTreeMap<DocumentId, ProjectPath> {
        let files = self.known.iter();
        files
            .filter_map(|(document, known)| Some((document.clone(), known.file.clone()?.path)))
            .collect()
    }

    /// The documents with edits that the server has not confirmed.
    pub fn unsaved(&self) -> Vec<DocumentId> {
        let unsaved = self.known.iter().filter(|(_, known)| known.unsaved);
        unsaved.map(|(document, _)| document.clone()).collect()
    }

    pub(super) fn load(&self, document: &DocumentId) -> Result<Option<Record>, MirrorError> {
        if self.is_owner()
            && let Some(held) = self.held(document)
        {
            return Ok(Some(held.clone()));
        }
        let loaded = self.store.load(document);
        doing(format!("reading the stored copy of {document}"), loaded)
    }

    /// What this bridge itself has stored.
    pub(super) fn own_record(&self, document: &DocumentId) -> Result<Option<Record>, MirrorError> {
        match &self.role {
            Role::Owner { .. } => self.load(document),
            Role::Guest(own) => match self.held(document) {
                Some(held) => Ok(Some(held.clone())),
                None => doing("reading a stored replica", own.load(document)),
            },
        }
    }

    /// Stores a record and what the mirror knows by it.
    pub(super) fn save(
        &mut self,
        document: &DocumentId,
        record: &Record,
        durable: bool,
    ) -> Result<(), MirrorError> {
        let saved = match &self.role {
            Role::Owner { .. } => self.store.save(document, record, durable),
            Role::Guest(own) => own.save(document, record, durable),
        };
        doing(
            format!("storing {} in .tutti", self.called(document)),
            saved,
        )?;
        self.not_held(document);
        self.is_back(document)?;
        self.note(document, record);
        Ok(())
    }

    /// What a person calls a document.
    pub(super) fn called(&self, document: &DocumentId) -> String {
        if document.is_index() {
            return "the list of files".to_owned();
        }
        let known = self.known.get(document);
        let file = known.and_then(|known| known.file.as_ref());
        let path = self.path_of(document).or(file.map(|file| &file.path));
        path.map_or_else(|| document.to_string(), ToString::to_string)
    }

    pub(super) fn note(&mut self, document: &DocumentId, record: &Record) {
        let file = record.base.as_ref().map(|base| base.file.clone());
        let listed = file.as_ref().is_some_and(|file| file.listed);
        let before = self.known.get(document);
        let edited = before.map_or(listed, |before| before.edited || !before.unsaved);
        let confirmed = before.and_then(|before| match before.edited && !record.unsaved {
            true => Some(Instant::now()),
            false => before.confirmed,
        });
        let known = Known {
            file,
            unsaved: record.unsaved,
            edited: record.unsaved && edited,
            confirmed,
            blob: None,
        };
        self.place_known(document, known);
    }

    pub(super) fn place_known(&mut self, document: &DocumentId, known: Known) {
        self.unplace(document);
        if let Some(file) = &known.file
            && !self.is_rightly_anothers(document, &file.path)
        {
            self.at.insert(file.path.clone(), document.clone());
        }
        self.identities.add(document, known.file.as_ref());
        self.known.insert(document.clone(), known);
    }

    /// Whether another document is known to have this place, and its file stands there.
    fn is_rightly_anothers(&self, document: &DocumentId, path: &ProjectPath) -> bool {
        let other = self.at.get(path).filter(|other| *other != document);
        let identity = other.and_then(|other| self.known_identity(other));
        identity.is_some() && self.tree.identity(path) == identity
    }

    pub(super) fn forget(&mut self, document: &DocumentId) -> Result<(), MirrorError> {
        self.unplace(document);
        self.not_missing(document);
        self.not_held(document);
        self.refused.remove(document);
        if self
            .known
            .remove(document)
            .is_some_and(|known| known.blob.is_some())
        {
            self.forget_transfers(document);
            return doing("forgetting a file", self.store.forget_blob(document));
        }
        doing("forgetting a document", self.store.forget(document))
    }

    pub(super) fn unplace(&mut self, document: &DocumentId) {
        let known = self.known.get(document);
        let file = known.and_then(|known| known.file.as_ref());
        self.identities.remove(document, file);
        if let Some(file) = file
            && self.at.get(&file.path) == Some(document)
        {
            self.at.remove(&file.path);
        }
    }

    pub(super) fn text_of(
        &self,
        document: &DocumentId,
        state: &[u8],
    ) -> Result<String, MirrorError> {
        Ok(self.replica(document, state)?.text())
    }

    pub(super) fn replica(
        &self,
        document: &DocumentId,
        state: &[u8],
    ) -> Result<Replica, MirrorError> {
        merge::replica(state).map_err(|source| MirrorError::BadState {
            document: document.clone(),
            source,
        })
    }
}
