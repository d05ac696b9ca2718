//! Files of any size: looked at without being read, and read a part at a time.

use std::fs::File;
use std::io::{self, Read};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::fs::{Dir, Metadata, OpenOptions};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tutti_protocol::blob::BlobHash;
use tutti_protocol::path::ProjectPath;

use super::{Identity, LeftAlone, Tree, check_plain, executable};

/// Read at once.
const PIECE_BYTES: usize = 256 * 1024;

/// What tells, without reading a file, that it is the one that was read before. Times are in
/// nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    bytes: u64,
    written: u64,
    /// Which no program can set as it likes.
    changed: u64,
    /// See [`Identity`].
    #[serde(default)]
    pub(crate) identity: Option<Identity>,
}

/// What is known of a plain file without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Looked {
    /// Its length.
    pub(crate) bytes: u64,
    /// As in [`super::RawFile`].
    pub(crate) executable: Option<bool>,
    /// When it was written last, where the system tells.
    pub(crate) written: Option<SystemTime>,
    /// See [`Stamp`].
    pub(crate) stamp: Stamp,
}

impl Stamp {
    /// Itself, if it is that of a file that was `before`, and has been renamed or got other mode
    /// bits since.
    pub(crate) fn of_same_content(self, before: &Stamp) -> Option<Stamp> {
        let same = |stamp: &Stamp| (stamp.bytes, stamp.written, stamp.identity);
        (same(&self) == same(before)).then_some(self)
    }
}

impl Looked {
    fn of(found: &Metadata) -> Self {
        let written = found.modified().ok().map(|at| at.into_std());
        Self {
            bytes: found.len(),
            executable: executable(found),
            written,
            stamp: stamp(found, written),
        }
    }

    /// Whether nobody has written to it for so long, as far as its times tell.
    pub(crate) fn is_quiet_for(&self, time: Duration) -> bool {
        let age = self.written.map(|at| SystemTime::now().duration_since(at));
        // A time to come is no sign of someone writing.
        age.is_none_or(|age| age.map_or(true, |age| age >= time))
    }
}

/// When a file was written last, or named or marked otherwise, which no program can set as it likes; where the system
/// does not tell, when it says to have been written.
#[cfg(unix)]
pub(super) fn changed(found: &Metadata) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(since_1970(found))
}

#[cfg(not(unix))]
pub(super) fn changed(found: &Metadata) -> Option<SystemTime> {
    found.modified().ok().map(|at| at.into_std())
}

#[cfg(unix)]
fn since_1970(found: &Metadata) -> Duration {
    use cap_std::fs::MetadataExt;
    Duration::new(
        u64::try_from(found.ctime()).unwrap_or(0),
        u32::try_from(found.ctime_nsec()).unwrap_or(0),
    )
}

#[cfg(unix)]
fn stamp(found: &Metadata, written: Option<SystemTime>) -> Stamp {
    Stamp {
        bytes: found.len(),
        written: nanoseconds(written),
        changed: since_1970(found).as_nanos() as u64,
        identity: Identity::of(found),
    }
}

#[cfg(not(unix))]
fn stamp(found: &Metadata, written: Option<SystemTime>) -> Stamp {
    Stamp {
        bytes: found.len(),
        written: nanoseconds(written),
        changed: 0,
        identity: None,
    }
}

fn nanoseconds(time: Option<SystemTime>) -> u64 {
    let since = time.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_nanos() as u64)
}

impl Tree {
    /// Looks at a file without reading it; `None` if no file stands there.
    pub(crate) fn look(&self, path: &ProjectPath) -> Result<Option<Looked>, LeftAlone> {
        match self.parent(path)? {
            Some(dir) => look_in(&dir, path.file_name()),
            None => Ok(None),
        }
    }

    /// Opens a file to be read; `None` if no file stands there.
    pub(crate) fn open_file(&self, path: &ProjectPath) -> Result<Option<File>, LeftAlone> {
        match self.parent(path)? {
            Some(dir) => open_in(&dir, path.file_name()),
            None => Ok(None),
        }
    }

    /// The hash of a file of any size, and what it looked like; the look is `None` where someone
    /// has written to it meanwhile.
    pub(crate) fn hash(
        &self,
        path: &ProjectPath,
    ) -> Result<Option<(BlobHash, Option<Looked>)>, LeftAlone> {
        let before = self.look(path)?;
        let Some(mut file) = self.open_file(path)? else {
            return Ok(None);
        };
        let hash = hash_of(&mut file)?;
        let after = self.look(path)?;
        let is_same = before == after;
        Ok(Some((hash, after.filter(|_| is_same))))
    }
}

fn look_in(dir: &Dir, name: &str) -> Result<Option<Looked>, LeftAlone> {
    match dir.symlink_metadata(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
        Ok(found) if found.is_dir() => Ok(None),
        Ok(found) => {
            check_plain(&found)?;
            Ok(Some(Looked::of(&found)))
        }
    }
}

/// Whether a plain file stands there.
pub(super) fn is_plain(dir: &Dir, name: &str) -> Result<bool, LeftAlone> {
    Ok(look_in(dir, name)?.is_some())
}

/// Opens a plain file, following no link; `None` if no file stands there.
pub(super) fn open_in(dir: &Dir, name: &str) -> Result<Option<File>, LeftAlone> {
    if !is_plain(dir, name)? {
        return Ok(None);
    }
    let mut options = OpenOptions::new();
    // A pipe put in the file's place since must not block.
    options.read(true).follow(FollowSymlinks::No).nonblock(true);
    let file = match dir.open_with(name, &options) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    check_plain(&file.metadata()?)?;
    Ok(Some(file.into_std()))
}

/// The hash of a plain file; `None` if no file stands there.
pub(super) fn hash_in(dir: &Dir, name: &str) -> Result<Option<BlobHash>, LeftAlone> {
    let file = open_in(dir, name)?;
    Ok(file.map(|mut file| hash_of(&mut file)).transpose()?)
}

/// The hash of all that is left to read.
pub(crate) fn hash_of(from: &mut impl Read) -> io::Result<BlobHash> {
    let mut hasher = Sha256::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok(BlobHash(hasher.finalize().into())),
            Ok(read) => hasher.update(&piece[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
