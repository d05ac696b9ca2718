//! What the text of a file was made out of, when an editor of this directory may have written it.

use std::time::SystemTime;

use ropey::Rope;
use tutti_engine::{Left, Replica};
use tutti_protocol::ids::DocumentId;

use super::effect::{Effect, Notice, Settled};
use super::nearest::nearest;
use super::recent::leads_over;
use super::settle::Subject;
use super::state::{Base, hash};
use super::text::render;
use super::tree::RawFile;
use super::{Mirror, MirrorError, doing};

impl Mirror {
    /// Where a guest's editor has written what the file holds, it is known what it was made of.
    pub(super) fn take_saved(
        &mut self,
        subject: &mut Subject<'_>,
        file: &RawFile,
        base: Base,
        settled: &mut Settled,
    ) -> Result<Base, MirrorError> {
        let on_disk = hash(&file.bytes);
        let Some(saved) = self.saved_by_guest(subject.document, &base, on_disk)? else {
            return Ok(base);
        };
        self.take_in_state(subject, &saved.state, settled)?;
        self.remember(subject, Some(saved.clone()))?;
        Ok(saved)
    }

    /// The state that a text was made out of which was written at this time.
    pub(super) fn made_of(
        &mut self,
        subject: &mut Subject<'_>,
        base: &Base,
        text: &str,
        written: Option<SystemTime>,
        settled: &mut Settled,
    ) -> Result<Vec<u8>, MirrorError> {
        let known = self.replica(subject.document, &base.state)?;
        let rope = Rope::from(text);
        let read = self
            .recent
            .read_by(subject.document, &known, &rope, written);
        if let Some(read) = read.as_ref().filter(|read| read.is_recent) {
            return Ok(read.state.clone());
        }
        // A window that has outlived its bridge knows nothing of what came since.
        let left = match &self.journals {
            Some(journals) => doing(
                "reading .tutti/journals",
                journals.of_ended(subject.document),
            )?,
            None => Vec::new(),
        };
        for one in &left {
            for shown in &one.shown {
                let showed = self.replica(subject.document, shown)?;
                if leads_over(known.rope(), showed.rope(), &rope) {
                    self.take_in_state(subject, &one.state, settled)?;
                    return Ok(shown.clone());
                }
            }
        }
        match read {
            Some(read) if !left.is_empty() => return Ok(read.state),
            Some(_) => self.keep_before(subject, base, &known, settled)?,
            None => {}
        }
        self.nearest_to(subject, base, text, settled)
    }

    /// What others had written since an earlier text of the file goes with what was written here. It may
    /// have been meant.
    fn keep_before(
        &self,
        subject: &Subject<'_>,
        base: &Base,
        known: &Replica,
        settled: &mut Settled,
    ) -> Result<(), MirrorError> {
        let bytes = render(&known.text(), base.file.eol);
        let kept_at = self.private.recover(&subject.path, &bytes);
        let kept_at = kept_at.map_err(|why| MirrorError::Io {
            doing: format!("keeping a copy of {}", subject.path),
            source: std::io::Error::other(why),
        })?;
        let path = subject.path.to_string();
        let before = Notice::Before { path, kept_at };
        settled.effects.push(Effect::Tell(before));
        Ok(())
    }

    /// The state that a text was made out of: that of the file, or, if it is nearer, what an editor
    /// showed. Its bridge may have ended before it heard that the editor had written the file.
    fn nearest_to(
        &self,
        subject: &mut Subject<'_>,
        base: &Base,
        text: &str,
        settled: &mut Settled,
    ) -> Result<Vec<u8>, MirrorError> {
        let document = subject.document;
        let mut left = self.left_behind.beside_file(document);
        left.extend(self.left_since(document, base)?);
        let text = Rope::from(text);
        let Some(near) = nearest(Some(&base.state), &left, |_| text.clone()) else {
            return Ok(base.state.clone());
        };
        if let Some(left) = near.left {
            self.take_in_state(subject, &left.state, settled)?;
        }
        Ok(near.state.to_vec())
    }

    /// What the editors of this directory show that the file is not known to have held. What it held
    /// once another program may have put there again.
    pub(super) fn left_since(
        &self,
        document: &DocumentId,
        base: &Base,
    ) -> Result<Vec<Left>, MirrorError> {
        let Some(journals) = &self.journals else {
            return Ok(Vec::new());
        };
        let mut found = doing("reading .tutti/journals", journals.of_all(document))?;
        for left in &mut found {
            let mut news = Vec::new();
            for shown in std::mem::take(&mut left.shown) {
                if self.whole(document, &base.state, &shown)?.lacked.is_some() {
                    news.push(shown);
                }
            }
            left.shown = news;
        }
        Ok(found)
    }

    /// The document takes in what an editor has of it besides.
    fn take_in_state(
        &self,
        subject: &mut Subject<'_>,
        state: &[u8],
        settled: &mut Settled,
    ) -> Result<(), MirrorError> {
        let whole = self.whole(subject.document, &subject.main.state(), state)?;
        if let Some(lacked) = whole.lacked {
            subject.main = self.replica(subject.document, &whole.state)?;
            subject.unsaved = true;
            settled.add(lacked);
        }
        Ok(())
    }
}
