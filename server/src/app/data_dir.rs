//! The data directory: made where it is missing, and one process's own while it runs.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::StartError;

/// A data directory that this process holds the lock of.
pub(super) struct DataDir {
    path: PathBuf,
    /// The system unlocks it when the process ends, however it ends.
    _lock: File,
}

impl DataDir {
    /// Makes the directory if it is missing, and locks it.
    pub(super) fn open(path: PathBuf) -> Result<DataDir, StartError> {
        let unusable = |cause: io::Error| StartError::DataDir {
            path: path.clone(),
            cause,
        };
        create_private(&path).map_err(unusable)?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join("lock"));
        let lock = lock.map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(DataDir { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StartError::InUse { path }),
            Err(TryLockError::Error(cause)) => Err(unusable(cause)),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes a directory that is nobody else's business.
fn create_private(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
