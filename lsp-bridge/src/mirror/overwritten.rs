//! What files held just before the mirror wrote into them, for every bridge of the directory: in
//! `.tutti/overwritten`.
//!
//! An editor reads a file and tells its bridge of it a moment later, the first time as long after as a
//! bridge takes to start. If the owner's bridge has written what others typed into the file meanwhile,
//! the text that is opened lacks it, and nobody has deleted it.
//!
//! A file here is the stored replica that was in force then, under the document's name and the time
//! (milliseconds since 1970, UTC) at which it was overwritten.

use std::collections::VecDeque;
use std::io;

use cap_std::fs::Dir;
use tutti_protocol::ids::DocumentId;

use super::local::now_ms;
use super::state::{StateStore, read_record, stem};
use super::tree::Private;

const OVERWRITTEN: &str = "overwritten";
/// No bridge takes longer to start.
const STARTING_MS: i64 = 10_000;
/// The most files, and bytes of them, that are kept.
const MOST: usize = 256;
const MOST_BYTES: u64 = 64 << 20;

/// See the [module's documentation](self).
#[derive(Debug)]
pub(super) struct Overwritten {
    dir: Dir,
    /// This bridge's own, the oldest first.
    kept: VecDeque<Kept>,
    bytes: u64,
}

#[derive(Debug)]
struct Kept {
    name: String,
    at: i64,
    bytes: u64,
}

impl Overwritten {
    pub(super) fn open(private: &Private) -> io::Result<Self> {
        let dir = private.subdirectory(OVERWRITTEN)?;
        Ok(Self {
            dir,
            kept: VecDeque::new(),
            bytes: 0,
        })
    }

    /// Takes over what an earlier bridge has left.
    pub(super) fn take_over(&mut self) -> io::Result<()> {
        let mut found = Vec::new();
        for entry in self.dir.entries()? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let bytes = entry.metadata()?.len();
            let at = time_in(&name).unwrap_or_default();
            found.push(Kept { name, at, bytes });
        }
        found.sort_by_key(|kept| kept.at);
        self.bytes = found.iter().map(|kept| kept.bytes).sum();
        self.kept = found.into();
        self.prune()
    }

    /// The mirror is about to write into a document's file: keeps what `store` has of the document,
    /// whose base is what the file holds.
    pub(super) fn keep(&mut self, document: &DocumentId, store: &StateStore) -> io::Result<()> {
        let at = now_ms();
        let name = format!("{}.{at:016x}-{:04x}", stem(document), fastrand::u16(..));
        let bytes = store.link(document, &self.dir, &name)?;
        self.kept.push_back(Kept { name, at, bytes });
        self.bytes += bytes;
        self.prune()
    }

    /// Takes away what no editor can have read a moment ago any more.
    pub(super) fn prune(&mut self) -> io::Result<()> {
        let now = now_ms();
        while let Some(oldest) = self.kept.front() {
            let is_recent = (now - oldest.at).abs() < STARTING_MS;
            if is_recent && self.kept.len() <= MOST && self.bytes <= MOST_BYTES {
                break;
            }
            match self.dir.remove_file(&oldest.name) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            self.bytes -= oldest.bytes;
            self.kept.pop_front();
        }
        Ok(())
    }

    /// The states that a document's file stood for before it was overwritten, the last one first.
    pub(super) fn of(&self, document: &DocumentId) -> io::Result<Vec<Vec<u8>>> {
        let of_document = stem(document) + ".";
        let mut names = Vec::new();
        for entry in self.dir.entries()? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            if name.starts_with(&of_document) {
                names.push(name);
            }
        }
        names.sort_by(|a, b| b.cmp(a));
        let records = names.iter().map(|name| read_record(&self.dir, name));
        let bases = records.filter_map(|record| match record {
            // Its owner has just taken it away.
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(Err(error)),
            Ok(record) => Ok(record?.base.map(|base| base.state)).transpose(),
        });
        bases.collect()
    }
}

/// The time in a file's name.
fn time_in(name: &str) -> Option<i64> {
    let (_, time) = name.rsplit_once('.')?;
    let (time, _) = time.split_once('-')?;
    i64::from_str_radix(time, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_read_from_a_name() {
        assert_eq!(time_in("a+b.000000000000000f-1a2b"), Some(15));
        assert_eq!(time_in("nothing"), None);
    }
}
