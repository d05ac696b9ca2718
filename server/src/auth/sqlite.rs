//! The directory in an SQLite file of its own, `directory.db`.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{
    Connection, ErrorCode, OptionalExtension, Row, Transaction, TransactionBehavior, params,
};
use tutti_protocol::{ids::ProjectId, role::Role};

use super::directory::{
    Answer, Credential, Directory, DirectoryError, Link, Pass, Project, ProjectRecord,
};
use super::token::TokenHash;

/// The version of the tables below, kept in the file's `user_version`.
const SCHEMA_VERSION: i64 = 1;

const SCHEMA: &str = "
    CREATE TABLE projects (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        created_at INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE links (
        id TEXT PRIMARY KEY,
        project TEXT NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
        role TEXT NOT NULL,
        hash BLOB NOT NULL,
        created_at INTEGER NOT NULL,
        expires_at INTEGER,
        max_uses INTEGER,
        uses INTEGER NOT NULL,
        made_with TEXT REFERENCES links (id) ON DELETE CASCADE
    ) STRICT;
    CREATE INDEX links_by_project ON links (project);
    CREATE INDEX links_by_origin ON links (made_with);
    CREATE TABLE passes (
        id TEXT PRIMARY KEY,
        link TEXT NOT NULL REFERENCES links (id) ON DELETE CASCADE,
        hash BLOB NOT NULL
    ) STRICT;
    CREATE INDEX passes_by_link ON passes (link);
    PRAGMA user_version = 1;
";

const LINK_COLUMNS: &str =
    "links.id, project, role, links.created_at, expires_at, max_uses, uses, made_with";

/// A directory in one SQLite file.
#[derive(Clone)]
pub struct SqliteDirectory {
    connection: Arc<Mutex<Connection>>,
}

impl SqliteDirectory {
    /// Opens the directory at `path`, or makes a new one where there is no file.
    pub fn open(path: &Path) -> Result<SqliteDirectory, DirectoryError> {
        let unusable = |reason: String| DirectoryError::Unusable {
            path: PathBuf::from(path),
            reason,
        };
        let mut connection = Connection::open(path).map_err(|err| unusable(explain(&err)))?;
        let found = prepare(&mut connection).map_err(|err| unusable(explain(&err)))?;
        match found {
            SCHEMA_VERSION => Ok(SqliteDirectory { connection: Arc::new(Mutex::new(connection)) }),
            newer if newer > SCHEMA_VERSION => Err(unusable(
                "it was written by a newer tutti-server; start that version, or give another --data".to_owned(),
            )),
            _ => Err(unusable("it is a database of another program; give another --data".to_owned())),
        }
    }

    /// Runs `work` on a thread that may wait for the disk.
    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Answer<'static, T> {
        let connection = Arc::clone(&self.connection);
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(move || {
                // A transaction that was under way in a panic has been rolled back.
                work(&mut connection.lock().unwrap_or_else(PoisonError::into_inner))
            });
            match done.await {
                Ok(result) => result.map_err(|err| failed(&err)),
                Err(err) => Err(DirectoryError::Failed(err.to_string())),
            }
        })
    }
}

