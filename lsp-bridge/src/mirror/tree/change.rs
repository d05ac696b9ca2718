//! Writing, removing and renaming, each only if the file still is what the caller last saw.

use std::io::{self, Write};

use cap_std::fs::{Dir, OpenOptions};
use tutti_protocol::blob::BlobHash;
use tutti_protocol::path::ProjectPath;

use super::contents::{hash_in, is_plain};
use super::swap::{exchange, rename_new};
use super::{Found, Identity, LeftAlone, Tree, read_in};

/// Names of the mirror's temporary files: `.tutti-` and `.tmp` around a random part.
const TEMPORARY: (&str, &str) = (".tutti-", ".tmp");

/// What the caller believes to stand at a path.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expected<'a> {
    /// Nothing.
    Missing,
    /// A file with exactly these bytes.
    Bytes(&'a [u8]),
    /// A file of any size whose bytes have this hash.
    Hash(BlobHash),
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
    /// no links and keeps the mode bits but for the executable one. Returns which file it is now as well.
    pub(crate) fn write(
        &self,
        path: &ProjectPath,
        bytes: &[u8],
        executable: bool,
        expected: Expected<'_>,
    ) -> Result<(Outcome, Option<Identity>), LeftAlone> {
        let Some(dir) = self.parent_for(path, expected)? else {
            return Ok((Outcome::Changed, None));
        };
        let name = path.file_name();
        if !holds(&dir, name, expected)? {
            return Ok((Outcome::Changed, None));
        }
        let temporary = temporary_name();
        let ours = Expected::Bytes(bytes);
        let written = write_temporary(&dir, &temporary, bytes).and_then(|identity| {
            set_mode((&dir, &temporary), (&dir, name), executable)?;
            Ok(identity)
        });
        let outcome = written.map_err(LeftAlone::from).and_then(|identity| {
            let outcome = put_in_place((&dir, &temporary), (&dir, name), ours, expected)?;
            Ok((outcome, identity))
        });
        // After an exchange this name holds the old content; after a failure, our own.
        let _ = dir.remove_file(&temporary);
        outcome
    }

    /// The directory to write a file in. It is made for a new one only: that of a file that was there a moment ago may
    /// just be renamed, and another about to get its name.
    pub(super) fn parent_for(
        &self,
        path: &ProjectPath,
        expected: Expected<'_>,
    ) -> Result<Option<Dir>, LeftAlone> {
        match expected {
            Expected::Missing => self.make_parent(path).map(Some),
            Expected::Bytes(_) | Expected::Hash(_) => self.parent(path),
        }
    }

    /// Sets or clears the executable bit of a file, for everyone who may read it.
    pub(crate) fn set_executable(&self, path: &ProjectPath, on: bool) -> Result<(), LeftAlone> {
        let Some(dir) = self.parent(path)? else {
            return Ok(());
        };
        let name = path.file_name();
        if is_plain(&dir, name)? {
            set_mode((&dir, name), (&dir, name), on)?;
        }
        Ok(())
    }

    /// Removes a file that holds what is expected, and the directories that it leaves empty.
    pub(crate) fn remove(
        &self,
        path: &ProjectPath,
        expected: Expected<'_>,
    ) -> Result<Outcome, LeftAlone> {
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
        if !holds(&dir, &temporary, expected).unwrap_or(false) {
            rename_new(&dir, &temporary, &dir, name)?;
            return Ok(Outcome::Changed);
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
        if !is_plain(&from_dir, from.file_name())? {
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

    /// Exchanges the names of two files in one step; [`Outcome::Changed`] if one of them is not there, or the file
    /// system cannot do so.
    pub(crate) fn exchange(
        &self,
        one: &ProjectPath,
        other: &ProjectPath,
    ) -> Result<Outcome, LeftAlone> {
        let (Some(dir), Some(other_dir)) = (self.parent(one)?, self.parent(other)?) else {
            return Ok(Outcome::Changed);
        };
        let (at, to) = ((&dir, one.file_name()), (&other_dir, other.file_name()));
        if !is_plain(at.0, at.1)? || !is_plain(to.0, to.1)? {
            return Ok(Outcome::Changed);
        }
        match exchange(at, to) {
            Ok(true) => Ok(Outcome::Done),
            Ok(false) => Ok(Outcome::Changed),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Outcome::Changed),
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

/// Whether this stands there.
pub(super) fn holds(dir: &Dir, name: &str, expected: Expected<'_>) -> Result<bool, LeftAlone> {
    if let Expected::Hash(hash) = expected {
        return Ok(hash_in(dir, name)? == Some(hash));
    }
    Ok(match (read_in(dir, name)?, expected) {
        (Found::Missing, Expected::Missing) => true,
        (Found::File(file), Expected::Bytes(bytes)) => file.bytes == bytes,
        _ => false,
    })
}

fn write_temporary(dir: &Dir, name: &str, bytes: &[u8]) -> io::Result<Option<Identity>> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    let mut file = dir.open_with(name, &options)?;
    file.write_all(bytes)?;
    Ok(Identity::of(&file.metadata()?))
}

/// A name in a directory.
pub(super) type At<'a> = (&'a Dir, &'a str);

/// Gives `target` the mode of `like`, or a new file's if that is not there.
#[cfg(unix)]
pub(super) fn set_mode(target: At<'_>, like: At<'_>, executable: bool) -> io::Result<()> {
    use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt, OpenOptionsSyncExt};
    use cap_std::fs::{Permissions, PermissionsExt};
    let model = like.0.symlink_metadata(like.1);
    let model = model.or_else(|_| target.0.symlink_metadata(target.1))?;
    // No set-user-id or the like on content that others wrote.
    let kept = model.permissions().mode() & 0o777;
    let mode = match (executable, kept & 0o100 != 0) {
        (true, false) => kept | ((kept & 0o444) >> 2),
        (false, true) => kept & 0o666,
        _ => kept,
    };
    let mut options = OpenOptions::new();
    options.read(true).follow(FollowSymlinks::No).nonblock(true);
    let file = target.0.open_with(target.1, &options)?;
    file.set_permissions(Permissions::from_mode(mode))
}

#[cfg(not(unix))]
pub(super) fn set_mode(_: At<'_>, _: At<'_>, _: bool) -> io::Result<()> {
    Ok(())
}

/// Puts the file `from`, which holds `ours`, in the place of what is expected at `to`. What stood
/// there is at `from` afterwards; where nothing was expected, nothing is.
pub(super) fn put_in_place(
    from: At<'_>,
    to: At<'_>,
    ours: Expected<'_>,
    expected: Expected<'_>,
) -> Result<Outcome, LeftAlone> {
    if let Expected::Missing = expected {
        return match rename_new(from.0, from.1, to.0, to.1) {
            Ok(()) => Ok(Outcome::Done),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                match to.0.symlink_metadata(to.1) {
                    Ok(found) if found.is_dir() => Err(LeftAlone::Directory),
                    _ => Ok(Outcome::Changed),
                }
            }
            Err(error) => Err(error.into()),
        };
    }
    match exchange(from, to) {
        Ok(true) => {}
        Ok(false) => {
            if !holds(to.0, to.1, expected)? {
                return Ok(Outcome::Changed);
            }
            from.0.rename(from.1, to.0, to.1)?;
            return Ok(Outcome::Done);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Outcome::Changed),
        Err(error) => return Err(error.into()),
    }
    if holds(from.0, from.1, expected).unwrap_or(false) {
        return Ok(Outcome::Done);
    }
    // What we displaced is another program's newest text: it goes back.
    exchange(from, to)?;
    if !holds(from.0, from.1, ours).unwrap_or(false) {
        // Written once more in that very moment: the newest text is the one that stays.
        exchange(from, to)?;
    }
    Ok(Outcome::Changed)
}
