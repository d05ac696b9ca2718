//! The project's directory, seen through a handle that nothing can lead out of.
//!
//! Every path is a [`ProjectPath`], and every step down is taken from the handle of the directory
//! before it without following links. A link that is swapped in between two steps therefore makes
//! an operation fail; it never makes it land elsewhere.

mod change;
mod contents;
mod identity;
mod private;
mod staging;
mod swap;

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, OpenOptions};
use thiserror::Error;
use tutti_protocol::path::{PathError, ProjectPath};

use crate::project::{PENDING_FILE, PRIVATE_DIR, PROJECT_FILE};

pub(crate) use change::{Expected, Outcome, is_temporary};
use contents::changed;
pub(crate) use contents::{Looked, Stamp};
pub(crate) use identity::Identity;
pub(crate) use private::Private;
pub(crate) use private::{read_small, write_atomically};
pub(crate) use staging::{Incoming, Staging};

/// The largest text that people edit together, in bytes. A text over this size is data, and its CRDT
/// would cost every participant several times as much memory: it travels whole, as other files do.
pub const MAX_FILE_BYTES: u64 = 10 * 1024 * 1024;

/// A file's content and the one mode bit that is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawFile {
    /// All of it.
    pub(crate) bytes: Vec<u8>,
    /// Whether its owner may execute it; `None` where the system has no such bit.
    pub(crate) executable: Option<bool>,
    /// When it was written last, where the system tells.
    pub(crate) written: Option<SystemTime>,
    /// When that was, or it came to be where it is: who copies or moves a file there may give it an older time.
    pub(crate) changed: Option<SystemTime>,
    /// Which file it is.
    pub(crate) identity: Option<Identity>,
}

impl RawFile {
    /// How long it has been there as it is, where the system tells, and tells no time to come.
    pub(crate) fn age(&self) -> Option<Duration> {
        self.changed.and_then(ago)
    }

    /// Whether it was written within the last `age`.
    pub(crate) fn is_younger_than(&self, age: Duration) -> bool {
        let own = self.written.and_then(ago);
        own.is_some_and(|own| own < age)
    }
}

fn ago(time: SystemTime) -> Option<Duration> {
    SystemTime::now().duration_since(time).ok()
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// No file: nothing, a directory, or what is no directory on the way to it.
    Missing,
    /// A plain file.
    File(RawFile),
    /// Something that is neither read nor written.
    Blocked(LeftAlone),
}

/// Why a path is neither read nor written.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LeftAlone {
    /// The name itself is refused.
    #[error("{0}")]
    Path(#[from] PathError),
    /// A symbolic link, or a directory on the way that is one.
    #[error("it is a symbolic link or lies behind one")]
    Link,
    /// A file stands where the path needs a directory.
    #[error("a file stands where its directory should be; rename that one, and it comes")]
    ParentIsFile,
    /// A directory stands there.
    #[error("a directory stands there; rename that, and the file comes")]
    Directory,
    /// A pipe, socket or device.
    #[error("it is no plain file")]
    Special,
    /// Not UTF-8 text.
    #[error("it is not UTF-8 text")]
    NotText,
    /// Over [`MAX_FILE_BYTES`].
    #[error("it is larger than 10 MiB")]
    TooBig,
    /// Over what the server takes, in bytes.
    #[error("it is larger than the {} MiB that the server takes", .0 / (1024 * 1024))]
    OverCap(u64),
    /// The server does not take it, or does not have it.
    #[error("{0}")]
    Server(String),
    /// Kept out by `.gitignore` or `.tuttiignore`.
    #[error("it is ignored here by .gitignore or .tuttiignore")]
    Ignored,
    /// It is a directory of this name that is a project of its own, or lies in one.
    #[error("the directory {0} is a shared project of its own")]
    OtherProject(String),
    /// Where file systems fold case or form, its name is that of another file of the project.
    #[error(
        "its name differs from {0} only in case or in how its characters are encoded; rename one of the two"
    )]
    Namesake(ProjectPath),
    /// The project has a file whose name is that of its directory, or has the other way round.
    #[error(
        "the project has {0}, and no name can be both a file's and a directory's; rename one of the two"
    )]
    InTheWay(ProjectPath),
    /// Another file of the project stands there, which others have renamed while it is open here.
    #[error("another file is open under that name here: close that one")]
    Occupied,
    /// In a project that one may only read.
    #[error("you may only read this project")]
    ReadOnly,
    /// There is no room for it.
    #[error("the disk is full; make room, and it is written")]
    Full,
    /// The file system refused.
    #[error("the file system says: {0}")]
    Io(String),
}

