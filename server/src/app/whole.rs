//! Leaves each embedded database whole in its one file.
//!
//! SQLite keeps the last commits in a log beside the database, and takes them over when its last connection
//! is closed. A process that ends closes none: connections wait in a pool, or on a thread of their own. So the
//! log is taken over once nothing more is written, and a copy of the database alone lacks nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

/// A disk that hangs holds the end up for so long. What stays in the logs is not lost.
const PATIENCE: Duration = Duration::from_secs(3);
/// The same for a reader that is at work.
const BUSY: Duration = Duration::from_secs(1);

/// Takes over the logs of these databases.
pub(crate) async fn leave_whole(databases: Vec<PathBuf>) {
    let taking = tokio::task::spawn_blocking(move || {
        for database in databases {
            match take_over(&database) {
                Ok(true) => {}
                Ok(false) => tell(&database, "it is in use"),
                Err(error) => tell(&database, &error.to_string()),
            }
        }
    });
    if tokio::time::timeout(PATIENCE, taking).await.is_err() {
        tracing::warn!("the disk is slow: a copy of the databases needs their -wal files, too");
    }
}

fn tell(database: &Path, why: &str) {
    let path = database.display();
    tracing::warn!("{path} lacks what is in {path}-wal, which a copy needs, too: {why}");
}

/// Whether all of the log is in the database now.
fn take_over(database: &Path) -> rusqlite::Result<bool> {
    let connection = Connection::open(database)?;
    connection.busy_timeout(BUSY)?;
    let is_busy: i64 =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    Ok(is_busy == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(connection: &Connection) -> i64 {
        let count = connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0));
        count.unwrap()
    }

    #[tokio::test]
    async fn a_copy_of_the_file_alone_has_everything() {
        let dir = tempfile::tempdir().unwrap();
        let (path, copy) = (dir.path().join("d.db"), dir.path().join("copy.db"));
        let writer = Connection::open(&path).unwrap();
        writer.pragma_update(None, "journal_mode", "WAL").unwrap();
        writer
            .execute_batch("CREATE TABLE t (n); INSERT INTO t VALUES (1), (2)")
            .unwrap();
        // One that nobody closes.
        let reader = Connection::open(&path).unwrap();
        assert_eq!(rows(&reader), 2);
        leave_whole(vec![path.clone()]).await;
        std::fs::copy(&path, &copy).unwrap();
        assert_eq!(rows(&Connection::open(&copy).unwrap()), 2);
        drop((writer, reader));
    }
}
