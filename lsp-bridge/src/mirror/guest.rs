//! Bridges that share a directory with its owner: the same person's second editor.
//!
//! A guest stores its replicas in a directory of its own beneath `.tutti/guests`, so that no two
//! processes write one file. When it has ended, the owner takes in what the server has not
//! confirmed.

use std::io;

use cap_fs_ext::DirExt;
use cap_std::fs::Dir;
use ropey::Rope;
use tutti_engine::diff::diff_lines;
use tutti_protocol::ids::DocumentId;

use super::claim::Claim;
use super::effect::Effect;
use super::state::{Base, Hash, Record, StateStore, hash};
use super::text::parse;
use super::tree::{Found, Stamp};
use super::{Mirror, MirrorError, doing};

/// The directory of the guests, in `.tutti`.
pub(super) const GUESTS: &str = "guests";

/// A guest's own replicas.
#[derive(Debug)]
pub(super) struct GuestStore {
    store: StateStore,
    /// Tells the owner that this guest lives.
    _claim: Claim,
}

impl GuestStore {
    pub(super) fn new(guests: &Dir) -> io::Result<Self> {
        let (dir, claim) = Claim::new_in(guests)?;
        Ok(Self {
            store: StateStore::beneath(dir),
            _claim: claim,
        })
    }

    pub(super) fn load(&self, document: &DocumentId) -> io::Result<Option<Record>> {
        self.store.load(document)
    }

    pub(super) fn save(
        &self,
        document: &DocumentId,
        record: &Record,
        durable: bool,
    ) -> io::Result<()> {
        self.store.save(document, record, durable)
    }

    /// Remembers how a file looks that this guest's editor has just written.
    pub(super) fn mark_saved(&self, document: &DocumentId, stamp: &Stamp) -> io::Result<()> {
        self.store.mark_saved(document, stamp)
    }

    /// Tells the owner whether this guest's editor has the document open.
    pub(super) fn mark_open(&self, document: &DocumentId, open: bool) -> io::Result<()> {
        self.store.mark_open(document, open)
    }
}

impl Mirror {
    /// Takes in what guests that have ended left unconfirmed.
    pub(super) fn take_in_guests(&mut self) -> Result<(), MirrorError> {
        for entry in doing("reading .tutti/guests", self.guests.entries())? {
            let name = doing("reading .tutti/guests", entry)?.file_name();
            let Ok(dir) = self.guests.open_dir_nofollow(&name) else {
                continue;
            };
            let claim = doing("locking a guest's store", Claim::to_left(&dir))?;
            let Some(_claim) = claim else {
                continue;
            };
            self.take_in(&StateStore::beneath(dir))?;
            let removed = self.guests.remove_dir_all(&name);
            doing("removing a guest's store", removed)?;
        }
        Ok(())
    }

