//! Restoring a version: a forward edit, through the rooms, like anybody's typing.
//!
//! A version of what there is comes first, so that the restore can itself be undone by restoring
//! that. Each edit is made on the very replica whose text that version has, and so takes away
//! nothing that it has not: what people type while all this goes on is merged, as between any two
//! who type at once. The texts are written first, and last the index, in one change: whoever sees a
//! file come back sees all of its text.

use std::collections::{BTreeSet, HashSet};

use bytes::Bytes;
use futures_util::{TryStreamExt, stream};
use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::{DocumentId, ProjectId, RoomName};
use tutti_protocol::index::{self, Roots};
use tutti_protocol::path::ProjectPath;
use tutti_protocol::rest::FileKind;
use yrs::{Doc, Transact};

use super::edit::{text_of, write_text};
use super::make::{HistoryError, Keeper, Present, TRIES, shown};
use super::plan::{Plan, apply, is_within, plan};
use super::restores::goes_on_elsewhere;
use super::texts::hash_of;
use super::{About, ListedFile, Outcome};
use crate::auth::now;
use crate::rooms::off_the_loop;
use crate::store::StoredVersion;

/// Documents that are written at the same time.
const WRITTEN_AT_ONCE: usize = 8;

/// So many of the newest versions are looked at for another restore that goes on.
const NEWEST: u32 = 8;

/// The edits of one restore are in memory until the version of before is there.
const MOST_BYTES: usize = 256 * 1024 * 1024;

/// What a restore has done.
#[derive(Debug)]
pub(crate) struct Restored {
    /// The version of what was there before.
    pub(crate) before: StoredVersion,
    /// Files that came back.
    pub(crate) returned: usize,
    /// Files that went.
    pub(crate) deleted: usize,
    /// Files that got another text, content, path or mode.
    pub(crate) changed: usize,
}

/// The edits that a restore consists of.
#[derive(Default)]
struct Edits {
    texts: Vec<(DocumentId, Bytes)>,
    bytes: usize,
    index: Option<Bytes>,
}

impl Edits {
    fn add(&mut self, id: DocumentId, update: Option<Bytes>) -> Result<(), HistoryError> {
        if let Some(update) = update {
            self.bytes += update.len();
            self.texts.push((id, update));
        }
        match self.bytes > MOST_BYTES {
            true => Err(HistoryError::TooMuch),
            false => Ok(()),
        }
    }
}

impl Keeper {
    /// Restores a version, or what of it is at or beneath a path; `None` if nothing of it is there.
    /// `about` is for the version of before.
    ///
    /// # Errors
    /// [`HistoryError`]. What of it was done stays; to do it again does the rest.
    pub(crate) async fn restore(
        &self,
        project: &ProjectId,
        version: &StoredVersion,
        scope: Option<&ProjectPath>,
        about: About,
    ) -> Result<Option<Restored>, HistoryError> {
        let files = self.history.files(project, version).await?;
        let concerned = files.iter().any(|file| is_within(&file.path, scope));
        if scope.is_some() && !concerned {
            return Ok(None);
        }
        let mut last = self.restores.turn(project).await;
        let _turn = self.turn().await?;
        for _ in 0..TRIES {
            let newest = self.history.list(project, None, NEWEST).await?;
            if goes_on_elsewhere(&newest, *last, now()) {
                return Err(HistoryError::Restoring);
            }
            let (outcome, mut plan, edits) =
                self.prepare(project, &files, scope, about.clone()).await?;
            let before = match outcome {
                Outcome::Made(version) | Outcome::Unchanged(version) => version,
                Outcome::Overtaken => continue,
            };
            let texts = edits.texts.iter().map(|(id, _)| id.clone());
            plan.changed.extend(texts);
            let changed = plan.changed.difference(&plan.returned).count();
            *last = (*last).max(Some(before.number));
            self.write(project, edits).await?;
            return Ok(Some(Restored {
                before,
                returned: plan.returned.len(),
                deleted: plan.deleted.len(),
                changed,
            }));
        }
        Err(HistoryError::Overtaken)
    }

