//! The data directory: made where it is missing, and one process's own while it runs.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use super::StartError;

/// A data directory that this process holds the lock of.
pub(crate) struct DataDir {
    path: PathBuf,
    /// The system unlocks it when the process ends, however it ends.
    _lock: File,
}

impl DataDir {
    /// Makes the directory if it is missing, and locks it.
    pub(crate) fn open(path: PathBuf) -> Result<DataDir, StartError> {
        let unusable = |cause: io::Error| StartError::DataDir {
            path: path.clone(),
            cause,
        };
        create_private_dir(&path).map_err(unusable)?;
        let lock = open_private_file(&path.join("lock")).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => Ok(DataDir { path, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StartError::InUse { path }),
            Err(TryLockError::Error(cause)) => Err(unusable(cause)),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in the directory, which is made empty if it is missing, so that only
    /// its owner can read what a library then writes into it.
    pub(crate) fn private_file(&self, name: &str) -> Result<PathBuf, StartError> {
        let path = self.path.join(name);
        match open_private_file(&path) {
            Ok(_) => Ok(path),
            Err(cause) => Err(StartError::DataDir {
                path: self.path.clone(),
                cause,
            }),
        }
    }
}

fn create_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn open_private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
