//! Files that a program has cut off, as the disk was full: it emptied one and could not write it again.
//!
//! To all others that would be a deletion of the text. As long as such a file stays what it was found to be, it counts
//! as one that is behind, and is written anew when there is room.

use std::collections::HashMap;

use ropey::Rope;
use tutti_engine::diff::diff;
use tutti_protocol::ids::DocumentId;

use super::state::{Base, Hash, hash};
use super::text::parse;
use super::tree::RawFile;
use super::{Mirror, MirrorError};

/// What they were found to hold.
pub(super) type CutOff = HashMap<DocumentId, Hash>;

/// What a full disk takes of a text ends where a block of the disk does, and no blocks are smaller.
const BLOCK_BYTES: usize = 512;

impl Mirror {
    /// Whether a file that held `before` has been cut off to what is there now.
    pub(super) fn is_cut_off(
        &mut self,
        document: &DocumentId,
        before: &[u8],
        there: &[u8],
    ) -> bool {
        let found = hash(there);
        if self.cut_off.get(document) == Some(&found) {
            return true;
        }
        let is_so = lacks(before, there).is_some_and(|lacking| self.tree.has_no_room_for(lacking));
        match is_so {
            true => self.cut_off.insert(document.clone(), found),
            false => self.cut_off.remove(document),
        };
        is_so
    }

    /// What an editor shows that has read this file, if that has been cut off: the rest of the text was deleted by
    /// nobody.
    pub(super) fn read_cut_off(
        &self,
        document: &DocumentId,
        known: &Base,
        there: RawFile,
    ) -> Result<Option<Vec<u8>>, MirrorError> {
        if self.cut_off.get(document) != Some(&hash(&there.bytes)) {
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

/// How many bytes are lacking of what was there before, if it can have been cut off.
fn lacks(before: &[u8], there: &[u8]) -> Option<u64> {
    let lacking = before.len().checked_sub(there.len())?;
    let is_part = there.len().is_multiple_of(BLOCK_BYTES) && before.starts_with(there);
    (lacking > 0 && is_part).then_some(lacking as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_ends_with_a_block_can_have_been_cut_off() {
        let text: Vec<u8> = (0..2_000_u32).map(|n| n as u8).collect();
        assert_eq!(lacks(&text, b""), Some(2_000));
        assert_eq!(lacks(&text, &text[..1_024]), Some(976));
        assert_eq!(lacks(&text, &text[..1_000]), None, "a line was deleted");
        assert_eq!(lacks(&text, &text), None);
        assert_eq!(lacks(&text[..512], &text), None);
        assert_eq!(lacks(&text, &[0; 512]), None, "something else");
        assert_eq!(lacks(b"", b""), None);
    }
}
