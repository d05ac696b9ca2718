//! What the text of a file was made out of, when an editor of this directory may have written it.

use ropey::Rope;
use tutti_engine::Left;
use tutti_protocol::ids::DocumentId;

use super::effect::Settled;
use super::nearest::nearest;
use super::settle::Subject;
use super::state::{Base, hash};
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

    /// The state that a text was made out of: that of the file, or, if it is nearer, what an editor
    /// showed. Its bridge may have ended before it heard that the editor had written the file.
    pub(super) fn made_of(
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
