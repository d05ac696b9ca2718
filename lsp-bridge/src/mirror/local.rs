//! The project follows the directory: what other programs changed, made, deleted or moved.

use std::collections::HashSet;
use std::time::{SystemTime, UNIX_EPOCH};

use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::FileEntry;
use tutti_protocol::path::ProjectPath;

use super::arrivals::NewFile;
use super::blob::see::Disk;
use super::effect::{Effect, IndexEdit};
use super::ignores::Ignores;
use super::places::Places;
use super::state::{Base, BaseFile, Record, hash};
use super::text::{TextFile, parse};
use super::tree::{Found, LeftAlone};
use super::walk::walk;
use super::watch::Changes;
use super::{Mirror, MirrorError, alike_edits};

/// What a look at the disk has found.
#[derive(Default)]
pub(super) struct News {
    pub(super) created: Vec<NewFile>,
    pub(super) deleted: Vec<DocumentId>,
    /// Missing as well, and open in an editor.
    pub(super) missing_open: Vec<DocumentId>,
    pub(super) changed: Vec<DocumentId>,
    /// What comes of files that an editor shows.
    beneath: Vec<Effect>,
    /// Someone is writing to these.
    pub(super) busy: Vec<ProjectPath>,
}

impl Mirror {
    /// Looks at what may have changed on disk. Does nothing before the first
    /// [`Mirror::index_changed`], since until then nobody knows which files are new.
    pub fn files_changed(&mut self, changes: &Changes) -> Result<Vec<Effect>, MirrorError> {
        let mut effects = Vec::new();
        if !self.is_owner() || self.entries.is_none() {
            return Ok(effects);
        }
        self.disk_changed(&changes.paths);
        // A directory that was unmounted or removed must not pass for one whose files were all
        // deleted.
        if self.tree.private().is_err() {
            return Err(MirrorError::Gone(self.tree.path().display().to_string()));
        }
        let mut news = News::default();
        let mut candidates = self.candidates(changes);
        if self.follow_traded(&mut candidates, &mut effects)? {
            self.make_moves(&mut effects)?;
        }
        for path in candidates {
            self.look(path, &mut news)?;
        }
        if self.read_only {
            for file in news.created.drain(..) {
                let reason = LeftAlone::ReadOnly;
                self.left_alone.insert(file.path.to_string(), reason);
            }
            // They are written again.
            news.changed.append(&mut news.deleted);
            news.missing_open.clear();
        }
        self.pair(&mut news, &mut effects)?;
        self.leave_namesakes(&mut news, &mut effects);
        for document in news.deleted {
            if self.is_blob(&document) {
                self.settle_blob(&document, None, &mut effects)?;
                continue;
            }
            if self.is_gone(&document) {
                self.vanished.insert(document.clone());
                effects.push(Effect::Sync(document));
                continue;
            }
            let known = self.known.get(&document);
            let file = known.and_then(|known| known.file.as_ref());
            effects.extend(file.map(|file| Effect::LookAgain(file.path.clone())));
        }
        for file in news.created {
            match file.seen.text {
                Some(_) => self.created_here(file, &mut effects)?,
                None => self.arrives(file.path, &file.seen, None, &mut effects),
            }
        }
        for document in news.changed {
            match self.is_blob(&document) {
                true => self.settle_blob(&document, None, &mut effects)?,
                false => effects.push(Effect::Sync(document)),
            }
        }
        if changes.everything {
            self.looked_at_everything();
        }
        effects.append(&mut news.beneath);
        effects.extend(news.busy.into_iter().map(Effect::LookAgain));
        if effects
            .iter()
            .any(|effect| matches!(effect, Effect::Index(_)))
        {
            self.shown = Places::of(self.entries.get_or_insert_default());
        }
        Ok(effects)
    }

