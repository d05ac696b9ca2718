//! New files that are no texts, and texts that are none any more.

use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::{Blob, Eol, FileEntry};
use tutti_protocol::path::ProjectPath;

use super::record::BlobRecord;
use super::see::{Disk, Seen};
use crate::mirror::arrivals::NewFile;
use crate::mirror::effect::{Cargo, Effect, IndexEdit};
use crate::mirror::local::{new_document_id, now_ms};
use crate::mirror::places::Places;
use crate::mirror::text::render;
use crate::mirror::tree::Stamp;
use crate::mirror::{Mirror, MirrorError};

/// Why a text is kept that others wrote into a file that is no text any more, as a clause.
const NO_TEXT: &str =
    "the file is no text any more, or more than 10 MiB of it, and others had changed it";

/// A file whose content is on its way to the server, and which the index does not list yet.
#[derive(Debug, Clone)]
pub(in crate::mirror) struct Arriving {
    hash: BlobHash,
    bytes: u64,
    executable: bool,
    stamp: Stamp,
    /// The text that the file was until now.
    instead_of: Option<DocumentId>,
    /// The server has it. What others have written into the text is waited for.
    has_arrived: bool,
}

impl Arriving {
    pub(super) fn has(&self, hash: &BlobHash) -> bool {
        self.hash == *hash
    }

    pub(super) fn cargo(&self, path: &ProjectPath) -> Cargo {
        Cargo {
            path: path.clone(),
            hash: self.hash,
            bytes: self.bytes,
        }
    }
}

impl Mirror {
    /// What is known of a file by its looks, if it is on its way to the server.
    pub(in crate::mirror) fn see_arriving(&self, path: &ProjectPath) -> Disk {
        let arriving = self.blobs.arriving.get(path);
        let known = arriving.map(|arriving| (arriving.stamp, arriving.hash));
        self.see(path, known.as_slice())
    }

    /// A file that is no text has appeared.
    pub(in crate::mirror) fn arrives(
        &mut self,
        path: ProjectPath,
        seen: &Seen,
        instead_of: Option<DocumentId>,
        effects: &mut Vec<Effect>,
    ) {
        let arriving = Arriving {
            hash: seen.hash,
            bytes: seen.looked.bytes,
            executable: seen.looked.executable.unwrap_or(false),
            stamp: seen.looked.stamp,
            instead_of,
            has_arrived: false,
        };
        self.blobs.arriving.insert(path.clone(), arriving);
        self.send(&path, seen.hash, seen.looked.bytes, effects);
    }

    /// The text of a document is no text any more, on disk: it becomes a file that travels whole.
    /// `false` if it cannot.
    pub(in crate::mirror) fn turns_into_blob(
        &mut self,
        document: &DocumentId,
        path: &ProjectPath,
        effects: &mut Vec<Effect>,
    ) -> bool {
        if self.read_only {
            return false;
        }
        match self.see_arriving(path) {
            Disk::Busy => effects.push(Effect::LookAgain(path.clone())),
            Disk::File(seen) if self.has_arrived(path, &seen) => {}
            Disk::File(seen) if seen.text.is_none() => match seen.may_change_kind() {
                true => self.arrives(path.clone(), &seen, Some(document.clone()), effects),
                false => effects.push(Effect::LookAgain(path.clone())),
            },
            // It is one again: that is found out when it is looked at.
            Disk::File(_) => effects.push(Effect::LookAgain(path.clone())),
            Disk::Missing | Disk::Blocked(_) => return false,
        }
        true
    }

    fn has_arrived(&self, path: &ProjectPath, seen: &Seen) -> bool {
        let arriving = self.blobs.arriving.get(path);
        arriving.is_some_and(|one| one.has_arrived && one.stamp == seen.looked.stamp)
    }

    /// The server has a content: the new files that have it are listed.
    pub(super) fn arrived(
        &mut self,
        hash: BlobHash,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        let entries = self.entries.get_or_insert_default();
        let mut new = Vec::new();
        let with_it = self.blobs.arriving.iter_mut();
        for (path, arriving) in with_it.filter(|(_, arriving)| arriving.hash == hash) {
            let text = arriving.instead_of.clone();
            match text.filter(|text| entries.contains_key(text)) {
                // Others may have gone on in it while the content was on its way.
                Some(text) => {
                    arriving.has_arrived = true;
                    effects.push(Effect::Sync(text));
                }
                None => new.push(path.clone()),
            }
        }
        self.list_arrived(new, effects)
    }

