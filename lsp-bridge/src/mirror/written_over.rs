//! What another program has written into an open file, and the editor has written over.
//!
//! An editor that is told to save in spite of it, or that does not look, writes over what another
//! program has made of its file. Its person has not undone that, they have not seen it: it is merged
//! when the editor tells of the save. Here it is known if the watcher has told of it, which takes some
//! 60 ms from when the file was at rest; what an editor writes over sooner is lost, as it is without
//! Tutti.
//!
//! Some editors do not tell of each save: Neovim does not if an autocommand makes it. Then it is merged when
//! what the editor shows is found in the file. But such an editor may have written a text that it has told
//! of neither, as it puts off its reports: a program's is what was found there twice, or what is apart from
//! all that was typed.
//!
//! What the editor itself writes is found in the file as well, at any time before it tells so, and
//! perhaps only a part of it. What it may have written are the texts that it has shown lately, and what
//! stood in the file when its opening was heard of: it had read that, or had saved it while its bridge
//! was dead. Of the editor of another window only its own bridge knows those: there a program's is what
//! has stood for a second, and what is written over sooner is lost as well.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use ropey::Rope;
use tutti_engine::Left;
use tutti_engine::diff::diff_lines;
use tutti_engine::patch::Splice;
use tutti_protocol::ids::DocumentId;

use super::beneath::{Seen, TOLD};
use super::editor::{Earlier, EditorSaved};
use super::state::{Base, Hash, hash};
use super::tree::Found;
use super::{Mirror, MirrorError};

/// So many of one file's are kept.
const MOST: usize = 4;

/// No editor puts off its reports for longer.
const REPORTED: Duration = Duration::from_millis(250);

/// So many of the texts that the editor showed last may be what a program has read.
const MADE_OF: usize = 16;

/// What an editor has told of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// That it has written it, after all that it showed before.
    Saved,
    /// Nothing: it shows what was found there.
    Nothing,
}

/// What stood in a file that holds something else by now.
#[derive(Debug)]
pub(super) struct WrittenOver {
    seen: Seen,
    /// What was known of the file before.
    pub(super) base: Base,
    /// When it was seen to be gone.
    gone: Instant,
}

impl Mirror {
    /// The file of an open document holds this now: what was seen there before is gone. `base` is what
    /// was known of the file then.
    pub(super) fn note_written_over(
        &mut self,
        document: &DocumentId,
        there: Option<Hash>,
        base: &Base,
    ) {
        let Some(beneath) = self.beneath.get_mut(document) else {
            return;
        };
        let Some(seen) = beneath.there.take_if(|seen| Some(seen.hash) != there) else {
            return;
        };
        if beneath.over.len() == MOST {
            beneath.over.remove(0);
        }
        beneath.over.push(WrittenOver {
            seen,
            base: base.clone(),
            gone: Instant::now(),
        });
    }

    /// The state of a document with what another program had written when the editor wrote over it.
    pub(super) fn take_written_over(
        &mut self,
        document: &DocumentId,
        saved: &EditorSaved,
    ) -> Result<Option<Vec<u8>>, MirrorError> {
        if !self.beneath.contains_key(document) {
            return Ok(None);
        }
        let base = self.own_record(document)?.and_then(|record| record.base);
        let Some(base) = base.filter(|base| base.file.path == saved.path) else {
            self.beneath.remove(document);
            return Ok(None);
        };
        let there = match self.tree.read(&saved.path) {
            Found::File(file) => Some(hash(&file.bytes)),
            _ => None,
        };
        self.note_written_over(document, there, &base);
        self.judge_written_over(document, saved, Told::Saved)
    }

    /// The same of what is known to have been written over.
    pub(super) fn judge_written_over(
        &mut self,
        document: &DocumentId,
        saved: &EditorSaved,
        told: Told,
    ) -> Result<Option<Vec<u8>>, MirrorError> {
        let Some(beneath) = self.beneath.get_mut(document) else {
            return Ok(None);
        };
        // Of what was seen only after the editor had told of this save, it may be about to tell.
        let is_told = |over: &mut WrittenOver| over.seen.since < saved.told;
        let judged: Vec<_> = beneath.over.extract_if(.., is_told).collect();
        if judged.is_empty() {
            return Ok(None);
        }
        let shown = self.replica(document, &saved.shown)?;
        let mut later = Vec::new();
        let mut whole = None;
        for over in judged.into_iter().rev() {
            // The last one was made out of what stood there before.
            if over.gone.elapsed() >= TOLD
                || self.is_of_an_editor(document, &over, shown.rope(), saved)?
            {
                continue;
            }
            if told == Told::Nothing
                && !self.is_of_a_program(document, &over, shown.rope(), &saved.recent)?
            {
                later.push(over);
                continue;
            }
            let in_editor = [self.in_editor(document, &over, saved)?];
            whole = Some(self.with_written_over(document, over, &in_editor, &saved.state)?);
            break;
        }
        if whole.is_none()
            && !later.is_empty()
            && let Some(beneath) = self.beneath.get_mut(document)
        {
            beneath.over.splice(..0, later.into_iter().rev());
        }
        Ok(whole)
    }

