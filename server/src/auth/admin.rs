//! The administrator's token: the file `admin-token` in the data directory.
//!
//! With the embedded store the file is the only record of it. Whoever can read the data directory
//! rules the server anyway; and to replace a token that leaked, delete the file and restart the
//! server. Nodes that share a database share one token ([`shared`]).

pub mod shared;

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::token::{Token, TokenHash};
use crate::mongo::Failure;

/// The file's name in the data directory.
pub const FILE_NAME: &str = "admin-token";

/// What the server knows of the token.
#[derive(Debug, Clone)]
pub struct AdminKey {
    /// The token's public id.
    pub id: String,
    /// The hash that it must have.
    pub hash: TokenHash,
}

impl AdminKey {
    pub(crate) fn of(token: &Token) -> AdminKey {
        AdminKey {
            id: token.id().to_owned(),
            hash: token.hash(),
        }
    }

    fn is_of(&self, token: &Token) -> bool {
        self.id == token.id() && self.hash.matches(token)
    }
}

/// The token and where it lies.
pub struct AdminToken {
    /// What it is known by.
    pub key: AdminKey,
    /// Its file on this machine; another node may have it instead.
    pub path: PathBuf,
    /// Whether it was made just now.
    pub is_new: bool,
}

/// Why there is no administrator's token.
#[derive(Debug, thiserror::Error)]
pub enum AdminTokenError {
    /// The file cannot be read, or cannot be written.
    #[error("cannot {verb} the admin token file {}: {cause}", path.display())]
    File {
        /// What was tried.
        verb: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: std::io::Error,
    },
    /// The file holds something else.
    #[error("{} does not hold an admin token; delete the file, and the next start makes a new one", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(#[from] getrandom::Error),
    /// The database that holds its hash does not answer, or holds something else.
    #[error("the database does not give the admin token's hash: {0}")]
    Database(#[from] Failure),
}

/// Reads the token in the data directory `data`, or makes one there. The caller holds the data
/// directory's lock.
pub fn load_or_create(data: &Path) -> Result<AdminToken, AdminTokenError> {
    let (token, is_new) = match read(data)? {
        Some(token) => (token, false),
        None => (create(data)?, true),
    };
    Ok(AdminToken {
        key: AdminKey::of(&token),
        path: data.join(FILE_NAME),
        is_new,
    })
}

fn failed(verb: &'static str, path: &Path, cause: std::io::Error) -> AdminTokenError {
    AdminTokenError::File {
        verb,
        path: path.to_owned(),
        cause,
    }
}

/// The token in the file, if there is a file.
pub(crate) fn read(data: &Path) -> Result<Option<Token>, AdminTokenError> {
    let path = data.join(FILE_NAME);
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let token = Token::parse(text.trim())
                .ok_or(AdminTokenError::Malformed { path: path.clone() })?;
            warn_if_shared(&path);
            Ok(Some(token))
        }
        Err(err) if err.kind() == ErrorKind::NotFound => Ok(None),
        Err(err) if err.kind() == ErrorKind::InvalidData => {
            Err(AdminTokenError::Malformed { path })
        }
        Err(err) => Err(failed("read", &path, err)),
    }
}

fn create(data: &Path) -> Result<Token, AdminTokenError> {
    let path = data.join(FILE_NAME);
    let token = Token::generate()?;
    write_private(data, &path, token.reveal()).map_err(|cause| failed("write", &path, cause))?;
    Ok(token)
}

/// Writes a file that only its owner can read, whole or not at all.
fn write_private(dir: &Path, path: &Path, text: &str) -> std::io::Result<()> {
    let temporary = dir.join(format!("{FILE_NAME}.new"));
    // A leftover of a start that was killed might have another owner's mode.
    match std::fs::remove_file(&temporary) {
        Err(err) if err.kind() != ErrorKind::NotFound => return Err(err),
        _ => {}
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&temporary)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    #[cfg(unix)]
    std::fs::File::open(dir)?.sync_all()?;
    Ok(())
}

#[cfg(unix)]
fn warn_if_shared(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    if let Ok(metadata) = std::fs::metadata(path)
        && metadata.permissions().mode() & 0o077 != 0
    {
        tracing::warn!(
            "other users can read the admin token: run `chmod 600 {}`",
            path.display()
        );
    }
}

#[cfg(not(unix))]
fn warn_if_shared(_path: &Path) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn made_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        // What a start left that was killed while it wrote.
        std::fs::write(dir.path().join("admin-token.new"), "half").unwrap();
        let first = load_or_create(dir.path()).unwrap();
        assert!(first.is_new);
        let second = load_or_create(dir.path()).unwrap();
        assert!(!second.is_new);
        assert_eq!(second.key.id, first.key.id);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn only_its_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let made = load_or_create(dir.path()).unwrap();
        let mode = std::fs::metadata(made.path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn another_text_is_refused_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        for bytes in [&b""[..], b"secret\n", b"\xff\xfe"] {
            std::fs::write(dir.path().join(FILE_NAME), bytes).unwrap();
            let refusal = load_or_create(dir.path()).err().unwrap();
            assert!(
                matches!(refusal, AdminTokenError::Malformed { .. }),
                "{refusal}"
            );
            assert_eq!(std::fs::read(dir.path().join(FILE_NAME)).unwrap(), bytes);
        }
    }
}
