//! One copy of a shared text: a Yjs document and, always in step with it, its items and its text.
//!
//! yrs keeps the document: it knows what others lack, and encodes it. The items ([`items`]) know
//! what stands where; every edit made here is written against them and given to yrs as an update,
//! since yrs would look for the place by walking through the whole text.
//!
//! yrs gets the updates when it is asked for something. To part a piece of text it walks through it,
//! so the first key in a long file would wait for that; whoever asks for a state waits for the
//! whole text anyway.

mod apart;
mod hidden;
mod integrate;
mod items;
mod journal;
mod request;
mod showing;
mod text;
mod undo;
mod wire;

use std::cell::RefCell;
use std::collections::VecDeque;

use ropey::Rope;
use thiserror::Error;
use yrs::updates::decoder::Decode;
use yrs::updates::encoder::Encode;
use yrs::{ClientID, Doc, OffsetKind, Options, ReadTxn, StateVector, Transact, Update};

use crate::diff::diff;
use crate::document::EditId;
use crate::patch::Patch;
pub use apart::{Apart, DECISIONS, Merge, NAMES, merge_lines};
use items::View;
use journal::Untold;
pub(crate) use journal::{read_marks, write_marks};
pub(crate) use request::{Parted, Request};
pub(crate) use showing::{Mark, Step};
use text::Text;
pub(crate) use undo::{Edit, Renamed, Reverted};

/// Bytes that are not a Yjs update or state vector in v1 encoding.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a valid Yjs message: {0}")]
pub struct BadUpdate(String);

/// How many updates may wait for their predecessors.
const MOST_WAITING: usize = 10_000;
/// How many updates yrs may be behind.
const MOST_UNFED: usize = 1_000;

/// A copy of a shared text.
pub struct Replica {
    /// To be asked through [`Replica::doc`], which feeds it first.
    doc: Doc,
    /// What `doc` has not got yet, in order.
    unfed: RefCell<Vec<Update>>,
    text: Text,
    /// Updates that came before something that they build upon.
    waiting: Vec<Vec<u8>>,
    /// Of what is to be told, see [`Replica::news`].
    untold: Option<Untold>,
    /// The last edits that were seen in an editor before it had answered, what they stood for, and how much
    /// they tell of it. An answer may come when the document has been closed and opened again.
    pub(crate) unanswered: VecDeque<(EditId, Vec<Mark>, u32)>,
    /// Between a closing and the next opening.
    pub(crate) request: Option<Request>,
    /// What its editor showed when the document was closed, where that was not the view.
    pub(crate) parted: Option<Parted>,
}

impl std::fmt::Debug for Replica {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Replica").field(&self.text.shared).finish()
    }
}

impl Replica {
    /// An empty replica that writes as `client_id` (at most 53 bits; no two replicas that write
    /// may share one).
    pub fn new(client_id: u64) -> Self {
        let mut options = Options::with_client_id(ClientID::new(client_id));
        options.offset_kind = OffsetKind::Utf16;
        let doc = Doc::with_options(options);
        doc.get_or_insert_text(wire::CONTENT);
        Self {
            doc,
            unfed: RefCell::default(),
            text: Text::new(),
            waiting: Vec::new(),
            untold: None,
            unanswered: VecDeque::new(),
            request: None,
            parted: None,
        }
    }

    /// A replica with the given state (an update in v1 encoding).
    ///
    /// # Errors
    /// [`BadUpdate`] when `state` is not an update.
    pub fn from_state(client_id: u64, state: &[u8]) -> Result<Self, BadUpdate> {
        let mut replica = Self::new(client_id);
        replica.apply(state)?;
        Ok(replica)
    }

    /// A second replica of the same state that writes as `client_id`.
    pub fn fork(&self, client_id: u64) -> Self {
        let mut fork = Self::new(client_id);
        fork.apply(&self.state())
            .expect("a replica's own state is a valid update");
        fork
    }

    /// The text.
    pub fn rope(&self) -> &Rope {
        &self.text.shared
    }