    /// The files to look at.
    fn candidates(&mut self, changes: &Changes) -> Vec<ProjectPath> {
        let rules_changed = changes.paths.iter().any(|path| {
            let name = path.rsplit('/').next().unwrap_or(path);
            Ignores::is_rule_file(name)
        });
        if changes.everything || rules_changed {
            self.ignores.forget();
            self.left_alone.clear();
            self.watch_anew(&[""]);
            let mut paths = self.walk_and_watch("");
            paths.extend(self.at.keys().cloned());
            paths.sort();
            paths.dedup();
            return paths;
        }
        let mut paths = Vec::new();
        // All of them first: one that moved is there twice, under its names.
        let changed: Vec<&str> = changes.paths.iter().map(String::as_str).collect();
        self.watch_anew(&changed);
        // A directory that came, went or moved takes its files with it. So does a name that was in the way
        // of those that wait.
        let beneath = |path: &&str| {
            let ends = path.match_indices('/');
            ends.into_iter()
                .any(|(end, _)| changes.paths.contains(&path[..end]))
        };
        let known = self.at.keys().map(ProjectPath::as_str);
        let waiting = self.refused.values().map(|(path, _)| path);
        let waiting = waiting.chain(self.left_alone.keys()).map(String::as_str);
        let all = known.chain(waiting).filter(beneath);
        paths.extend(all.filter_map(|path| path.parse::<ProjectPath>().ok()));
        for changed in &changes.paths {
            let Ok(path) = changed.parse::<ProjectPath>() else {
                continue;
            };
            match self.tree.directory(Some(changed)) {
                Ok(_) | Err(LeftAlone::OtherProject(_)) => {
                    // Where a file was known, there is none any more.
                    self.left_alone.remove(changed);
                    paths.extend(self.at.get_key_value(&path).map(|(path, _)| path.clone()));
                    if !self.is_ignored_directory(&path) {
                        paths.extend(self.walk_and_watch(changed));
                    }
                }
                Err(_) => paths.push(path),
            }
        }
        paths.sort();
        paths.dedup();
        paths
    }

    /// What is found of these is watched as it is now.
    fn watch_anew(&mut self, directories: &[&str]) {
        if let Some(watcher) = &mut self.watcher {
            for directory in directories {
                watcher.forget(directory);
            }
        }
    }

    fn is_ignored_directory(&mut self, path: &ProjectPath) -> bool {
        self.ignores.why_out(&self.tree, path).is_some()
            || self.ignores.matches(&self.tree, path.as_str(), true)
    }

    fn walk_and_watch(&mut self, start: &str) -> Vec<ProjectPath> {
        let mut listing = walk(&self.tree, &mut self.ignores, start);
        if let Some(watcher) = &mut self.watcher {
            let mut watched = HashSet::new();
            // What was made in a directory before it was watched would go unseen, directories as well.
            loop {
                let mut news = std::mem::take(&mut listing.directories);
                news.retain(|directory| !watched.contains(directory));
                if news.is_empty() {
                    break;
                }
                watcher.watch(&news);
                watched.extend(news);
                listing = walk(&self.tree, &mut self.ignores, start);
            }
        }
        self.left_alone.extend(listing.left_alone);
        if let Err(error) = self.take_away(&listing.temporaries) {
            tracing::warn!(%error, "temporary files stay");
        }
        listing.files
    }

    fn look(&mut self, path: ProjectPath, news: &mut News) -> Result<(), MirrorError> {
        let document = self.at.get(&path).cloned();
        if let Some(document) = document {
            if self.remove_late(&document, &mut news.beneath)? {
                return Ok(());
            }
            return self.look_at_known(document, &path, news);
        }
        if self.ignores.why_out(&self.tree, &path).is_some() {
            return Ok(());
        }
        if let Some(document) = self.document_at(&path).cloned() {
            // Listed, and not written yet: the two meet when the document is synced.
            if !self.is_open(&document)? {
                news.changed.push(document);
            }
            return Ok(());
        }
        match self.see_arriving(&path) {
            Disk::Missing => {
                self.left_alone.remove(path.as_str());
            }
            Disk::Busy => news.busy.push(path),
            Disk::Blocked(reason) => {
                self.left_alone.insert(path.to_string(), reason);
            }
            Disk::File(mut seen) => {
                self.left_alone.remove(path.as_str());
                if seen.looked.bytes == 0 {
                    seen.text = parse(Vec::new(), None);
                }
                news.created.push(NewFile { path, seen });
            }
        }
        Ok(())
    }

