//! What the bridge remembers of each document between two runs: `.tutti/state/DOCUMENT.yrs`.
//!
//! A file is a line that names the format, the length of a JSON header, the header, the replica's
//! state, the disk base's state if it differs, the state before the first edit that the server has not
//! confirmed, and the SHA-256 of all that. It is replaced in one
//! step. One that does not add up is put aside and taken for absent: never for an empty document.

use std::io;

use cap_std::fs::Dir;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tutti_protocol::ids::DocumentId;
use tutti_protocol::index::Eol;
use tutti_protocol::path::ProjectPath;

use super::tree::{Identity, Private, read_small, write_atomically};

const MAGIC: &[u8] = b"tutti state 1\n";
const CHECKSUM_BYTES: usize = 32;
/// Where they lie in `.tutti`.
pub(super) const STATE: &str = "state";
const SUFFIX: &str = ".yrs";

/// A SHA-256 of a file's bytes.
pub(crate) type Hash = [u8; CHECKSUM_BYTES];

pub(crate) fn hash(bytes: &[u8]) -> Hash {
    Sha256::digest(bytes).into()
}

/// What is remembered of one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    /// The document's state, an update in v1 encoding.
    pub(crate) state: Vec<u8>,
    /// Whether it holds edits that the server has not confirmed.
    pub(crate) unsaved: bool,
    /// Then: what it was before the first of them, as far as is known.
    pub(crate) confirmed: Option<Vec<u8>>,
    /// The file on disk, if there is one.
    pub(crate) base: Option<Base>,
}

impl Record {
    /// What is remembered of a document next, of which `before` was.
    pub(crate) fn after(
        before: Option<&Self>,
        state: Vec<u8>,
        unsaved: bool,
        base: Option<Base>,
    ) -> Self {
        let confirmed = before
            .filter(|_| unsaved)
            .and_then(|before| match before.unsaved {
                true => before.confirmed.clone(),
                false => Some(before.state.clone()),
            });
        Self {
            state,
            unsaved,
            confirmed,
            base,
        }
    }
}

/// What was last written to the file or read from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base {
    /// The document's state at that point.
    pub(crate) state: Vec<u8>,
    /// The file itself.
    pub(crate) file: BaseFile,
}

/// The file that a base belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseFile {
    pub(crate) path: ProjectPath,
    pub(crate) eol: Eol,
    pub(crate) executable: bool,
    /// Of the file's bytes.
    pub(crate) hash: Hash,
    /// Whether the index is known to have listed the document: only then does its absence there
    /// mean that someone deleted it.
    pub(crate) listed: bool,
    /// Which file it is, as far as the system tells.
    pub(crate) identity: Option<Identity>,
}

#[derive(Serialize, Deserialize)]
struct Header {
    unsaved: bool,
    state_bytes: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    confirmed_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base: Option<BaseHeader>,
}

#[derive(Serialize, Deserialize)]
struct BaseHeader {
    path: String,
    eol: Eol,
    executable: bool,
    sha256: Hash,
    listed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    identity: Option<Identity>,
    /// Absent if the base is the document's own state.
    #[serde(skip_serializing_if = "Option::is_none")]
    state_bytes: Option<usize>,
}

/// The directory `.tutti/state`.
#[derive(Debug)]
pub(crate) struct StateStore {
    dir: Dir,
}

impl StateStore {
    pub(crate) fn open(private: &Private) -> io::Result<Self> {
        Ok(Self {
            dir: private.subdirectory(STATE)?,
        })
    }

    /// A store in another directory.
    pub(crate) fn beneath(dir: Dir) -> Self {
        Self { dir }
    }

    pub(super) fn dir(&self) -> &Dir {
        &self.dir
    }

