//! Files that are no texts: the index's root map `blobs`.
//!
//! Document id → map of `path`, `content`, `executable`, `created_at` and `created_by`. The
//! `content` is one value, `{ sha256, bytes, replaces }`, so that two who write at once never mix
//! theirs: one of them wins, whole, and the same one everywhere. `replaces` names the contents that
//! the writer had before, newest first. It tells a reader whether the writer had seen a content, or
//! has won over it unseen; then whoever wrote that keeps a copy.
//!
//! A deletion is a content without `sha256`: it takes part in the same contest. What was written
//! while another deleted the file either wins over the deletion, or its writer finds that the
//! deletion does not replace it, and brings the file back.

use std::collections::HashMap;

use yrs::{Any, Map, MapRef, Out, ReadTxn, TransactionMut};

use super::{Roots, number};
use crate::blob::BlobHash;
use crate::ids::DocumentId;

/// The index document's root map of files that are no texts.
pub const BLOBS: &str = "blobs";
/// The key of an entry's content.
pub(super) const CONTENT: &str = "content";
/// The most earlier contents that an entry names.
pub const MAX_REPLACES: usize = 16;

/// What an entry says of a file that is no text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// The content's hash, by which the server gives it; `None` once the file was deleted.
    pub sha256: Option<BlobHash>,
    /// Its length.
    pub bytes: u64,
    /// The contents before it that its writer knew, newest first; at most [`MAX_REPLACES`].
    pub replaces: Vec<BlobHash>,
}

impl Blob {
    /// Whether its writer had `hash` before.
    pub fn knows(&self, hash: &BlobHash) -> bool {
        self.replaces.contains(hash)
    }

    pub(super) fn to_any(&self) -> Any {
        let text = |hash: &BlobHash| Any::from(hash.to_string());
        let replaces = self.replaces.iter().take(MAX_REPLACES).map(text);
        let mut value = HashMap::from([(
            "replaces".to_owned(),
            Any::Array(replaces.collect::<Vec<_>>().into()),
        )]);
        if let Some(hash) = &self.sha256 {
            value.insert("sha256".to_owned(), text(hash));
            value.insert("bytes".to_owned(), number(self.bytes as f64));
        }
        Any::Map(value.into())
    }
}

/// What an entry's `content` says; `None` for an entry without a valid one, which no client writes.
pub(super) fn read<T: ReadTxn>(txn: &T, map: &MapRef) -> Option<Blob> {
    let Some(Out::Any(Any::Map(content))) = map.get(txn, CONTENT) else {
        return None;
    };
    let hash = |value: &Any| match value {
        Any::String(text) => text.parse::<BlobHash>().ok(),
        _ => None,
    };
    let sha256 = match content.get("sha256") {
        None | Some(Any::Null | Any::Undefined) => None,
        // What names no content is no deletion.
        Some(value) => Some(hash(value)?),
    };
    let bytes = match content.get("bytes") {
        Some(Any::Number(bytes)) => bytes.as_i64().unwrap_or(0),
        _ => 0,
    };
    let replaces = match content.get("replaces") {
        Some(Any::Array(all)) => all.iter().filter_map(hash).take(MAX_REPLACES).collect(),
        _ => Vec::new(),
    };
    Some(Blob {
        sha256,
        bytes: u64::try_from(bytes).unwrap_or(0),
        replaces,
    })
}

/// Gives a file that is no text another content, or deletes it. A file that is not listed stays
/// away.
pub fn set_blob(txn: &mut TransactionMut<'_>, roots: &Roots, id: &DocumentId, blob: &Blob) {
    if let Some(Out::YMap(map)) = roots.blobs.get(txn, id.as_str()) {
        map.insert(txn, CONTENT, blob.to_any());
    }
}

#[cfg(test)]
mod tests {
    use yrs::updates::decoder::Decode;
    use yrs::{StateVector, Transact, Update};

    use super::super::{Eol, FileEntry, entries, insert, new_doc, rename, visible};
    use super::*;

    fn hash(of: u8) -> BlobHash {
        BlobHash([of; 32])
    }

