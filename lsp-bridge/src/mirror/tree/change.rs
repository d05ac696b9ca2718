//! Writing, removing and renaming, each only if the file still is what the caller last saw.

use std::io::{self, Write};

use cap_std::fs::{Dir, OpenOptions};
use tutti_protocol::path::ProjectPath;

use super::swap::{exchange, rename_new};
use super::{Found, LeftAlone, Tree, read_in};

/// Names of the mirror's temporary files: `.tutti-` and `.tmp` around a random part.
const TEMPORARY: (&str, &str) = (".tutti-", ".tmp");

/// What the caller believes to stand at a path.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expected<'a> {
    /// Nothing.
    Missing,
    /// A file with exactly these bytes.
    Bytes(&'a [u8]),
}

/// How a change ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is done.
    Done,
    /// Something else stands there than expected, because another program was faster: nothing
    /// was changed. Read again and decide anew.
    Changed,
}

/// Whether `name` is one of the mirror's temporary files.
pub(crate) fn is_temporary(name: &str) -> bool {
    name.strip_prefix(TEMPORARY.0)
        .is_some_and(|rest| rest.ends_with(TEMPORARY.1))
}

pub(super) fn temporary_name() -> String {
    format!("{}{:016x}{}", TEMPORARY.0, fastrand::u64(..), TEMPORARY.1)
}

impl Tree {
    /// Writes a file in one step: readers see the old content or the new, never a part. Follows
    /// no links and keeps the mode bits but for the executable one.
    pub(crate) fn write(
        &self,
        path: &ProjectPath,
        bytes: &[u8],
        executable: bool,
        expected: Expected<'_>,
    ) -> Result<Outcome, LeftAlone> {
        let dir = self.make_parent(path)?;
        let name = path.file_name();
        let found = read_in(&dir, name)?;
        if !is_expected(&found, expected) {
            return Ok(Outcome::Changed);
        }
        let temporary = temporary_name();
        let outcome = write_temporary(&dir, &temporary, bytes)
            .and_then(|()| set_mode(&dir, &temporary, name, executable))
            .map_err(LeftAlone::from)
            .and_then(|()| put_in_place(&dir, &temporary, name, bytes, expected));
        // After an exchange this name holds the old content; after a failure, our own.
        let _ = dir.remove_file(&temporary);
        outcome
    }

    /// Sets or clears the executable bit of a file, for everyone who may read it.
    pub(crate) fn set_executable(&self, path: &ProjectPath, on: bool) -> Result<(), LeftAlone> {
        let Some(dir) = self.parent(path)? else {
            return Ok(());
        };
        let name = path.file_name();
        if let Found::File(_) = read_in(&dir, name)? {
            set_mode(&dir, name, name, on)?;
        }
        Ok(())
    }

    /// Removes a file that holds exactly `bytes`, and the directories that it leaves empty.
    pub(crate) fn remove(&self, path: &ProjectPath, bytes: &[u8]) -> Result<Outcome, LeftAlone> {
        let Some(dir) = self.parent(path)? else {
            return Ok(Outcome::Done);
        };
        let name = path.file_name();
        let temporary = temporary_name();
        // Out of everyone's reach first, so that what is compared is what is removed.
        match rename_new(&dir, name, &dir, &temporary) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Outcome::Done),
            moved => moved?,
        }
        match read_in(&dir, &temporary) {
            Ok(Found::File(file)) if file.bytes == bytes => {}
            _ => {
                rename_new(&dir, &temporary, &dir, name)?;
                return Ok(Outcome::Changed);
            }
        }
        dir.remove_file(&temporary)?;
        self.prune(path);
        Ok(Outcome::Done)
    }

    /// Renames a file; [`Outcome::Changed`] if something stands at `to` or nothing at `from`.
    pub(crate) fn rename(
        &self,
        from: &ProjectPath,
        to: &ProjectPath,
    ) -> Result<Outcome, LeftAlone> {
        let Some(from_dir) = self.parent(from)? else {
            return Ok(Outcome::Changed);
        };
        if !matches!(read_in(&from_dir, from.file_name())?, Found::File(_)) {
            return Ok(Outcome::Changed);
        }
        let to_dir = self.make_parent(to)?;
        match rename_new(&from_dir, from.file_name(), &to_dir, to.file_name()) {
            Ok(()) => {
                self.prune(from);
                Ok(Outcome::Done)
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound
                ) =>
            {
                Ok(Outcome::Changed)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the directories above `path` that are empty.
    fn prune(&self, path: &ProjectPath) {
        let mut rest = path.as_str();
        while let Some((parent, _)) = rest.rsplit_once('/') {
            let (above, name) = parent
                .rsplit_once('/')
                .map_or((None, parent), |(above, name)| (Some(above), name));
            let Ok(dir) = self.directory(above) else {
                return;
            };
            if dir.remove_dir(name).is_err() {
                return;
            }
            rest = parent;
        }
    }
}

fn is_expected(found: &Found, expected: Expected<'_>) -> bool {
    match (found, expected) {
        (Found::Missing, Expected::Missing) => true,
        (Found::File(file), Expected::Bytes(bytes)) => file.bytes == bytes,
        _ => false,
    }
}

fn write_temporary(dir: &Dir, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    dir.open_with(name, &options)?.write_all(bytes)
}

/// Gives `target` the mode of `like`, or a new file's if that is not there.
#[cfg(unix)]
fn set_mode(dir: &Dir, target: &str, like: &str, executable: bool) -> io::Result<()> {
    use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
    use cap_std::fs::{Permissions, PermissionsExt};
    let model = dir
        .symlink_metadata(like)
        .or_else(|_| dir.symlink_metadata(target))?;
    // No set-user-id or the like on content that others wrote.
    let kept = model.permissions().mode() & 0o777;
    let mode = match (executable, kept & 0o100 != 0) {
        (true, false) => kept | ((kept & 0o444) >> 2),
        (false, true) => kept & 0o666,
        _ => kept,
    };
    let mut options = OpenOptions::new();
    options.read(true).follow(FollowSymlinks::No).nonblock(true);
    dir.open_with(target, &options)?
        .set_permissions(Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(_: &Dir, _: &str, _: &str, _: bool) -> io::Result<()> {
    Ok(())
}

fn put_in_place(
    dir: &Dir,
    temporary: &str,
    name: &str,
    bytes: &[u8],
    expected: Expected<'_>,
) -> Result<Outcome, LeftAlone> {
    let Expected::Bytes(old) = expected else {
        return match rename_new(dir, temporary, dir, name) {
            Ok(()) => Ok(Outcome::Done),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Outcome::Changed),
            Err(error) => Err(error.into()),
        };
    };
    match exchange(dir, temporary, name) {
        Ok(true) => {}
        Ok(false) => {
            if !is_expected(&read_in(dir, name)?, expected) {
                return Ok(Outcome::Changed);
            }
            dir.rename(temporary, dir, name)?;
            return Ok(Outcome::Done);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Outcome::Changed),
        Err(error) => return Err(error.into()),
    }
    if matches!(read_in(dir, temporary), Ok(Found::File(file)) if file.bytes == old) {
        return Ok(Outcome::Done);
    }
    // What we displaced is another program's newest text: it goes back.
    exchange(dir, temporary, name)?;
    if !matches!(read_in(dir, temporary), Ok(Found::File(file)) if file.bytes == bytes) {
        // Written once more in that very moment: the newest text is the one that stays.
        exchange(dir, temporary, name)?;
    }
    Ok(Outcome::Changed)
}
