//! Files that another program changes while an editor of this directory shows them.
//!
//! The editor may read such a file again by itself, ask its person, or write over it. What the program
//! made is an edit like any other: it goes into the document, and so into what the editor shows. But
//! what the editor itself has written looks the same until it says so.

use std::time::{Duration, Instant};

use ropey::Rope;
use tutti_engine::Left;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::path::ProjectPath;

use super::editor::EditorSaved;
use super::effect::Effect;
use super::merge::{Merged, merge_disk};
use super::nearest::nearest;
use super::state::{Base, BaseFile, Hash, hash};
use super::text::{parse, render};
use super::tree::{Found as OnDisk, Identity, RawFile};
use super::written_over::WrittenOver;
use super::{Mirror, MirrorError};

/// An editor says sooner that it has written a file, and sends what it had not sent before.
pub(super) const TOLD: Duration = Duration::from_secs(3);

/// A file was written this long before that was seen, at most, whatever time it says: programs set it as they like.
const SEEN: Duration = Duration::from_secs(2);

/// The time of a file may be that of the last tick of the system's clock.
const TICK: Duration = Duration::from_millis(20);

/// Nobody who writes a file takes so long to go on.
pub(super) const STOOD: Duration = Duration::from_secs(1);

/// What the file of an open document holds that is not known of it yet.
#[derive(Debug, Default)]
pub(super) struct Beneath {
    pub(super) there: Option<Seen>,
    /// What it held so shortly before, the oldest first.
    pub(super) over: Vec<WrittenOver>,
}

/// What was found in a file.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) hash: Hash,
    /// `None` for what is no text.
    pub(super) text: Option<String>,
    pub(super) since: Instant,
    /// When it was written, or before.
    pub(super) written: Instant,
    /// When it was found there the last time.
    pub(super) until: Instant,
    /// It stood there when the editor's opening was heard of.
    pub(super) at_opening: bool,
}

impl Seen {
    /// It stood there for a while: it is not half of what was being written.
    pub(super) fn has_stood(&self) -> bool {
        self.has_stood_for(STOOD)
    }

    pub(super) fn has_stood_for(&self, time: Duration) -> bool {
        self.until.duration_since(self.since) >= time
    }
}

/// What another program has written.
struct Found {
    path: ProjectPath,
    text: String,
    hash: Hash,
    written: Instant,
    identity: Option<Identity>,
    /// What was known of the file before.
    base: Base,
}

impl Mirror {
    /// Looks at the file of a document that an editor shows.
    pub(super) fn look_beneath(
        &mut self,
        document: &DocumentId,
        path: &ProjectPath,
        file: RawFile,
    ) -> Result<Vec<Effect>, MirrorError> {
        let there = hash(&file.bytes);
        let base = self.own_record(document)?.and_then(|record| record.base);
        let base = base.filter(|base| base.file.path == *path);
        let Some(base) = base.filter(|_| !self.read_only && self.is_owner()) else {
            self.beneath.remove(document);
            return Ok(Vec::new());
        };
        if base.file.hash == there {
            self.not_cut_off(document);
            self.is_known_again(document, there);
            return Ok(Vec::new());
        }
        let before = render(&self.text_of(document, &base.state)?, base.file.eol);
        if self.is_cut_off(document, &before, &file) {
            self.beneath.remove(document);
            return Ok(self.write_whole(document, &base, &before, &file));
        }
        if self.saved_by_guest(document, &base, there)?.is_some() {
            self.note_written_over(document, Some(there), &base);
            self.is_known_again(document, there);
            let is_lost = self.is_written_over_by_guest(document);
            let beneath = is_lost.then(|| Effect::Beneath(document.clone()));
            return Ok(beneath.into_iter().collect());
        }
        self.note_written_over(document, Some(there), &base);
        let again = Effect::LookAgain(path.clone());
        let beneath = self.beneath.entry(document.clone()).or_default();
        if let Some(seen) = &mut beneath.there {
            seen.until = Instant::now();
            return Ok(match seen.since.elapsed() < TOLD {
                true => vec![again],
                false => vec![Effect::Beneath(document.clone())],
            });
        }
        let (since, age) = (Instant::now(), file.age().unwrap_or(SEEN).min(SEEN));
        let text = parse(file.bytes, Some(base.file.eol)).map(|file| file.text);
        beneath.there = Some(Seen {
            hash: there,
            text: text.clone(),
            since,
            written: since.checked_sub(age + TICK).unwrap_or(since),
            until: since,
            at_opening: false,
        });
        let written = text.map(|text| Effect::Written(document.clone(), text));
        Ok(written.into_iter().chain([again]).collect())
    }

    /// A file holds what is known of it. What was seen there just before its program has taken back;
    /// what the editor wrote over, it is about to tell of.
    fn is_known_again(&mut self, document: &DocumentId, there: Hash) {
        let Some(beneath) = self.beneath.get_mut(document) else {
            return;
        };
        let seen = beneath.there.take();
        if beneath.over.is_empty() || seen.is_some_and(|seen| seen.hash != there) {
            self.beneath.remove(document);
        }
    }

