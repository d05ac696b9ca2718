//! What the text of a file was made out of, when an editor of this directory may have written it.

use std::time::SystemTime;

use ropey::Rope;
use tutti_engine::Left;
use tutti_protocol::ids::DocumentId;

use super::effect::{Effect, Settled};
use super::journals::Window;
use super::nearest::nearest;
use super::recent::Way;
use super::settle::Subject;
use super::state::{Base, hash};
use super::text::render;
use super::tree::RawFile;
use super::{Mirror, MirrorError, doing};

/// What a text was made out of.
pub(super) struct MadeOf {
    /// A state, which holds that.
    pub(super) state: Vec<u8>,
    /// The window that has written it, where that has outlived its bridge.
    pub(super) window: Option<Window>,
}

/// Who has written a text that lacks what stands in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reader {
    /// A program that had read the file a moment before.
    Program,
    /// The window of this number.
    Window(usize),
    /// Somebody who had read it long before, or has seen what was there.
    Anybody,
}

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

    /// What a text was made out of that was written at this time: what the file holds as far as is known;
    /// what a program had read a moment before; or what an editor showed whose bridge has ended, if that is
    /// nearer.
    pub(super) fn made_of(
        &self,
        subject: &mut Subject<'_>,
        base: &Base,
        text: &str,
        written: Option<SystemTime>,
        settled: &mut Settled,
    ) -> Result<MadeOf, MirrorError> {
        let document = subject.document;
        let known = self.replica(document, &base.state)?;
        let text = Rope::from(text);
        let mut windows = match &self.journals {
            Some(journals) => doing("reading .tutti/journals", journals.of_ended(document))?,
            None => Vec::new(),
        };
        let way = |state: &[u8]| -> Result<Option<Way>, MirrorError> {
            let older = self.replica(document, state)?;
            Ok(Way::over(known.rope(), older.rope(), &text))
        };
        // What it may have been made of, and what it took from there.
        let mut sources = Vec::new();
        for (at, window) in windows.iter().enumerate() {
            for shown in &window.left.shown {
                let way = way(shown)?.filter(Way::goes_back);
                sources.extend(way.map(|way| (way.forth, Reader::Window(at), shown.clone())));
            }
        }
        for state in self.recent.just_before(document, written) {
            let way = way(state)?.filter(Way::is_straight);
            sources.extend(way.map(|way| (way.forth, Reader::Program, state.to_vec())));
        }
        for state in self.recent.long_before(document, written) {
            // Whoever goes back to what stood there has meant that.
            let way = way(state)?.filter(|way| way.goes_back() && way.forth > 0);
            sources.extend(way.map(|way| (way.forth, Reader::Anybody, state.to_vec())));
        }
        sources.sort_by_key(|(forth, reader, _)| (*forth, *reader));
        let is_doubtful = match sources.first() {
            Some((_, reader, _)) => *reader == Reader::Anybody && windows.is_empty(),
            None => {
                let left: Vec<Left> = windows.iter().map(|window| window.left.clone()).collect();
                let near = nearest(Some(&base.state), &left, |_| text.clone());
                near.is_some_and(|near| near.left.is_some())
            }
        };
        if is_doubtful {
            // What others have written goes, and nobody can tell who means that from who has read the file
            // before they wrote.
            let bytes = render(&known.text(), base.file.eol);
            let before = self.keep_before(&subject.path, &bytes)?;
            settled.effects.push(Effect::Tell(before));
        }
        // A window that nobody follows may have read the file anew since.
        let is_sure = |reader: Reader| reader != Reader::Anybody || !windows.is_empty();
        let source = sources.into_iter().find(|(_, reader, _)| is_sure(*reader));
        let Some((_, reader, state)) = source else {
            let state = self.nearest_to(subject, base, &text, settled)?;
            return Ok(MadeOf {
                state,
                window: None,
            });
        };
        let window = match reader {
            Reader::Window(at) => Some(windows.swap_remove(at)),
            Reader::Program | Reader::Anybody => None,
        };
        if let Some(window) = &window {
            self.take_in_state(subject, &window.left.state, settled)?;
        }
        Ok(MadeOf { state, window })
    }

    /// The state that a text was made out of: that of the file, or, if it is nearer, what an editor
    /// showed. Its bridge may have ended before it heard that the editor had written the file.
    fn nearest_to(
        &self,
        subject: &mut Subject<'_>,
        base: &Base,
        text: &Rope,
        settled: &mut Settled,
    ) -> Result<Vec<u8>, MirrorError> {
        let document = subject.document;
        let mut left = self.left_behind.beside_file(document);
        left.extend(self.left_since(document, base)?);
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
