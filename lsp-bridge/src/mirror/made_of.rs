//! What the text of a file was made out of, when an editor of this directory may have written it.

use std::time::SystemTime;

use ropey::Rope;
use tutti_engine::{Left, Replica};
use tutti_protocol::ids::DocumentId;

use super::effect::{Effect, Notice, Settled};
use super::nearest::nearest;
use super::outlived::Window;
use super::settle::Subject;
use super::state::{Base, hash};
use super::text::render;
use super::tree::RawFile;
use super::way::{Way, is_unaware};
use super::{Mirror, MirrorError, doing, merge};

/// What a text was made out of.
pub(super) struct MadeOf {
    /// A state, which holds that.
    pub(super) state: Vec<u8>,
    /// Those that have outlived their bridges, and the number of the one that has written it.
    windows: Vec<Window>,
    by: Option<usize>,
}

impl MadeOf {
    /// The text has been taken into `main`; `shown` is the state that stands for it.
    pub(super) fn note_text(
        &self,
        document: &DocumentId,
        main: &Replica,
        shown: &[u8],
        text: &str,
    ) -> Result<(), MirrorError> {
        if self.windows.is_empty() {
            return Ok(());
        }
        let text = Rope::from(text);
        let shown = merge::shown_by(main, shown, &text);
        let shown = shown.map_err(|source| MirrorError::BadState {
            document: document.clone(),
            source,
        })?;
        let Some(shown) = shown else {
            return Ok(());
        };
        let noted = match self.by {
            Some(at) => self.windows[at].shows(document, main, &shown),
            // Nothing of others' was missing in it, so any may have written it, and shows it then.
            None => {
                (self.windows.iter()).try_for_each(|window| window.may_show(document, main, &shown))
            }
        };
        doing("writing to .tutti/journals", noted)
    }
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
        &mut self,
        subject: &mut Subject<'_>,
        base: &Base,
        text: &str,
        written: Option<SystemTime>,
        settled: &mut Settled,
    ) -> Result<MadeOf, MirrorError> {
        let document = subject.document;
        let known = self.replica(document, &base.state)?;
        let text = Rope::from(text);
        let windows = match &self.journals {
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
                let older = self.replica(document, shown)?;
                let way = Way::over(known.rope(), older.rope(), &text);
                let way = way.filter(|_| is_unaware(known.rope(), older.rope(), &text));
                sources.extend(way.map(|way| (way.forth, Reader::Window(at), shown.clone())));
            }
        }
        for state in self.recent.just_before(document, written) {
            let way = way(state)?.filter(Way::is_straight);
            sources.extend(way.map(|way| (way.forth, Reader::Program, state.to_vec())));
        }
        let mut long_before = Vec::new();
        for state in self.recent.long_before(document, written) {
            long_before.extend(way(state)?.map(|way| (way, state)));
        }
        // Whoever goes back to what stood there, or only takes something out of that, has meant it.
        if long_before.iter().all(|(way, _)| way.forth > 0) {
            let made = long_before
                .iter()
                .filter(|(way, _)| way.goes_back() && way.brings());
            sources.extend(made.map(|(way, state)| (way.forth, Reader::Anybody, state.to_vec())));
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
        // A window that nobody follows may have read the file anew since.
        let is_sure = |reader: Reader| reader != Reader::Anybody || !windows.is_empty();
        let source = sources.into_iter().find(|(_, reader, _)| is_sure(*reader));
        let is_meant = source.as_ref().is_some_and(|(forth, reader, _)| {
            self.is_written_anew(subject, &text, (*forth, *reader), settled)
        });
        if is_doubtful || is_meant {
            // What others have written goes, and nobody can tell who means that from who has read the file
            // before they wrote.
            let bytes = render(&known.text(), base.file.eol);
            let before = self.keep_before(&subject.path, &bytes)?;
            settled.effects.push(Effect::Tell(before));
        }
        let (state, by) = match source {
            Some(_) if is_meant => (base.state.clone(), None),
            None => (self.nearest_to(subject, base, &text, settled)?, None),
            Some((_, Reader::Window(at), state)) => {
                self.take_in_state(subject, &windows[at].left.state, settled)?;
                (state, Some(at))
            }
            Some((_, Reader::Program | Reader::Anybody, state)) => (state, None),
        };
        Ok(MadeOf { state, windows, by })
    }

    /// Whether a text, which lacks what others have written and is to have that put back, was put back just
    /// so before. The first time the person is told, if it may have been meant.
    fn is_written_anew(
        &mut self,
        subject: &Subject<'_>,
        text: &Rope,
        (forth, reader): (usize, Reader),
        settled: &mut Settled,
    ) -> bool {
        let why = match reader {
            Reader::Window(_) => {
                "a window whose bridge has ended shows the file without it; open it anew there \
                 (:edit! or the like)"
            }
            Reader::Program if forth == 0 => "it had only just arrived there",
            Reader::Program | Reader::Anybody => return false,
        };
        let written = hash(text.to_string().as_bytes());
        let before = self.put_back.insert(subject.document.clone(), written);
        let is_anew = before == Some(written);
        if is_anew {
            self.put_back.remove(subject.document);
        } else if forth == 0 || before.is_none() {
            let path = subject.path.to_string();
            let notice = Notice::PutBack { path, why };
            settled.effects.push(Effect::Tell(notice));
        }
        is_anew
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

    /// A document's state with what was typed and only journals hold: their bridges were killed before they
    /// could store it.
    pub(super) fn with_all_journals(
        &self,
        document: &DocumentId,
        state: &[u8],
    ) -> Result<Vec<u8>, MirrorError> {
        let mut all = state.to_vec();
        if let Some(journals) = &self.journals {
            for left in doing("reading .tutti/journals", journals.of_all(document))? {
                all = self.whole(document, &all, &left.state)?.state;
            }
        }
        Ok(all)
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
