//! Contents on their way from the server into the tree: `.tutti/blobs`.
//!
//! What is being fetched is `HASH.part`; it is renamed to `HASH` once it is whole and was compared
//! with its hash. From there it is put into its place in one step, and what it displaces is here
//! until it has been looked at. So a kill leaves nothing half in the tree, and what is found here
//! later under a name that is not its hash is what another program had written.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::time::{Duration, SystemTime};

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt};
use cap_std::fs::{Dir, OpenOptions};
use tutti_protocol::blob::BlobHash;
use tutti_protocol::path::ProjectPath;

use super::change::{Expected, Outcome, put_in_place, set_mode};
use super::contents::{hash_in, hash_of, open_in};
use super::{LeftAlone, Private, Tree};

const BLOBS: &str = "blobs";
const PART: &str = ".part";
/// Between a hash and the number of a further copy.
const COPY: char = '.';
/// A fetch that nobody has gone on with for so long is given up.
const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// The directory `.tutti/blobs`.
#[derive(Debug)]
pub(crate) struct Staging {
    dir: Dir,
}

/// A content that is being fetched.
#[derive(Debug)]
pub(crate) struct Incoming<'a> {
    staging: &'a Staging,
    hash: BlobHash,
    file: File,
    /// How much of it is here.
    pub(crate) bytes: u64,
}

impl Staging {
    pub(crate) fn open(private: &Private) -> io::Result<Self> {
        Ok(Self {
            dir: private.subdirectory(BLOBS)?,
        })
    }

    /// Whether a content is here, whole.
    pub(crate) fn has(&self, hash: &BlobHash) -> bool {
        self.dir.symlink_metadata(hash.to_string()).is_ok()
    }

    /// Begins to fetch a content, or goes on with it.
    pub(crate) fn fetch(&self, hash: BlobHash) -> io::Result<Incoming<'_>> {
        let mut options = OpenOptions::new();
        options
            .read(true)
            .append(true)
            .create(true)
            .follow(FollowSymlinks::No);
        let name = hash.to_string() + PART;
        let mut file = self.dir.open_with(name, &options)?.into_std();
        let bytes = file.seek(SeekFrom::End(0))?;
        Ok(Incoming {
            staging: self,
            hash,
            file,
            bytes,
        })
    }

    /// Puts a content that is here in the place of what is expected. It is not here any more then,
    /// unless `keep`.
    pub(crate) fn put(
        &self,
        tree: &Tree,
        path: &ProjectPath,
        hash: BlobHash,
        executable: bool,
        expected: Expected<'_>,
        keep: bool,
    ) -> Result<Outcome, LeftAlone> {
        let Some(dir) = tree.parent_for(path, expected)? else {
            return Ok(Outcome::Changed);
        };
        let whole = hash.to_string();
        let name = match keep {
            true => self.copy(&whole)?,
            false => whole,
        };
        let (from, to) = ((&self.dir, name.as_str()), (&dir, path.file_name()));
        set_mode(from, to, executable)?;
        let put = put_in_place(from, to, Expected::Hash(hash), expected);
        // After an exchange this name holds the old content.
        let is_over = matches!(put, Ok(Outcome::Done)) || keep;
        if is_over {
            let _ = self.dir.remove_file(&name);
        }
        put
    }

    fn copy(&self, whole: &str) -> Result<String, LeftAlone> {
        let copy = format!("{whole}{COPY}{:08x}", fastrand::u32(..));
        let part = format!("{copy}{PART}");
        let copied = self.dir.copy(whole, &self.dir, &part);
        let copied = copied.and_then(|_| self.dir.rename(&part, &self.dir, &copy));
        if copied.is_err() {
            let _ = self.dir.remove_file(&part);
        }
        Ok(copied.map(|()| copy)?)
    }

    /// Takes a content away that nobody waits for.
    pub(crate) fn drop_content(&self, hash: &BlobHash) {
        let _ = self.dir.remove_file(hash.to_string());
    }

    /// Tidies up after a bridge that was killed. Returns files of which only it knew what they are:
    /// under their names here, with the hash of what is in them.
    pub(crate) fn left_behind(&self) -> Result<Vec<(String, BlobHash)>, LeftAlone> {
        let mut unknown = Vec::new();
        for entry in self.dir.entries()? {
            let entry = entry?;
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                continue;
            };
            if let Some(of) = name.strip_suffix(PART) {
                let written = entry.metadata()?.modified()?.into_std();
                let age = SystemTime::now().duration_since(written);
                let is_old = age.is_ok_and(|age| age > KEPT);
                if of.contains(COPY) || is_old {
                    self.dir.remove_file(&name)?;
                }
                continue;
            }
            let named = name.split(COPY).next().unwrap_or_default().parse().ok();
            let Some(hash) = hash_in(&self.dir, &name)? else {
                continue;
            };
            match (Some(hash) == named, name.contains(COPY)) {
                (true, true) => self.dir.remove_file(&name)?,
                (true, false) => {}
                (false, _) => unknown.push((name, hash)),
            }
        }
        Ok(unknown)
    }

    /// Opens one of [`Staging::left_behind`].
    pub(crate) fn open_left(&self, name: &str) -> Result<Option<File>, LeftAlone> {
        open_in(&self.dir, name)
    }

    /// Removes one of [`Staging::left_behind`].
    pub(crate) fn remove_left(&self, name: &str) -> io::Result<()> {
        self.dir.remove_file(name)
    }
}

impl Incoming<'_> {
    /// Begins anew.
    pub(crate) fn restart(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.bytes = 0;
        Ok(())
    }

    /// Adds what has come.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.bytes += bytes.len() as u64;
        Ok(())
    }

    /// All of it has come; `false` if it is not what it should be, and must be fetched anew.
    pub(crate) fn finish(mut self) -> io::Result<bool> {
        self.file.seek(SeekFrom::Start(0))?;
        let part = self.hash.to_string() + PART;
        if hash_of(&mut self.file)? != self.hash {
            self.staging.dir.remove_file(part)?;
            return Ok(false);
        }
        let whole = self.hash.to_string();
        self.staging.dir.rename(part, &self.staging.dir, whole)?;
        Ok(true)
    }
}
