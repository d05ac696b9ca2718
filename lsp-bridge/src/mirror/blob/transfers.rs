//! What becomes of the contents that the session sends and fetches for the mirror.

use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::path::ProjectPath;

use crate::mirror::effect::{Cargo, Effect, Notice};
use crate::mirror::tree::LeftAlone;
use crate::mirror::{Changes, Mirror, MirrorError};

/// The outcome of [`Effect::Send`] or [`Effect::Fetch`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carried {
    /// The server has the content, durably.
    Sent(BlobHash),
    /// The content is in `.tutti/blobs`.
    Fetched(BlobHash),
    /// The file that was to be sent has another content by now.
    Changed(BlobHash),
    /// The disk did not take it.
    Unwritten(BlobHash, LeftAlone),
    /// Not now: there is no connection, or the server is not well.
    Later(BlobHash),
    /// Not at all; the sentence says why.
    Never(BlobHash, String),
}

impl Mirror {
    /// There is a connection to a server that takes files of up to `cap` bytes; `None` for one that
    /// takes texts only. Call it before anything else where that is known, and after each time
    /// without connection.
    pub fn connected(&mut self, cap: Option<u64>) -> Result<Vec<Effect>, MirrorError> {
        let before = std::mem::replace(&mut self.blobs.cap, cap.unwrap_or(0));
        let mut effects = match before == self.blobs.cap {
            true => Vec::new(),
            // What was too large may not be any more.
            false => self.files_changed(&Changes::everything())?,
        };
        effects.extend(self.transfers()?);
        let contents = self.contents();
        if !contents.is_empty() {
            effects.push(Effect::Offer(contents));
        }
        Ok(effects)
    }

    /// Takes in what has become of a content.
    pub fn carried(&mut self, carried: Carried) -> Result<Vec<Effect>, MirrorError> {
        let mut effects = Vec::new();
        match carried {
            Carried::Sent(hash) => {
                self.blobs.sending.remove(&hash);
                self.arrived(hash, &mut effects)?;
                for document in self.sending_documents(&hash) {
                    self.settle_blob(&document, Some(hash), &mut effects)?;
                }
            }
            Carried::Fetched(hash) => {
                // Taken out first: whoever still lacks it in the end asks for it anew.
                let mut waiting = self.blobs.awaited.remove(&hash).unwrap_or_default();
                while let Some(document) = waiting.pop_first() {
                    self.blobs.spared = (!waiting.is_empty()).then_some(hash);
                    self.settle_blob(&document, None, &mut effects)?;
                }
                self.blobs.spared = None;
                self.staging.drop_content(&hash);
            }
            Carried::Changed(hash) => {
                self.blobs.sending.remove(&hash);
                for path in self.sending_paths(&hash) {
                    self.blobs.arriving.remove(&path);
                    effects.push(Effect::LookAgain(path));
                }
                for document in self.sending_documents(&hash) {
                    self.blobs.outgoing.remove(&document);
                    self.settle_blob(&document, None, &mut effects)?;
                }
            }
            // What is not under way any more is asked for again.
            Carried::Later(hash) => {
                self.blobs.sending.remove(&hash);
                self.blobs.awaited.remove(&hash);
            }
            Carried::Unwritten(hash, reason) => {
                for document in self.blobs.awaited.remove(&hash).into_iter().flatten() {
                    let path = self.called(&document);
                    self.refuse(&document, &path, reason.clone());
                }
            }
            Carried::Never(hash, reason) => self.never(&hash, &reason, &mut effects),
        }
        Ok(effects)
    }

    /// A file is gone, and nothing is to be sent of it any more.
    pub(in crate::mirror) fn forget_transfers(&mut self, document: &DocumentId) {
        self.blobs.outgoing.remove(document);
    }

