//! The project's own directory, `.tutti`.

use std::io::{self, Read, Write};

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt};
use cap_std::fs::{Dir, OpenOptions};
use tutti_protocol::path::ProjectPath;

use super::change::temporary_name;
use super::{LeftAlone, Tree};

/// Where texts go that have no place in the project any more.
const RECOVERED: &str = "recovered";

/// A handle to `.tutti`.
#[derive(Debug)]
pub(crate) struct Private {
    dir: Dir,
}

impl Tree {
    /// Opens `.tutti`, which must be a real directory and no link.
    pub(crate) fn private(&self) -> io::Result<Private> {
        Ok(Private {
            dir: self.root.open_dir_nofollow(".tutti")?,
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
        // Flat, so that no two kept files can stand in each other's way as file and directory.
        let flat = path.as_str().replace('/', "__");
        let mut start = flat.len().saturating_sub(200);
        while !flat.is_char_boundary(start) {
            start += 1;
        }
        let flat = &flat[start..];
        for n in 1.. {
            let name = if n == 1 {
                flat.to_owned()
            } else {
                format!("{flat}.{n}")
            };
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            match dir.open_with(&name, &options) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    // The same text twice needs one copy.
                    if read_small(&dir, &name).is_ok_and(|kept| kept == bytes) {
                        return Ok(format!(".tutti/{RECOVERED}/{name}"));
                    }
                }
                opened => {
                    let mut file = opened?;
                    file.write_all(bytes)?;
                    file.sync_all()?;
                    return Ok(format!(".tutti/{RECOVERED}/{name}"));
                }
            }
        }
        unreachable!("the count has no end")
    }
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