    /// What an editor shows, and what it showed shortly before that comes nearest to a text: a program may have
    /// read that, and what was typed since is not to be written a second time.
    fn in_editor(
        &self,
        document: &DocumentId,
        over: &WrittenOver,
        saved: &EditorSaved,
    ) -> Result<Left, MirrorError> {
        let text = Rope::from(over.seen.text.as_deref().unwrap_or_default());
        let mut shown = vec![saved.shown.clone()];
        let recent = saved.recent.iter().take(MADE_OF);
        if let Some(earlier) = recent.min_by_key(|earlier| diff_lines(&earlier.shown, &text).cost())
        {
            shown.push(self.as_before(document, &saved.shown, &earlier.shown)?);
        }
        Ok(Left {
            state: saved.state.clone(),
            shown,
        })
    }

    /// Whether a text is a program's that no editor has told of, where one may have written what it has not
    /// told of.
    fn is_of_a_program(
        &self,
        document: &DocumentId,
        over: &WrittenOver,
        shown: &Rope,
        recent: &[Earlier],
    ) -> Result<bool, MirrorError> {
        if over.seen.has_stood_for(REPORTED) {
            return Ok(true);
        }
        let before = self.replica(document, &over.base.state)?;
        let text = Rope::from(over.seen.text.as_deref().unwrap_or_default());
        // What the editor wrote just before may not have been seen in the file.
        let recent = recent.iter().map(|earlier| &earlier.shown);
        let mut made_of = std::iter::once(before.rope()).chain(recent.take(MADE_OF));
        Ok(made_of.any(|before| are_apart(before, &text, shown)))
    }

    /// Whether an editor of this directory has written this, or was about to.
    fn is_of_an_editor(
        &self,
        document: &DocumentId,
        over: &WrittenOver,
        shown: &Rope,
        saved: &EditorSaved,
    ) -> Result<bool, MirrorError> {
        let Some(text) = &over.seen.text else {
            return Ok(true);
        };
        if over.seen.at_opening {
            return Ok(true);
        }
        let earlier = saved.recent.iter().map(|earlier| &earlier.shown);
        let mut may_have = std::iter::once(shown).chain(earlier);
        let is_own = may_have.any(|own| match over.seen.has_stood() {
            true => is_same(own, text),
            false => is_same(own, text) || begins_with(own, text),
        });
        // Nothing of it is missing in what the editor shows.
        let rest = diff_lines(&Rope::from(text.as_str()), shown);
        let is_all_there = rest.splices().iter().all(|splice| splice.delete == 0);
        let by_guest = self.saved_by_guest(document, &over.base, over.seen.hash)?;
        if is_own || is_all_there || by_guest.is_some() {
            return Ok(true);
        }
        // A program that has emptied the file has still to write it.
        let before = self.replica(document, &over.base.state)?;
        Ok(!over.seen.has_stood() && begins_with(before.rope(), text))
    }

    /// Whether the editor of a guest has written over what another program had written. What that
    /// editor has shown lately is not known here: its own is what its bridge tells of within a second.
    pub(super) fn is_written_over_by_guest(&self, document: &DocumentId) -> bool {
        let beneath = self.beneath.get(document);
        let mut over = beneath.into_iter().flat_map(|beneath| &beneath.over);
        !self.open.contains(document)
            && over.any(|one| one.seen.has_stood() && one.seen.text.is_some())
    }

    /// What that is, once.
    pub(super) fn written_over_by_guest(&mut self, document: &DocumentId) -> Option<WrittenOver> {
        if !self.is_written_over_by_guest(document) {
            return None;
        }
        let beneath = self.beneath.get_mut(document)?;
        let mut over = std::mem::take(&mut beneath.over).into_iter().rev();
        over.find(|one| one.seen.has_stood() && one.seen.text.is_some())
    }