    fn blob(now: Option<u8>, before: &[u8]) -> Blob {
        Blob {
            sha256: now.map(hash),
            bytes: now.map_or(0, |now| u64::from(now) << 33),
            replaces: before.iter().copied().map(hash).collect(),
        }
    }

    fn entry(path: &str, blob: Option<Blob>) -> FileEntry {
        FileEntry {
            path: path.into(),
            eol: Eol::Lf,
            executable: true,
            created_at: 1_790_000_000_000,
            created_by: "Ada".into(),
            blob,
        }
    }

    fn id(text: &str) -> DocumentId {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_written_is_read_and_paths_are_shared_with_texts() {
        let doc = new_doc(1);
        let roots = Roots::of(&doc);
        let picture = entry("a.png", Some(blob(Some(7), &[5, 3])));
        {
            let mut txn = doc.transact_mut();
            insert(&mut txn, &roots, &id("p"), &picture);
            insert(&mut txn, &roots, &id("q"), &entry("A.png", None));
        }
        let read = entries(&doc.transact());
        assert_eq!(read[&id("p")], picture);
        let shown = visible(&read);
        assert_eq!(shown[&id("p")].as_ref().unwrap().as_str(), "a.png");
        assert_eq!(shown[&id("q")].as_ref().unwrap().as_str(), "A (q).png");

        let mut txn = doc.transact_mut();
        let to = "b.png".parse().unwrap();
        rename(&mut txn, &roots, &id("p"), &to);
        let gone = blob(None, &[7, 5, 3]);
        set_blob(&mut txn, &roots, &id("p"), &gone);
        set_blob(&mut txn, &roots, &id("q"), &gone);
        drop(txn);
        let read = entries(&doc.transact());
        assert_eq!(read[&id("p")], entry("b.png", Some(gone)));
        let shown = visible(&read);
        assert!(!shown.contains_key(&id("p")), "a deleted file has no place");
        assert_eq!(shown[&id("q")].as_ref().unwrap().as_str(), "A.png");
    }

    #[test]
    fn of_two_at_once_one_wins_whole_and_the_same_everywhere() {
        let (a, b) = (new_doc(1), new_doc(2));
        let (at_a, at_b) = (Roots::of(&a), Roots::of(&b));
        let first = entry("x", Some(blob(Some(1), &[])));
        insert(&mut a.transact_mut(), &at_a, &id("p"), &first);
        let exchange = |from: &yrs::Doc, to: &yrs::Doc| {
            let update = from.transact().encode_diff_v1(&StateVector::default());
            let update = Update::decode_v1(&update).unwrap();
            to.transact_mut().apply_update(update).unwrap();
        };
        exchange(&a, &b);
        let theirs = [blob(Some(2), &[1]), blob(Some(3), &[1])];
        set_blob(&mut a.transact_mut(), &at_a, &id("p"), &theirs[0]);
        set_blob(&mut b.transact_mut(), &at_b, &id("p"), &theirs[1]);
        exchange(&a, &b);
        exchange(&b, &a);
        let won = entries(&a.transact());
        assert_eq!(won, entries(&b.transact()));
        assert!(theirs.contains(won[&id("p")].blob.as_ref().unwrap()));
    }

    #[test]
    fn what_makes_no_sense_is_no_entry() {
        let doc = new_doc(1);
        let roots = Roots::of(&doc);
        let picture = entry("a.png", Some(blob(Some(7), &[])));
        let mut txn = doc.transact_mut();
        for name in ["a", "b", "c"] {
            insert(&mut txn, &roots, &id(name), &picture);
        }
        for (name, content) in [("a", Any::Null), ("b", Any::from("x"))] {
            let Some(Out::YMap(map)) = roots.blobs.get(&txn, name) else {
                panic!("no entry");
            };
            map.insert(&mut txn, CONTENT, content);
        }
        let Some(Out::YMap(map)) = roots.blobs.get(&txn, "c") else {
            panic!("no entry");
        };
        let bad = HashMap::from([("sha256".to_owned(), Any::from("../x"))]);
        map.insert(&mut txn, CONTENT, Any::Map(bad.into()));
        drop(txn);
        assert!(entries(&doc.transact()).is_empty());
    }
}
