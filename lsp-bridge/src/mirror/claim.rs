//! Directories in `.tutti` of which each belongs to one living process.

use std::fs::{File, TryLockError};
use std::io;

use cap_fs_ext::{DirExt, FollowSymlinks, OpenOptionsFollowExt};
use cap_std::fs::{Dir, OpenOptions};

const LOCK_FILE: &str = "lock";

/// Tells the other processes that a directory's owner lives, until it is dropped or its process
/// ends.
#[derive(Debug)]
pub(super) struct Claim {
    _lock: File,
}

impl Claim {
    /// A new directory in `all`, with the claim to it.
    pub(super) fn new_in(all: &Dir) -> io::Result<(Dir, Self)> {
        loop {
            let name = format!("{:016x}", fastrand::u64(..));
            all.create_dir(&name)?;
            let dir = all.open_dir_nofollow(&name)?;
            let lock = open_lock(&dir)?;
            lock.lock()?;
            // Who was just looking for what is left behind may have taken it for that.
            if all.symlink_metadata(&name).is_ok() {
                return Ok((dir, Self { _lock: lock }));
            }
        }
    }

    /// The claim to a directory whose owner has ended; `None` while it lives.
    pub(super) fn to_left(dir: &Dir) -> io::Result<Option<Self>> {
        let lock = open_lock(dir)?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self { _lock: lock })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

fn open_lock(dir: &Dir) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).follow(FollowSymlinks::No);
    Ok(dir.open_with(LOCK_FILE, &options)?.into_std())
}