    /// The text as a string.
    pub fn text(&self) -> String {
        self.text.shared.to_string()
    }

    /// The underlying Yjs document, for awareness positions and the like. Its root text is changed
    /// through this replica alone.
    pub fn doc(&self) -> &Doc {
        let unfed = std::mem::take(&mut *self.unfed.borrow_mut());
        if !unfed.is_empty() {
            let mut txn = self.doc.transact_mut();
            for update in unfed {
                let applied = txn.apply_update(update);
                applied.expect("an update fits that names no parent but the text");
            }
        }
        &self.doc
    }

    /// What this replica has seen, in v1 encoding.
    pub fn state_vector(&self) -> Vec<u8> {
        self.doc().transact().state_vector().encode_v1()
    }

    /// What a replica with `state_vector` lacks, in v1 encoding.
    ///
    /// Updates whose predecessors have not come yet are no part of it; whoever sent them has them
    /// still.
    ///
    /// # Errors
    /// [`BadUpdate`] when `state_vector` is none.
    pub fn diff(&self, state_vector: &[u8]) -> Result<Vec<u8>, BadUpdate> {
        let state_vector = StateVector::decode_v1(state_vector).map_err(bad)?;
        Ok(self.doc().transact().encode_diff_v1(&state_vector))
    }

    /// Everything that is in the text, as one update in v1 encoding; see [`Replica::diff`].
    pub fn state(&self) -> Vec<u8> {
        self.doc()
            .transact()
            .encode_diff_v1(&StateVector::default())
    }

    /// Takes in an update. One that is known already changes nothing; one that builds upon
    /// something that has not come yet waits for it.
    ///
    /// # Errors
    /// [`BadUpdate`] when the bytes are not an update, or when too many wait; the replica is
    /// unchanged then.
    pub fn apply(&mut self, update: &[u8]) -> Result<(), BadUpdate> {
        if !self.integrate(update)? {
            if self.waiting.len() == MOST_WAITING {
                return Err(BadUpdate("its predecessors have not come".into()));
            }
            self.waiting.push(update.to_vec());
            self.tell(update);
            return Ok(());
        }
        self.tell(update);
        // What waits may have waited for this.
        let mut had_news = true;
        while had_news && !self.waiting.is_empty() {
            had_news = false;
            for update in std::mem::take(&mut self.waiting) {
                if self.integrate(&update)? {
                    had_news = true;
                } else {
                    self.waiting.push(update);
                }
            }
        }
        Ok(())
    }

    /// Takes in an update if everything that it builds upon is here; whether it was.
    fn integrate(&mut self, update: &[u8]) -> Result<bool, BadUpdate> {
        let parsed = wire::parse(update).map_err(bad)?;
        let decoded = Update::decode_v1(update).map_err(bad)?;
        let Some(order) = self.text.plan(&parsed) else {
            return Ok(false);
        };
        if parsed.is_plain() {
            self.feed(decoded);
        } else {
            let mut txn = self.doc().transact_mut();
            txn.apply_update(decoded).map_err(bad)?;
        }
        self.text.integrate(parsed, &order);
        Ok(true)
    }

    /// Changes the text by `patch`, whose old text must be this replica's; returns the update.
    pub fn splice(&mut self, patch: &Patch) -> Vec<u8> {
        let client = self.doc.client_id();
        self.write(View::Shared, client, patch).0
    }

    /// The same as somebody else, `client`.
    pub fn splice_as(&mut self, client: u64, patch: &Patch) -> Vec<u8> {
        self.write(View::Shared, ClientID::new(client), patch).0
    }

    /// What [`Replica::splice`] says to everyone, but for who says it: the same bytes for all who make this
    /// edit of this text.
    ///
    /// # Errors
    /// [`BadUpdate`] when `update` is none.
    pub fn nameless(update: &[u8]) -> Result<Vec<u8>, BadUpdate> {
        wire::nameless(update).map_err(bad)
    }