    /// The names of all its files.
    pub(super) fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in self.dir.entries()? {
            names.extend(entry?.file_name().to_str().map(str::to_owned));
        }
        Ok(names)
    }

    /// Every document that is remembered.
    pub(crate) fn documents(&self) -> io::Result<Vec<DocumentId>> {
        let names = self.names()?.into_iter();
        let documents = names.filter_map(|name| document_of(name.strip_suffix(SUFFIX)?));
        Ok(documents.collect())
    }

    /// What is remembered of a document. A torn file is put aside.
    pub(crate) fn load(&self, document: &DocumentId) -> io::Result<Option<Record>> {
        let name = file_name(document);
        let bytes = match read_small(&self.dir, &name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        let record = decode(&bytes);
        if record.is_none() {
            let aside = format!("{name}.torn-{:08x}", fastrand::u32(..));
            self.dir.rename(&name, &self.dir, &aside)?;
            tracing::warn!(%document, aside, "a stored replica is damaged and was put aside");
        }
        Ok(record)
    }

    /// Remembers a document. `durable` where the record holds edits that exist nowhere else: it
    /// is on the disk then, safe from a loss of power, before this returns.
    pub(crate) fn save(
        &self,
        document: &DocumentId,
        record: &Record,
        durable: bool,
    ) -> io::Result<()> {
        write_atomically(&self.dir, &file_name(document), &encode(record), durable)
    }

    /// Gives what is remembered of a document a second name in another directory, under which it stays
    /// as it is; returns its length in bytes.
    pub(super) fn link(&self, document: &DocumentId, dir: &Dir, name: &str) -> io::Result<u64> {
        let own = file_name(document);
        // Some file systems have no second names.
        if self.dir.hard_link(&own, dir, name).is_err() {
            self.dir.copy(&own, dir, name)?;
        }
        Ok(dir.symlink_metadata(name)?.len())
    }

    /// Forgets a document.
    pub(crate) fn forget(&self, document: &DocumentId) -> io::Result<()> {
        match self.dir.remove_file(file_name(document)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Ids differ by case, which some file systems do not see: an upper-case letter is written as `+`
/// and the lower-case one.
pub(super) fn stem(document: &DocumentId) -> String {
    let mut name = String::new();
    for c in document.as_str().chars() {
        if c.is_ascii_uppercase() {
            name.push('+');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

pub(super) fn file_name(document: &DocumentId) -> String {
    stem(document) + SUFFIX
}

/// The document that [`stem`] has named.
pub(super) fn document_of(stem: &str) -> Option<DocumentId> {
    let mut id = String::new();
    let mut upper = false;
    for c in stem.chars() {
        match c {
            '+' => upper = true,
            c if std::mem::take(&mut upper) => id.push(c.to_ascii_uppercase()),
            c => id.push(c),
        }
    }
    id.parse().ok()
}

/// The record in a file of this name; `None` for a torn one.
pub(super) fn read_record(dir: &Dir, name: &str) -> io::Result<Option<Record>> {
    Ok(decode(&read_small(dir, name)?))
}

fn encode(record: &Record) -> Vec<u8> {
    let base = record.base.as_ref();
    let own_state = base.filter(|base| base.state != record.state);
    let header = Header {
        unsaved: record.unsaved,
        state_bytes: record.state.len(),
        confirmed_bytes: record.confirmed.as_ref().map(Vec::len),
        base: base.map(|base| BaseHeader {
            path: base.file.path.to_string(),
            eol: base.file.eol,
            executable: base.file.executable,
            sha256: base.file.hash,
            listed: base.file.listed,
            identity: base.file.identity,
            state_bytes: own_state.map(|base| base.state.len()),
        }),
    };
    let header = serde_json::to_vec(&header).expect("a header is plain data");
    let mut bytes = MAGIC.to_vec();
    bytes.extend((header.len() as u32).to_le_bytes());
    bytes.extend(header);
    bytes.extend(&record.state);
    bytes.extend(own_state.iter().flat_map(|base| &base.state));
    bytes.extend(record.confirmed.iter().flatten());
    let checksum = hash(&bytes);
    bytes.extend(checksum);
    bytes
}

fn decode(bytes: &[u8]) -> Option<Record> {
    let (content, checksum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM_BYTES)?)?;
    if hash(content) != checksum {
        return None;
    }
    let rest = content.strip_prefix(MAGIC)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (header, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    let header: Header = serde_json::from_slice(header).ok()?;
    let (state, rest) = rest.split_at_checked(header.state_bytes)?;
    let base_bytes = header.base.as_ref().and_then(|base| base.state_bytes);
    let (base_state, rest) = rest.split_at_checked(base_bytes.unwrap_or(0))?;
    let confirmed = match header.confirmed_bytes {
        None => None,
        Some(length) => Some(rest.get(..length)?.to_vec()),
    };
    let base = match header.base {
        None => None,
        Some(base) => Some(Base {
            state: match base.state_bytes {
                None => state.to_vec(),
                Some(_) => base_state.to_vec(),
            },
            file: BaseFile {
                path: base.path.parse().ok()?,
                eol: base.eol,
                executable: base.executable,
                hash: base.sha256,
                listed: base.listed,
                identity: base.identity,
            },
        }),
    };
    Some(Record {
        state: state.to_vec(),
        unsaved: header.unsaved,
        confirmed,
        base,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mirror::tree::Tree;

    fn store() -> (tempfile::TempDir, StateStore) {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join(".tutti")).unwrap();
        let tree = Tree::open(directory.path()).unwrap();
        let store = StateStore::open(&tree.private().unwrap()).unwrap();
        (directory, store)
    }

    fn identity() -> Option<Identity> {
        serde_json::from_str(r#"{"inode":7,"born":8}"#).unwrap()
    }

    fn record(base_state: &[u8]) -> Record {
        Record {
            state: b"state".to_vec(),
            unsaved: true,
            confirmed: Some(b"before".to_vec()),
            base: Some(Base {
                state: base_state.to_vec(),
                file: BaseFile {
                    path: "src/main.rs".parse().unwrap(),
                    eol: Eol::Crlf,
                    executable: true,
                    hash: hash(b"text"),
                    listed: true,
                    identity: identity(),
                },
            }),
        }
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let (_directory, store) = store();
        let id: DocumentId = "Ab-c_1".parse().unwrap();
        let other: DocumentId = "ab-c_1".parse().unwrap();
        assert_eq!(store.load(&id).unwrap(), None);
        let without = Record {
            confirmed: None,
            ..record(b"older")
        };
        for saved in [record(b"state"), record(b"older"), without] {
            store.save(&id, &saved, true).unwrap();
            assert_eq!(store.load(&id).unwrap(), Some(saved));
        }
        assert_eq!(store.load(&other).unwrap(), None);
        assert_eq!(store.documents().unwrap(), std::slice::from_ref(&id));
        store.forget(&id).unwrap();
        store.forget(&id).unwrap();
        assert_eq!(store.load(&id).unwrap(), None);
    }

    #[test]
    fn what_was_confirmed_is_kept_until_all_is() {
        let after = |before: Option<&Record>, state: &[u8], unsaved| {
            Record::after(before, state.to_vec(), unsaved, None)
        };
        let first = after(None, b"1", true);
        assert_eq!(first.confirmed, None, "nothing of it was ever confirmed");
        let mut last = after(Some(&first), b"2", false);
        for (state, unsaved, confirmed) in [
            (b"3", true, Some(b"2".to_vec())),
            (b"4", true, Some(b"2".to_vec())),
            (b"5", false, None),
            (b"6", true, Some(b"5".to_vec())),
        ] {
            last = after(Some(&last), state, unsaved);
            assert_eq!(last.confirmed, confirmed);
        }
    }

    #[test]
    fn a_torn_file_is_put_aside_wherever_it_was_cut_or_changed() {
        let (directory, store) = store();
        let id: DocumentId = "a".parse().unwrap();
        let path = directory.path().join(".tutti/state/a.yrs");
        let whole = encode(&record(b"older"));
        let mut torn: Vec<Vec<u8>> = (0..whole.len()).map(|end| whole[..end].to_vec()).collect();
        torn.push([whole.as_slice(), b"x"].concat());
        torn.push(vec![0; whole.len()]);
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            torn.push(changed);
        }
        let count = torn.len();
        for bytes in torn {
            std::fs::write(&path, &bytes).unwrap();
            assert_eq!(store.load(&id).unwrap(), None);
            assert!(!path.exists());
        }
        let kept = std::fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(kept, count, "every torn file is kept");
    }
}
