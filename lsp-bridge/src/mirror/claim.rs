//! Directories in `.tutti` of which each belongs to one living process.

use std::ffi::OsStr;
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
                let lock = open_lock(&dir, true)?;
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

    /// Whether a directory's owner has ended, and nobody else is claiming it.
    pub(super) fn is_left(dir: &Dir) -> io::Result<bool> {
        let Some(lock) = if_there(open_lock(dir, true))? else {
            return Ok(false);
        };
        // Shared: who looks must not pass for an owner that lives with another who looks at the same time.
        is_locked(lock.try_lock_shared())
    }

    /// The claim to a directory whose owner has ended; `None` while it lives, and if another has taken
    /// the directory away by now.
    pub(super) fn to_left(dir: &Dir) -> io::Result<Option<Self>> {
        let Some(lock) = if_there(open_lock(dir, true))? else {
            return Ok(None);
        };
        if !is_locked(lock.try_lock())? {
            return Ok(None);
        }
        // A file that another has removed since can be locked as well. The one that stands there cannot be
        // locked twice.
        let Some(there) = if_there(open_lock(dir, false))? else {
            return Ok(None);
        };
        if is_locked(there.try_lock())? {
            return Ok(None);
        }
        Ok(Some(Self { _lock: lock }))
    }

    /// Removes the directory that is claimed, in `all` under this name.
    pub(super) fn remove(self, all: &Dir, name: &OsStr) -> io::Result<()> {
        // First away from its name: who is about to claim it would make files in it while it goes.
        let gone = format!("{:016x}", fastrand::u64(..));
        let removed = all
            .rename(name, all, &gone)
            .and_then(|()| all.remove_dir_all(&gone));
        match removed.as_ref().map_err(io::Error::kind) {
            // Somebody made one in it all the same, and will find it gone; or took it for left under its
            // last name. The next bridge removes what is left.
            Err(io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotFound) => Ok(()),
            _ => removed,
        }
    }
}

fn open_lock(dir: &Dir, create: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    // On a network's file system only who may read a file can share its lock.
    options.read(true).write(true);
    options.create(create).follow(FollowSymlinks::No);
    Ok(dir.open_with(LOCK_FILE, &options)?.into_std())
}

/// `None` for a file that is not there, or whose directory has gone.
fn if_there(opened: io::Result<File>) -> io::Result<Option<File>> {
    match opened {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened.map(Some),
    }
}

fn is_locked(tried: Result<(), TryLockError>) -> io::Result<bool> {
    match tried {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, Ordering};

    use cap_std::ambient_authority;

    use super::*;

    fn open(directory: &Path) -> Dir {
        Dir::open_ambient_dir(directory, ambient_authority()).unwrap()
    }

    /// Another bridge removes what it takes for left behind, while this one is about to claim it.
    #[test]
    fn a_claim_is_made_and_kept_however_much_is_swept_away() {
        let directory = tempfile::tempdir().unwrap();
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            // Two of them, which may be after the same one.
            let sweep = || {
                let all = open(directory.path());
                let mut swept = Ok(());
                while !is_over.load(Ordering::Relaxed) && swept.is_ok() {
                    for entry in all.entries().unwrap() {
                        let name = entry.unwrap().file_name();
                        let Ok(dir) = all.open_dir_nofollow(&name) else {
                            continue;
                        };
                        let claim = Claim::to_left(&dir);
                        swept = claim.and_then(|claim| {
                            claim.map_or(Ok(()), |claim| claim.remove(&all, &name))
                        });
                    }
                }
                swept
            };
            let sweepers = [scope.spawn(sweep), scope.spawn(sweep)];
            let all = open(directory.path());
            let mut made = Ok(());
            let mut held = VecDeque::new();
            for _ in 0..2_000 {
                // In a directory that has been removed nothing can be made.
                made = Claim::new_in(&all).map(|claimed| held.push_back(claimed));
                if held.len() > 3
                    && let Some((dir, _claim)) = held.pop_front()
                {
                    made = made.and(dir.write("mark", b""));
                }
                if made.is_err() {
                    break;
                }
            }
            is_over.store(true, Ordering::Relaxed);
            made.unwrap();
            for sweeper in sweepers {
                sweeper.join().unwrap().unwrap();
            }
        });
    }

    #[test]
    fn who_looks_hides_nothing_from_others_who_look() {
        let directory = tempfile::tempdir().unwrap();
        let all = open(directory.path());
        let (dir, claim) = Claim::new_in(&all).unwrap();
        assert!(!Claim::is_left(&dir).unwrap());
        drop(claim);
        let another = open_lock(&dir, true).unwrap();
        another.try_lock_shared().unwrap();
        assert!(Claim::is_left(&dir).unwrap());
    }
}
