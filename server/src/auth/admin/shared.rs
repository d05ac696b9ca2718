//! The one administrator's token of all nodes that share a database.
//!
//! The database holds its hash. The first node to start makes the token and keeps it in its own
//! data directory, where the administrator finds it; all others take the hash, and need no file. A
//! file that is there before the database has a hash gives it: so a server keeps its token when
//! its data is moved into a database.

use std::path::Path;

use mongodb::Collection;
use mongodb::bson::{Binary, doc, spec::BinarySubtype};
use serde::{Deserialize, Serialize};

use super::{AdminKey, AdminToken, AdminTokenError, FILE_NAME, create, failed, read};
use crate::auth::token::TokenHash;
use crate::mongo::{Failure, Mongo, is_duplicate, schema};

/// The name of the record in the collection `meta`.
const RECORD: &str = "admin-token";

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    #[serde(rename = "_id")]
    name: String,
    token: String,
    hash: Binary,
}

/// The token of the database's nodes. Made, in the data directory `data`, by the first of them.
///
/// # Errors
/// The file or the database cannot be read or written.
pub async fn load_or_create(data: &Path, mongo: &Mongo) -> Result<AdminToken, AdminTokenError> {
    let path = data.join(FILE_NAME);
    let found = |key, is_new| AdminToken {
        key,
        path: path.clone(),
        is_new,
    };
    let file = read(data)?;
    let stored = stored(mongo).await?;
    match (file, stored) {
        (file, Some(key)) => {
            match file {
                Some(token) if !key.is_of(&token) => tracing::warn!(
                    "{} is not the admin token of this database, and opens nothing here: delete it, or put the right one there",
                    path.display()
                ),
                _ => {}
            }
            Ok(found(key, false))
        }
        (Some(token), None) => Ok(found(claim(mongo, AdminKey::of(&token)).await?, false)),
        (None, None) => {
            let token = create(data)?;
            let key = claim(mongo, AdminKey::of(&token)).await?;
            let is_ours = key.is_of(&token);
            if !is_ours {
                // Another node was faster; ours opens nothing.
                std::fs::remove_file(&path).map_err(|cause| failed("remove", &path, cause))?;
            }
            Ok(found(key, is_ours))
        }
    }
}

/// The hash in the database, if it has one.
pub(crate) async fn stored(mongo: &Mongo) -> Result<Option<AdminKey>, Failure> {
    let records: Collection<Record> = mongo.collection(schema::META);
    let record = records.find_one(doc! { "_id": RECORD });
    let Some(record) = mongo.measured("find", record).await? else {
        return Ok(None);
    };
    let damaged = |_| Failure::Refused("the admin token's record in it is damaged".to_owned());
    Ok(Some(AdminKey {
        id: record.token,
        hash: TokenHash::from_bytes(record.hash.bytes.try_into().map_err(damaged)?),
    }))
}

/// Stores a hash where there is none, and returns the one that is then there.
pub(crate) async fn claim(mongo: &Mongo, key: AdminKey) -> Result<AdminKey, Failure> {
    let records: Collection<Record> = mongo.collection(schema::META);
    let record = Record {
        name: RECORD.to_owned(),
        token: key.id.clone(),
        hash: Binary {
            subtype: BinarySubtype::Generic,
            bytes: key.hash.as_bytes().to_vec(),
        },
    };
    match mongo.attempt("insert", records.insert_one(&record)).await? {
        Ok(_) => Ok(key),
        Err(error) if is_duplicate(&error) => Ok(stored(mongo).await?.unwrap_or(key)),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::token::Token;
    use crate::mongo::test_server::TestServer;

    #[tokio::test]
    async fn the_first_node_makes_it_and_the_others_know_it() {
        let server = TestServer::start();
        let mongo = Mongo::connect(&server.uri()).await.unwrap();
        let dirs: Vec<_> = (0..6).map(|_| tempfile::tempdir().unwrap()).collect();
        let starts = dirs.iter().map(|dir| load_or_create(dir.path(), &mongo));
        let started = futures_util::future::join_all(starts).await;
        let started: Vec<AdminToken> = started.into_iter().map(Result::unwrap).collect();
        let new: Vec<_> = started.iter().filter(|token| token.is_new).collect();
        assert_eq!(new.len(), 1);
        let files: Vec<_> = dirs
            .iter()
            .filter_map(|dir| read(dir.path()).unwrap())
            .collect();
        assert_eq!(files.len(), 1, "the losers keep none");
        assert!(started.iter().all(|token| token.key.is_of(&files[0])));
        let again = load_or_create(dirs[0].path(), &mongo).await.unwrap();
        assert!(!again.is_new && again.key.is_of(&files[0]));
    }

    #[tokio::test]
    async fn a_token_that_leaked_is_replaced_by_deleting_record_and_file() {
        let server = TestServer::start();
        let mongo = Mongo::connect(&server.uri()).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let leaked = load_or_create(dir.path(), &mongo).await.unwrap();
        let meta: Collection<Record> = mongo.collection(schema::META);
        meta.delete_one(doc! { "_id": RECORD }).await.unwrap();
        std::fs::remove_file(&leaked.path).unwrap();
        let new = load_or_create(dir.path(), &mongo).await.unwrap();
        assert!(new.is_new && new.key.id != leaked.key.id);
    }

    #[tokio::test]
    async fn a_file_that_was_there_first_is_kept_and_a_later_one_does_not_rule() {
        let server = TestServer::start();
        let mongo = Mongo::connect(&server.uri()).await.unwrap();
        let (first, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let [token, stale] = [&first, &other].map(|dir| {
            super::super::load_or_create(dir.path()).unwrap();
            read(dir.path()).unwrap().unwrap()
        });
        let kept = load_or_create(first.path(), &mongo).await.unwrap();
        assert!(!kept.is_new && kept.key.is_of(&token));
        let node = load_or_create(other.path(), &mongo).await.unwrap();
        assert!(node.key.is_of(&token) && !node.key.is_of(&stale));
        let left: Token = read(other.path()).unwrap().unwrap();
        assert_eq!(left.reveal(), stale.reveal(), "it is not ours to delete");
    }
}
