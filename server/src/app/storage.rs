//! Where everything lies that outlives the process: files below the data directory, or a database
//! that other nodes use too.

use std::path::PathBuf;
use std::sync::Arc;

use super::StartError;
use super::data_dir::DataDir;
use crate::auth::admin::{self, AdminToken};
use crate::auth::{Directory, MongoDirectory, SqliteDirectory};
use crate::config::Settings;
use crate::fanout::{MongoSigns, Signs};
use crate::migrate::mark::Mark;
use crate::mongo::Mongo;
use crate::store::{BlobStore, DocumentStore, MongoStore, SqliteStore, VersionStore};

/// The embedded store's file of documents.
pub(crate) const DOCUMENTS: &str = "documents.db";
/// The embedded store's file of projects and links.
pub(crate) const DIRECTORY: &str = "directory.db";

/// The open stores.
pub(super) struct Storage {
    pub(super) documents: Arc<dyn DocumentStore>,
    pub(super) blobs: Arc<dyn BlobStore>,
    /// What versions consist of.
    pub(super) texts: Arc<dyn BlobStore>,
    pub(super) versions: Arc<dyn VersionStore>,
    pub(super) directory: Arc<dyn Directory>,
    /// Where other nodes see that this one is there; `None` where there can be no others.
    pub(super) signs: Option<Arc<dyn Signs>>,
    pub(super) admin_token: AdminToken,
    /// The files of the embedded databases.
    pub(super) databases: Vec<PathBuf>,
    /// Where it all is, for people.
    pub(super) place: String,
}

impl Storage {
    pub(super) async fn open(
        settings: &Settings,
        data_dir: &DataDir,
    ) -> Result<Storage, StartError> {
        let Some(uri) = &settings.mongodb else {
            return Storage::embedded(data_dir).await;
        };
        if data_dir.path().join(DOCUMENTS).exists() {
            tracing::warn!(
                "what the embedded store holds in {} is not served with --mongodb; `tutti-server migrate` copies it into the database",
                data_dir.path().display()
            );
        }
        let mongo = Mongo::connect(uri).await?;
        refuse_half_a_copy(&Mark::Database(mongo.clone()), &uri.to_string()).await?;
        let documents = Arc::new(MongoStore::new(&mongo));
        Ok(Storage {
            blobs: Arc::new(documents.blobs()),
            texts: Arc::new(documents.texts()),
            versions: Arc::new(documents.versions()),
            documents,
            admin_token: admin::shared::load_or_create(data_dir.path(), &mongo).await?,
            signs: Some(Arc::new(MongoSigns::new(&mongo))),
            directory: Arc::new(MongoDirectory::new(mongo)),
            databases: Vec::new(),
            place: uri.to_string(),
        })
    }

    async fn embedded(data_dir: &DataDir) -> Result<Storage, StartError> {
        let place = data_dir.path().display().to_string();
        refuse_half_a_copy(&Mark::file_in(data_dir.path()), &place).await?;
        let path = data_dir.private_file(DOCUMENTS)?;
        let directory_path = data_dir.private_file(DIRECTORY)?;
        let databases = vec![directory_path.clone(), path.clone()];
        let documents =
            SqliteStore::open(&path).map_err(|cause| StartError::Store { path, cause })?;
        let documents = Arc::new(documents);
        let directory = SqliteDirectory::open(&directory_path)?;
        Ok(Storage {
            blobs: Arc::new(documents.blobs()),
            texts: Arc::new(documents.texts()),
            versions: Arc::new(documents.versions()),
            documents,
            directory: Arc::new(directory),
            signs: None,
            admin_token: admin::load_or_create(data_dir.path())?,
            databases,
            place,
        })
    }
}

/// A migration that was interrupted has left documents out.
async fn refuse_half_a_copy(mark: &Mark, place: &str) -> Result<(), StartError> {
    let source = mark.source().await;
    match source.map_err(|cause| StartError::Migration(cause.to_string()))? {
        None => Ok(()),
        Some(source) => Err(StartError::Migration(format!(
            "the copy from {source} into {place} is not finished: run `tutti-server migrate` again"
        ))),
    }
}