    /// Makes the text `new` by the smallest edits; returns the update.
    pub fn edit(&mut self, new: &str) -> Vec<u8> {
        let patch = diff(&self.text.shared, &Rope::from_str(new));
        self.splice(&patch)
    }

    fn write(&mut self, view: View, client: ClientID, patch: &Patch) -> (Vec<u8>, Edit) {
        let (update, edit) = self.text.write(view, client, patch);
        self.tell_yrs(&update);
        (update, edit)
    }

    /// What has been written into the items is to be in the document as well.
    fn tell_yrs(&mut self, update: &[u8]) {
        self.feed(Update::decode_v1(update).expect("an own update is valid"));
        self.tell(update);
    }

    /// Gives an update to yrs before it is asked for anything; one that cannot fail.
    fn feed(&mut self, update: Update) {
        let unfed = self.unfed.get_mut();
        unfed.push(update);
        if unfed.len() > MOST_UNFED {
            self.doc();
        }
    }
}

/// What an editor shows of the text, which may be behind it.
impl Replica {
    /// From now on an editor shows the text, or the older `base` of it.
    pub(crate) fn begin_showing(&mut self, base: Option<&Self>) {
        self.text.hide_all();
        match base {
            None => self.text.show_all(),
            Some(base) => drop(self.text.land(&base.text.everything())),
        }
    }

    /// What the editor shows.
    pub(crate) fn shown(&self) -> &Rope {
        &self.text.shown
    }

    /// What leads from the shown text to the shared one, in ascending order, but for what is hidden.
    pub(crate) fn ahead(&self) -> Vec<Step> {
        self.text.ahead()
    }

    /// Whether the editor shows everything that is not hidden.
    pub(crate) fn is_shown(&self) -> bool {
        !self.text.items.differ()
    }

    /// The editor shows these characters now, or shows them no longer. Returns what changed in the
    /// shown text.
    pub(crate) fn land(&mut self, marks: &[Mark]) -> Patch {
        self.text.land(marks)
    }

    /// The person changes the shown text by `patch`, as `user`; returns the update, and what it
    /// did.
    pub(crate) fn type_in(&mut self, user: u64, patch: &Patch) -> (Vec<u8>, Edit) {
        self.write(View::Shown, ClientID::new(user), patch)
    }

    /// See [`Text::shown_state`].
    pub(crate) fn shown_state(&self) -> Vec<u8> {
        self.text.shown_state()
    }

    /// See [`Text::keep_back_returns`].
    pub(crate) fn keep_back_returns(&mut self) {
        self.text.keep_back_returns();
    }

    /// See [`Text::hide`].
    pub(crate) fn hide(&mut self, at: usize) {
        self.text.hide(at);
    }

    /// See [`Text::hide_first`].
    pub(crate) fn hide_first(&mut self) {
        self.text.hide_first();
    }

    /// Takes back what `user` has done, as another edit of theirs. Only the shared text changes:
    /// the shown one follows as it does when others write.
    pub(crate) fn revert(&mut self, user: u64, edit: &Edit) -> Reverted {
        let reverted = self.text.revert(ClientID::new(user), edit);
        self.tell_yrs(&reverted.update);
        reverted
    }

    /// Whether somebody has cut through a surrogate pair since the last call: the two halves,
    /// replacement characters now, are not what the editor shows.
    pub(crate) fn was_torn(&mut self) -> bool {
        std::mem::take(&mut self.text.is_torn)
    }

    /// Where the gap before character `at` of the shown text lies in the shared one: behind the
    /// same left neighbour.
    pub(crate) fn shown_to_shared(&self, at: usize) -> usize {
        self.text.carry(View::Shown, View::Shared, at)
    }

    /// The other way round.
    pub(crate) fn shared_to_shown(&self, at: usize) -> usize {
        self.text.carry(View::Shared, View::Shown, at)
    }
}

pub(crate) fn bad(error: impl std::fmt::Display) -> BadUpdate {
    BadUpdate(error.to_string())
}

#[cfg(test)]
mod tests;
