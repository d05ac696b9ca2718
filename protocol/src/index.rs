//! The project index: which document is which file.
//!
//! The index is a Yjs document with the root map `files`: document id → map of `path`, `eol`,
//! `executable`, `created_at` and `created_by`. A rename changes `path` alone, so it never touches
//! the text nor anyone's concurrent edit. Files that are no texts stand in a second root map
//! ([`blobs`]); the paths of both share one name space.

mod blobs;

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};
use yrs::{
    Any, ClientID, Doc, Map, MapPrelim, MapRef, Number, OffsetKind, Options, Out, ReadTxn,
    TransactionMut,
};

use crate::ids::DocumentId;
use crate::path::{PathError, ProjectPath};

pub use blobs::{BLOBS, Blob, MAX_REPLACES, set_blob};

/// The index document's root map of texts.
pub const FILES: &str = "files";
/// Each file's root text.
pub const CONTENT: &str = "content";

/// The line end of a file on disk. In the shared text it is `\n` always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Eol {
    /// `\n`. Any `\r` in the file is text.
    #[default]
    Lf,
    /// `\r\n`, for a file in which every line ends so.
    Crlf,
}

impl Eol {
    fn as_str(self) -> &'static str {
        match self {
            Self::Lf => "lf",
            Self::Crlf => "crlf",
        }
    }
}

/// What the index says of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileEntry {
    /// The claimed path, as its author wrote it: not checked yet. See [`visible`].
    pub path: String,
    /// The line end on disk.
    pub eol: Eol,
    /// Whether the file's executable bit is set.
    pub executable: bool,
    /// When the entry was made, in milliseconds since 1970 (UTC).
    pub created_at: i64,
    /// Who made it: the shown name of that person.
    pub created_by: String,
    /// The content of a file that is no text; `None` for a text.
    pub blob: Option<Blob>,
}

impl FileEntry {
    /// Whether the file is a text, with a document of its own.
    pub fn is_text(&self) -> bool {
        self.blob.is_none()
    }

    /// Whether there is such a file: that one without a document was deleted is listed.
    pub fn is_there(&self) -> bool {
        self.blob.as_ref().is_none_or(|blob| blob.sha256.is_some())
    }
}

/// The root maps of an index.
#[derive(Debug, Clone)]
pub struct Roots {
    files: MapRef,
    blobs: MapRef,
}

impl Roots {
    /// Names the roots of an index, which must be done before the first transaction that reads it.
    pub fn of(doc: &Doc) -> Self {
        Self {
            files: doc.get_or_insert_map(FILES),
            blobs: doc.get_or_insert_map(BLOBS),
        }
    }
}

/// A new, empty document with the settings that all documents share: positions are UTF-16 code
/// units, as in every Yjs client. `client_id` has at most 53 bits.
pub fn new_doc(client_id: u64) -> Doc {
    let mut options = Options::with_client_id(ClientID::new(client_id));
    options.offset_kind = OffsetKind::Utf16;
    Doc::with_options(options)
}

/// Reads every entry of both roots. An entry that lacks a path is left out; other missing values
/// get their defaults, since any Yjs client may have written them. An id in both is a text's.
pub fn entries<T: ReadTxn>(txn: &T) -> BTreeMap<DocumentId, FileEntry> {
    let mut entries = BTreeMap::new();
    for (root, is_text) in [(BLOBS, false), (FILES, true)] {
        let Some(files) = txn.get_map(root) else {
            continue;
        };
        entries.extend(files.iter(txn).filter_map(|(id, value)| {
            let id: DocumentId = id.parse().ok()?;
            match value {
                Out::YMap(map) if !id.is_index() => {
                    let mut entry = read_entry(txn, &map)?;
                    if !is_text {
                        entry.blob = Some(blobs::read(txn, &map)?);
                    }
                    Some((id, entry))
                }
                _ => None,
            }
        }));
    }
    entries
}

fn read_entry<T: ReadTxn>(txn: &T, map: &MapRef) -> Option<FileEntry> {
    let text = |key: &str| match map.get(txn, key) {
        Some(Out::Any(Any::String(text))) => Some(text.to_string()),
        _ => None,
    };
    Some(FileEntry {
        path: text("path")?,
        eol: match text("eol").as_deref() {
            Some("crlf") => Eol::Crlf,
            _ => Eol::Lf,
        },
        executable: matches!(map.get(txn, "executable"), Some(Out::Any(Any::Bool(true)))),
        created_at: match map.get(txn, "created_at") {
            Some(Out::Any(Any::Number(ms))) => ms.as_i64().unwrap_or(0),
            _ => 0,
        },
        created_by: text("created_by").unwrap_or_default(),
        blob: None,
    })
}

