//! Which character that the editor shows is which character of the replica's view.
//!
//! The two texts are one almost always. They differ for a while when an edit landed on moved
//! places, when it met the person's own typing at one place and the editor ordered the two another
//! way than the shared text does, or when only the first part of a change has been sent. Until the
//! next edit repairs it, the person's changes are carried over character by character, so that who
//! deletes a letter deletes that letter wherever it belongs.

use ropey::Rope;

use super::ends_with_newline;
use crate::diff::diff;
use crate::patch::{Patch, Side, Splice};

/// How what is shown and the replica correspond.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Alignment {
    /// The texts are the same.
    Same,
    /// Each character shown on its own.
    Mapped(Vec<Character>),
}

/// A character that the editor shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Character {
    /// Its place in the replica; `None` if the replica does not have it.
    place: Option<usize>,
    /// Whether an edit of ours has brought it since the texts last were the same. If two
    /// characters stand the wrong way round, it is ours that moves: the person's caret is at
    /// theirs.
    is_ours: bool,
}

impl Alignment {
    /// Two texts of which nothing else is known.
    pub(super) fn between(shown: &Rope, replica: &Rope) -> Self {
        if shown == replica {
            return Self::Same;
        }
        Self::Mapped(vec![Character::unknown(true); shown.len_chars()]).matched(shown, replica)
    }

    /// Two texts that are the same, but for the newline that an editor puts behind a text that has none:
    /// each character stands for the one in its place. Equal letters that have changed places meanwhile
    /// have not, and nothing is left that could stand the wrong way round.
    fn plain(shown: &Rope, replica: &Rope) -> Option<Self> {
        if shown == replica {
            return Some(Self::Same);
        }
        let len = replica.len_chars();
        let is_longer = shown.len_chars() == len + 1 && shown.char(len) == '\n';
        let is_plain = is_longer && !ends_with_newline(replica) && shown.slice(..len) == *replica;
        is_plain.then(|| {
            let newline = Character::unknown(true);
            Self::Mapped((0..len).map(Character::known).chain([newline]).collect())
        })
    }

    pub(super) fn is_same(&self) -> bool {
        matches!(self, Self::Same)
    }

    /// Whether the last character shown is none of the replica's.
    pub(super) fn ends_with_nobodys(&self) -> bool {
        match self {
            Self::Same => false,
            Self::Mapped(characters) => characters.last().is_some_and(|last| last.place.is_none()),
        }
    }

    /// The person's change of what is shown, as a change of the replica.
    pub(super) fn carry(&self, splice: &Splice, replica: &Rope) -> Patch {
        let Self::Mapped(characters) = self else {
            return Patch::from(splice.clone());
        };
        let mut out = Patch::default();
        let mut insertion = Some(Splice {
            at: gap(characters, splice.at, replica.len_chars()),
            delete: 0,
            insert: splice.insert.clone(),
        });
        for at in places(&characters[splice.at..splice.end()]) {
            if let Some(insertion) = insertion.take_if(|insertion| insertion.at <= at) {
                out.push(insertion);
            }
            out.push(Splice {
                at,
                delete: 1,
                insert: String::new(),
            });
        }
        insertion
            .into_iter()
            .for_each(|insertion| out.push(insertion));
        out
    }

    /// The person changed what is shown by `typed`, and so the replica by `written`, which
    /// [`Alignment::carry`] has made of it.
    pub(super) fn typed(
        self,
        typed: &Splice,
        written: &Patch,
        shown: &Rope,
        replica: &Rope,
    ) -> Self {
        let Self::Mapped(characters) = &self else {
            return Self::Same;
        };
        if let Some(plain) = Self::plain(shown, replica) {
            return plain;
        }
        let before = replica.len_chars() + deleted(written) - inserted_by(written);
        let gap = gap(characters, typed.at, before);
        let gone = places(&characters[typed.at..typed.end()]);
        let start = gap - gone.iter().filter(|&&at| at < gap).count();
        let Self::Mapped(mut characters) = self
            .replica_changed(written)
            .shown_changed(&Patch::from(typed.clone()), false)
        else {
            return Self::Same;
        };
        for offset in 0..inserted(typed) {
            characters[typed.at + offset].place = Some(start + offset);
        }
        Self::Mapped(characters).checked(shown, replica)
    }

