//! What a restore has to change: from what there is and what there was.
//!
//! A file of a version is the one that has its id now. Where that is gone, it is the one that has
//! its path now, unless the version knows that one as another file; else it comes back, with its id,
//! and so with the document that its text was in. What the version does not know is deleted.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::{self, Blob, FileEntry, MAX_REPLACES, Roots};
use tutti_protocol::path::ProjectPath;
use yrs::TransactionMut;

use super::ListedFile;

/// What is changed in the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Change {
    /// A file comes back.
    Insert(DocumentId, FileEntry),
    /// A file's entry gets this path, line end and executable bit.
    Amend(DocumentId, ProjectPath, ListedFile),
    /// A file that is no text gets this content; none for a deletion.
    Content(DocumentId, Blob),
    /// A text is deleted.
    Remove(DocumentId),
}

/// What a restore has to do.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Which text each of these documents is to have; it may have it already.
    pub(super) texts: BTreeMap<DocumentId, BlobHash>,
    /// What is then to be changed in the index, in one transaction.
    pub(super) index: Vec<Change>,
    /// Files that come back.
    pub(super) returned: BTreeSet<DocumentId>,
    /// Files that go.
    pub(super) deleted: BTreeSet<DocumentId>,
    /// Files that get another content, path or mode.
    pub(super) changed: BTreeSet<DocumentId>,
}

