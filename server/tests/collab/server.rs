//! A server for one test: the endpoints, a SQLite store in a directory of its own, and links that
//! are what their token says.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use tempfile::TempDir;
use tutti_protocol::ids::{ProjectId, RoomName};
use tutti_protocol::role::Role;
use tutti_server::fanout::LocalFanOut;
use tutti_server::limits::Limits;
use tutti_server::rooms::Rooms;
use tutti_server::store::SqliteStore;
use tutti_server::ws::{self, Authorize, Denied, Grant, GrantId, WsState};

/// The token of an editor.
pub(crate) const EDITOR: &str = "editor";
/// The token of a viewer.
pub(crate) const VIEWER: &str = "viewer";

pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    pub(crate) rooms: Rooms,
    pub(crate) store: SqliteStore,
    pub(crate) links: Arc<Links>,
    dir: Arc<TempDir>,
    task: tokio::task::JoinHandle<()>,
}

/// Which token is which link.
pub(crate) struct Links(Mutex<HashMap<String, Grant>>);

impl Links {
    fn new() -> Self {
        let links = Self(Mutex::default());
        links.add(EDITOR, Role::Editor, None);
        links.add(VIEWER, Role::Viewer, None);
        links
    }

    /// Makes a link whose token and id are `token`.
    pub(crate) fn add(&self, token: &str, role: Role, lives: Option<Duration>) {
        let grant = Grant {
            role,
            grant_id: GrantId::new(token),
            expires_at: lives.map(|lives| SystemTime::now() + lives),
        };
        self.0.lock().unwrap().insert(token.to_owned(), grant);
    }
}

impl Authorize for Links {
    fn authorize<'a>(
        &'a self,
        project: &'a ProjectId,
        token: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Grant, Denied>> {
        Box::pin(async move {
            let Some(token) = token else {
                return Err(Denied::Unauthorized("a link is needed".to_owned()));
            };
            match (project.as_str(), self.0.lock().unwrap().get(token)) {
                ("none", _) => Err(Denied::NotFound("there is no such project".to_owned())),
                ("busy", _) => Err(Denied::Unavailable("come back later".to_owned())),
                ("secret", Some(_)) => Err(Denied::Forbidden(
                    "this link is for another project".to_owned(),
                )),
                (_, Some(grant)) => Ok(grant.clone()),
                (_, None) => Err(Denied::Unauthorized("this link is not valid".to_owned())),
            }
        })
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        let dir = Arc::new(tempfile::tempdir().unwrap());
        Self::on(dir, limits, LocalFanOut::new()).await
    }

    /// Another server on the same data, linked by `fanout`.
    pub(crate) async fn node(&self, fanout: LocalFanOut) -> Self {
        Self::on(self.dir.clone(), Limits::default(), fanout).await
    }

    pub(crate) async fn on(dir: Arc<TempDir>, limits: Limits, fanout: LocalFanOut) -> Self {
        let store = SqliteStore::open(&dir.path().join("documents.sqlite3")).unwrap();
        let rooms = Rooms::new(Arc::new(store.clone()), Arc::new(fanout), limits);
        let links = Arc::new(Links::new());
        let router = ws::router(WsState {
            rooms: rooms.clone(),
            authorize: links.clone(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let task = tokio::spawn(async move {
            axum::serve(listener, service).await.unwrap();
        });
        Self {
            addr,
            rooms,
            store,
            links,
            dir,
            task,
        }
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.dir.path().join("documents.sqlite3")
    }

    /// A connection past the store, for holding it up and for damaging it.
    pub(crate) fn raw(&self) -> rusqlite::Connection {
        let raw = rusqlite::Connection::open(self.database()).unwrap();
        raw.busy_timeout(Duration::from_secs(10)).unwrap();
        raw
    }

    /// The directory, for a server that takes over.
    pub(crate) fn dir(&self) -> Arc<TempDir> {
        self.dir.clone()
    }

    pub(crate) async fn text(&self, room: &str) -> String {
        let text = self.rooms.text(&name(room)).await.unwrap();
        text.unwrap_or_default()
    }

    /// What is stored at this moment, as a process would find it that starts after this one was
    /// killed: the files are copied as they are, and opened by another store.
    pub(crate) async fn text_after_kill(&self, room: &str) -> String {
        let copy = Arc::new(tempfile::tempdir().unwrap());
        for end in ["", "-wal"] {
            let file = format!("documents.sqlite3{end}");
            std::fs::copy(self.dir.path().join(&file), copy.path().join(&file)).unwrap();
        }
        let other = Self::on(copy, Limits::default(), LocalFanOut::new()).await;
        other.text(room).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub(crate) fn name(room: &str) -> RoomName {
    room.parse().unwrap()
}