    /// Whether the document's file is no text any more.
    pub(in crate::mirror) fn is_turning(&self, document: &DocumentId) -> bool {
        let mut arriving = self.blobs.arriving.values();
        arriving.any(|one| one.instead_of.as_ref() == Some(document))
    }

    /// A document is as the server has it: if its file is no text any more, and the server has that as
    /// well, the document ends.
    pub(in crate::mirror) fn turned(
        &mut self,
        document: &DocumentId,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        let arriving = self.blobs.arriving.iter();
        let turned = arriving
            .filter(|(_, one)| one.has_arrived && one.instead_of.as_ref() == Some(document));
        let turned = turned.map(|(path, _)| path.clone()).collect();
        self.list_arrived(turned, effects)
    }

    fn list_arrived(
        &mut self,
        paths: Vec<ProjectPath>,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        if paths.is_empty() {
            return Ok(());
        }
        for path in paths {
            let Some(arriving) = self.blobs.arriving.remove(&path) else {
                continue;
            };
            let looked = self.tree.look(&path).ok().flatten();
            let is_same = looked.is_some_and(|looked| looked.stamp == arriving.stamp);
            let taken_by = self.document_at(&path);
            let is_free = taken_by.is_none() || taken_by == arriving.instead_of.as_ref();
            if !is_same || !is_free || self.read_only {
                effects.push(Effect::LookAgain(path));
                continue;
            }
            if let Some(text) = &arriving.instead_of {
                self.end_text(text, &path, effects)?;
            }
            self.list(path, arriving, effects)?;
        }
        self.shown = Places::of(self.entries.get_or_insert_default());
        Ok(())
    }

    /// The document of a file that is no text any more goes. What others wrote into it, and the file
    /// never held, is kept.
    fn end_text(
        &mut self,
        document: &DocumentId,
        path: &ProjectPath,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        if let Some(record) = self.load(document)? {
            let text = self.text_of(document, &record.state)?;
            let (was, eol) = match &record.base {
                Some(base) => (self.text_of(document, &base.state)?, base.file.eol),
                None => (String::new(), Eol::Lf),
            };
            if text != was {
                let kept = self.keep_aside(path, &render(&text, eol), NO_TEXT)?;
                effects.push(Effect::Tell(kept));
            }
        }
        self.forget(document)?;
        self.refused.remove(document);
        self.edit_index(IndexEdit::Remove(document.clone()), effects);
        Ok(())
    }

    fn list(
        &mut self,
        path: ProjectPath,
        arriving: Arriving,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        // Deleted and made again, as many programs save: the same file.
        let before = self.blobs.deleted.remove(&path);
        let still = |(document, _): &(DocumentId, _)| {
            let entry = self.entries.as_ref().and_then(|all| all.get(document));
            entry.is_some_and(|entry| !entry.is_there() && entry.path == path.as_str())
        };
        let before = before.filter(still);
        let mut record = BlobRecord::new(&path, arriving.hash, arriving.bytes);
        record.executable = arriving.executable;
        record.stamp = Some(arriving.stamp);
        if let Some((_, before)) = &before {
            record.replaces = before.chain();
            record.replaces.retain(|hash| *hash != record.hash);
        }
        let blob = Blob {
            sha256: Some(arriving.hash),
            bytes: arriving.bytes,
            replaces: record.replaces.clone(),
        };
        let document = match before {
            Some((document, before)) => {
                record.listed = true;
                self.save_blob(&document, record)?;
                let edit = IndexEdit::SetBlob(document.clone(), blob);
                self.edit_index(edit, effects);
                if before.executable != arriving.executable {
                    let on = arriving.executable;
                    let edit = IndexEdit::SetExecutable(document.clone(), on);
                    self.edit_index(edit, effects);
                }
                document
            }
            None => {
                let document = new_document_id();
                self.save_blob(&document, record)?;
                let entry = FileEntry {
                    path: path.to_string(),
                    eol: Eol::Lf,
                    executable: arriving.executable,
                    created_at: now_ms(),
                    created_by: self.me.clone(),
                    blob: Some(blob),
                };
                self.announced.insert(document.clone());
                self.edit_index(IndexEdit::Insert(document.clone(), entry), effects);
                document
            }
        };
        tracing::debug!(%document, %path, "a file is listed");
        self.left_alone.remove(path.as_str());
        Ok(())
    }

    /// A text has appeared where a file was that was none.
    pub(super) fn created_text(
        &mut self,
        path: &ProjectPath,
        seen: Seen,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        if let Some(text) = seen.text {
            let path = path.clone();
            self.created_here(NewFile::text(path, text, seen.hash, seen.looked), effects)?;
        }
        Ok(())
    }
}
