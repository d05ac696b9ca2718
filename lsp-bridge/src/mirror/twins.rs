//! Files that two people have made at once: under one name, with one content.
//!
//! Two pull the same commit, say, and both add what is new in it. Then the project lists two files of one
//! name, and shows the one with the larger id under a name of its own. Whoever made that one takes it away
//! again, as its person would, once both are known to hold the same. Both began with the same characters
//! ([`alike_edits`]), so what was written into the one since can go over to the other first. If somebody
//! types into it meanwhile, it comes back as any file does that one deletes while another types in it.

use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::FileEntry;
use tutti_protocol::path::ProjectPath;

use super::effect::{Effect, IndexEdit, Notice, Settled};
use super::tree::{Expected, Outcome};
use super::walk::shown;
use super::{Mirror, MirrorError, alike_edits};

/// What has become of two texts of one name.
enum Twins {
    /// Nothing is known of one of them yet.
    Unknown,
    /// Each began as what it is, or they hold the same by chance.
    Apart,
    /// The one that stays has all that the other has.
    Within,
    /// Both began as the same, and the other has this besides.
    Grown(Vec<u8>),
}

impl Mirror {
    /// `document` and its file have come together: if it is a twin that was made here, its file goes, once
    /// the one that stays has what was written into it; if it is the one that stays, it takes that over.
    pub(super) fn look_for_twins(
        &mut self,
        document: &DocumentId,
        settled: &mut Settled,
    ) -> Result<(), MirrorError> {
        if let Some(first) = self.first_of(document) {
            let twins = match self.is_twin(document, &first)? {
                true => self.compare(document, &first)?,
                false => Twins::Apart,
            };
            match twins {
                Twins::Unknown => {}
                Twins::Apart => self.tell_of_other_name(document, &mut settled.effects),
                Twins::Within => self.take_away_twin(document, &mut settled.effects)?,
                Twins::Grown(_) => settled.effects.push(Effect::Sync(first)),
            }
            return Ok(());
        }
        self.tell_of_other_name(document, &mut settled.effects);
        for twin in self.others_of(document) {
            if !self.is_twin(&twin, document)? {
                continue;
            }
            match self.compare(&twin, document)? {
                Twins::Unknown => continue,
                Twins::Apart => {
                    self.tell_of_other_name(&twin, &mut settled.effects);
                    continue;
                }
                Twins::Within => {}
                Twins::Grown(update) => self.take_in_twin(document, update, settled)?,
            }
            settled.effects.push(Effect::Sync(twin));
        }
        Ok(())
    }

    /// The one that stays takes over what was written into the other.
    fn take_in_twin(
        &mut self,
        first: &DocumentId,
        update: Vec<u8>,
        settled: &mut Settled,
    ) -> Result<(), MirrorError> {
        let Some(stored) = self.load(first)? else {
            return Ok(());
        };
        let state = self.whole(first, &stored.state, &update)?.state;
        self.persist(first, &state, true)?;
        settled.add(update);
        settled.effects.push(Effect::Sync(first.clone()));
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
            match self.first_of(&document) {
                Some(first) if self.is_twin(&document, &first)? => {
                    self.take_away_twin(&document, effects)?;
                }
                _ => self.tell_of_other_name(&document, effects),
            }
        }
        Ok(())
    }

    /// Whether the document is shown under another name than the index says, as another file has that.
    pub(super) fn has_made_up_name(&self, document: &DocumentId) -> bool {
        let claimed = self.claimed(document);
        claimed.is_some_and(|claimed| self.path_of(document) != Some(&claimed))
    }

    /// This person's file had to leave its name to another one.
    fn tell_of_other_name(&self, document: &DocumentId, effects: &mut Vec<Effect>) {
        let (Some(claimed), Some(now)) = (self.claimed(document), self.path_of(document)) else {
            return;
        };
        // By this bridge; the ones before have told.
        if !self.has_made_up_name(document) || self.moved_from.get(&claimed) != Some(document) {
            return;
        }
        let has_it = |(id, entry): &(&DocumentId, &FileEntry)| {
            let path = self.path_of(id);
            *id != document
                && path.is_some_and(|path| {
                    path.as_str() == entry.path && path.folded() == claimed.folded()
                })
        };
        let other = self.entries.iter().flatten().find(has_it);
        effects.extend(other.map(|(_, other)| {
            Effect::Tell(Notice::OtherName {
                path: claimed.to_string(),
                now: now.to_string(),
                other: other.path.clone(),
                by: shown(&other.created_by),
            })
        }));
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
    /// it and of `first`, but for the executable bit.
    fn is_twin(&mut self, document: &DocumentId, first: &DocumentId) -> Result<bool, MirrorError> {
        let (Some(entry), Some(other)) = (self.entry(document), self.entry(first)) else {
            return Ok(false);
        };
        let content = |entry: &FileEntry| entry.blob.as_ref().map(|blob| blob.sha256);
        let is_alike = entry.created_by == self.me
            && entry.path == other.path
            && entry.eol == other.eol
            && content(entry) == content(other)
            && content(entry) != Some(None);
        let is_here = self.is_owner() && self.is_current && !self.read_only;
        Ok(is_alike && is_here && !self.is_open(document)?)
    }

    /// How a text compares with the one that stays.
    fn compare(&self, twin: &DocumentId, first: &DocumentId) -> Result<Twins, MirrorError> {
        let (Some(one), Some(other)) = (self.load(twin)?, self.load(first)?) else {
            return Ok(Twins::Unknown);
        };
        if one.base.is_none() || other.base.is_none() {
            return Ok(Twins::Unknown);
        }
        let texts = (
            self.replica(twin, &one.state)?,
            self.replica(first, &other.state)?,
        );
        if texts.0.rope() == texts.1.rope() {
            return Ok(Twins::Within);
        }
        if !alike_edits::have_common(&texts.0, &texts.1) {
            return Ok(Twins::Apart);
        }
        let lacked = self.whole(first, &other.state, &one.state)?.lacked;
        Ok(lacked.map_or(Twins::Within, Twins::Grown))
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
            // Who made it executable did so on purpose.
            if file.executable
                && let Some(first) = self.first_of(document)
                && self.entry(&first).is_some_and(|first| !first.executable)
            {
                self.edit_index(IndexEdit::SetExecutable(first, true), effects);
            }
            effects.push(Effect::LookAgain(file.path));
        }
        Ok(())
    }
}
