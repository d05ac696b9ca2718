//! Renames that never destroy what they find at their target.

use std::io;

use cap_std::fs::Dir;

use super::change::At;

/// Renames `from` to `to` unless something stands there ([`io::ErrorKind::AlreadyExists`]).
pub(super) fn rename_new(from_dir: &Dir, from: &str, to_dir: &Dir, to: &str) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    {
        use rustix::fs::{RenameFlags, renameat_with};
        match renameat_with(from_dir, from, to_dir, to, RenameFlags::NOREPLACE) {
            Err(error) if lacks_flag(error) => {}
            done => return Ok(done?),
        }
    }
    // A file system that has no such rename: look first. What appears in between is overwritten.
    match to_dir.symlink_metadata(to) {
        Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => from_dir.rename(from, to_dir, to),
        Err(error) => Err(error),
    }
}

/// Exchanges two names in one step; `false` where the file system cannot.
pub(super) fn exchange(a: At<'_>, b: At<'_>) -> io::Result<bool> {
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    {
        use rustix::fs::{RenameFlags, renameat_with};
        match renameat_with(a.0, a.1, b.0, b.1, RenameFlags::EXCHANGE) {
            Err(error) if lacks_flag(error) => Ok(false),
            Err(error) => Err(error.into()),
            Ok(()) => Ok(true),
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "macos")))]
    {
        let _ = (a, b);
        Ok(false)
    }
}

#[cfg(any(target_os = "linux", target_os = "macos"))]
fn lacks_flag(error: rustix::io::Errno) -> bool {
    use rustix::io::Errno;
    matches!(error, Errno::INVAL | Errno::NOSYS | Errno::NOTSUP)
}
