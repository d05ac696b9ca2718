//! One node in this process: the endpoints, the shared store, and Redis.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tempfile::TempDir;
use tutti_protocol::ids::{ProjectId, RoomName};
use tutti_protocol::role::Role;
use tutti_server::fanout::RedisFanOut;
use tutti_server::limits::Limits;
use tutti_server::rooms::{Rooms, Standing};
use tutti_server::store::SqliteStore;
use tutti_server::ws::{self, Authorize, Denied, Grant, GrantId, WsState};

/// The token of an editor.
pub(crate) const EDITOR: &str = "editor";

/// What all nodes share: one SQLite file (a store that the conformance suite opens several times),
/// and the links, as files in a directory.
pub(crate) struct Shared {
    dir: TempDir,
}

impl Shared {
    pub(crate) fn new() -> Arc<Self> {
        let shared = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        std::fs::create_dir(shared.path().join("links")).unwrap();
        shared.add_link(EDITOR);
        Arc::new(shared)
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Makes a link whose token and id are `token`.
    pub(crate) fn add_link(&self, token: &str) {
        std::fs::write(self.path().join("links").join(token), "").unwrap();
    }

    pub(crate) fn remove_link(&self, token: &str) {
        std::fs::remove_file(self.path().join("links").join(token)).unwrap();
    }

    /// A connection past the store, for holding it up.
    pub(crate) fn raw(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path().join("documents.sqlite3")).unwrap()
    }
}

/// The links of a directory.
struct Links(PathBuf);

impl Links {
    fn stands(&self, grant: &str) -> bool {
        self.0.join(grant).exists()
    }
}

impl Authorize for Links {
    fn authorize<'a>(
        &'a self,
        _: &'a ProjectId,
        token: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Grant, Denied>> {
        let token = token.unwrap_or_default();
        let grant = Grant {
            role: Role::Editor,
            grant_id: GrantId::new(token),
            expires_at: None,
        };
        let granted = match self.stands(token) {
            true => Ok(grant),
            false => Err(Denied::Unauthorized("this link is not valid".to_owned())),
        };
        Box::pin(std::future::ready(granted))
    }
}

impl Standing for Links {
    fn grant_stands<'a>(&'a self, grant: &'a GrantId) -> BoxFuture<'a, Result<bool, String>> {
        Box::pin(std::future::ready(Ok(self.stands(grant.as_str()))))
    }

    fn project_stands<'a>(&'a self, _: &'a ProjectId) -> BoxFuture<'a, Result<bool, String>> {
        Box::pin(std::future::ready(Ok(true)))
    }
}

pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    /// None where the node is another process.
    rooms: Option<Rooms>,
}

impl Server {
    /// A node in this process.
    pub(crate) async fn start(shared: &Path, redis: &str, limits: Limits) -> Self {
        let store = SqliteStore::open(&shared.join("documents.sqlite3")).unwrap();
        let fanout = RedisFanOut::start(redis.parse().unwrap()).unwrap();
        let rooms = Rooms::new(Arc::new(store), Arc::new(fanout), limits);
        let links = Arc::new(Links(shared.join("links")));
        rooms.follow_others(links.clone());
        let router = ws::router(WsState {
            rooms: rooms.clone(),
            authorize: links,
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move {
            axum::serve(listener, service).await.unwrap();
        });
        Self {
            addr,
            rooms: Some(rooms),
        }
    }

    /// A node elsewhere.
    pub(crate) fn at(addr: SocketAddr) -> Self {
        Self { addr, rooms: None }
    }

    pub(crate) fn rooms(&self) -> &Rooms {
        self.rooms.as_ref().unwrap()
    }

    /// Waits until Redis carries this node's messages.
    pub(crate) async fn until_connected(&self) {
        self.until_trouble(false).await;
        // And until each has heard the others, which beat once a second.
        tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    }

    /// Waits until this node says that Redis is away, or that it is not.
    pub(crate) async fn until_trouble(&self, trouble: bool) {
        let began = std::time::Instant::now();
        while self.rooms().fanout_trouble().is_some() != trouble {
            assert!(began.elapsed().as_secs() < 20, "{trouble}");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    pub(crate) async fn text(&self, room: &str) -> String {
        let room: RoomName = room.parse().unwrap();
        self.rooms().text(&room).await.unwrap().unwrap_or_default()
    }
}
