//! Files that a program has cut off, as the disk was full: it emptied one and could not write it again.
//!
//! To all others that would be a deletion of the text. As long as such a file stays what it was found to be, it counts
//! as one that is behind, and is written anew when there is room. That outlives the bridge, in
//! [`note`]; and as a bridge may end before it has looked at a file, the next one believes none
//! to have been shortened on purpose that was before it began, if there was no room when the last one ended.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant, SystemTime};

use ropey::Rope;
use tutti_engine::diff::diff;
use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::path::ProjectPath;

use super::beneath::STOOD;
use super::effect::{Effect, Notice, Settled};
use super::settle::Subject;
use super::state::{Base, Hash, hash};
use super::text::parse;
use super::tree::{Expected, Outcome, RawFile};
use super::unwritten::note::{self, Noted};
use super::{Mirror, MirrorError};

/// See the [module's documentation](self).
#[derive(Debug, Default)]
pub(super) struct CutOff {
    /// What they were found to hold.
    found: HashMap<DocumentId, Hash>,
    /// There was no room when the last bridge ended, and this is when this one began.
    began_after_full: Option<SystemTime>,
    /// Those that have their texts again, which nobody was told of yet, and since when.
    whole_again: BTreeSet<String>,
    whole_since: Option<Instant>,
}

/// Files that have their texts again follow each other this closely.
const TOGETHER: Duration = Duration::from_secs(1);

impl CutOff {
    /// What the last bridge has noted.
    pub(super) fn take_over(&mut self, noted: Noted) {
        let left = noted.cut_off.into_iter();
        self.found
            .extend(left.map(|(document, found)| (document, found.0)));
        self.began_after_full = noted.is_full.then(SystemTime::now);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Its file has its text again.
    fn is_whole(&mut self, path: &ProjectPath) {
        self.whole_again.insert(path.to_string());
        self.whole_since = Some(Instant::now());
    }

    /// What the person has to hear of those: they may have emptied one on purpose.
    pub(super) fn news(&mut self) -> Option<Notice> {
        if self.whole_since?.elapsed() < TOGETHER {
            return None;
        }
        self.whole_since = None;
        let all = std::mem::take(&mut self.whole_again);
        Some(Notice::WholeAgain {
            more: all.len() - 1,
            path: all.into_iter().next()?,
        })
    }

    /// So many of them, to be noted.
    pub(super) fn first(&self, most: usize) -> Vec<(DocumentId, BlobHash)> {
        let found = self.found.iter().take(most);
        found
            .map(|(document, found)| (document.clone(), BlobHash(*found)))
            .collect()
    }

    /// Whether that was written when no bridge was there, and the disk full perhaps.
    fn may_be_of_full_disk(&self, there: &RawFile) -> bool {
        let began = self.began_after_full.zip(there.written);
        began.is_some_and(|(began, written)| written < began)
    }
}

/// What a full disk takes of a text ends where a block of the disk does, and no blocks are smaller.
const BLOCK_BYTES: usize = 512;

impl Mirror {
    /// Whether a file that held `before` has been cut off to what is there now.
    pub(super) fn is_cut_off(
        &mut self,
        document: &DocumentId,
        before: &[u8],
        there: &RawFile,
    ) -> bool {
        let found = hash(&there.bytes);
        if self.cut_off.found.get(document) == Some(&found) {
            return true;
        }
        let is_so = lacks(before, &there.bytes).is_some_and(|lacking| {
            self.tree.has_no_room_for(lacking) || self.cut_off.may_be_of_full_disk(there)
        });
        if is_so {
            self.cut_off.found.insert(document.clone(), found);
            self.write_note();
        } else {
            self.not_cut_off(document);
        }
        is_so
    }

    /// A closed file that has been cut off gets its document's text.
    pub(super) fn put_whole(
        &mut self,
        subject: &mut Subject<'_>,
        base: Base,
        before: &[u8],
        there: &RawFile,
        settled: &mut Settled,
    ) -> Result<Outcome, MirrorError> {
        if !before.starts_with(&there.bytes) {
            let reason = "a program had changed the file when the disk was full";
            self.recover(&subject.path, &there.bytes, reason, settled)?;
        }
        let document = subject.document;
        let outcome = self.put(subject, Some(base), Expected::Bytes(&there.bytes), settled)?;
        if outcome == Outcome::Done && !self.refused.contains_key(document) {
            self.cut_off.is_whole(&subject.path);
        }
        Ok(outcome)
    }

