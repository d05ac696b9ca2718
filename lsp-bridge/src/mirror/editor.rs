//! Files that an editor has open.

use std::time::Instant;

use ropey::Rope;
use tutti_engine::diff::diff;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::Eol;
use tutti_protocol::path::ProjectPath;

use super::effect::{Effect, Notice};
use super::marks::Mark;
use super::state::{Base, BaseFile, Hash, Record, hash};
use super::tree::{Expected, Found, RawFile};
use super::watch::Changes;
use super::written_over::Told;
use super::{HeldOpen, Mirror, MirrorError, Role, doing, text};

/// What an editor has written or read, see [`Mirror::editor_saved`].
#[derive(Debug, Clone)]
pub struct EditorSaved {
    /// Where. The path is the editor's: a file that was renamed while it is open is written where
    /// it was.
    pub path: ProjectPath,
    /// What the editor showed, in the document's terms.
    pub shown: Vec<u8>,
    /// The document's state.
    pub state: Vec<u8>,
    /// Whether it holds edits that the server has not confirmed.
    pub unsaved: bool,
    /// What the editor showed shortly before. Some go on to report what is typed while they write a
    /// file, and tell of it then.
    pub recent: Vec<Earlier>,
    /// When it told of it.
    pub told: Instant,
}

/// What an editor showed shortly before.
#[derive(Debug, Clone)]
pub struct Earlier {
    /// The text.
    pub shown: Rope,
    /// When it showed something else, as far as it has told, or is done with writing it at the latest.
    pub until: Instant,
}

impl Mirror {
    /// The state whose text was last written to the document's file or read from it: what an editor
    /// that opens the file has read, unless another program has changed it since.
    pub fn base(&self, document: &DocumentId) -> Result<Option<Vec<u8>>, MirrorError> {
        let known = self.load(document)?.and_then(|record| record.base);
        let known = known.filter(|_| !self.read_elsewhere.contains(document));
        if let Some(known) = &known
            && let Found::File(file) = self.tree.read(&known.file.path)
        {
            if let Some(saved) = self.saved_by_guest(document, known, hash(&file.bytes))? {
                return Ok(Some(saved.state));
            }
            if let Some(shown) = self.read_cut_off(document, known, file)? {
                return Ok(Some(shown));
            }
        }
        Ok(known.map(|base| base.state))
    }

    /// The states whose text the document's file held a moment ago, the last one first: what an editor
    /// may have read just before the mirror wrote it anew.
    pub fn overwritten(&self, document: &DocumentId) -> Result<Vec<Vec<u8>>, MirrorError> {
        doing("reading .tutti/overwritten", self.overwritten.of(document))
    }

    /// Notes where the editor shows a document. It may have read another file there than is known: that
    /// which was moved away from under it before.
    fn note_where(&mut self, document: &DocumentId, at: &ProjectPath) -> Result<(), MirrorError> {
        self.open_at.insert(document.clone(), at.clone());
        let known = self.load(document)?.and_then(|record| record.base);
        let known = known.map(|base| base.file);
        // What this bridge has moved away since, the editor may have read where it was.
        let was_here = self.moved_from.get(at) == Some(document);
        let is_elsewhere = known.is_some_and(|known| {
            !was_here
                && known.path != *at
                && match self.tree.read(at) {
                    Found::File(file) => hash(&file.bytes) != known.hash,
                    _ => true,
                }
        });
        if is_elsewhere {
            self.read_elsewhere.insert(document.clone());
        }
        Ok(())
    }

    /// Keeps a text of an open document in `.tutti/recovered`, and says where.
    pub fn keep(
        &self,
        document: &DocumentId,
        text: &str,
        reason: &'static str,
    ) -> Result<Option<Notice>, MirrorError> {
        let Some(path) = self.path_of(document) else {
            return Ok(None);
        };
        self.keep_aside(path, text.as_bytes(), reason).map(Some)
    }

    /// What the session's editor has open is told here, too, at once.
    pub fn look_at(&mut self, held_open: HeldOpen) {
        self.held_open = held_open;
    }

    /// A file that an editor has opened is the editor's until [`Mirror::closed`].
    /// `path` is where the editor has it.
    pub fn opened(
        &mut self,
        document: &DocumentId,
        path: Option<&ProjectPath>,
    ) -> Result<Vec<Effect>, MirrorError> {
        self.open.insert(document.clone());
        self.look_at_open(document);
        if let Some(path) = path {
            self.note_where(document, path)?;
        }
        self.mark_open(document, true)?;
        self.hears(document, true)?;
        match path {
            Some(path) if self.is_owner() => {
                let mut effects = self.take_back(document, path)?;
                effects.extend(self.look_at_opened(document, path)?);
                Ok(effects)
            }
            _ => Ok(Vec::new()),
        }
    }