impl LeftAlone {
    /// Whether it may pass without anybody telling so: it has to be tried again.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(self, Self::Full | Self::Io(_))
    }
}

impl From<io::Error> for LeftAlone {
    fn from(error: io::Error) -> Self {
        Self::from(&error)
    }
}

impl From<&io::Error> for LeftAlone {
    fn from(error: &io::Error) -> Self {
        // One that tells why a copy could not be kept.
        let told = error.get_ref().and_then(|told| told.downcast_ref::<Self>());
        match (told, error.kind()) {
            (Some(told), _) => told.clone(),
            (None, io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) => Self::Full,
            (None, _) => Self::Io(error.to_string()),
        }
    }
}

/// A handle to the project's directory.
#[derive(Debug)]
pub(crate) struct Tree {
    root: Dir,
    path: PathBuf,
    /// It counts as full.
    #[cfg(test)]
    pub(super) is_full: bool,
}

impl Tree {
    /// Opens the directory. `path` is the caller's own choice and may lead through links.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            root: Dir::open_ambient_dir(path, ambient_authority())?,
            path: path.to_owned(),
            #[cfg(test)]
            is_full: false,
        })
    }

    /// The directory's path, for messages and for the watcher only.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the disk is known to have no room for so many bytes more.
    pub(crate) fn has_no_room_for(&self, bytes: u64) -> bool {
        #[cfg(test)]
        if self.is_full {
            return true;
        }
        free_bytes(&self.root).is_some_and(|free| free < bytes)
    }

    /// Reads the file at `path`.
    pub(crate) fn read(&self, path: &ProjectPath) -> Found {
        self.try_read(path).unwrap_or_else(Found::Blocked)
    }

    fn try_read(&self, path: &ProjectPath) -> Result<Found, LeftAlone> {
        let Some(dir) = self.parent(path)? else {
            return Ok(Found::Missing);
        };
        match read_in(&dir, path.file_name()) {
            Err(LeftAlone::Directory) => Ok(Found::Missing),
            found => found,
        }
    }

    /// The directory at `path`, the root for `None`; an error if it is none or lies behind a link.
    pub(crate) fn directory(&self, path: Option<&str>) -> Result<Dir, LeftAlone> {
        let mut dir = self.root.try_clone()?;
        for part in path.into_iter().flat_map(|path| path.split('/')) {
            dir = dir.open_dir_nofollow(part)?;
            refuse_project(&dir, part)?;
        }
        Ok(dir)
    }

    /// Why the file at `path` is another project's, if it is.
    pub(crate) fn other_project(&self, path: &ProjectPath) -> Option<LeftAlone> {
        let found = self.parent(path).err();
        found.filter(|reason| matches!(reason, LeftAlone::OtherProject(_)))
    }

    /// What stands in the way of a file at `path`: a directory, or a file where its directory should be.
    pub(crate) fn in_the_way(&self, path: &ProjectPath) -> Option<LeftAlone> {
        let mut dir = self.root.try_clone().ok()?;
        let mut parts: Vec<&str> = path.parts().collect();
        parts.pop();
        for part in parts {
            dir = match dir.open_dir_nofollow(part) {
                Ok(next) => next,
                Err(error) => {
                    let why = why_no_directory(&dir, part, error);
                    return matches!(why, LeftAlone::ParentIsFile).then_some(why);
                }
            };
        }
        let found = dir.symlink_metadata(path.file_name()).ok()?;
        found.is_dir().then_some(LeftAlone::Directory)
    }

    /// The directory that holds `path`; `None` if it is not there, or is a file.
    fn parent(&self, path: &ProjectPath) -> Result<Option<Dir>, LeftAlone> {
        let mut dir = self.root.try_clone()?;
        let mut parts: Vec<&str> = path.parts().collect();
        parts.pop();
        for part in parts {
            match dir.open_dir_nofollow(part) {
                Ok(next) => {
                    refuse_project(&next, part)?;
                    dir = next;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                Err(error) => {
                    return match why_no_directory(&dir, part, error) {
                        LeftAlone::ParentIsFile => Ok(None),
                        reason => Err(reason),
                    };
                }
            }
        }
        Ok(Some(dir))
    }

    /// The directory that holds `path`, made if need be.
    fn make_parent(&self, path: &ProjectPath) -> Result<Dir, LeftAlone> {
        let mut dir = self.root.try_clone()?;
        let mut parts: Vec<&str> = path.parts().collect();
        parts.pop();
        for part in parts {
            match dir.create_dir(part) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(error.into());
                }
                _ => {}
            }
            dir = dir
                .open_dir_nofollow(part)
                .map_err(|error| why_no_directory(&dir, part, error))?;
            refuse_project(&dir, part)?;
        }
        Ok(dir)
    }
}