    /// An editor has opened a document. What its file held before was looked at as a closed one's.
    pub(super) fn look_at_opened(
        &mut self,
        document: &DocumentId,
        path: &ProjectPath,
    ) -> Result<Vec<Effect>, MirrorError> {
        self.beneath.remove(document);
        let OnDisk::File(file) = self.tree.read(path) else {
            return Ok(Vec::new());
        };
        let effects = self.look_beneath(document, path, file)?;
        let beneath = self.beneath.get_mut(document);
        if let Some(seen) = beneath.and_then(|beneath| beneath.there.as_mut()) {
            seen.at_opening = true;
        }
        Ok(effects)
    }

    /// Merges what another program has written into a file that the session's editor shows; returns
    /// what the document lacks of it, as an update.
    pub fn take_beneath(
        &mut self,
        document: &DocumentId,
        shown: EditorSaved,
    ) -> Result<Option<Vec<u8>>, MirrorError> {
        let Some(found) = self.found_beneath(document)? else {
            return Ok(None);
        };
        if found.path != shown.path {
            return Ok(None);
        }
        // An editor that does not tell of what it writes, or has not yet. What it showed no longer when that was written,
        // a program has brought back.
        let mut recent = shown.recent.iter();
        let is_own =
            recent.any(|one| one.until >= found.written && one.shown == found.text.as_str());
        if is_own || found.text == self.text_of(document, &shown.shown)? {
            return self.editor_saved(document, shown);
        }
        let in_editor = [Left {
            state: shown.state.clone(),
            shown: vec![shown.shown],
        }];
        let merged = self.merge_beneath(document, found, &in_editor, &shown.state)?;
        Ok(self.whole(document, &shown.state, &merged)?.lacked)
    }

    /// The same of a document that the editor of a guest shows, as its journal has it. `state` is what
    /// the document is; the update goes to the server, and from there to the guest.
    pub(super) fn take_beneath_guest(
        &mut self,
        document: &DocumentId,
        state: &[u8],
    ) -> Result<Option<Vec<u8>>, MirrorError> {
        if self.open.contains(document) || !self.beneath.contains_key(document) {
            return Ok(None);
        }
        if let Some(over) = self.written_over_by_guest(document) {
            let (left, whole) = self.with_journals(document, &over.base, state)?;
            let merged = self.with_written_over(document, over, &left, &whole)?;
            let record = self.grown(document, &merged, true)?;
            self.save(document, &record, true)?;
            return Ok(self.whole(document, state, &record.state)?.lacked);
        }
        let Some(found) = self.found_beneath(document)? else {
            return Ok(None);
        };
        let (left, whole) = self.with_journals(document, &found.base, state)?;
        let merged = self.merge_beneath(document, found, &left, &whole)?;
        Ok(self.whole(document, state, &merged)?.lacked)
    }

    /// What the editors of guests show, and a document's state with that.
    fn with_journals(
        &self,
        document: &DocumentId,
        base: &Base,
        state: &[u8],
    ) -> Result<(Vec<Left>, Vec<u8>), MirrorError> {
        let left = self.left_since(document, base)?;
        let mut whole = state.to_vec();
        for one in &left {
            whole = self.whole(document, &whole, &one.state)?.state;
        }
        Ok((left, whole))
    }

    /// What stands in a file that is not what is known of it, and is nobody's who is about to say so.
    fn found_beneath(&mut self, document: &DocumentId) -> Result<Option<Found>, MirrorError> {
        let seen = self.beneath.remove(document);
        let seen = seen.and_then(|beneath| beneath.there);
        let base = self.own_record(document)?.and_then(|record| record.base);
        let (Some(seen), Some(base)) = (seen, base) else {
            return Ok(None);
        };
        let OnDisk::File(file) = self.tree.read(&base.file.path) else {
            return Ok(None);
        };
        // Written again meanwhile: the watcher tells of that.
        let is_it = hash(&file.bytes) == seen.hash && seen.since.elapsed() >= TOLD;
        let identity = file.identity;
        let text = parse(file.bytes, Some(base.file.eol)).filter(|_| is_it);
        Ok(text.map(|text| Found {
            path: base.file.path.clone(),
            text: text.text,
            hash: seen.hash,
            written: seen.written,
            identity,
            base,
        }))
    }

    /// Stores the document with what was found, and returns its state.
    fn merge_beneath(
        &mut self,
        document: &DocumentId,
        found: Found,
        left: &[Left],
        state: &[u8],
    ) -> Result<Vec<u8>, MirrorError> {
        let merged = self.merged_beneath(document, &found.base, &found.text, left, state)?;
        let mut record = self.grown(document, &merged.main.state(), true)?;
        record.base = Some(Base {
            state: merged.base,
            file: BaseFile {
                hash: found.hash,
                identity: found.identity,
                ..found.base.file
            },
        });
        self.save(document, &record, true)?;
        Ok(record.state)
    }

    /// The document with a text that a program has made out of what the file held, or out of what an
    /// editor showed.
    pub(super) fn merged_beneath(
        &self,
        document: &DocumentId,
        base: &Base,
        text: &str,
        left: &[Left],
        state: &[u8],
    ) -> Result<Merged, MirrorError> {
        let shown = Rope::from(text);
        let read = nearest(Some(&base.state), left, |_| shown.clone());
        let read = read.map_or(base.state.clone(), |near| near.state.to_vec());
        let merged = merge_disk(&read, state, text);
        merged.map_err(|source| MirrorError::BadState {
            document: document.clone(),
            source,
        })
    }
}
