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
            let dir = all.open_dir_nofollow(&name);
            let locked = dir.and_then(|dir| {
                let lock = open_lock(&dir)?;
                lock.lock()?;
                Ok((dir, Self { _lock: lock }))
            });
            // Who was just looking for what is left behind may have taken it for that.
            match locked {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Ok(claimed) if all.symlink_metadata(&name).is_ok() => return Ok(claimed),
                Ok(_) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The claim to a directory whose owner has ended; `None` while it lives, and if another has taken
    /// the directory away by now.
    pub(super) fn to_left(dir: &Dir) -> io::Result<Option<Self>> {
        let lock = match open_lock(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use cap_std::ambient_authority;

    use super::*;

    /// Another bridge removes what it takes for left behind, while this one is about to claim it.
    #[test]
    fn a_claim_is_made_however_often_it_is_swept_away() {
        let directory = tempfile::tempdir().unwrap();
        let open = || Dir::open_ambient_dir(directory.path(), ambient_authority()).unwrap();
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // Two of them, which may be after the same one.
            let sweep = || {
                let all = open();
                while !is_over.load(Ordering::Relaxed) {
                    for entry in all.entries().unwrap() {
                        let name = entry.unwrap().file_name();
                        let Ok(dir) = all.open_dir_nofollow(&name) else {
                            continue;
                        };
                        if let Some(_claim) = Claim::to_left(&dir).unwrap() {
                            let _ = all.remove_dir_all(&name);
                        }
                    }
                }
            };
            scope.spawn(sweep);
            scope.spawn(sweep);
            let all = open();
            for _ in 0..2_000 {
                let claimed = Claim::new_in(&all);
                let is_made = claimed.is_ok();
                is_over.fetch_or(!is_made, Ordering::Relaxed);
                claimed.unwrap();
            }
            is_over.store(true, Ordering::Relaxed);
        });
    }
}