    /// The newline that the editor puts behind every text has become a part of the replica, whose
    /// text it now ends.
    pub(super) fn newline_is_real(self, shown: &Rope, replica: &Rope) -> Self {
        match self {
            Self::Mapped(mut characters) if shown != replica => {
                if let Some(last) = characters.last_mut() {
                    last.place = Some(replica.len_chars() - 1);
                }
                Self::Mapped(characters)
            }
            _ => Self::Same,
        }
    }

    /// The replica has lost what only it had.
    pub(super) fn hidden(self, gone: &Patch, shown: &Rope, replica: &Rope) -> Self {
        self.replica_changed(gone).matched(shown, replica)
    }

    /// An edit landed: what is shown changed by `landed` to `shown`, the replica by `merged` to
    /// `replica`.
    pub(super) fn landed(
        self,
        landed: &Patch,
        merged: &Patch,
        shown: &Rope,
        replica: &Rope,
    ) -> Self {
        if let Some(plain) = Self::plain(shown, replica) {
            return plain;
        }
        let characters = match self {
            Self::Same => (0..shown.len_chars() + deleted(landed) - inserted_by(landed))
                .map(Character::known)
                .collect(),
            Self::Mapped(characters) => characters,
        };
        Self::Mapped(characters)
            .replica_changed(merged)
            .shown_changed(landed, true)
            .matched(shown, replica)
    }

    /// The edit that makes the editor show what the replica holds.
    pub(super) fn repair(&self, shown: &Rope, replica: &Rope) -> Patch {
        let Self::Mapped(characters) = self else {
            return Patch::default();
        };
        let Some(kept) = kept(characters) else {
            return diff(shown, replica);
        };
        let mut patch = Patch::default();
        let (mut from, mut to) = (0, 0);
        let ends = (shown.len_chars(), replica.len_chars());
        for (at, place) in kept.into_iter().chain([ends]) {
            patch.push(Splice {
                at: from,
                delete: at - from,
                insert: replica.slice(to..place).to_string(),
            });
            (from, to) = (at + 1, place + 1);
        }
        patch
    }

    fn replica_changed(self, patch: &Patch) -> Self {
        let Self::Mapped(mut characters) = self else {
            return self;
        };
        for place in characters.iter_mut().map(|c| &mut c.place) {
            *place = place.and_then(|at| {
                let one = Patch::single(at, 1, "").rebase(patch, Side::After);
                one.splices().first().map(|splice| splice.at)
            });
        }
        Self::Mapped(characters)
    }

    fn shown_changed(self, patch: &Patch, is_ours: bool) -> Self {
        let Self::Mapped(mut characters) = self else {
            return self;
        };
        for splice in patch.splices().iter().rev() {
            let new = std::iter::repeat_n(Character::unknown(is_ours), inserted(splice));
            characters.splice(splice.at..splice.end(), new);
        }
        Self::Mapped(characters)
    }

    /// Finds for the characters without a place theirs among those of the replica that nobody
    /// stands for yet: first between the same neighbours; then, for those that our edits have
    /// brought, anywhere.
    fn matched(self, shown: &Rope, replica: &Rope) -> Self {
        let Self::Mapped(mut characters) = self else {
            return self;
        };
        if let Some(plain) = Self::plain(shown, replica) {
            return plain;
        }
        debug_assert_eq!(characters.len(), shown.len_chars());
        let mut is_free = vec![true; replica.len_chars()];
        for at in places(&characters) {
            is_free[at] = false;
        }
        let ends = (shown.len_chars(), replica.len_chars());
        let (mut from, mut to) = (0, 0);
        let anchors = kept(&characters).unwrap_or_default();
        for (at, place) in anchors.into_iter().chain([ends]) {
            let is_homeless = |i: &usize| characters[*i].place.is_none();
            let homeless = (from..at).filter(is_homeless).collect();
            let free = (to..place).filter(|&i| is_free[i]).collect();
            for (at, place) in same_letters(shown, homeless, replica, free) {
                characters[at].place = Some(place);
                is_free[place] = false;
            }
            (from, to) = (at + 1, place + 1);
        }
        let is_homeless = |i: &usize| characters[*i].is_ours && characters[*i].place.is_none();
        let homeless = (0..ends.0).filter(is_homeless).collect();
        let free = (0..ends.1).filter(|&i| is_free[i]).collect();
        for (at, place) in same_letters(shown, homeless, replica, free) {
            characters[at].place = Some(place);
        }
        Self::Mapped(characters).checked(shown, replica)
    }

