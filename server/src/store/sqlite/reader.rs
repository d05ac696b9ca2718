//! Reading, each call as of one moment.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use tutti_protocol::ids::{ProjectId, RoomName};

use super::{checksum, to_store_error};
use crate::store::{DocumentSize, EntryId, LogEntry, Seen, StoreError, StoredDocument};

pub(super) fn load(
    connection: &Connection,
    room: &RoomName,
) -> Result<Option<StoredDocument>, StoreError> {
    let moment = moment(connection)?;
    let Some((doc, generation)) = find(&moment, room)? else {
        return Ok(None);
    };
    whole(&moment, room, doc, generation).map(Some)
}

/// What is not in `seen` yet.
pub(super) fn news(
    connection: &Connection,
    room: &RoomName,
    seen: &Seen,
) -> Result<Option<StoredDocument>, StoreError> {
    let moment = moment(connection)?;
    let Some((doc, generation)) = find(&moment, room)? else {
        return Ok(None);
    };
    if generation as u64 != seen.generation {
        return whole(&moment, room, doc, generation).map(Some);
    }
    let names: Vec<i64> = moment
        .prepare_cached("SELECT seq FROM updates WHERE doc = ?1 ORDER BY seq")
        .and_then(|mut all| all.query_map([doc], |row| row.get(0))?.collect())
        .map_err(to_store_error)?;
    let mut log = Vec::new();
    for seq in names {
        if seen.entries.contains(&EntryId(seq as u128)) {
            continue;
        }
        let (bytes, expected): (Vec<u8>, u32) = moment
            .prepare_cached("SELECT bytes, checksum FROM updates WHERE seq = ?1")
            .and_then(|mut one| one.query_row([seq], |row| Ok((row.get(0)?, row.get(1)?))))
            .map_err(to_store_error)?;
        log.push(entry(room, doc, seq, bytes, expected)?);
    }
    Ok(Some(StoredDocument {
        generation: seen.generation,
        snapshot: None,
        log,
    }))
}

/// One transaction, so that no compaction falls between the snapshot and the log.
fn moment(connection: &Connection) -> Result<Transaction<'_>, StoreError> {
    Transaction::new_unchecked(connection, TransactionBehavior::Deferred).map_err(to_store_error)
}

/// A document's number and the generation of its snapshot.
fn find(connection: &Connection, room: &RoomName) -> Result<Option<(i64, i64)>, StoreError> {
    connection
        .prepare_cached(
            "SELECT doc, generation FROM documents WHERE project = ?1 AND document = ?2",
        )
        .and_then(|mut find| {
            find.query_row(
                params![room.project.as_str(), room.document.as_str()],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()
        })
        .map_err(to_store_error)
}

fn whole(
    moment: &Connection,
    room: &RoomName,
    doc: i64,
    generation: i64,
) -> Result<StoredDocument, StoreError> {
    Ok(StoredDocument {
        generation: generation as u64,
        snapshot: snapshot(moment, room, doc, generation)?,
        log: log(moment, room, doc)?,
    })
}

/// The snapshot of a document, whole; an error when any part of it is missing.
pub(super) fn snapshot(
    connection: &Connection,
    room: &RoomName,
    doc: i64,
    generation: i64,
) -> Result<Option<Bytes>, StoreError> {
    if generation == 0 {
        return Ok(None);
    }
    let damaged = |what: &str| StoreError::Corrupt {
        room: room.to_string(),
        what: what.to_owned(),
    };
    let head: Option<(i64, i64, i64, u32)> = connection
        .prepare_cached("SELECT generation, chunks, bytes, checksum FROM snapshots WHERE doc = ?1")
        .and_then(|mut find| {
            find.query_row([doc], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })
            .optional()
        })
        .map_err(to_store_error)?;
    let Some((of, chunks, length, expected)) = head else {
        return Err(damaged("its snapshot is missing"));
    };
    if of != generation {
        return Err(damaged("its snapshot is of another generation"));
    }
    let mut bytes = Vec::new();
    let mut read = 0;
    connection
        .prepare_cached(
            "SELECT bytes FROM snapshot_chunks WHERE doc = ?1 AND generation = ?2 ORDER BY chunk",
        )
        .and_then(|mut all| {
            let mut rows = all.query(params![doc, generation])?;
            while let Some(row) = rows.next()? {
                bytes.extend_from_slice(row.get_ref(0)?.as_blob()?);
                read += 1;
            }
            Ok(())
        })
        .map_err(to_store_error)?;
    if read != chunks || bytes.len() as i64 != length {
        return Err(damaged("its snapshot is incomplete"));
    }
    if checksum(doc, &bytes) != expected {
        return Err(damaged("its snapshot does not match its checksum"));
    }
    Ok(Some(bytes.into()))
}

fn log(connection: &Connection, room: &RoomName, doc: i64) -> Result<Vec<LogEntry>, StoreError> {
    let rows: Vec<(i64, Vec<u8>, u32)> = connection
        .prepare_cached("SELECT seq, bytes, checksum FROM updates WHERE doc = ?1 ORDER BY seq")
        .and_then(|mut all| {
            all.query_map([doc], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect()
        })
        .map_err(to_store_error)?;
    rows.into_iter()
        .map(|(seq, bytes, expected)| entry(room, doc, seq, bytes, expected))
        .collect()
}

fn entry(
    room: &RoomName,
    doc: i64,
    seq: i64,
    bytes: Vec<u8>,
    expected: u32,
) -> Result<LogEntry, StoreError> {
    if checksum(doc, &bytes) != expected {
        return Err(StoreError::Corrupt {
            room: room.to_string(),
            what: format!("entry {seq} of its log does not match its checksum"),
        });
    }
    Ok(LogEntry {
        id: EntryId(seq as u128),
        update: bytes.into(),
    })
}

pub(super) fn documents(
    connection: &Connection,
    project: &ProjectId,
) -> Result<Vec<DocumentSize>, StoreError> {
    let rows: Vec<(String, i64)> = connection
        .prepare_cached(
            "SELECT document,
                    coalesce((SELECT bytes FROM snapshots WHERE doc = d.doc), 0)
                    + coalesce((SELECT sum(length(bytes)) FROM updates WHERE doc = d.doc), 0)
             FROM documents d WHERE project = ?1 ORDER BY document",
        )
        .and_then(|mut all| {
            all.query_map([project.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
        .map_err(to_store_error)?;
    rows.into_iter()
        .map(|(document, bytes)| {
            Ok(DocumentSize {
                document: document.parse().map_err(|_| StoreError::Corrupt {
                    room: format!("{project}/{document}"),
                    what: "its name is outside the rules".to_owned(),
                })?,
                bytes: bytes as u64,
            })
        })
        .collect()
}