    /// Whether the editor of a living guest has the document open.
    pub(super) fn guests_have_open(&self, document: &DocumentId) -> Result<bool, MirrorError> {
        if !self.is_owner() {
            return Ok(false);
        }
        for entry in doing("reading .tutti/guests", self.guests.entries())? {
            let name = doing("reading .tutti/guests", entry)?.file_name();
            let Ok(dir) = self.guests.open_dir_nofollow(&name) else {
                continue;
            };
            let lives = matches!(Claim::to_left(&dir), Ok(None));
            if lives && StateStore::beneath(dir).is_marked_open(document) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What the editor of a guest, of one that has ended as well, showed when it wrote into a file what
    /// stands there, or what another program has made that of since.
    pub(super) fn saved_by_guest(
        &self,
        document: &DocumentId,
        known: &Base,
        bytes: &[u8],
    ) -> Result<Option<Base>, MirrorError> {
        let on_disk = hash(bytes);
        let Some(text) = parse(bytes.to_vec(), Some(known.file.eol)) else {
            return Ok(None);
        };
        let text = Rope::from(text.text);
        let cost = |base: &Base| {
            let from = Rope::from(self.text_of(document, &base.state)?);
            Ok::<_, MirrorError>(diff_lines(&from, &text).cost())
        };
        let looked = self.tree.look(&known.file.path).ok().flatten();
        let stamp = looked.map(|looked| looked.stamp);
        let mut nearest = None;
        for entry in doing("reading .tutti/guests", self.guests.entries())? {
            let name = doing("reading .tutti/guests", entry)?.file_name();
            let Ok(dir) = self.guests.open_dir_nofollow(&name) else {
                continue;
            };
            let store = StateStore::beneath(dir);
            let loaded = doing("reading a guest's store", store.load(document))?;
            let Some(saved) = loaded.and_then(|record| record.base) else {
                continue;
            };
            // Nobody has written there since, whatever it had seen.
            let is_marked = |stamp| store.is_marked_saved(document, &stamp);
            if saved.file.hash == on_disk && stamp.is_some_and(is_marked) {
                return Ok(Some(saved));
            }
            if self.is_later(document, known, &saved, on_disk)? {
                let cost = cost(&saved)?;
                if nearest.as_ref().is_none_or(|(least, _)| cost < *least) {
                    nearest = Some((cost, saved));
                }
            }
        }
        match nearest {
            Some((0, saved)) => Ok(Some(saved)),
            Some((least, saved)) if least < cost(known)? => Ok(Some(saved)),
            _ => Ok(None),
        }
    }

    /// Whether a guest's editor has written into a file what the owner has not seen there yet. What the
    /// owner had seen before may have been put there again by another program.
    fn is_later(
        &self,
        document: &DocumentId,
        known: &Base,
        saved: &Base,
        on_disk: Hash,
    ) -> Result<bool, MirrorError> {
        let (known_file, file) = (&known.file, &saved.file);
        if known_file.hash == on_disk || file.path != known_file.path {
            return Ok(false);
        }
        let whole = self.whole(document, &known.state, &saved.state)?;
        Ok(whole.lacked.is_some())
    }

    /// The owner looks again at what it passed over because a guest's editor had it open, or an
    /// earlier bridge's might come back to it: call it now and then.
    pub fn look_after_guests(&mut self) -> Result<Vec<Effect>, MirrorError> {
        let mut free = Vec::new();
        for document in std::mem::take(&mut self.with_guests) {
            if !self.is_open(&document)? {
                free.push(document);
            }
        }
        match free.is_empty() {
            true => Ok(Vec::new()),
            false => self.let_go(&free),
        }
    }

    fn take_in(&mut self, guest: &StateStore) -> Result<(), MirrorError> {
        for document in doing("reading a guest's store", guest.documents())? {
            let loaded = doing("reading a guest's store", guest.load(&document))?;
            let Some(theirs) = loaded else {
                continue;
            };
            let ours = self.load(&document)?;
            let saved = self.saved_last(&document, ours.as_ref(), &theirs)?;
            if !theirs.unsaved && saved.is_none() {
                continue;
            }
            let record = match ours {
                None => theirs,
                Some(ours) => Record {
                    state: self.whole(&document, &ours.state, &theirs.state)?.state,
                    unsaved: ours.unsaved || theirs.unsaved,
                    base: saved.or(ours.base),
                },
            };
            self.save(&document, &record, record.unsaved)?;
        }
        Ok(())
    }

    /// What a guest's editor has written that the file holds, if the owner has not seen it since.
    fn saved_last(
        &self,
        document: &DocumentId,
        ours: Option<&Record>,
        theirs: &Record,
    ) -> Result<Option<Base>, MirrorError> {
        let known = ours.and_then(|record| record.base.as_ref());
        let (Some(known), Some(saved)) = (known, &theirs.base) else {
            return Ok(None);
        };
        let Found::File(file) = self.tree.read(&known.file.path) else {
            return Ok(None);
        };
        let on_disk = hash(&file.bytes);
        let is_there = saved.file.hash == on_disk;
        let is_last = is_there && self.is_later(document, known, saved, on_disk)?;
        Ok(is_last.then(|| saved.clone()))
    }
}