    /// In debug builds: each character stands for the same letter, and none for another's.
    fn checked(self, shown: &Rope, replica: &Rope) -> Self {
        if let (true, Self::Mapped(characters)) = (cfg!(debug_assertions), &self) {
            let places = places(characters);
            debug_assert!(
                places.is_sorted_by(|a, b| a < b),
                "two characters at one place"
            );
            for (shown, character) in shown.chars().zip(characters) {
                let letter = character.place.map(|at| replica.char(at));
                debug_assert!(letter.is_none_or(|letter| letter == shown));
            }
        }
        self
    }
}

/// Pairs of characters, one out of `homeless` in what is shown, one out of `free` in the replica,
/// that have the same letters in the same order.
fn same_letters(
    shown: &Rope,
    homeless: Vec<usize>,
    replica: &Rope,
    free: Vec<usize>,
) -> Vec<(usize, usize)> {
    let pick = |text: &Rope, which: &[usize]| {
        let letters: String = which.iter().map(|&i| text.char(i)).collect();
        Rope::from_str(&letters)
    };
    let difference = diff(&pick(shown, &homeless), &pick(replica, &free));
    let end = Splice {
        at: homeless.len(),
        delete: 0,
        insert: String::new(),
    };
    let mut pairs = Vec::new();
    let (mut from, mut to) = (0, 0);
    for splice in difference.splices().iter().chain([&end]) {
        let same = splice.at - from;
        pairs.extend(std::iter::zip(&homeless[from..], &free[to..]).take(same));
        from = splice.end();
        to += same + inserted(splice);
    }
    pairs.into_iter().map(|(&at, &place)| (at, place)).collect()
}

impl Character {
    fn known(place: usize) -> Self {
        Self {
            place: Some(place),
            is_ours: false,
        }
    }

    fn unknown(is_ours: bool) -> Self {
        Self {
            place: None,
            is_ours,
        }
    }
}

/// The characters that can stay where they are, with their places, both ascending: everything that
/// is not ours, and of ours what stands right. `None` if what is not ours is out of order itself.
fn kept(characters: &[Character]) -> Option<Vec<(usize, usize)>> {
    let theirs = characters.iter().filter(|c| !c.is_ours);
    if !theirs.filter_map(|c| c.place).is_sorted() {
        return None;
    }
    // For each character the next place behind it that is not ours.
    let mut next = usize::MAX;
    let mut limits = vec![next; characters.len()];
    for (limit, character) in limits.iter_mut().zip(characters).rev() {
        *limit = next;
        if let (false, Some(place)) = (character.is_ours, character.place) {
            next = place;
        }
    }
    let mut kept = Vec::new();
    let mut free_from = 0;
    for (at, (character, limit)) in characters.iter().zip(limits).enumerate() {
        if let Some(place) = character.place
            && place >= free_from
            && place < limit
        {
            kept.push((at, place));
            free_from = place + 1;
        }
    }
    Some(kept)
}

fn inserted(splice: &Splice) -> usize {
    splice.insert.chars().count()
}

fn inserted_by(patch: &Patch) -> usize {
    patch.splices().iter().map(inserted).sum()
}

fn deleted(patch: &Patch) -> usize {
    patch.splices().iter().map(|splice| splice.delete).sum()
}

/// Where the replica has these characters, in ascending order.
fn places(characters: &[Character]) -> Vec<usize> {
    let mut places: Vec<usize> = characters.iter().filter_map(|c| c.place).collect();
    places.sort_unstable();
    places
}

/// The gap of the replica, of so many characters, for a text put before character `at` of what is
/// shown: behind the nearest character on its left that the replica has, and that stays where it is. One
/// that stands wrong will be moved, and the person's caret is not. What follows there and is not shown
/// has fallen to an edit of ours: the person's caret stood behind it.
fn gap(characters: &[Character], at: usize, len: usize) -> usize {
    let left = match kept(characters) {
        Some(kept) => {
            let before = kept.partition_point(|(shown, _)| *shown < at);
            kept[..before].last().map(|(_, place)| *place)
        }
        None => characters[..at].iter().rev().find_map(|c| c.place),
    };
    let behind = left.map_or(0, |place| place + 1);
    let shown = places(characters);
    let is_shown = |place: &usize| shown.binary_search(place).is_ok();
    (behind..len).find(is_shown).unwrap_or(len)
}

#[cfg(test)]
mod tests;
