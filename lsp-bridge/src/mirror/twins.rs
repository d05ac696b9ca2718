//! Files that two people have made at once: under one name, with one content.
//!
//! Two pull the same commit, say, and both add what is new in it. Then the project lists two files of one
//! name, and shows the one with the larger id under a name of its own. Whoever made that one takes it away
//! again, as its person would, once both are known to hold the same. If somebody types into it meanwhile,
//! it comes back as any file does that one deletes while another types in it.

use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::FileEntry;
use tutti_protocol::path::ProjectPath;

use super::effect::Effect;
use super::tree::{Expected, Outcome};
use super::{Mirror, MirrorError};

impl Mirror {
    /// `document` and its file have come together: if it is a twin that was made here, its file goes; if it
    /// is the one that stays, the others are to be looked at.
    pub(super) fn look_for_twins(
        &mut self,
        document: &DocumentId,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        if let Some(first) = self.first_of(document) {
            if self.is_twin(document, &first)? && self.have_one_text(document, &first)? {
                self.take_away_twin(document, effects)?;
            }
            return Ok(());
        }
        for twin in self.others_of(document) {
            if self.is_twin(&twin, document)? && self.have_one_text(&twin, document)? {
                effects.push(Effect::Sync(twin));
            }
        }
        Ok(())
    }

    /// The same for files that are no texts, whose contents the index names.
    pub(super) fn take_away_twin_blobs(
        &mut self,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        if !self.shown.are_any_contested() {
            return Ok(());
        }
        let entries = self.entries.iter().flatten();
        let blobs = entries.filter(|(_, entry)| !entry.is_text());
        for document in blobs.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            let Some(first) = self.first_of(&document) else {
                continue;
            };
            if self.is_twin(&document, &first)? {
                self.take_away_twin(&document, effects)?;
            }
        }
        Ok(())
    }

    fn entry(&self, document: &DocumentId) -> Option<&FileEntry> {
        self.entries.as_ref()?.get(document)
    }

    fn claimed(&self, document: &DocumentId) -> Option<ProjectPath> {
        let claimed: ProjectPath = self.entry(document)?.path.parse().ok()?;
        self.shown.is_contested(&claimed).then_some(claimed)
    }

    /// The document that is shown under the name that this one claims.
    fn first_of(&self, document: &DocumentId) -> Option<DocumentId> {
        let first = self.shown.document_at(&self.claimed(document)?)?;
        (first != document).then(|| first.clone())
    }

    /// Those that claim the name that this one is shown under.
    fn others_of(&self, document: &DocumentId) -> Vec<DocumentId> {
        let Some(claimed) = self.claimed(document) else {
            return Vec::new();
        };
        let entries = self.entries.iter().flatten();
        let others =
            entries.filter(|(other, entry)| *other != document && entry.path == claimed.as_str());
        others.map(|(other, _)| other.clone()).collect()
    }

    /// Whether `document` was made by this person, nobody has it open here, and the index says the same of
    /// it and of `first`.
    fn is_twin(&mut self, document: &DocumentId, first: &DocumentId) -> Result<bool, MirrorError> {
        let (Some(entry), Some(other)) = (self.entry(document), self.entry(first)) else {
            return Ok(false);
        };
        let content = |entry: &FileEntry| entry.blob.as_ref().map(|blob| blob.sha256);
        let is_alike = entry.created_by == self.me
            && entry.path == other.path
            && entry.executable == other.executable
            && entry.eol == other.eol
            && content(entry) == content(other)
            && content(entry) != Some(None);
        let is_here = self.is_owner() && self.is_current && !self.read_only;
        Ok(is_alike && is_here && !self.is_open(document)?)
    }

    /// Whether both texts are known and the same.
    fn have_one_text(
        &mut self,
        document: &DocumentId,
        other: &DocumentId,
    ) -> Result<bool, MirrorError> {
        let (Some(one), Some(other_one)) = (self.load(document)?, self.load(other)?) else {
            return Ok(false);
        };
        let are_written = one.base.is_some() && other_one.base.is_some();
        Ok(are_written
            && self.text_of(document, &one.state)? == self.text_of(other, &other_one.state)?)
    }

    /// Removes the file, if it stands where the project shows it and holds what is known of it.
    fn take_away_twin(
        &mut self,
        document: &DocumentId,
        effects: &mut Vec<Effect>,
    ) -> Result<(), MirrorError> {
        let known = self.known.get(document);
        let file = known.and_then(|known| known.file.clone());
        let is_known_as_content = |hash| {
            let blob = self.entry(document).and_then(|entry| entry.blob.clone());
            blob.is_none_or(|blob| blob.sha256 == Some(BlobHash(hash)))
        };
        let file = file.filter(|file| is_known_as_content(file.hash));
        let Some(file) = file.filter(|file| self.path_of(document) == Some(&file.path)) else {
            return Ok(());
        };
        let expected = Expected::Hash(BlobHash(file.hash));
        if let Ok(Outcome::Done) = self.tree.remove(&file.path, expected) {
            tracing::info!(path = %file.path, "two have made the same file, one of the two goes");
            effects.push(Effect::LookAgain(file.path));
        }
        Ok(())
    }
}