    fn mark_open(&self, document: &DocumentId, open: bool) -> Result<(), MirrorError> {
        match &self.role {
            Role::Owner { .. } => Ok(()),
            Role::Guest(own) => doing(
                "writing to .tutti/guests",
                own.mark(document, Mark::Open, open),
            ),
        }
    }

    /// Whether the editor that has the document open reports what is typed.
    pub fn hears(&self, document: &DocumentId, hears: bool) -> Result<(), MirrorError> {
        let marked = match &self.role {
            Role::Owner { .. } => self.store.mark(document, Mark::Deaf, !hears),
            Role::Guest(own) => own.mark(document, Mark::Deaf, !hears),
        };
        doing("writing to .tutti", marked)
    }

    /// The editor has closed the file: the mirror brings it up to date.
    pub fn closed(&mut self, document: &DocumentId) -> Result<Vec<Effect>, MirrorError> {
        if !self.open.remove(document) {
            return Ok(Vec::new());
        }
        self.open_at.remove(document);
        self.open_files.remove(document);
        self.beneath.remove(document);
        self.read_elsewhere.remove(document);
        self.mark_open(document, false)?;
        self.hears(document, true)?;
        self.let_go(std::slice::from_ref(document))
    }

    /// No editor shows these any more: what was left undone because one did, or may have, is made up
    /// for.
    pub(super) fn let_go(&mut self, documents: &[DocumentId]) -> Result<Vec<Effect>, MirrorError> {
        let mut effects = Vec::new();
        let Some(entries) = self.entries.clone() else {
            return Ok(effects);
        };
        // Renamed or removed by others.
        if documents.iter().any(|one| self.is_moved_or_gone(one)) {
            effects = self.index_changed(entries, self.is_current)?;
        }
        // Removed or moved away on disk.
        let files = documents.iter().filter_map(|one| self.known.get(one));
        let mut paths: Vec<_> = files
            .filter_map(|known| Some(known.file.as_ref()?.path.to_string()))
            .collect();
        let strays = std::mem::take(&mut self.strays).into_iter();
        paths.extend(strays.map(|path| path.to_string()));
        let changes = Changes::of(paths);
        effects.extend(self.files_changed(&changes)?);
        for document in documents {
            let sync = Effect::Sync(document.clone());
            if self.shown.contains(document) && !effects.contains(&sync) {
                effects.push(sync);
            }
        }
        Ok(effects)
    }

    /// The editor has opened a file, or shows what is found there. If that holds what the editor shows, it is
    /// known from now on what it was made of. Unless the editor shows it only since it was found, it may have
    /// written it, and not tell of that.
    ///
    /// Returns the same as [`Mirror::editor_saved`].
    pub fn editor_read(
        &mut self,
        document: &DocumentId,
        read: EditorSaved,
        is_late: bool,
    ) -> Result<Option<Vec<u8>>, MirrorError> {
        let Found::File(file) = self.tree.read(&read.path) else {
            return Ok(None);
        };
        let text = self.text_of(document, &read.shown)?;
        let there = hash(&file.bytes);
        let is_shown = text::parse(file.bytes, None).is_some_and(|file| file.text == text);
        if !is_shown || self.found_cut_off(document) == Some(there) {
            return Ok(None);
        }
        let base = self.own_record(document)?.and_then(|record| record.base);
        let mut over = None;
        match base.filter(|_| !is_late) {
            Some(base) => {
                self.note_written_over(document, Some(there), &base);
                over = self.judge_written_over(document, &read, Told::Nothing)?;
            }
            None => drop(self.beneath.remove(document)),
        }
        self.is_in_file_with(document, read, over)
    }

    /// The editor has written a document elsewhere than where its file was moved: there it would stand
    /// with an older text, for who opens it to go back to.
    fn remove_stale(&mut self, before: &BaseFile) {
        if !self.is_owner() {
            return;
        }
        if let Found::File(file) = self.tree.read(&before.path)
            && hash(&file.bytes) == before.hash
            && let Err(reason) = self.tree.remove(&before.path, Expected::Bytes(&file.bytes))
        {
            self.left_alone.insert(before.path.to_string(), reason);
        }
    }

    /// The editor has written a document where another one's file stood, under a name that others have
    /// given away by now: that is written anew once the place is free. It must not pass for deleted.
    fn displace(&mut self, document: &DocumentId, at: &ProjectPath) -> Result<(), MirrorError> {
        let other = self.at.get(at).filter(|other| *other != document).cloned();
        if self.is_owner()
            && let Some(other) = other
            && let Some(mut record) = self.load(&other)?
        {
            record.base = None;
            let durable = record.unsaved;
            self.save_or_hold(&other, record, durable)?;
        }
        Ok(())
    }

