//! The mark of a copy that has begun and not ended: in the target, with the source's name.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use mongodb::bson::{Document, doc};

use super::MigrateError;
use crate::mongo::{Mongo, schema};

/// The file in a data directory, and the record in a database's collection `meta`.
const NAME: &str = "migration";

/// Where the mark is, if it is there.
pub(crate) enum Mark {
    File(PathBuf),
    Database(Mongo),
}

impl Mark {
    pub(crate) fn file_in(data: &Path) -> Mark {
        Mark::File(data.join(NAME))
    }

    /// The source of the copy that is under way.
    pub(crate) async fn source(&self) -> Result<Option<String>, MigrateError> {
        match self {
            Mark::File(path) => match std::fs::read_to_string(path) {
                Ok(source) => Ok(Some(source)),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(cause) => Err(failed(path, cause)),
            },
            Mark::Database(mongo) => {
                let meta = mongo.collection::<Document>(schema::META);
                let mark = mongo
                    .measured("find", meta.find_one(doc! { "_id": NAME }))
                    .await?;
                let source = mark.map(|mark| mark.get_str("from").unwrap_or_default().to_owned());
                Ok(source)
            }
        }
    }

    pub(super) async fn set(&self, source: &str) -> Result<(), MigrateError> {
        match self {
            Mark::File(path) => std::fs::write(path, source)
                .and_then(|()| std::fs::File::open(path)?.sync_all())
                .map_err(|cause| failed(path, cause)),
            Mark::Database(mongo) => {
                let meta = mongo.collection::<Document>(schema::META);
                let mark = doc! { "_id": NAME, "from": source };
                mongo.measured("insert", meta.insert_one(mark)).await?;
                Ok(())
            }
        }
    }

    pub(super) async fn remove(&self) -> Result<(), MigrateError> {
        match self {
            Mark::File(path) => std::fs::remove_file(path).map_err(|cause| failed(path, cause)),
            Mark::Database(mongo) => {
                let meta = mongo.collection::<Document>(schema::META);
                mongo
                    .measured("delete", meta.delete_one(doc! { "_id": NAME }))
                    .await?;
                Ok(())
            }
        }
    }
}

fn failed(path: &Path, cause: std::io::Error) -> MigrateError {
    MigrateError::File {
        path: path.to_owned(),
        cause,
    }
}