impl Directory for SqliteDirectory {
    fn create_project(&self, project: Project, links: Vec<(Link, TokenHash)>) -> Answer<'_, ()> {
        self.restore_project(ProjectRecord {
            project,
            links,
            passes: Vec::new(),
        })
    }

    fn projects(&self) -> Answer<'_, Vec<Project>> {
        self.run(|db| {
            let mut select = db.prepare_cached(
                "SELECT id, name, created_at FROM projects ORDER BY created_at, id",
            )?;
            select.query_map([], read_project)?.collect()
        })
    }

    fn project(&self, id: &ProjectId) -> Answer<'_, Option<Project>> {
        let id = id.clone();
        self.run(move |db| {
            let mut select =
                db.prepare_cached("SELECT id, name, created_at FROM projects WHERE id = ?1")?;
            select.query_row([id.as_str()], read_project).optional()
        })
    }

    fn delete_project(&self, id: &ProjectId) -> Answer<'_, bool> {
        let id = id.clone();
        self.run(move |db| Ok(db.execute("DELETE FROM projects WHERE id = ?1", [id.as_str()])? > 0))
    }

    fn create_link(&self, link: Link, hash: TokenHash) -> Answer<'_, bool> {
        self.run(move |db| match insert_link(db, &link, &hash) {
            Ok(()) => Ok(true),
            Err(err)
                if err.sqlite_error().map(|e| e.extended_code)
                    == Some(rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY) =>
            {
                Ok(false)
            }
            Err(err) => Err(err),
        })
    }

    fn links(&self, project: &ProjectId) -> Answer<'_, Vec<Link>> {
        let project = project.clone();
        self.run(move |db| {
            let mut select = db.prepare_cached(&format!(
                "SELECT {LINK_COLUMNS} FROM links WHERE project = ?1 ORDER BY created_at, id"
            ))?;
            select.query_map([project.as_str()], read_link)?.collect()
        })
    }

    fn delete_link(&self, project: &ProjectId, link: &str) -> Answer<'_, Vec<String>> {
        let (project, link) = (project.clone(), link.to_owned());
        self.run(move |db| {
            let transaction = writing(db)?;
            let removed: Vec<String> = transaction
                .prepare_cached(
                    "WITH RECURSIVE gone (id) AS (
                         SELECT id FROM links WHERE id = ?1 AND project = ?2
                         UNION SELECT links.id FROM links JOIN gone ON links.made_with = gone.id
                     ) SELECT id FROM gone",
                )?
                .query_map(params![link, project.as_str()], |row| row.get(0))?
                .collect::<rusqlite::Result<_>>()?;
            transaction.execute(
                "DELETE FROM links WHERE id = ?1 AND project = ?2",
                params![link, project.as_str()],
            )?;
            transaction.commit()?;
            Ok(removed)
        })
    }

    fn add_pass(&self, link: &str, id: &str, hash: TokenHash) -> Answer<'_, bool> {
        let (link, id) = (link.to_owned(), id.to_owned());
        self.run(move |db| {
            let transaction = writing(db)?;
            let counted = transaction.execute(
                "UPDATE links SET uses = uses + 1 WHERE id = ?1 AND uses < max_uses",
                [&link],
            )?;
            if counted == 0 {
                return Ok(false);
            }
            transaction.execute(
                "INSERT INTO passes (id, link, hash) VALUES (?1, ?2, ?3)",
                params![id, link, hash.as_bytes()],
            )?;
            transaction.commit()?;
            Ok(true)
        })
    }

    fn credential(&self, token_id: &str) -> Answer<'_, Option<Credential>> {
        let id = token_id.to_owned();
        self.run(move |db| {
            let mut select = db.prepare_cached(&format!(
                "SELECT {LINK_COLUMNS}, links.hash, FALSE FROM links WHERE links.id = ?1
                 UNION ALL
                 SELECT {LINK_COLUMNS}, passes.hash, TRUE FROM passes JOIN links ON links.id = passes.link
                 WHERE passes.id = ?1"
            ))?;
            let read = |row: &Row<'_>| {
                Ok(Credential {
                    link: read_link(row)?,
                    hash: TokenHash::from_bytes(row.get(8)?),
                    is_pass: row.get(9)?,
                })
            };
            select.query_row([id], read).optional()
        })
    }

    fn project_record(&self, id: &ProjectId) -> Answer<'_, Option<ProjectRecord>> {
        let id = id.clone();
        self.run(move |db| {
            let moment = db.transaction()?;
            let project = moment
                .prepare_cached("SELECT id, name, created_at FROM projects WHERE id = ?1")?
                .query_row([id.as_str()], read_project)
                .optional()?;
            let Some(project) = project else {
                return Ok(None);
            };
            let links = moment
                .prepare_cached(&format!(
                    "SELECT {LINK_COLUMNS}, hash FROM links WHERE project = ?1 ORDER BY created_at, id"
                ))?
                .query_map([id.as_str()], |row| {
                    Ok((read_link(row)?, TokenHash::from_bytes(row.get(8)?)))
                })?
                .collect::<rusqlite::Result<_>>()?;
            let passes = moment
                .prepare_cached(
                    "SELECT passes.id, passes.link, passes.hash
                     FROM passes JOIN links ON links.id = passes.link
                     WHERE project = ?1 ORDER BY passes.id",
                )?
                .query_map([id.as_str()], |row| {
                    Ok(Pass {
                        id: row.get(0)?,
                        link: row.get(1)?,
                        hash: TokenHash::from_bytes(row.get(2)?),
                    })
                })?
                .collect::<rusqlite::Result<_>>()?;
            Ok(Some(ProjectRecord {
                project,
                links,
                passes,
            }))
        })
    }

    fn restore_project(&self, record: ProjectRecord) -> Answer<'_, ()> {
        self.run(move |db| {
            let transaction = writing(db)?;
            // A link may stand ahead of the one that it was made with.
            transaction.pragma_update(None, "defer_foreign_keys", true)?;
            let project = &record.project;
            transaction.execute(
                "INSERT INTO projects (id, name, created_at) VALUES (?1, ?2, ?3)",
                params![project.id.as_str(), project.name, project.created_at],
            )?;
            for (link, hash) in &record.links {
                insert_link(&transaction, link, hash)?;
            }
            for pass in &record.passes {
                transaction.execute(
                    "INSERT INTO passes (id, link, hash) VALUES (?1, ?2, ?3)",
                    params![pass.id, pass.link, pass.hash.as_bytes()],
                )?;
            }
            transaction.commit()
        })
    }

    fn ping(&self) -> Answer<'_, ()> {
        self.run(|db| {
            db.query_row(
                "SELECT count(*) FROM projects WHERE id = ''",
                [],
                |_| Ok(()),
            )
        })
    }
}