    /// The state that a file was made of, with the file's hash, if that is what the editor showed shortly
    /// before it told of what it had written.
    fn written_before(
        &self,
        document: &DocumentId,
        told: &(Vec<u8>, Hash),
        recent: &[Earlier],
        eol: Eol,
        file: RawFile,
    ) -> Result<Option<(Vec<u8>, Hash)>, MirrorError> {
        let there = hash(&file.bytes);
        if there == told.1 {
            return Ok(None);
        }
        let Some(local) = text::parse(file.bytes, Some(eol)) else {
            return Ok(None);
        };
        let is_it = |earlier: &&Earlier| earlier.shown == local.text.as_str();
        let Some(earlier) = recent.iter().find(is_it) else {
            return Ok(None);
        };
        let written = self.as_before(document, &told.0, &earlier.shown)?;
        Ok(Some((written, there)))
    }

    /// The state of what an editor showed before it came to show this.
    pub(super) fn as_before(
        &self,
        document: &DocumentId,
        shown: &[u8],
        before: &Rope,
    ) -> Result<Vec<u8>, MirrorError> {
        let mut state = self.replica(document, shown)?;
        let back = diff(state.rope(), before);
        state.splice(&back);
        Ok(state.state())
    }

    /// The editor has written a file. What the disk holds beyond what it showed (a final newline, a
    /// formatter's work) counts as another program's.
    ///
    /// The document's replica is stored with it, as one: were the file known to hold what the
    /// replica lacks, that would pass for deleted by others.
    ///
    /// Returns what the document lacks of what another program had written there, as an update.
    pub fn editor_saved(
        &mut self,
        document: &DocumentId,
        saved: EditorSaved,
    ) -> Result<Option<Vec<u8>>, MirrorError> {
        let over = self.take_written_over(document, &saved)?;
        self.is_in_file_with(document, saved, over)
    }

    /// The file holds what the editor has; `over` is the document's state with what was written over by that.
    fn is_in_file_with(
        &mut self,
        document: &DocumentId,
        mut saved: EditorSaved,
        over: Option<Vec<u8>>,
    ) -> Result<Option<Vec<u8>>, MirrorError> {
        let mut lacked = None;
        if let Some(state) = over {
            let whole = self.whole(document, &saved.state, &state)?;
            (saved.state, lacked) = (whole.state, whole.lacked);
            saved.unsaved = true;
        }
        self.is_in_file(document, saved)?;
        Ok(lacked)
    }

    fn is_in_file(&mut self, document: &DocumentId, saved: EditorSaved) -> Result<(), MirrorError> {
        let EditorSaved {
            path,
            shown,
            state,
            unsaved,
            recent,
            told: _,
        } = saved;
        self.left_behind.file_is_known(document);
        self.may_be_settled(document);
        self.not_cut_off(document);
        self.read_elsewhere.remove(document);
        let record = self.grown(document, &state, unsaved)?;
        if self.path_of(document).is_none() {
            let durable = record.unsaved;
            return self.save_or_hold(document, record, durable);
        }
        if let Some(before) = &record.base
            && before.file.path != path
        {
            self.remove_stale(&before.file);
            self.strays.insert(before.file.path.clone());
        }
        self.displace(document, &path)?;
        let entry = self.entries.as_ref().and_then(|e| e.get(document));
        let (eol, listed_executable) = entry.map_or((Eol::Lf, false), |e| (e.eol, e.executable));
        let text = self.text_of(document, &shown)?;
        let mut written = (shown, hash(&text::render(&text, eol)));
        let mut executable = listed_executable;
        let mut identity = None;
        if let Found::File(file) = self.tree.read(&path) {
            identity = file.identity;
            executable = file.executable.unwrap_or(listed_executable);
            // No editor sets it by saving: whoever did is heard of with the next look at the file.
            let before = record.base.as_ref().map(|base| &base.file);
            executable &= before.is_none_or(|before| before.executable || before.path != path);
            if let Some(earlier) = self.written_before(document, &written, &recent, eol, file)? {
                written = earlier;
            }
        }
        let base = Base {
            state: written.0,
            file: BaseFile {
                path,
                eol,
                executable,
                hash: written.1,
                listed: !self.announced.contains(document),
                identity,
            },
        };
        let record = Record {
            base: Some(base),
            ..record
        };
        let durable = record.unsaved;
        self.save_or_hold(document, record, durable)?;
        self.look_at_open(document);
        Ok(())
    }
}