/// Adds or replaces an entry.
pub fn insert(txn: &mut TransactionMut<'_>, roots: &Roots, id: &DocumentId, entry: &FileEntry) {
    let (root, own) = match &entry.blob {
        None => (&roots.files, ("eol", Any::from(entry.eol.as_str()))),
        Some(blob) => (&roots.blobs, (blobs::CONTENT, blob.to_any())),
    };
    let value = MapPrelim::from([
        ("path".to_owned(), Any::from(entry.path.as_str())),
        (own.0.to_owned(), own.1),
        ("executable".to_owned(), Any::from(entry.executable)),
        ("created_at".to_owned(), number(entry.created_at as f64)),
        (
            "created_by".to_owned(),
            Any::from(entry.created_by.as_str()),
        ),
    ]);
    root.insert(txn, id.as_str(), value);
}

/// A float, as JavaScript writes it: a large integer would reach Yjs clients as a BigInt.
fn number(value: f64) -> Any {
    Any::Number(Number::Float(value))
}

/// Changes one value of an entry; an entry that is not there any more stays away.
fn set(txn: &mut TransactionMut<'_>, roots: &Roots, id: &DocumentId, key: &str, value: Any) {
    for root in [&roots.files, &roots.blobs] {
        if let Some(Out::YMap(map)) = root.get(txn, id.as_str()) {
            map.insert(txn, key, value);
            return;
        }
    }
}

/// Renames a file.
pub fn rename(txn: &mut TransactionMut<'_>, roots: &Roots, id: &DocumentId, path: &ProjectPath) {
    set(txn, roots, id, "path", Any::from(path.as_str()));
}

/// Sets a file's line end on disk.
pub fn set_eol(txn: &mut TransactionMut<'_>, roots: &Roots, id: &DocumentId, eol: Eol) {
    set(txn, roots, id, "eol", Any::from(eol.as_str()));
}

/// Sets a file's executable bit.
pub fn set_executable(txn: &mut TransactionMut<'_>, roots: &Roots, id: &DocumentId, on: bool) {
    set(txn, roots, id, "executable", Any::from(on));
}

/// Removes a text from the project. Its document stays in the store. What is no text is deleted by
/// [`set_blob`].
pub fn remove(txn: &mut TransactionMut<'_>, roots: &Roots, id: &DocumentId) {
    roots.files.remove(txn, id.as_str());
}

/// Under which path each file is shown and kept on disk, the same everywhere.
///
/// Where two entries claim one path (compared as a case-folding file system would), the smaller
/// id keeps it and each other is shown with ` (ID)` before its extension, ID being as much of its
/// document id as makes the name free. A path that [`ProjectPath`] refuses is an error; nobody
/// writes it anywhere.
pub fn visible(
    entries: &BTreeMap<DocumentId, FileEntry>,
) -> BTreeMap<DocumentId, Result<ProjectPath, PathError>> {
    visible_and_contested(entries).0
}

/// [`visible`], and the folded names that some entry wanted and did not get: while such a name is
/// taken, whoever has it keeps another from it.
pub fn visible_and_contested(
    entries: &BTreeMap<DocumentId, FileEntry>,
) -> (
    BTreeMap<DocumentId, Result<ProjectPath, PathError>>,
    HashSet<String>,
) {
    let claims: BTreeMap<&DocumentId, Result<ProjectPath, PathError>> = entries
        .iter()
        .filter(|(_, entry)| entry.is_there())
        .map(|(id, entry)| (id, entry.path.parse()))
        .collect();
    // Every claimed path is taken, so that no suffix can push aside another file's own path.
    let mut taken = Taken::default();
    let mut losers = Vec::new();
    let mut shown = BTreeMap::new();
    for (&id, claim) in &claims {
        match claim {
            Ok(path) if !taken.insert(path.folded()) => losers.push((id, path)),
            _ => {
                shown.insert(id.clone(), claim.clone());
            }
        }
    }
    for (id, path) in losers {
        shown.insert(id.clone(), suffixed(path, id, &mut taken));
    }
    (shown, taken.contested)
}

