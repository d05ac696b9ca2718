//! What two have written while they did not hear of each other, of which a part may be the same.
//!
//! One types, saves and commits without a connection; the other takes that commit with git. Both then have
//! the same lines, each written as somebody of their own, and a merge of characters keeps both. So what
//! was written apart is compared as git compares it: line by line, in the same place of what both had
//! before. Lines that both have come to stay once.
//!
//! Where a merge line by line has one outcome, and there is reason not to trust the one by characters, that is
//! what the text becomes. Else one of two equal lines goes.
//!
//! One of the two decides, and no more than one: neither knows exactly what the other has ([`alike`]), so two
//! decisions may differ, and take away both of two equal lines. A decision is made in a name that says what it
//! is, [`DECISIONS`], so whoever hears of one leaves it at that.

mod alike;
mod blocks;
mod merge;

use std::collections::HashMap;
use std::ops::Range;

use ropey::Rope;
use yrs::{ClientID, ID, IdSet};

use super::items::{Items, Node, View};
use super::wire::{self, Kind};
use super::{BadUpdate, Replica, bad};
use crate::diff::diff_lines;
use crate::patch::{Patch, Splice};
use alike::Spelt;
pub use alike::{DECISIONS, NAMES};
use blocks::{Block, Piece, Texts, Writer, put};
pub use merge::{Merge, merge_lines};

/// What was written here without a connection, beside what others have written meanwhile.
pub struct Apart {
    /// What both had.
    base: Replica,
    /// What there was here when they met.
    ours: Replica,
    /// What the others have written since.
    theirs: IdSet,
    /// What they have deleted, of whatever age.
    gone: IdSet,
}

impl Apart {
    /// `base` is a state that both had, `ours` what has become of it here.
    ///
    /// # Errors
    /// [`BadUpdate`] if one of them is no state.
    pub fn new(base: &[u8], ours: &[u8]) -> Result<Self, BadUpdate> {
        Ok(Self {
            base: Replica::from_state(0, base)?,
            ours: Replica::from_state(0, ours)?,
            theirs: IdSet::new(),
            gone: IdSet::new(),
        })
    }

    /// The others have made this update. Returns whether a decision is in it.
    ///
    /// # Errors
    /// [`BadUpdate`] if it is none.
    pub fn hear(&mut self, update: &[u8]) -> Result<bool, BadUpdate> {
        let mut is_decided = false;
        let parsed = wire::parse(update).map_err(bad)?;
        for one in &parsed.structs {
            let known = self.ours.text.items.next_clock(one.id.client);
            let (from, end) = (one.id.clock.max(known), one.id.clock + one.len);
            if from < end && !matches!(one.kind, Kind::Missing) {
                is_decided |= DECISIONS.contains(&one.id.client.get());
                self.theirs.insert(ID::new(one.id.client, from), end - from);
            }
        }
        self.gone.merge_with(parsed.deleted);
        Ok(is_decided)
    }

    /// What is to be done to the text of `now`, which has what both have written; `None` for nothing. Of lines
    /// that were deleted and written anew, what the others have written in them is left without them.
    pub fn agree(&self, now: &Replica) -> Option<Patch> {
        if self.theirs.is_empty() && self.gone.is_empty() {
            return None;
        }
        let (written, gone) = (Spans::of(&self.theirs), Spans::of(&self.gone));
        let mut texts = Texts::default();
        let mut gaps: Vec<Block> = Vec::new();
        let (mut gone_with_us, mut gone_with_them) = (0, 0);
        let nodes = now.text.items.all();
        let pieces = nodes.flat_map(|node| self.pieces(now, node, &written, &gone));
        let spelt = pieces.map(|piece| self.content(now, &piece).map(|content| (piece, content)));
        let mut pieces: Vec<Spelt> = spelt.collect::<Option<_>>()?;
        let base = self.base.text();
        alike::add_to_theirs(&mut pieces, &base);
        // Both have gone on from the same, since then.
        let is_since = |piece: &Piece| stands(&self.base.text.items, piece.id).0.is_none();
        let both = pieces
            .iter()
            .filter(|(piece, _)| piece.writer == Writer::Both);
        let base = match both.clone().any(|(piece, _)| is_since(piece)) {
            true => both.map(|(_, content)| content.as_str()).collect(),
            false => base,
        };
        for (mut piece, content) in pieces {
            let (is_ours, is_theirs) = (piece.ours.is_some(), piece.theirs.is_some());
            if piece.writer == Writer::Both {
                gone_with_us += if is_ours { 0 } else { piece.len };
                gone_with_them += if is_theirs { 0 } else { piece.len };
            }
            if is_ours || is_theirs {
                texts.push(&content, &mut piece);
            }
            if is_ours != is_theirs {
                put(piece, &mut gaps, &texts);
            }
        }
        let is_anew = self.is_written_anew(&texts.ours, gone_with_us)
            || self.is_written_anew(&texts.theirs, gone_with_them);
        let merge = merge_lines(&base, &texts.ours, &texts.theirs);
        if let Some(merge) = merge.filter(|merge| merge.is_shared || is_anew) {
            let patch = diff_lines(now.rope(), &Rope::from_str(&merge.text));
            return (!patch.is_empty()).then_some(patch);
        }
        let mut twice = IdSet::new();
        for block in texts.whole_lines(gaps) {
            block.add_needless(&texts, &mut twice);
        }
        let patch = without(now, &Spans::of(&twice));
        (!patch.is_empty()).then_some(patch)
    }