/// Whether a path is the one that is to be restored, or lies beneath it; all are without one.
pub(super) fn is_within(path: &str, scope: Option<&ProjectPath>) -> bool {
    let Some(scope) = scope else { return true };
    let beneath = path.strip_prefix(scope.as_str());
    beneath.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Plans the restore of a version's files, or of those beneath a path, where the index has these
/// entries.
pub(super) fn plan(
    version: &[ListedFile],
    entries: &BTreeMap<DocumentId, FileEntry>,
    scope: Option<&ProjectPath>,
) -> Plan {
    let shown: BTreeMap<DocumentId, ProjectPath> = index::visible(entries)
        .into_iter()
        .filter_map(|(id, path)| Some((id, path.ok()?)))
        .collect();
    let known: HashSet<&DocumentId> = version.iter().map(|file| &file.id).collect();
    let by_path: BTreeMap<&str, &DocumentId> = shown
        .iter()
        .filter(|(id, _)| !known.contains(id))
        .map(|(id, path)| (path.as_str(), id))
        .collect();
    let mut plan = Plan::default();
    let mut kept: BTreeSet<DocumentId> = BTreeSet::new();
    for file in version.iter().filter(|file| is_within(&file.path, scope)) {
        let Ok(path) = file.path.parse::<ProjectPath>() else {
            continue;
        };
        let same_kind = |id: &DocumentId| {
            let entry = entries.get(id);
            entry.is_some_and(|entry| entry.is_text() == file.is_text())
        };
        let own = Some(&file.id).filter(|id| shown.contains_key(id) && same_kind(id));
        let there = own.or_else(|| {
            let in_its_place = by_path.get(file.path.as_str()).copied();
            in_its_place.filter(|id| same_kind(id))
        });
        let id = there.unwrap_or(&file.id);
        kept.insert(id.clone());
        if file.is_text() {
            plan.texts.insert(id.clone(), file.sha256);
        }
        match there {
            Some(id) => plan.amend(id, &path, file, &entries[id], &shown[id]),
            None => plan.bring_back(&path, file, entries.get(id)),
        }
    }
    for (id, path) in &shown {
        // One that the version knows elsewhere stays where it is.
        if !kept.contains(id) && !known.contains(id) && is_within(path.as_str(), scope) {
            plan.delete(id, &entries[id]);
        }
    }
    plan
}

impl Plan {
    fn amend(
        &mut self,
        id: &DocumentId,
        path: &ProjectPath,
        file: &ListedFile,
        entry: &FileEntry,
        shown: &ProjectPath,
    ) {
        let mode = entry.executable != file.executable;
        let eol = file.is_text() && entry.eol != file.eol;
        if shown != path || mode || eol {
            let amend = Change::Amend(id.clone(), path.clone(), file.clone());
            self.index.push(amend);
            self.changed.insert(id.clone());
        }
        if let Some(blob) = &entry.blob
            && blob.sha256 != Some(file.sha256)
        {
            let content = following(Some(blob), Some(file));
            self.index.push(Change::Content(id.clone(), content));
            self.changed.insert(id.clone());
        }
    }

    fn bring_back(&mut self, path: &ProjectPath, file: &ListedFile, before: Option<&FileEntry>) {
        if !file.is_text() && before.is_some_and(FileEntry::is_text) {
            // An id in both roots of the index would be the text's.
            self.index.push(Change::Remove(file.id.clone()));
        }
        let blob = before.and_then(|entry| entry.blob.as_ref());
        let entry = FileEntry {
            path: path.to_string(),
            eol: file.eol,
            executable: file.executable,
            created_at: file.created_at,
            created_by: file.created_by.clone(),
            blob: (!file.is_text()).then(|| following(blob, Some(file))),
        };
        self.index.push(Change::Insert(file.id.clone(), entry));
        self.returned.insert(file.id.clone());
    }

    fn delete(&mut self, id: &DocumentId, entry: &FileEntry) {
        self.index.push(match &entry.blob {
            None => Change::Remove(id.clone()),
            Some(blob) => Change::Content(id.clone(), following(Some(blob), None)),
        });
        self.deleted.insert(id.clone());
    }
}

/// The content that follows another one, which its writer has seen.
fn following(before: Option<&Blob>, file: Option<&ListedFile>) -> Blob {
    let seen = before.into_iter().flat_map(|blob| {
        let newest = blob.sha256.into_iter();
        newest.chain(blob.replaces.iter().copied())
    });
    Blob {
        sha256: file.map(|file| file.sha256),
        bytes: file.map_or(0, |file| file.bytes),
        replaces: seen.take(MAX_REPLACES).collect(),
    }
}

/// Changes the index.
pub(super) fn apply(txn: &mut TransactionMut<'_>, roots: &Roots, changes: &[Change]) {
    for change in changes {
        match change {
            Change::Insert(id, entry) => index::insert(txn, roots, id, entry),
            Change::Amend(id, path, file) => {
                index::rename(txn, roots, id, path);
                if file.is_text() {
                    index::set_eol(txn, roots, id, file.eol);
                }
                index::set_executable(txn, roots, id, file.executable);
            }
            Change::Content(id, blob) => index::set_blob(txn, roots, id, blob),
            Change::Remove(id) => index::remove(txn, roots, id),
        }
    }
}

#[cfg(test)]
mod tests {
    use tutti_protocol::index::{Eol, entries, new_doc};
    use tutti_protocol::rest::FileKind;
    use yrs::Transact;

    use super::*;

    fn hash(of: u8) -> BlobHash {
        BlobHash([of; 32])
    }

    fn was(id: &str, path: &str, kind: FileKind, of: u8) -> ListedFile {
        ListedFile {
            id: id.parse().unwrap(),
            path: path.to_owned(),
            kind,
            sha256: hash(of),
            bytes: 9,
            eol: Eol::Lf,
            executable: false,
            created_at: 1,
            created_by: "Ada".to_owned(),
        }
    }

    fn text(id: &str, path: &str, of: u8) -> ListedFile {
        was(id, path, FileKind::Text, of)
    }

    fn entry(file: &ListedFile) -> FileEntry {
        FileEntry {
            path: file.path.clone(),
            eol: file.eol,
            executable: file.executable,
            created_at: 2,
            created_by: "Bob".to_owned(),
            blob: (!file.is_text()).then(|| Blob {
                sha256: Some(file.sha256),
                bytes: file.bytes,
                replaces: Vec::new(),
            }),
        }
    }

    /// What a restore leaves: for each path that is shown its id, and the hash that it gets.
    struct After {
        plan: Plan,
        files: Vec<(String, String, Option<BlobHash>)>,
    }

    fn restored(version: &[ListedFile], now: &[ListedFile], scope: Option<&str>) -> After {
        let doc = new_doc(1);
        let roots = Roots::of(&doc);
        for file in now {
            index::insert(&mut doc.transact_mut(), &roots, &file.id, &entry(file));
        }
        let texts = now.iter().filter(|file| file.is_text());
        let mut texts: BTreeMap<DocumentId, BlobHash> =
            texts.map(|file| (file.id.clone(), file.sha256)).collect();
        let before = entries(&doc.transact());
        let scope = scope.map(|scope| scope.parse().unwrap());
        let plan = plan(version, &before, scope.as_ref());
        apply(&mut doc.transact_mut(), &roots, &plan.index);
        texts.extend(plan.texts.clone());
        let after = entries(&doc.transact());
        let mut files: Vec<_> = index::visible(&after)
            .into_iter()
            .map(|(id, path)| {
                let blob = after[&id].blob.as_ref().and_then(|blob| blob.sha256);
                let content = blob.or_else(|| texts.get(&id).copied());
                (path.unwrap().to_string(), id.to_string(), content)
            })
            .collect();
        files.sort();
        After { plan, files }
    }

    fn files(all: &[(&str, &str, u8)]) -> Vec<(String, String, Option<BlobHash>)> {
        let owned =
            |&(path, id, of): &(&str, &str, u8)| (path.to_owned(), id.to_owned(), Some(hash(of)));
        all.iter().map(owned).collect()
    }

    #[test]
    fn a_project_becomes_what_it_was() {
        let version = [
            text("a", "a.rs", 1),
            text("b", "b.rs", 2),
            text("c", "c.rs", 3),
            was("p", "p.png", FileKind::Binary, 4),
            was("q", "q.png", FileKind::Binary, 5),
        ];
        let now = [
            text("a", "a.rs", 1),
            // Renamed and changed, with another in its old place.
            text("b", "moved.rs", 9),
            text("n", "b.rs", 8),
            // Deleted and made anew by somebody who had a copy.
            text("c2", "c.rs", 7),
            was("p", "p.png", FileKind::Binary, 6),
        ];
        let after = restored(&version, &now, None);
        let expected = [
            ("a.rs", "a", 1),
            ("b.rs", "b", 2),
            ("c.rs", "c2", 3),
            ("p.png", "p", 4),
            ("q.png", "q", 5),
        ];
        assert_eq!(after.files, files(&expected));
        let plan = &after.plan;
        let ids = |ids: &BTreeSet<DocumentId>| -> Vec<String> {
            ids.iter().map(ToString::to_string).collect()
        };
        assert_eq!(ids(&plan.changed), ["b", "p"]);
        assert_eq!(ids(&plan.returned), ["q"]);
        assert_eq!(ids(&plan.deleted), ["n"]);
        // A reader must see that the content before was known.
        let known =
            |change: &Change| matches!(change, Change::Content(_, blob) if blob.knows(&hash(6)));
        assert!(plan.index.iter().any(known));
        let same = restored(&version, &version, None);
        assert!(same.plan.index.is_empty());
        assert_eq!(restored(&[], &now, None).files, []);
        let back = restored(&version, &[], None);
        assert_eq!((back.files.len(), back.plan.returned.len()), (5, 5));
    }

    #[test]
    fn a_path_is_a_file_or_all_beneath_it() {
        let version = [
            text("a", "src/a.rs", 1),
            text("b", "src/b.rs", 2),
            text("c", "src.rs", 3),
        ];
        let now = [
            text("a", "src/a.rs", 9),
            text("b", "src/b.rs", 9),
            text("c", "src.rs", 9),
            text("n", "src/new.rs", 9),
        ];
        let one = restored(&version, &now, Some("src/a.rs"));
        let expected = [
            ("src.rs", "c", 9),
            ("src/a.rs", "a", 1),
            ("src/b.rs", "b", 9),
            ("src/new.rs", "n", 9),
        ];
        assert_eq!(one.files, files(&expected));
        let all = restored(&version, &now, Some("src"));
        let expected = [
            ("src.rs", "c", 9),
            ("src/a.rs", "a", 1),
            ("src/b.rs", "b", 2),
        ];
        assert_eq!(all.files, files(&expected));
        assert_eq!(all.plan.deleted.len(), 1);
    }

    #[test]
    fn what_was_a_text_can_come_back_as_none_and_the_other_way_round() {
        let as_text = [text("a", "a", 1)];
        let as_data = [was("a", "a", FileKind::Binary, 2)];
        assert_eq!(
            restored(&as_data, &as_text, None).files,
            files(&[("a", "a", 2)])
        );
        assert_eq!(
            restored(&as_text, &as_data, None).files,
            files(&[("a", "a", 1)])
        );
    }

    #[test]
    fn what_a_version_knows_elsewhere_is_not_deleted() {
        let version = [text("a", "helper.rs", 1), text("b", "src/main.rs", 2)];
        let moved = [text("a", "src/helper.rs", 1), text("b", "src/main.rs", 2)];
        let entries = moved.iter().map(|file| (file.id.clone(), entry(file)));
        let scope = "src".parse().unwrap();
        let plan = plan(&version, &entries.collect(), Some(&scope));
        assert_eq!((plan.deleted, plan.index), (BTreeSet::new(), Vec::new()));
    }
}
