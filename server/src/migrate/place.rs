//! The places that data is copied from and to.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use super::MigrateError;
use super::mark::Mark;
use crate::app::data_dir::DataDir;
use crate::app::storage::{DIRECTORY, DOCUMENTS};
use crate::auth::admin::{self, AdminKey};
use crate::auth::{Directory, MongoDirectory, SqliteDirectory};
use crate::mongo::{Mongo, MongoUri};
use crate::store::{BlobStore, DocumentStore, MongoStore, SqliteStore, VersionStore};

/// A place where everything of one installation lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A data directory of the embedded store.
    Sqlite(PathBuf),
    /// A database.
    Mongo(MongoUri),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Place, String> {
        if let Some(dir) = text.strip_prefix("sqlite:") {
            if dir.is_empty() {
                return Err("sqlite: needs a directory: write sqlite:/srv/tutti".to_owned());
            }
            let dir = PathBuf::from(dir);
            // So that one directory is one place, however it is written.
            return Ok(Place::Sqlite(std::path::absolute(&dir).unwrap_or(dir)));
        }
        if text.starts_with("mongodb") {
            let uri = text.strip_prefix("mongodb:").unwrap_or(text);
            // `mongodb:mongodb://HOST` and plain `mongodb://HOST` name the same place.
            let uri = if uri.starts_with("mongodb") {
                uri
            } else {
                text
            };
            return uri.parse().map(Place::Mongo);
        }
        Err("it must be sqlite:DIR or mongodb:URI".to_owned())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Sqlite(dir) => write!(f, "the data directory {}", dir.display()),
            Place::Mongo(uri) => uri.fmt(f),
        }
    }
}

/// A place that is open.
pub(super) struct Opened {
    pub(super) name: String,
    pub(super) documents: Arc<dyn DocumentStore>,
    pub(super) blobs: Arc<dyn BlobStore>,
    /// What versions consist of.
    pub(super) texts: Arc<dyn BlobStore>,
    pub(super) versions: Arc<dyn VersionStore>,
    pub(super) directory: Arc<dyn Directory>,
    pub(super) mark: Mark,
    pub(super) admin: Admin,
}

/// Where a place keeps the administrator's token.
pub(super) enum Admin {
    /// In a file; locked, so that no server uses the directory.
    File(DataDir),
    /// Its hash in a database.
    Database(Mongo),
}

impl Admin {
    pub(super) async fn key(&self) -> Result<Option<AdminKey>, MigrateError> {
        match self {
            Admin::File(dir) => Ok(admin::read(dir.path())?.map(|token| AdminKey::of(&token))),
            Admin::Database(mongo) => Ok(admin::shared::stored(mongo).await?),
        }
    }
}

impl Place {
    pub(super) async fn open_source(&self) -> Result<Opened, MigrateError> {
        match self {
            Place::Sqlite(dir) if !holds_data(dir) => {
                Err(MigrateError::NothingThere(self.to_string()))
            }
            _ => self.open().await,
        }
    }

    pub(super) async fn open_target(&self) -> Result<Opened, MigrateError> {
        self.open().await
    }

    async fn open(&self) -> Result<Opened, MigrateError> {
        let name = self.to_string();
        match self {
            Place::Sqlite(dir) => {
                let dir = DataDir::open(dir.clone())?;
                let documents = Arc::new(SqliteStore::open(&dir.private_file(DOCUMENTS)?)?);
                Ok(Opened {
                    name,
                    blobs: Arc::new(documents.blobs()),
                    texts: Arc::new(documents.texts()),
                    versions: Arc::new(documents.versions()),
                    documents,
                    directory: Arc::new(SqliteDirectory::open(&dir.private_file(DIRECTORY)?)?),
                    mark: Mark::file_in(dir.path()),
                    admin: Admin::File(dir),
                })
            }
            Place::Mongo(uri) => {
                let mongo = Mongo::connect(uri).await?;
                let documents = Arc::new(MongoStore::new(&mongo));
                Ok(Opened {
                    name,
                    blobs: Arc::new(documents.blobs()),
                    texts: Arc::new(documents.texts()),
                    versions: Arc::new(documents.versions()),
                    documents,
                    directory: Arc::new(MongoDirectory::new(mongo.clone())),
                    mark: Mark::Database(mongo.clone()),
                    admin: Admin::Database(mongo),
                })
            }
        }
    }
}

fn holds_data(dir: &Path) -> bool {
    dir.join(DOCUMENTS).exists() && dir.join(DIRECTORY).exists()
}