/// Takes the lock for writing at once: a transaction that reads first and finds that another
/// connection has written meanwhile could only fail.
fn writing(db: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    db.transaction_with_behavior(TransactionBehavior::Immediate)
}

/// Sets the connection up and makes the tables of an empty file; returns the schema's version.
fn prepare(db: &mut Connection) -> rusqlite::Result<i64> {
    db.busy_timeout(std::time::Duration::from_secs(5))?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    // A link is given out after the commit, so the commit must outlive a power cut.
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", true)?;
    let transaction = writing(db)?;
    let version: i64 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: i64 =
        transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if version == 0 && tables == 0 {
        transaction.execute_batch(SCHEMA)?;
        transaction.commit()?;
        return Ok(SCHEMA_VERSION);
    }
    Ok(version)
}

fn insert_link(db: &Connection, link: &Link, hash: &TokenHash) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO links (id, project, role, hash, created_at, expires_at, max_uses, uses, made_with)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )?
    .execute(params![
        link.id,
        link.project.as_str(),
        link.role.as_str(),
        hash.as_bytes(),
        link.created_at,
        link.expires_at,
        link.max_uses,
        link.uses,
        link.made_with,
    ])
    .map(|_| ())
}

fn read_project(row: &Row<'_>) -> rusqlite::Result<Project> {
    Ok(Project {
        id: parsed(row, 0)?,
        name: row.get(1)?,
        created_at: row.get(2)?,
    })
}

fn read_link(row: &Row<'_>) -> rusqlite::Result<Link> {
    let role = match row.get_ref(2)?.as_str()? {
        "editor" => Role::Editor,
        "viewer" => Role::Viewer,
        other => return Err(damaged(2, format!("unknown role {other:?}"))),
    };
    Ok(Link {
        id: row.get(0)?,
        project: parsed(row, 1)?,
        role,
        created_at: row.get(3)?,
        expires_at: row.get(4)?,
        max_uses: row.get(5)?,
        uses: row.get(6)?,
        made_with: row.get(7)?,
    })
}

fn parsed(row: &Row<'_>, column: usize) -> rusqlite::Result<ProjectId> {
    row.get_ref(column)?
        .as_str()?
        .parse()
        .map_err(|err| damaged(column, err))
}

fn damaged(
    column: usize,
    reason: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, reason.into())
}

fn failed(err: &rusqlite::Error) -> DirectoryError {
    match err.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => DirectoryError::Full,
        _ => DirectoryError::Failed(explain(err)),
    }
}

fn explain(err: &rusqlite::Error) -> String {
    match err.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            "the file is damaged; stop the server and put the file from your backup in its place"
                .to_owned()
        }
        Some(ErrorCode::DiskFull) => "the disk is full; make room on it".to_owned(),
        _ => err.to_string(),
    }
}

#[cfg(test)]
mod tests;
