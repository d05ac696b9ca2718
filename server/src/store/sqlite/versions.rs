//! Which versions there are.

use futures_util::future::BoxFuture;
use rusqlite::{Connection, Row, params};
use tutti_protocol::blob::BlobHash;
use tutti_protocol::ids::ProjectId;

use super::{SqliteStore, to_store_error};
use crate::store::StoreError;
use crate::store::versions::{StoredVersion, VersionStore};

/// The versions in a SQLite database.
#[derive(Clone)]
pub struct SqliteVersions {
    store: SqliteStore,
}

impl SqliteStore {
    /// Which versions there are.
    pub fn versions(&self) -> SqliteVersions {
        SqliteVersions {
            store: self.clone(),
        }
    }
}

impl VersionStore for SqliteVersions {
    fn add<'a>(
        &'a self,
        project: &'a ProjectId,
        version: &'a StoredVersion,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        let (project, version) = (project.clone(), version.clone());
        Box::pin(async move {
            let people = serde_json::to_string(&version.people)
                .map_err(|error| StoreError::Unavailable(error.to_string()))?;
            let added = self.store.writer.write(move |write| {
                write.execute(
                    "INSERT OR IGNORE INTO versions
                     (project, number, name, made_at, because, people, files, list)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                    params![
                        project.as_str(),
                        version.number,
                        version.name,
                        version.made_at_ms,
                        version.because.as_str(),
                        people,
                        version.files,
                        version.list.0
                    ],
                )
            });
            Ok(added.await? > 0)
        })
    }

    fn list<'a>(
        &'a self,
        project: &'a ProjectId,
        before: Option<u32>,
        most: u32,
    ) -> BoxFuture<'a, Result<Vec<StoredVersion>, StoreError>> {
        let project = project.clone();
        Box::pin(
            self.store
                .read(move |connection| list(connection, &project, before, most)),
        )
    }

    fn remove<'a>(
        &'a self,
        project: &'a ProjectId,
        number: u32,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let project = project.clone();
        Box::pin(self.store.writer.write(move |write| {
            let delete = "DELETE FROM versions WHERE project = ?1 AND number = ?2";
            write.execute(delete, params![project.as_str(), number])?;
            Ok(())
        }))
    }

    fn remove_all<'a>(&'a self, project: &'a ProjectId) -> BoxFuture<'a, Result<(), StoreError>> {
        let project = project.clone();
        Box::pin(self.store.writer.write(move |write| {
            let delete = "DELETE FROM versions WHERE project = ?1";
            write.execute(delete, [project.as_str()])?;
            Ok(())
        }))
    }
}

fn list(
    connection: &Connection,
    project: &ProjectId,
    before: Option<u32>,
    most: u32,
) -> Result<Vec<StoredVersion>, StoreError> {
    let before = before.map_or(i64::MAX, i64::from);
    let rows: Vec<Record> = connection
        .prepare_cached(
            "SELECT number, name, made_at, because, people, files, list FROM versions
             WHERE project = ?1 AND number < ?2 ORDER BY number DESC LIMIT ?3",
        )
        .and_then(|mut all| {
            all.query_map(params![project.as_str(), before, most], Record::of)?
                .collect()
        })
        .map_err(to_store_error)?;
    rows.into_iter().map(|row| row.read(project)).collect()
}

/// A version, as it is stored.
struct Record {
    number: u32,
    name: Option<String>,
    made_at_ms: i64,
    because: String,
    people: String,
    files: u32,
    list: BlobHash,
}

impl Record {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            number: row.get(0)?,
            name: row.get(1)?,
            made_at_ms: row.get(2)?,
            because: row.get(3)?,
            people: row.get(4)?,
            files: row.get(5)?,
            list: BlobHash(row.get(6)?),
        })
    }

    fn read(self, project: &ProjectId) -> Result<StoredVersion, StoreError> {
        let because = self.because.parse().ok();
        let people = serde_json::from_str(&self.people).ok();
        let (Some(because), Some(people)) = (because, people) else {
            return Err(StoreError::Corrupt {
                room: format!("the version {} of {project}", self.number),
                what: "its record makes no sense".to_owned(),
            });
        };
        Ok(StoredVersion {
            number: self.number,
            name: self.name,
            made_at_ms: self.made_at_ms,
            because,
            people,
            files: self.files,
            list: self.list,
        })
    }
}