/// The names that are given away.
#[derive(Default)]
struct Taken {
    /// Folded.
    names: HashSet<String>,
    /// Those that were wanted once more.
    contested: HashSet<String>,
    /// The next number to try behind a whole id, by the name with that id alone: thousands of ids
    /// may differ in nothing that a file system sees.
    next: HashMap<String, u32>,
}

impl Taken {
    /// Gives a folded name away, if it is free.
    fn insert(&mut self, name: String) -> bool {
        if self.names.contains(&name) {
            self.contested.insert(name);
            return false;
        }
        self.names.insert(name)
    }
}

fn suffixed(
    path: &ProjectPath,
    id: &DocumentId,
    taken: &mut Taken,
) -> Result<ProjectPath, PathError> {
    let id = id.as_str();
    for end in id.len().min(4)..=id.len() {
        let candidate: ProjectPath = with_mark(path, &id[..end]).parse()?;
        if taken.insert(candidate.folded()) {
            return Ok(candidate);
        }
    }
    // Past the whole id there is nothing left to tell the two apart but their count.
    let whole: ProjectPath = with_mark(path, id).parse()?;
    let whole = whole.folded();
    for number in taken.next.get(&whole).copied().unwrap_or(2).. {
        let candidate: ProjectPath = with_mark(path, &format!("{id} {number}")).parse()?;
        if taken.insert(candidate.folded()) {
            // The next one of this kind goes past it without asking.
            taken.contested.insert(candidate.folded());
            taken.next.insert(whole, number + 1);
            return Ok(candidate);
        }
    }
    unreachable!("the count has no end")
}

fn with_mark(path: &ProjectPath, mark: &str) -> String {
    let name = path.file_name();
    let parent = &path.as_str()[..path.as_str().len() - name.len()];
    // A leading dot starts a hidden file's name, not an extension.
    match name.rfind('.').filter(|&at| at > 0) {
        Some(at) => format!("{parent}{} ({mark}){}", &name[..at], &name[at..]),
        None => format!("{parent}{name} ({mark})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use yrs::Transact;

    fn entry(path: &str) -> FileEntry {
        FileEntry {
            path: path.into(),
            eol: Eol::Crlf,
            executable: true,
            created_at: 1_790_000_000_000,
            created_by: "Ada".into(),
            blob: None,
        }
    }

    #[test]
    fn entries_survive_and_renames_change_the_path_alone() {
        let doc = new_doc(1);
        let roots = Roots::of(&doc);
        let id: DocumentId = "a1".parse().unwrap();
        insert(&mut doc.transact_mut(), &roots, &id, &entry("old.rs"));
        rename(
            &mut doc.transact_mut(),
            &roots,
            &id,
            &"new.rs".parse().unwrap(),
        );
        let read = entries(&doc.transact());
        assert_eq!(read[&id], entry("new.rs"));
        remove(&mut doc.transact_mut(), &roots, &id);
        rename(
            &mut doc.transact_mut(),
            &roots,
            &id,
            &"back.rs".parse().unwrap(),
        );
        assert!(entries(&doc.transact()).is_empty());
    }

    /// The web client runs the same table.
    #[test]
    fn shared_vectors() {
        let table: serde_json::Value =
            serde_json::from_str(include_str!("../testdata/visible.json")).unwrap();
        for case in table.as_array().unwrap() {
            let claims = case["claims"].as_object().unwrap();
            let entries = claims
                .iter()
                .map(|(id, path)| (id.parse().unwrap(), entry(path.as_str().unwrap())))
                .collect();
            for (id, path) in visible(&entries) {
                let expected = case["visible"][id.as_str()].as_str();
                assert_eq!(
                    path.as_ref().ok().map(ProjectPath::as_str),
                    expected,
                    "{case}"
                );
            }
        }
    }

    /// Ids that differ in case alone, each with the same path: a hostile index, and the worst case.
    #[test]
    fn thirty_thousand_namesakes_take_no_minutes() {
        let ids = (0..30_000u32).map(|n| -> DocumentId {
            let letter = |bit: u32| if (n >> bit) % 2 == 1 { 'A' } else { 'a' };
            let id: String = (0..15).map(letter).collect();
            id.parse().unwrap()
        });
        let entries: BTreeMap<_, _> = ids.map(|id| (id, entry("dir/x.rs"))).collect();
        let start = std::time::Instant::now();
        let shown = visible(&entries);
        assert!(start.elapsed().as_secs() < 60);
        let names: HashSet<String> = shown.into_values().map(|p| p.unwrap().folded()).collect();
        assert_eq!(names.len(), 30_000, "each has a name of its own");
    }
}