    /// Whether some of what both had was deleted, so many units in all, and written anew in `text`: as it is
    /// where a program takes a file back to what it was, and forward again.
    fn is_written_anew(&self, text: &str, gone: u32) -> bool {
        let base = self.base.rope();
        let needed = diff_lines(base, &Rope::from_str(text));
        let units = |splice: &Splice| base.slice(splice.at..splice.end()).len_utf16_cu();
        (gone as usize) > needed.splices().iter().map(units).sum()
    }

    /// The parts of an item of `now` that have one fate each; not yet where they stand.
    fn pieces(&self, now: &Replica, node: Node, written: &Spans, gone: &Spans) -> Vec<Piece> {
        let item = now.text.items.item(node);
        let (mut clock, end) = (item.id.clock, item.id.clock + item.len);
        let mut pieces = Vec::new();
        while clock < end {
            let id = ID::new(item.id.client, clock);
            let (before, until) = stands(&self.base.text.items, id);
            let (with_us, our_end) = stands(&self.ours.text.items, id);
            let (is_theirs, their_end) = written.at(id);
            let (is_gone, gone_end) = gone.at(id);
            let until = until.min(our_end).min(their_end).min(gone_end).min(end);
            let writer = match before {
                Some(_) => Writer::Both,
                None if is_theirs => Writer::They,
                // Who has deleted it has had it.
                None if is_gone && with_us == Some(true) => Writer::Both,
                None => Writer::We,
            };
            // What is gone since they met, and not by them, we have deleted.
            let we_deleted = with_us == Some(false) || !item.shared && !is_gone;
            let is_in = |is_in: bool| is_in.then_some(0..0);
            let piece = Piece {
                id,
                len: until - clock,
                writer,
                ours: is_in(writer != Writer::They && !we_deleted),
                theirs: is_in(writer != Writer::We && !is_gone),
                now: is_in(item.shared),
            };
            // What both had deleted before is of no interest.
            pieces.extend((before != Some(false)).then_some(piece));
            clock = until;
        }
        pieces
    }

    /// The characters of a piece, none if it stands nowhere; `None` if nobody has them any more.
    fn content(&self, now: &Replica, piece: &Piece) -> Option<String> {
        if piece.ours.is_none() && piece.theirs.is_none() {
            return Some(String::new());
        }
        let all = [now, &self.ours, &self.base].into_iter();
        let mut all = all.filter_map(|one| slice(one, piece));
        all.next()
    }
}

/// What takes these units out of a text.
fn without(now: &Replica, units: &Spans) -> Patch {
    let (items, rope) = (&now.text.items, &now.text.shared);
    let mut patch = Patch::default();
    for node in items.all() {
        let item = items.item(node);
        let start = items.start(View::Shared, node);
        let mut offset = if item.shared { 0 } else { item.len };
        while offset < item.len {
            let id = ID::new(item.id.client, item.id.clock + offset);
            let (is_in, until) = units.at(id);
            let end = until.saturating_sub(item.id.clock).min(item.len);
            if is_in {
                let [at, end] =
                    [offset, end].map(|unit| rope.utf16_cu_to_char((start + unit) as usize));
                patch.push(Splice {
                    at,
                    delete: end - at,
                    insert: String::new(),
                });
            }
            offset = end;
        }
    }
    patch
}

/// Whether a unit stands in a text, `None` if it is not known there; and up to which clock that holds, at
/// least.
fn stands(items: &Items, id: ID) -> (Option<bool>, u32) {
    let next = items.next_clock(id.client);
    if id.clock >= next {
        return (None, u32::MAX);
    }
    match items.find(id).map(|node| items.item(node)) {
        Some(item) => (Some(item.shared), item.id.clock + item.len),
        None => (Some(false), id.clock + 1),
    }
}

/// A set of units to be looked through often.
struct Spans(HashMap<ClientID, Vec<Range<u32>>>);

impl Spans {
    fn of(set: &IdSet) -> Self {
        let clients = set.iter();
        Self(
            clients
                .map(|(client, ranges)| (*client, ranges.iter().cloned().collect()))
                .collect(),
        )
    }

    /// Whether a unit is in the set, and up to which clock that holds.
    fn at(&self, id: ID) -> (bool, u32) {
        let ranges = self.0.get(&id.client).map_or(&[][..], Vec::as_slice);
        let next = ranges.partition_point(|range| range.end <= id.clock);
        match ranges.get(next) {
            Some(range) if range.start <= id.clock => (true, range.end),
            Some(range) => (false, range.start),
            None => (false, u32::MAX),
        }
    }
}

/// The characters of a piece, where a replica still has them.
fn slice(replica: &Replica, piece: &Piece) -> Option<String> {
    let text = &replica.text;
    let node = text.items.find(piece.id)?;
    let item = text.items.item(node);
    let offset = piece.id.clock - item.id.clock;
    let is_whole = offset + piece.len <= item.len;
    (item.shared && is_whole).then(|| {
        let start = (text.items.start(View::Shared, node) + offset) as usize;
        let rope = &text.shared;
        let [from, to] = [start, start + piece.len as usize].map(|at| rope.utf16_cu_to_char(at));
        rope.slice(from..to).to_string()
    })
}

#[cfg(test)]
mod tests;
