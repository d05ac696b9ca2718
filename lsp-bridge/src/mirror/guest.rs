//! Bridges that share a directory with its owner: the same person's second editor.
//!
//! A guest stores its replicas in a directory of its own beneath `.tutti/guests`, so that no two
//! processes write one file. When it has ended, the owner takes in what the server has not
//! confirmed.

use std::io;

use cap_fs_ext::DirExt;
use cap_std::fs::Dir;
use tutti_engine::BadUpdate;
use tutti_protocol::ids::DocumentId;

use super::claim::Claim;
use super::effect::Effect;
use super::marks::Mark;
use super::state::{Base, Hash, Record, StateStore, hash};
use super::tree::Found;
use super::{Mirror, MirrorError, doing, merge};

/// The directory of the guests, in `.tutti`.
pub(super) const GUESTS: &str = "guests";

/// A guest's own replicas.
#[derive(Debug)]
pub(super) struct GuestStore {
    store: StateStore,
    /// Tells the owner that this guest lives.
    _claim: Claim,
}

/// The stores of all guests, of those that have ended as well, until the owner has taken them in.
pub(super) fn stores(guests: &Dir) -> io::Result<Vec<StateStore>> {
    let mut stores = Vec::new();
    for entry in guests.entries()? {
        // One that goes meanwhile has been taken in.
        let dir = guests.open_dir_nofollow(entry?.file_name());
        stores.extend(dir.ok().map(StateStore::beneath));
    }
    Ok(stores)
}

/// What a guest's editor has saved, if that is what the file holds, rather than what the owner knows
/// of it. If that is the later text, another program may have put the earlier one there again.
pub(super) fn later(
    known: &Base,
    mut saved: Base,
    on_disk: Hash,
) -> Result<Option<Base>, BadUpdate> {
    if known.file.hash == on_disk || saved.file.hash != on_disk {
        return Ok(None);
    }
    // The guest's editor has it under the name it was opened by.
    saved.file.path = known.file.path.clone();
    let whole = merge::whole(&known.state, &saved.state)?;
    Ok(whole.lacked.map(|_| saved))
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

    /// Tells the other processes something of a document.
    pub(super) fn mark(&self, document: &DocumentId, mark: Mark, is_so: bool) -> io::Result<()> {
        self.store.mark(document, mark, is_so)
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
            let Some(claim) = claim else {
                continue;
            };
            self.take_in(&StateStore::beneath(dir))?;
            let removed = claim.remove(&self.guests, &name);
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
            let lives = matches!(Claim::is_left(&dir), Ok(false));
            if lives && StateStore::beneath(dir).is_marked(document, Mark::Open) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What the editor of a guest, of one that has ended as well, showed when it wrote into a file what
    /// stands there.
    pub(super) fn saved_by_guest(
        &self,
        document: &DocumentId,
        known: &Base,
        on_disk: Hash,
    ) -> Result<Option<Base>, MirrorError> {
        for store in doing("reading .tutti/guests", stores(&self.guests))? {
            let loaded = store.load(document);
            let base = doing("reading a guest's store", loaded)?.and_then(|record| record.base);
            if let Some(saved) = base
                && let Some(later) = self.if_later(document, known, saved, on_disk)?
            {
                return Ok(Some(later));
            }
        }
        Ok(None)
    }

    /// [`later`], as the mirror tells of errors.
    fn if_later(
        &self,
        document: &DocumentId,
        known: &Base,
        saved: Base,
        on_disk: Hash,
    ) -> Result<Option<Base>, MirrorError> {
        later(known, saved, on_disk).map_err(|source| MirrorError::BadState {
            document: document.clone(),
            source,
        })
    }

    /// The owner looks again at what it passed over because a guest's editor had it open, or an
    /// earlier bridge's might come back to it: call it now and then.
    pub fn look_after_guests(&mut self) -> Result<Vec<Effect>, MirrorError> {
        if let Err(error) = self.overwritten.prune() {
            tracing::debug!(%error, "what was overwritten long ago stays");
        }
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
                Some(ours) => {
                    let state = self.whole(&document, &ours.state, &theirs.state)?.state;
                    let unsaved = ours.unsaved || theirs.unsaved;
                    let base = saved.or_else(|| ours.base.clone());
                    Record::after(Some(&ours), state, unsaved, base)
                }
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
        let (Some(known), Some(saved)) = (known, theirs.base.clone()) else {
            return Ok(None);
        };
        let Found::File(file) = self.tree.read(&known.file.path) else {
            return Ok(None);
        };
        self.if_later(document, known, saved, hash(&file.bytes))
    }
}