    /// An open file that has been cut off holds again what it held before, once there is room: what else its editor
    /// shows was not saved there. Who empties it may be about to write it.
    pub(super) fn write_whole(
        &mut self,
        document: &DocumentId,
        base: &Base,
        before: &[u8],
        there: &RawFile,
    ) -> Vec<Effect> {
        let path = &base.file.path;
        if there.is_younger_than(STOOD) {
            return vec![Effect::LookAgain(path.clone())];
        }
        let executable = there.executable.unwrap_or(base.file.executable);
        let expected = Expected::Bytes(&there.bytes);
        match self.tree.write(path, before, executable, expected) {
            Ok((Outcome::Done, _)) => {
                self.refused.remove(document);
                self.not_cut_off(document);
                self.cut_off.is_whole(path);
            }
            Ok((Outcome::Changed, _)) => return vec![Effect::LookAgain(path.clone())],
            Err(reason) => drop(self.refuse(document, path.as_str(), reason)),
        }
        Vec::new()
    }

    /// The document's file was written since, or is not what it was found to be.
    pub(super) fn not_cut_off(&mut self, document: &DocumentId) {
        if self.cut_off.found.remove(document).is_some() {
            self.write_note();
        }
    }

    /// What the document's file was found to hold, if it is cut off.
    pub(super) fn found_cut_off(&self, document: &DocumentId) -> Option<Hash> {
        if self.is_owner() {
            return self.cut_off.found.get(document).copied();
        }
        let mut noted = note::read(&self.private).cut_off.into_iter();
        let noted = noted.find(|(cut_off, _)| cut_off == document);
        noted.map(|(_, found)| found.0)
    }

    /// What an editor shows that has read this file, if that has been cut off: the rest of the text was deleted by
    /// nobody.
    pub(super) fn read_cut_off(
        &self,
        document: &DocumentId,
        known: &Base,
        there: RawFile,
    ) -> Result<Option<Vec<u8>>, MirrorError> {
        let found = hash(&there.bytes);
        if found == known.file.hash || self.found_cut_off(document) != Some(found) {
            return Ok(None);
        }
        let Some(text) = parse(there.bytes, Some(known.file.eol)) else {
            return Ok(None);
        };
        let mut shown = self.replica(document, &known.state)?;
        let cut = diff(shown.rope(), &Rope::from(text.text));
        shown.splice(&cut);
        Ok(Some(shown.state()))
    }
}

/// So much of its end tells that a text goes on: a program may have changed what stands before.
const END_BYTES: usize = 64;

/// How many bytes are lacking of what was there before, if it can have been cut off.
fn lacks(before: &[u8], there: &[u8]) -> Option<u64> {
    let lacking = before.len().checked_sub(there.len())?;
    let end = &there[there.len().saturating_sub(END_BYTES)..];
    let goes_on = |end: &[u8]| {
        before[..before.len() - 1]
            .windows(end.len())
            .any(|part| part == end)
    };
    let is_part = there.len().is_multiple_of(BLOCK_BYTES);
    (lacking > 0 && is_part && (end.is_empty() || goes_on(end))).then_some(lacking as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_ends_with_a_block_can_have_been_cut_off() {
        let text: Vec<u8> = (0..1_000_u16).flat_map(u16::to_be_bytes).collect();
        assert_eq!(lacks(&text, b""), Some(2_000));
        assert_eq!(lacks(&text, &text[..1_024]), Some(976));
        assert_eq!(lacks(&text, &text[..1_000]), None, "a line was deleted");
        assert_eq!(lacks(&text, &text), None);
        assert_eq!(lacks(&text[..512], &text), None);
        assert_eq!(lacks(&text, &[0; 512]), None, "something else");
        let mut changed = text[..1_024].to_vec();
        changed[..10].fill(0);
        assert_eq!(lacks(&text, &changed), Some(976), "changed as well");
        changed[1_000..].copy_from_slice(&[0; 24]);
        assert_eq!(lacks(&text, &changed), None, "another text");
        assert_eq!(lacks(b"", b""), None);
    }
}