    fn never(&mut self, hash: &BlobHash, reason: &str, effects: &mut Vec<Effect>) {
        let mut tell = |path: String| {
            let reason = reason.to_owned();
            effects.push(Effect::Tell(Notice::LeftAlone { path, reason }));
        };
        self.blobs.sending.remove(hash);
        for path in self.sending_paths(hash) {
            self.blobs.arriving.remove(&path);
            let why = LeftAlone::Server(reason.to_owned());
            if self.left_alone.insert(path.to_string(), why.clone()) != Some(why) {
                tell(path.to_string());
            }
        }
        let waiting = self.blobs.awaited.remove(hash).into_iter().flatten();
        for document in self.sending_documents(hash).into_iter().chain(waiting) {
            self.blobs.outgoing.remove(&document);
            let path = self.path_of(&document).map(ToString::to_string);
            if let Some(path) = path
                && self.refuse(&document, &path, LeftAlone::Server(reason.to_owned()))
            {
                tell(path);
            }
        }
    }

    fn sending_paths(&self, hash: &BlobHash) -> Vec<ProjectPath> {
        let arriving = self.blobs.arriving.iter();
        let with_it = arriving.filter(|(_, arriving)| arriving.has(hash));
        with_it.map(|(path, _)| path.clone()).collect()
    }

    fn sending_documents(&self, hash: &BlobHash) -> Vec<DocumentId> {
        let outgoing = self.blobs.outgoing.iter();
        let with_it = outgoing.filter(|(_, outgoing)| outgoing.hash == *hash);
        with_it.map(|(document, _)| document.clone()).collect()
    }

    /// Whether other files wait for the content as well.
    pub(super) fn is_awaited_by_others(&self, hash: &BlobHash, but: &DocumentId) -> bool {
        if self.blobs.spared == Some(*hash) {
            return true;
        }
        let waiting = self.blobs.awaited.get(hash);
        waiting.is_some_and(|waiting| waiting.iter().any(|document| document != but))
    }

    /// Asks again for what was not sent or fetched: call it after each time without connection,
    /// and now and then after a [`Carried::Later`].
    pub fn transfers(&mut self) -> Result<Vec<Effect>, MirrorError> {
        let mut effects = Vec::new();
        if !self.is_owner() {
            return Ok(effects);
        }
        let arriving = self.blobs.arriving.iter();
        let arriving: Vec<_> = arriving
            .map(|(path, arriving)| arriving.cargo(path))
            .collect();
        for Cargo { path, hash, bytes } in arriving {
            self.send(&path, hash, bytes, &mut effects);
        }
        let entries = self.entries.iter().flatten();
        let behind = entries.filter(|(document, entry)| {
            let is_outgoing = self.blobs.outgoing.contains_key(document);
            !entry.is_text() && (is_outgoing || self.is_blob_behind(document, entry))
        });
        let behind: Vec<DocumentId> = behind.map(|(document, _)| document.clone()).collect();
        for document in behind {
            if let Some(outgoing) = self.blobs.outgoing.get(&document).copied()
                && let Some(path) = self.path_of(&document).cloned()
            {
                let bytes = self.tree.look(&path).ok().flatten();
                let bytes = bytes.map_or(0, |looked| looked.bytes);
                self.send(&path, outgoing.hash, bytes, &mut effects);
            } else {
                self.settle_blob(&document, None, &mut effects)?;
            }
        }
        Ok(effects)
    }

    /// The contents here that the index names: a server that was set back to an older state may
    /// lack some of them, and so may one to which an entry came late.
    fn contents(&self) -> Vec<Cargo> {
        if self.read_only || !self.is_owner() {
            return Vec::new();
        }
        let entries = self.entries.iter().flatten();
        let in_step = entries.filter(|(document, entry)| {
            !entry.is_text() && entry.is_there() && !self.is_blob_behind(document, entry)
        });
        let cargo = in_step.filter_map(|(document, _)| {
            let record = self.blob_record(document)?;
            Some(Cargo {
                path: record.path()?,
                hash: record.hash,
                bytes: record.bytes,
            })
        });
        cargo.collect()
    }
}