    /// Makes the version of before, and the edits of just that.
    async fn prepare(
        &self,
        project: &ProjectId,
        files: &[ListedFile],
        scope: Option<&ProjectPath>,
        about: About,
    ) -> Result<(Outcome, Plan, Edits), HistoryError> {
        let mut draft = self.history.draft(project).await?;
        let index = RoomName::new(project.clone(), DocumentId::index());
        let replica = self.rooms.replica(&index).await?;
        let entries = index::entries(&replica.transact());
        let plan = plan(files, &entries, scope);
        let present = shown(entries);
        self.use_contents(project, &present).await?;
        let mut edits = Edits::default();
        let mut open: BTreeSet<&DocumentId> = plan.texts.keys().collect();
        for file in &present {
            if let Some(listed) = file.as_blob() {
                draft.add_blob(listed);
                continue;
            }
            open.remove(&file.id);
            let wanted = plan.texts.get(&file.id).copied();
            let (text, edit) = self.text_and_edit(project, file, wanted).await?;
            edits.add(file.id.clone(), edit)?;
            let listed = |sha256, bytes| file.listed(FileKind::Text, sha256, bytes);
            draft.add_text(text, listed).await?;
        }
        let mut kept = None;
        for id in open {
            let (text, edit) = self.edit(project, id, plan.texts[id]).await?;
            // Somebody has typed on in it when it was gone: no version has that, so it comes back with it.
            if edit.is_none() || self.is_kept(project, &text, &mut kept).await? {
                edits.add(id.clone(), edit)?;
            }
        }
        if !plan.index.is_empty() {
            let roots = Roots::of(&replica);
            let mut txn = replica.transact_mut();
            apply(&mut txn, &roots, &plan.index);
            edits.index = Some(txn.encode_update_v1().into());
        }
        if !edits.texts.is_empty() || edits.index.is_some() {
            draft.is_one_anyway();
        }
        let outcome = self.end(project, draft, about).await?;
        Ok((outcome, plan, edits))
    }

    /// Whether some version has this text. `kept` is what they have, once it was looked up.
    async fn is_kept(
        &self,
        project: &ProjectId,
        text: &str,
        kept: &mut Option<HashSet<BlobHash>>,
    ) -> Result<bool, HistoryError> {
        if text.is_empty() {
            return Ok(true);
        }
        let all = match kept {
            Some(all) => all,
            None => kept.insert(self.history.named(project, FileKind::Text).await?),
        };
        Ok(all.contains(&hash_of(text.as_bytes())))
    }

    /// The text of a file, and the edit that makes the wanted one of it, if it is another.
    async fn text_and_edit(
        &self,
        project: &ProjectId,
        file: &Present,
        wanted: Option<BlobHash>,
    ) -> Result<(String, Option<Bytes>), HistoryError> {
        let text = self.text_now(project, &file.id).await?;
        match wanted {
            Some(wanted) if hash_of(text.as_bytes()) != wanted => {
                self.edit(project, &file.id, wanted).await
            }
            _ => Ok((text, None)),
        }
    }

    /// The text of a document, and the edit that makes the wanted one of just that.
    async fn edit(
        &self,
        project: &ProjectId,
        id: &DocumentId,
        wanted: BlobHash,
    ) -> Result<(String, Option<Bytes>), HistoryError> {
        let wanted = self.read_text(project, wanted).await?;
        let room = RoomName::new(project.clone(), id.clone());
        let replica: Doc = self.rooms.replica(&room).await?;
        let edited = off_the_loop(move || {
            let text = text_of(&replica);
            let edit = write_text(&replica, &wanted);
            Ok((text, edit.map(Bytes::from)))
        });
        Ok(edited.await?)
    }

    async fn write(&self, project: &ProjectId, edits: Edits) -> Result<(), HistoryError> {
        let texts = stream::iter(edits.texts.into_iter().map(Ok));
        let write = |(id, update)| async move {
            let room = RoomName::new(project.clone(), id);
            self.rooms.apply(&room, update).await
        };
        texts
            .try_for_each_concurrent(WRITTEN_AT_ONCE, write)
            .await?;
        if let Some(update) = edits.index {
            let index = RoomName::new(project.clone(), DocumentId::index());
            self.rooms.apply(&index, update).await?;
        }
        Ok(())
    }

    /// A text that a version names.
    pub(super) async fn read_text(
        &self,
        project: &ProjectId,
        hash: BlobHash,
    ) -> Result<String, HistoryError> {
        let text = self.history.text(project, hash).await?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}
