//! What differs between a version and another one, or now.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use similar::{Algorithm, TextDiff};
use tutti_protocol::ids::{DocumentId, ProjectId};
use tutti_protocol::rest::{FileChange, FileDiff, FileKind};

use super::ListedFile;
use super::make::{HistoryError, Keeper};
use super::texts::hash_of;
use crate::store::{StoreError, StoredVersion};

/// Lines that are shown before and after a change.
const CONTEXT_LINES: usize = 3;

/// How much is shown of one file, and of all together. What differs beyond is named without its
/// lines.
const FILE_BYTES: usize = 256 * 1024;
const ALL_BYTES: usize = 2 * 1024 * 1024;

/// Why lines are not shown.
const TOO_MANY: &str = "cut here: the differences are too many to be shown together";
const TOO_LARGE: &str = "cut: the differences of this file are too large to be shown";

/// How long the smallest difference of a file is looked for; then a larger one is shown.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a version is compared with.
#[derive(Debug, Clone)]
pub(crate) enum Against {
    /// What there is now.
    Now,
    /// Another version.
    Version(StoredVersion),
}

/// Files that differ, by their paths, and how much of it is still to be shown.
struct Found {
    files: Vec<FileDiff>,
    bytes_left: usize,
}

impl Keeper {
    /// The files that differ between a version and another one, or now, in the order of their paths.
    pub(crate) async fn diff(
        &self,
        project: &ProjectId,
        version: &StoredVersion,
        against: &Against,
    ) -> Result<Vec<FileDiff>, HistoryError> {
        let _turn = self.turn().await?;
        let before = self.history.files(project, version).await?.into_iter();
        let mut before: BTreeMap<DocumentId, ListedFile> =
            before.map(|file| (file.id.clone(), file)).collect();
        let mut found = Found {
            files: Vec::new(),
            bytes_left: ALL_BYTES,
        };
        match against {
            Against::Version(other) => {
                for after in self.history.files(project, other).await? {
                    let before = before.remove(&after.id);
                    if !is_same(before.as_ref(), &after) {
                        let text = self.text_of(project, &after).await?;
                        self.compare(project, before, Some((after, text)), &mut found)
                            .await?;
                    }
                }
            }
            Against::Now => {
                for file in self.present(project).await? {
                    let before = before.remove(&file.id);
                    let (after, text) = match file.as_blob() {
                        Some(listed) => (listed, None),
                        None => {
                            let text = self.text_now(project, &file.id).await?;
                            let hash = hash_of(text.as_bytes());
                            let listed = file.listed(FileKind::Text, hash, text.len() as u64);
                            (listed, Some(text))
                        }
                    };
                    if !is_same(before.as_ref(), &after) {
                        self.compare(project, before, Some((after, text)), &mut found)
                            .await?;
                    }
                }
            }
        }
        for gone in before.into_values() {
            self.compare(project, Some(gone), None, &mut found).await?;
        }
        found.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(found.files)
    }

    async fn text_of(
        &self,
        project: &ProjectId,
        file: &ListedFile,
    ) -> Result<Option<String>, HistoryError> {
        Ok(match file.is_text() {
            true => Some(self.read_text(project, file.sha256).await?),
            false => None,
        })
    }

    async fn compare(
        &self,
        project: &ProjectId,
        before: Option<ListedFile>,
        after: Option<(ListedFile, Option<String>)>,
        found: &mut Found,
    ) -> Result<(), HistoryError> {
        let Some(file) = after.as_ref().map(|(file, _)| file).or(before.as_ref()) else {
            return Ok(());
        };
        let change = match (&before, &after) {
            (None, _) => FileChange::Added,
            (_, None) => FileChange::Deleted,
            (Some(_), Some(_)) => FileChange::Changed,
        };
        let was = before.as_ref().map(|before| before.path.clone());
        let mut diff = FileDiff {
            path: file.path.clone(),
            was: was.filter(|was| *was != file.path),
            kind: file.kind,
            change,
            diff: None,
            left_out: None,
        };
        if found.bytes_left == 0 {
            diff.left_out = Some(TOO_MANY.to_owned());
            found.files.push(diff);
            return Ok(());
        }
        let old = match &before {
            Some(before) => self.text_of(project, before).await?,
            None => None,
        };
        let new = after.and_then(|(_, text)| text);
        if old.is_some() || new.is_some() {
            let is_there = (change != FileChange::Deleted).then_some(&*diff.path);
            let was = before.as_ref().map(|before| &*before.path);
            let names = [name(was, "a"), name(is_there, "b")];
            let [old, new] = [old, new].map(Option::unwrap_or_default);
            let compared = tokio::task::spawn_blocking(move || unified(&old, &new, &names)).await;
            match compared.map_err(|error| StoreError::Unavailable(error.to_string()))? {
                Some(lines) if lines.len() <= found.bytes_left => {
                    found.bytes_left -= lines.len();
                    diff.diff = (!lines.is_empty()).then_some(lines);
                }
                Some(_) => {
                    found.bytes_left = 0;
                    diff.left_out = Some(TOO_MANY.to_owned());
                }
                None => {
                    diff.left_out = Some(TOO_LARGE.to_owned());
                }
            }
        }
        found.files.push(diff);
        Ok(())
    }
}

fn is_same(before: Option<&ListedFile>, after: &ListedFile) -> bool {
    before.is_some_and(|before| {
        let (was, is) = (before, after);
        let eol = !is.is_text() || was.eol == is.eol;
        (&was.path, was.kind, was.sha256) == (&is.path, is.kind, is.sha256)
            && eol
            && was.executable == is.executable
    })
}

/// How a diff names a file.
fn name(path: Option<&str>, side: &str) -> String {
    path.map_or("/dev/null".to_owned(), |path| format!("{side}/{path}"))
}

/// A unified diff; `None` where it is too large.
fn unified(old: &str, new: &str, [before, after]: &[String; 2]) -> Option<String> {
    let diff = TextDiff::configure()
        .algorithm(Algorithm::Myers)
        .deadline(Instant::now() + PATIENCE)
        .diff_lines(old, new);
    let mut lines = String::new();
    let mut unified = diff.unified_diff();
    for hunk in unified.context_radius(CONTEXT_LINES).iter_hunks() {
        if lines.is_empty() {
            lines = format!("--- {before}\n+++ {after}\n");
        }
        lines += &hunk.to_string();
        if lines.len() > FILE_BYTES {
            return None;
        }
    }
    Some(lines)
}
