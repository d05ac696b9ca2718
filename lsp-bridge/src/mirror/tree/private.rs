//! The project's own directory, `.tutti`.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt};
use cap_std::fs::{Dir, OpenOptions};
use tutti_protocol::path::ProjectPath;

use super::change::temporary_name;
use super::contents::{hash_in, hash_of};
use super::swap::rename_new;
use super::{LeftAlone, Tree};
use crate::project::PRIVATE_DIR;

/// Where texts go that have no place in the project any more.
const RECOVERED: &str = "recovered";
/// Is there in a project that one may only read.
const VIEW_ONLY: &str = "view-only";

/// A handle to `.tutti`.
#[derive(Debug)]
pub(crate) struct Private {
    dir: Dir,
}

impl Tree {
    /// Opens `.tutti`, which must be a real directory and no link.
    pub(crate) fn private(&self) -> io::Result<Private> {
        Ok(Private {
            dir: self.root.open_dir_nofollow(PRIVATE_DIR)?,
        })
    }
}

impl Private {
    /// The directory itself.
    pub(crate) fn dir(&self) -> &Dir {
        &self.dir
    }

    /// A directory in it, made if need be.
    pub(crate) fn subdirectory(&self, name: &str) -> io::Result<Dir> {
        make_dir(&self.dir, name)?;
        self.dir.open_dir_nofollow(name)
    }

    /// Whether the project was last known as one that may only be read.
    pub(crate) fn is_view_only(&self) -> bool {
        self.dir.symlink_metadata(VIEW_ONLY).is_ok()
    }

    /// Remembers it for the next bridge, which knows it before it has a connection.
    pub(crate) fn mark_view_only(&self, on: bool) -> io::Result<()> {
        if on {
            return write_atomically(&self.dir, VIEW_ONLY, b"", false);
        }
        match self.dir.remove_file(VIEW_ONLY) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// How many texts [`Private::recover`] has kept.
    pub(crate) fn recovered(&self) -> usize {
        let dir = self.dir.open_dir_nofollow(RECOVERED);
        let entries = dir.and_then(|dir| dir.entries());
        entries.map_or(0, Iterator::count)
    }

    /// Keeps a text that has no place in the project any more, under a name that is free. Returns
    /// where, relative to the project's directory.
    pub(crate) fn recover(&self, path: &ProjectPath, bytes: &[u8]) -> Result<String, LeftAlone> {
        let dir = self.subdirectory(RECOVERED)?;
        let is_same = |name: &str| Ok(read_small(&dir, name).is_ok_and(|kept| kept == bytes));
        keep_whole(&dir, path, &mut &*bytes, is_same)
    }

    /// Keeps a file of any size as [`Private::recover`] keeps a text.
    pub(crate) fn recover_file(
        &self,
        path: &ProjectPath,
        mut file: File,
    ) -> Result<String, LeftAlone> {
        let dir = self.subdirectory(RECOVERED)?;
        let hash = hash_of(&mut file)?;
        file.seek(SeekFrom::Start(0))?;
        let is_same = |name: &str| Ok(hash_in(&dir, name)? == Some(hash));
        keep_whole(&dir, path, &mut file, is_same)
    }
}

/// Copies all that is left to read to a name that is free. A content that `is_same` finds under a name needs no
/// further copy. Returns where it is, relative to the project's directory.
fn keep_whole(
    dir: &Dir,
    path: &ProjectPath,
    content: &mut impl Read,
    is_same: impl Fn(&str) -> Result<bool, LeftAlone>,
) -> Result<String, LeftAlone> {
    // Whole before it has its name.
    let part = temporary_name();
    let named = copy_to(dir, &part, content)
        .map_err(LeftAlone::from)
        .and_then(|()| name_it(dir, &part, path, is_same));
    if named.is_err() {
        let _ = dir.remove_file(&part);
    }
    named.map(|name| format!(".tutti/{RECOVERED}/{name}"))
}

fn copy_to(dir: &Dir, name: &str, content: &mut impl Read) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    let mut copy = dir.open_with(name, &options)?.into_std();
    io::copy(content, &mut copy)?;
    copy.sync_all()
}

fn name_it(
    dir: &Dir,
    part: &str,
    path: &ProjectPath,
    is_same: impl Fn(&str) -> Result<bool, LeftAlone>,
) -> Result<String, LeftAlone> {
    for name in names_for(path) {
        match rename_new(dir, part, dir, &name) {
            Ok(()) => return Ok(name),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if is_same(&name)? {
                    dir.remove_file(part)?;
                    return Ok(name);
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    unreachable!("the count has no end")
}

/// Names for a file that is kept, until one is free.
fn names_for(path: &ProjectPath) -> impl Iterator<Item = String> {
    // Flat, so that no two kept files can stand in each other's way as file and directory.
    let flat = path.as_str().replace('/', "__");
    let mut start = flat.len().saturating_sub(200);
    while !flat.is_char_boundary(start) {
        start += 1;
    }
    let flat = flat[start..].to_owned();
    (1..).map(move |n| match n {
        1 => flat.clone(),
        n => format!("{flat}.{n}"),
    })
}

fn make_dir(parent: &Dir, name: &str) -> io::Result<()> {
    match parent.create_dir(name) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Reads a file of Tutti's own, following no link.
pub(crate) fn read_small(dir: &Dir, name: &str) -> io::Result<Vec<u8>> {
    let mut options = OpenOptions::new();
    options.read(true).follow(FollowSymlinks::No);
    let mut bytes = Vec::new();
    dir.open_with(name, &options)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Replaces a file of Tutti's own in one step, on the disk before it returns if `durable`.
pub(crate) fn write_atomically(
    dir: &Dir,
    name: &str,
    bytes: &[u8],
    durable: bool,
) -> io::Result<()> {
    let temporary = temporary_name();
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use cap_std::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let written = (|| {
        let mut file = dir.open_with(&temporary, &options)?;
        file.write_all(bytes)?;
        if durable {
            file.sync_all()?;
        }
        dir.rename(&temporary, dir, name)
    })();
    if written.is_err() {
        let _ = dir.remove_file(&temporary);
    }
    written
}
