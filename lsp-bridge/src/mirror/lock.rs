//! One bridge per directory owns its mirror.

use std::fs::{File, TryLockError};
use std::io;

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt};
use cap_std::fs::OpenOptions;

use super::tree::Private;

pub(super) const LOCK_FILE: &str = "lock";

/// Ownership of a directory's mirror, until it is dropped or its process ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the ownership, `None` if another process has it.
    pub(crate) fn try_acquire(private: &Private) -> io::Result<Option<Self>> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).follow(FollowSymlinks::No);
        let file = private.dir().open_with(LOCK_FILE, &options)?.into_std();
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Whether a process has it.
    pub(crate) fn is_taken(private: &Private) -> io::Result<bool> {
        let mut options = OpenOptions::new();
        options.read(true).follow(FollowSymlinks::No);
        let file = match private.dir().open_with(LOCK_FILE, &options) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            opened => opened?.into_std(),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}