/// A directory below the root that is itself a project, or on its way to become one, is that one's alone.
fn refuse_project(dir: &Dir, name: &str) -> Result<(), LeftAlone> {
    let Ok(private) = dir.open_dir_nofollow(PRIVATE_DIR) else {
        return Ok(());
    };
    let mut files = [PROJECT_FILE, PENDING_FILE].into_iter();
    match files.any(|file| private.symlink_metadata(file).is_ok()) {
        true => Err(LeftAlone::OtherProject(name.to_owned())),
        false => Ok(()),
    }
}

fn why_no_directory(dir: &Dir, part: &str, error: io::Error) -> LeftAlone {
    match dir.symlink_metadata(part) {
        Ok(found) if found.is_symlink() => LeftAlone::Link,
        Ok(found) if !found.is_dir() => LeftAlone::ParentIsFile,
        _ => error.into(),
    }
}

/// Reads the file `name` in `dir`.
fn read_in(dir: &Dir, name: &str) -> Result<Found, LeftAlone> {
    match dir.symlink_metadata(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Missing),
        Err(error) => return Err(error.into()),
        Ok(found) => check_plain(&found)?,
    }
    let mut options = OpenOptions::new();
    // A pipe put in the file's place since must not block.
    options.read(true).follow(FollowSymlinks::No).nonblock(true);
    let file = match dir.open_with(name, &options) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Missing),
        opened => opened?,
    };
    let found = file.metadata()?;
    check_plain(&found)?;
    if found.len() > MAX_FILE_BYTES {
        return Err(LeftAlone::TooBig);
    }
    let mut bytes = Vec::with_capacity(found.len() as usize);
    // It may have grown since.
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(LeftAlone::TooBig);
    }
    Ok(Found::File(RawFile {
        bytes,
        executable: executable(&found),
        written: found.modified().ok().map(|at| at.into_std()),
        changed: changed(&found),
        identity: Identity::of(&found),
    }))
}

fn check_plain(found: &Metadata) -> Result<(), LeftAlone> {
    if found.is_file() {
        Ok(())
    } else if found.is_symlink() {
        Err(LeftAlone::Link)
    } else if found.is_dir() {
        Err(LeftAlone::Directory)
    } else {
        Err(LeftAlone::Special)
    }
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn free_bytes(dir: &Dir) -> Option<u64> {
    let disk = rustix::fs::fstatvfs(dir).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(not(any(target_os = "linux", target_os = "macos")))]
fn free_bytes(_: &Dir) -> Option<u64> {
    None
}

#[cfg(unix)]
fn executable(found: &Metadata) -> Option<bool> {
    use cap_std::fs::PermissionsExt;
    Some(found.permissions().mode() & 0o100 != 0)
}

#[cfg(not(unix))]
fn executable(_: &Metadata) -> Option<bool> {
    None
}