    fn look_at_known(
        &mut self,
        document: DocumentId,
        path: &ProjectPath,
        news: &mut News,
    ) -> Result<(), MirrorError> {
        if self.blob_record(&document).is_some() {
            match self.tree.look(path) {
                Ok(None) => news.deleted.push(document),
                _ => news.changed.push(document),
            }
            return Ok(());
        }
        if self.is_open(&document)? {
            if self.comes_to_be(&document, path) {
                news.beneath.push(Effect::Wanted(document.clone()));
            }
            match self.tree.read(path) {
                Found::Missing => news.missing_open.push(document),
                Found::File(file) => {
                    self.not_missing(&document);
                    let (there, executable) = (hash(&file.bytes), file.executable);
                    let known = self.known.get(&document);
                    let known = known.and_then(|known| known.file.as_ref());
                    if known.is_some_and(|known| known.hash == there) {
                        self.is_file_now(&document, path, file.identity)?;
                    }
                    let effects = &mut news.beneath;
                    self.look_at_mode(&document, (path, there), executable, effects)?;
                    // Else it is looked at as a closed one's, once nobody is expected any more.
                    if !self.is_awaited(&document) || self.guests_have_open(&document)? {
                        let mut found = self.look_beneath(&document, path, file)?;
                        news.beneath.append(&mut found);
                    }
                }
                _ => {}
            }
            return Ok(());
        }
        let known = self.known.get(&document);
        let Some(base) = known.and_then(|known| known.file.as_ref()) else {
            return Ok(());
        };
        match self.tree.read(path) {
            Found::Missing => news.deleted.push(document),
            Found::File(file) => {
                let same_mode = file.executable.is_none_or(|on| on == base.executable);
                let is_known = hash(&file.bytes) == base.hash;
                let is_same = is_known && same_mode;
                if is_known {
                    self.not_cut_off(&document);
                    self.is_file_now(&document, path, file.identity)?;
                }
                self.not_missing(&document);
                // What others wrote while its place was taken has still to come here.
                let waits = self.refused.contains_key(&document);
                news.changed.extend((!is_same || waits).then_some(document));
            }
            // It may have grown into a file that travels whole.
            Found::Blocked(LeftAlone::TooBig) => news.changed.push(document),
            Found::Blocked(reason) => {
                self.refuse(&document, path.as_str(), reason);
            }
        }
        Ok(())
    }

    /// A file was deleted here, and nobody has changed its document since.
    pub(super) fn deleted_here(
        &mut self,
        document: &DocumentId,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        match self.load(document)? {
            Some(record) => {
                self.lately.deleted(&record);
                if let Some(base) = &record.base {
                    let path = base.file.path.clone();
                    self.deleted.insert(path, (document.clone(), record));
                }
                self.put_aside(document)?;
            }
            None => self.forget(document)?,
        }
        self.unlist(document, effects);
        Ok(())
    }

    /// Takes a document that was deleted here out of the index.
    pub(super) fn unlist(&mut self, document: &DocumentId, effects: &mut Vec<Effect>) {
        self.edit_index(IndexEdit::Remove(document.clone()), effects);
        self.shown
            .remove(document, self.entries.get_or_insert_default());
    }

    pub(super) fn created_here(
        &mut self,
        file: NewFile,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        let NewFile { path, seen } = file;
        let Some(text) = seen.text else {
            return Ok(());
        };
        let file = BaseFile {
            path,
            eol: text.eol,
            executable: seen.looked.executable.unwrap_or(false),
            hash: seen.hash.0,
            listed: false,
            identity: seen.looked.stamp.identity,
        };
        // Deleted and made again, as many programs save: the same document, with its history.
        let deleted = self.deleted.remove(&file.path).or_else(|| {
            let moved_from = self.deleted_with(&file.hash, text.text.is_empty())?;
            self.deleted.remove(&moved_from)
        });
        // Unless someone has brought it back, and it stands elsewhere by now.
        let deleted = deleted.filter(|(document, _)| {
            let entries = self.entries.as_ref();
            let is_listed = entries.is_some_and(|all| all.contains_key(document));
            !is_listed && !self.known.contains_key(document)
        });
        let (document, mut record) = match deleted {
            Some(known) => known,
            None => (new_document_id(), new_record(&text, &file)),
        };
        if let Some(base) = &mut record.base {
            base.file.path = file.path.clone();
            base.file.listed = false;
        }
        tracing::debug!(%document, path = %file.path, "a file is new");
        self.announced.insert(document.clone());
        self.save_or_hold(&document, record, false)?;
        let entry = FileEntry {
            path: file.path.to_string(),
            eol: file.eol,
            executable: file.executable,
            created_at: now_ms(),
            created_by: self.me.clone(),
            blob: None,
        };
        self.edit_index(IndexEdit::Insert(document.clone(), entry), effects);
        effects.push(Effect::Sync(document));
        Ok(())
    }
}

fn new_record(text: &TextFile, file: &BaseFile) -> Record {
    let state = alike_edits::begin(&text.text).state();
    Record {
        base: Some(Base {
            state: state.clone(),
            file: file.clone(),
        }),
        state,
        unsaved: true,
        confirmed: None,
    }
}

/// 16 characters out of 36: two people who add files at once do not meet.
pub(super) fn new_document_id() -> DocumentId {
    let characters = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let id: String = (0..16)
        .map(|_| char::from(characters[fastrand::usize(..characters.len())]))
        .collect();
    id.parse().expect("16 characters that an id may have")
}

/// Milliseconds since 1970 (UTC).
pub(super) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_millis() as i64)
}
