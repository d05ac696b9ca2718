//! Which versions there are.

use futures_util::TryStreamExt;
use futures_util::future::BoxFuture;
use mongodb::Collection;
use mongodb::bson::{Binary, doc};
use serde::{Deserialize, Serialize};
use tutti_protocol::ids::ProjectId;
use tutti_protocol::rest::VersionReason;

use super::layout::{damaged, named};
use crate::mongo::{Failure, Mongo, is_duplicate, rooms_of, schema};
use crate::store::versions::{StoredVersion, VersionStore};
use crate::store::{StoreError, WriteId};

/// The versions in a MongoDB database.
#[derive(Clone)]
pub struct MongoVersions {
    mongo: Mongo,
    versions: Collection<Record>,
}

/// A version.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Record {
    /// `PROJECT/NUMBER`, with so many digits that the order of names is that of numbers.
    #[serde(rename = "_id")]
    id: String,
    /// Which write it was.
    write: Binary,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// In milliseconds since 1970.
    made_at: i64,
    because: VersionReason,
    people: Vec<String>,
    files: i64,
    list: String,
}

fn id(project: &ProjectId, number: u32) -> String {
    format!("{project}/{number:010}")
}

impl Record {
    fn of(project: &ProjectId, version: &StoredVersion) -> Self {
        Self {
            id: id(project, version.number),
            write: named(WriteId::next()),
            name: version.name.clone(),
            made_at: version.made_at_ms,
            because: version.because,
            people: version.people.clone(),
            files: i64::from(version.files),
            list: version.list.to_string(),
        }
    }

    fn read(self) -> Result<StoredVersion, StoreError> {
        let number = self.id.split_once('/');
        let number = number.and_then(|(_, number)| number.parse().ok());
        let list = self.list.parse().ok();
        let files = u32::try_from(self.files).ok();
        let (Some(number), Some(list), Some(files)) = (number, list, files) else {
            let name = format!("the version {}", self.id);
            return Err(damaged(&name, "its record makes no sense"));
        };
        Ok(StoredVersion {
            number,
            name: self.name,
            made_at_ms: self.made_at,
            because: self.because,
            people: self.people,
            files,
            list,
        })
    }
}

impl MongoVersions {
    pub(super) fn of(mongo: &Mongo) -> Self {
        Self {
            mongo: mongo.clone(),
            versions: mongo.collection(schema::VERSIONS),
        }
    }

    async fn insert(&self, record: Record) -> Result<bool, StoreError> {
        match self
            .mongo
            .attempt("insert", self.versions.insert_one(&record))
            .await?
        {
            Ok(_) => Ok(true),
            // Another node was faster; or the driver's first try, whose answer was lost.
            Err(error) if is_duplicate(&error) => {
                let there = self.versions.find_one(doc! { "_id": &record.id });
                let there = self.mongo.measured("find", there).await?;
                Ok(there.is_some_and(|there| there.write == record.write))
            }
            Err(error) => Err(Failure::from(error).into()),
        }
    }
}

impl VersionStore for MongoVersions {
    fn add<'a>(
        &'a self,
        project: &'a ProjectId,
        version: &'a StoredVersion,
    ) -> BoxFuture<'a, Result<bool, StoreError>> {
        Box::pin(self.insert(Record::of(project, version)))
    }

    fn list<'a>(
        &'a self,
        project: &'a ProjectId,
        before: Option<u32>,
        most: u32,
    ) -> BoxFuture<'a, Result<Vec<StoredVersion>, StoreError>> {
        let mut of_project = rooms_of(project);
        if let Some(before) = before {
            of_project.insert("$lt", id(project, before));
        }
        Box::pin(async move {
            let found: Vec<Record> = self
                .mongo
                .measured("find", async {
                    let found = self.versions.find(doc! { "_id": of_project });
                    let newest = found.sort(doc! { "_id": -1 }).limit(i64::from(most));
                    newest.await?.try_collect().await
                })
                .await?;
            found.into_iter().map(Record::read).collect()
        })
    }

    fn remove<'a>(
        &'a self,
        project: &'a ProjectId,
        number: u32,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let one = doc! { "_id": id(project, number) };
        Box::pin(async move {
            self.mongo
                .measured("delete", self.versions.delete_one(one))
                .await?;
            Ok(())
        })
    }

    fn remove_all<'a>(&'a self, project: &'a ProjectId) -> BoxFuture<'a, Result<(), StoreError>> {
        let all = doc! { "_id": rooms_of(project) };
        Box::pin(async move {
            self.mongo
                .measured("delete", self.versions.delete_many(all))
                .await?;
            Ok(())
        })
    }
}
