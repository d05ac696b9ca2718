//! Which of the states that a text may have been made out of it was made out of.

use ropey::Rope;
use tutti_engine::diff::diff_lines;
use tutti_engine::{Left, Replica};

use super::merge::new_client_id;

/// A letter that a text would have to have lost weighs as much as so many that were typed.
const LOST: usize = 20;

/// A state, and how far a text is from it.
pub(crate) struct Nearest<'a> {
    pub(crate) state: &'a [u8],
    pub(crate) replica: Replica,
    /// How many characters differ.
    pub(crate) cost: usize,
    /// The journal by which an editor showed it when its bridge ended.
    pub(crate) left: Option<&'a Left>,
    deleted: usize,
}

impl<'a> Nearest<'a> {
    /// `None` for bytes that are no state.
    fn of(
        state: &'a [u8],
        left: Option<&'a Left>,
        text: &impl Fn(&Replica) -> Rope,
    ) -> Option<Self> {
        let replica = Replica::from_state(new_client_id(), state).ok()?;
        let way = diff_lines(replica.rope(), &text(&replica));
        Some(Self {
            state,
            cost: way.cost(),
            deleted: way.splices().iter().map(|splice| splice.delete).sum(),
            replica,
            left,
        })
    }

    /// The file may have been written anew since the editor read it, with lines much like those that
    /// were typed there meanwhile. To take it for what the editor has changed would delete them for
    /// everybody; to take what the editor showed is to write more than is needed at worst.
    fn weight(&self) -> usize {
        self.cost + LOST * self.deleted
    }

    /// How far the text is from what an editor showed.
    pub(crate) fn distance(&self) -> (usize, usize) {
        (self.deleted, self.cost)
    }
}

/// The nearest to `text`, which is asked for as it would be if it was made of a replica: what was
/// last written to the file or read from it, or, if it is nearer, what a journal ends with.
pub(crate) fn nearest<'a>(
    base: Option<&'a [u8]>,
    left: &'a [Left],
    text: impl Fn(&Replica) -> Rope,
) -> Option<Nearest<'a>> {
    let base = base.and_then(|state| Nearest::of(state, None, &text));
    let shown = left.iter().flat_map(|left| {
        let shown = left.shown.iter();
        shown.filter_map(|state| Nearest::of(state, Some(left), &text))
    });
    // An edit was under way, and the editor has taken it in or not; and each window has a journal of
    // its own, of the same document. If the editor has shown an edit, its letters are there: a text
    // that would have to have lost them, even to others that look much like them, was made without.
    let shown = shown.min_by_key(Nearest::distance);
    match (base, shown) {
        (Some(base), Some(shown)) if base.weight() <= shown.weight() => Some(base),
        (base, shown) => shown.or(base),
    }
}
