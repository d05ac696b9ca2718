use std::path::Path;

use super::*;
use crate::auth::directory::conformance;

fn open(path: &Path) -> Result<SqliteDirectory, DirectoryError> {
    SqliteDirectory::open(path)
}

fn refusal(path: &Path) -> String {
    open(path).err().unwrap().to_string()
}

#[tokio::test]
async fn conforms() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("directory.db");
    conformance::run(async || Box::new(open(&path).unwrap()) as Box<dyn Directory>).await;
}

#[tokio::test]
async fn a_damaged_file_is_never_taken_for_an_empty_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("directory.db");
    std::fs::write(&path, "this is no database".repeat(1000)).unwrap();
    assert!(refusal(&path).contains("damaged"), "{}", refusal(&path));
}

#[tokio::test]
async fn a_newer_file_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("directory.db");
    drop(open(&path).unwrap());
    let db = Connection::open(&path).unwrap();
    db.pragma_update(None, "user_version", SCHEMA_VERSION + 1)
        .unwrap();
    drop(db);
    assert!(
        refusal(&path).contains("newer tutti-server"),
        "{}",
        refusal(&path)
    );
}

#[tokio::test]
async fn another_programs_database_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("directory.db");
    Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE theirs (x)")
        .unwrap();
    assert!(
        refusal(&path).contains("another program"),
        "{}",
        refusal(&path)
    );
}

#[tokio::test]
async fn no_token_stands_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("directory.db");
    let directory = open(&path).unwrap();
    let (project, link, token) = conformance::project_with_link("p1");
    directory
        .create_project(project, vec![(link, token.hash())])
        .await
        .unwrap();
    drop(directory);
    let secret = &token.reveal()[12..];
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(
            !bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes())
        );
    }
}

#[tokio::test]
async fn a_full_disk_is_called_so() {
    let dir = tempfile::tempdir().unwrap();
    let directory = open(&dir.path().join("directory.db")).unwrap();
    // No page more than there is.
    let page_count = directory
        .run(|db| {
            db.pragma_update(None, "max_page_count", 1)?;
            db.pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0))
        })
        .await
        .unwrap();
    assert!(page_count > 0);
    let project = Project {
        id: "abc".parse().unwrap(),
        name: "x".repeat(100_000),
        created_at: 0,
    };
    let refusal = directory.create_project(project, Vec::new()).await;
    assert!(matches!(refusal, Err(DirectoryError::Full)), "{refusal:?}");
}
