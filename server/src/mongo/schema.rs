//! The collections, their indexes, and the mark that says they are ours.
//!
//! | collection | a record is | found by |
//! | --- | --- | --- |
//! | `meta` | the schema's version; the database's id; the admin token's hash; a migration under way | `_id` |
//! | `documents` | a document's snapshot: generation, and where its chunks are | `_id`, the room |
//! | `updates` | one entry of a document's log | room, then order |
//! | `chunks` | a part of a snapshot, or of an update too large for one record | `_id`; room |
//! | `blobs` | a content of a file that is no text: when it was used, and which upload it was | `_id`, project and hash; its upload |
//! | `blob_parts` | a part of an upload | `_id`, the upload and a place; project |
//! | `uploads` | a note of parts that are no content | `_id`, the upload |
//! | `versions` | a version of a project: who, when, why, and the hash of its list of files | `_id`, project and number |
//! | `texts` | as `blobs`: a text of a version, packed, or such a list | as `blobs` |
//! | `text_parts`, `text_uploads` | as `blob_parts` and `uploads` | as these |
//! | `signs` | a node that lives, or left its sign behind: how often it left one, by what it hears others | `_id`, the node |
//! | `projects` | a project with its links and passes | `_id`; a link's id; a pass's id |

use mongodb::IndexModel;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::IndexOptions;

use super::{Failure, Mongo, is_duplicate, measure};

pub(crate) const META: &str = "meta";
pub(crate) const DOCUMENTS: &str = "documents";
pub(crate) const UPDATES: &str = "updates";
pub(crate) const CHUNKS: &str = "chunks";
pub(crate) const BLOBS: &str = "blobs";
pub(crate) const BLOB_PARTS: &str = "blob_parts";
pub(crate) const UPLOADS: &str = "uploads";
pub(crate) const VERSIONS: &str = "versions";
pub(crate) const TEXTS: &str = "texts";
pub(crate) const TEXT_PARTS: &str = "text_parts";
pub(crate) const TEXT_UPLOADS: &str = "text_uploads";
pub(crate) const SIGNS: &str = "signs";
pub(crate) const PROJECTS: &str = "projects";

/// The schema this program writes; a database of a later one is left alone.
const VERSION: i32 = 1;

/// What nodes go on to write for a moment where the database is emptied beneath them, and a field of each such record.
const LEFT_BEHIND: [(&str, &str); 3] = [(SIGNS, "hears"), (UPDATES, "checksum"), (CHUNKS, "room")];

/// Why a database cannot be used.
pub(super) enum Unusable {
    /// Somebody else's; the text says what to do.
    NotOurs(String),
    Failed(Failure),
}

impl From<Failure> for Unusable {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

pub(super) async fn prepare(mongo: &Mongo) -> Result<(), Unusable> {
    claim(mongo).await?;
    for (collection, name, keys) in [
        // With the size in it, the sizes of a project's documents are read from the index alone.
        (UPDATES, "log", doc! { "room": 1, "_id": 1, "size": 1 }),
        (CHUNKS, "room", doc! { "room": 1, "_id": 1 }),
        (BLOBS, "upload", doc! { "upload": 1 }),
        (BLOB_PARTS, "project", doc! { "project": 1 }),
        (TEXTS, "upload", doc! { "upload": 1 }),
        (TEXT_PARTS, "project", doc! { "project": 1 }),
        (PROJECTS, "links", doc! { "links.id": 1 }),
        (PROJECTS, "passes", doc! { "passes.id": 1 }),
    ] {
        let named = IndexOptions::builder().name(name.to_owned()).build();
        let index = IndexModel::builder().keys(keys).options(named).build();
        let collection = mongo.collection::<Document>(collection);
        mongo
            .measured("createIndexes", collection.create_index(index))
            .await?;
    }
    Ok(())
}

/// Finds our mark, or puts it into a database that holds nothing of the names that we use.
async fn claim(mongo: &Mongo) -> Result<(), Unusable> {
    let meta = mongo.collection::<Document>(META);
    let mark = doc! { "_id": "schema" };
    if let Some(found) = mongo.measured("find", meta.find_one(mark.clone())).await? {
        return known(&found);
    }
    let names = mongo
        .measured("listCollections", mongo.database.list_collection_names())
        .await?;
    let ours = [
        META,
        DOCUMENTS,
        UPDATES,
        CHUNKS,
        BLOBS,
        BLOB_PARTS,
        UPLOADS,
        VERSIONS,
        TEXTS,
        TEXT_PARTS,
        TEXT_UPLOADS,
        SIGNS,
        PROJECTS,
    ];
    let mut taken = None;
    for name in names.iter().filter(|name| ours.contains(&name.as_str())) {
        if !is_left_behind(mongo, name).await? {
            taken = Some(name);
        }
    }
    if let Some(taken) = taken {
        // Unless another node has marked it just now, and goes on to make the collections.
        return match mongo.measured("find", meta.find_one(mark)).await? {
            Some(found) => known(&found),
            None => Err(Unusable::NotOurs(format!(
                "its collection {taken} is another program's; name another database in the URI"
            ))),
        };
    }
    Ok(self::mark(mongo).await?)
}

/// Whether what a collection holds was written by nodes of ours.
async fn is_left_behind(mongo: &Mongo, name: &str) -> Result<bool, Failure> {
    let Some((_, field)) = LEFT_BEHIND.iter().find(|(known, _)| *known == name) else {
        return Ok(false);
    };
    let another = doc! { *field: { "$exists": false } };
    let records = mongo.collection::<Document>(name);
    let another = mongo.measured("find", records.find_one(another)).await?;
    Ok(another.is_none())
}

/// Puts our mark there, unless there is one.
pub(super) async fn mark(mongo: &Mongo) -> Result<(), Failure> {
    let meta = mongo.collection::<Document>(META);
    let mark = doc! { "_id": "schema", "version": VERSION };
    match measure::raw("insert", meta.insert_one(mark)).await? {
        // Another node was faster.
        Err(error) if !is_duplicate(&error) => Err(error.into()),
        _ => Ok(()),
    }
}

fn known(mark: &Document) -> Result<(), Unusable> {
    match mark.get("version") {
        Some(Bson::Int32(version)) if *version <= VERSION => Ok(()),
        _ => Err(Unusable::NotOurs(
            "it was written by a later version of Tutti; start that version".to_owned(),
        )),
    }
}
