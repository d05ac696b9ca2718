//! One `tutti share` or `tutti join` at a time makes a directory a project: two would each note another project there.

use std::fs::{File, TryLockError};
use std::path::Path;

use anyhow::bail;

/// Held while a directory becomes a project. The lock is on the directory itself, so that nothing is left in it.
#[derive(Debug)]
pub(super) struct Alone {
    _directory: Option<File>,
}

impl Alone {
    /// # Errors
    /// When another process is at it.
    pub(super) fn in_directory(root: &Path) -> anyhow::Result<Self> {
        let directory = match File::open(root) {
            Ok(directory) => directory,
            Err(error) => return Ok(Self::unlocked(root, &error)),
        };
        match directory.try_lock() {
            Ok(()) => Ok(Self {
                _directory: Some(directory),
            }),
            Err(TryLockError::WouldBlock) => bail!(
                "another `tutti share` or `tutti join` is at work in {}: wait until it has ended",
                root.display()
            ),
            Err(TryLockError::Error(error)) => Ok(Self::unlocked(root, &error)),
        }
    }

    /// Not every file system locks directories.
    fn unlocked(root: &Path, error: &std::io::Error) -> Self {
        tracing::debug!(root = %root.display(), %error, "not locked");
        Self { _directory: None }
    }
}