    /// A document's state with what was written over.
    pub(super) fn with_written_over(
        &self,
        document: &DocumentId,
        over: WrittenOver,
        left: &[Left],
        state: &[u8],
    ) -> Result<Vec<u8>, MirrorError> {
        let text = over.seen.text.unwrap_or_default();
        tracing::info!(%document, "what another program wrote was written over");
        let merged = self.merged_beneath(document, &over.base, &text, left, state)?;
        Ok(merged.main.state())
    }
}

/// Some editors end a file with a line end that they do not show.
fn is_same(own: &Rope, text: &str) -> bool {
    let text = text.strip_suffix('\n').unwrap_or(text);
    let rest = own.get_byte_slice(text.len()..);
    begins_with(own, text) && rest.is_some_and(|rest| rest == "" || rest == "\n")
}

/// Whether a text that was made out of `base` differs from it in other lines than what is `shown`, and not
/// next to these. One that lacks its end may be half of what was being written.
fn are_apart(base: &Rope, text: &Rope, shown: &Rope) -> bool {
    let patches = [text, shown].map(|made| diff_lines(base, made));
    let lacks_end = |splice: &Splice| splice.delete > 0 && splice.end() == base.len_chars();
    if patches[0].splices().last().is_some_and(lacks_end) {
        return false;
    }
    let [text, shown] = patches.map(|patch| {
        let splices = patch.splices().iter();
        let lines = splices.map(|splice| lines(base, splice));
        lines.collect::<Vec<_>>()
    });
    let is_near = |one: &RangeInclusive<usize>, other: &RangeInclusive<usize>| {
        *one.start() <= other.end() + 1 && *other.start() <= one.end() + 1
    };
    let mut pairs = (text.iter()).flat_map(|one| shown.iter().map(move |other| (one, other)));
    !shown.is_empty() && !pairs.any(|(one, other)| is_near(one, other))
}

fn lines(text: &Rope, splice: &Splice) -> RangeInclusive<usize> {
    text.char_to_line(splice.at)..=text.char_to_line(splice.end())
}

fn begins_with(own: &Rope, text: &str) -> bool {
    // Of the last line end only a part may be written.
    let text = text.trim_end_matches('\r');
    let start = own.get_byte_slice(..text.len());
    start.is_some_and(|start| start == text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_last_line_end_makes_no_difference_and_anything_else_does() {
        for (own, text, same) in [
            ("a\nb\n", "a\nb\n", true),
            ("a\nb", "a\nb\n", true),
            ("a\nb\n", "a\nb", true),
            ("", "\n", true),
            ("a\nb\n", "a\n", false),
            ("a\nbc", "a\nb", false),
            ("a\nb", "a\nbc", false),
            ("a\n\u{e9}", "a\n\u{e8}", false),
        ] {
            assert_eq!(is_same(&Rope::from(own), text), same, "{own:?} {text:?}");
        }
    }

    #[test]
    fn what_stands_in_other_lines_is_apart() {
        let base = Rope::from("1\n2\n3\n4\n5\n6\n");
        for (text, shown, apart) in [
            ("1\n2\n3\n4\nnew\n5\n6\n", "1 typed\n2\n3\n4\n5\n6\n", true),
            ("1\n2\n3\n4\n5\n6\nnew\n", "1 typed\n2\n3\n4\n5\n6\n", true),
            ("1\n2\n3\n4\n5\n", "1 typed\n2\n3\n4\n5\n6\n", false),
            ("1\n2\nnew\n3\n4\n5\n6\n", "1\n2 typed\n3\n4\n5\n6\n", false),
            ("1\n2 ty\n3\n4\n5\n6\n", "1\n2 typed\n3\n4\n5\n6\n", false),
        ] {
            let (text, shown) = (Rope::from(text), Rope::from(shown));
            assert_eq!(are_apart(&base, &text, &shown), apart, "{text} {shown}");
        }
    }

    #[test]
    fn half_of_what_is_written_is_its_beginning() {
        let own = Rope::from("a\n\u{e9}b\n");
        for (text, is_part) in [
            ("", true),
            ("a\r", true),
            ("a\n\u{e9}", true),
            ("a\ne", false),
        ] {
            assert_eq!(begins_with(&own, text), is_part, "{text:?}");
        }
    }
}
