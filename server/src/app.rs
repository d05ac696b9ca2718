//! Puts the parts together and runs them until they are told to stop.

pub(crate) mod data_dir;
mod linger;
mod serve;
mod start;
pub(crate) mod storage;
pub(crate) mod whole;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle};

pub use start::{StartError, start};

use crate::collect::Collector;
use crate::history::Watcher;
use crate::rooms::{NotSaved, Rooms};
use data_dir::DataDir;
use serve::Serving;

/// How long a peer may take to send a request's head, and to think about the next request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// How long requests under way may take once the rooms are closed.
const LAST_REQUESTS: Duration = Duration::from_secs(3);

/// What a stop may take altogether, with the default limits; supervisors have to wait longer.
pub const LONGEST_STOP: Duration = Duration::from_secs(25);

/// A server that runs. Dropping it stops it hard; [`Running::shutdown`] loses nothing.
pub struct Running {
    addr: SocketAddr,
    admin_token: PathBuf,
    is_first_start: bool,
    rooms: Rooms,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    upkeep: Vec<AbortHandle>,
    /// The embedded databases.
    databases: Vec<PathBuf>,
    // Unlocks the data directory when all the rest is gone.
    _data_dir: DataDir,
}

/// What goes on beside the serving.
struct Upkeep {
    collector: Collector,
    /// Where versions are made of projects that fall quiet.
    watcher: Option<Watcher>,
    /// The embedded databases, to be left whole.
    databases: Vec<PathBuf>,
}

impl Running {
    fn new(
        listener: TcpListener,
        addr: SocketAddr,
        routes: Router,
        rooms: Rooms,
        admin_token: crate::auth::admin::AdminToken,
        upkeep: Upkeep,
        data_dir: DataDir,
    ) -> Running {
        let (stop, stopping) = watch::channel(false);
        let serving = Serving {
            routes,
            stop: stopping,
            head_timeout: HEAD_TIMEOUT,
            write_timeout: rooms.limits().write_timeout,
            last_requests: LAST_REQUESTS,
        };
        Running {
            addr,
            admin_token: admin_token.path,
            is_first_start: admin_token.is_new,
            rooms,
            stop,
            serving: tokio::spawn(serve::serve(listener, serving)),
            upkeep: [
                crate::metrics::start().abort_handle(),
                upkeep.collector.start(),
            ]
            .into_iter()
            .chain(upkeep.watcher.map(Watcher::start))
            .collect(),
            databases: upkeep.databases,
            _data_dir: data_dir,
        }
    }

    /// The address it listens on, with the port that was picked if any would do.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The file that holds the administrator's token.
    pub fn admin_token_path(&self) -> &Path {
        &self.admin_token
    }

    /// Whether this start made the administrator's token.
    pub fn is_first_start(&self) -> bool {
        self.is_first_start
    }

    /// Stops accepting, makes everything durable, closes the sockets with 1012, and ends, in
    /// bounded time.
    ///
    /// # Errors
    /// The store did not take what people last wrote. It is still in their clients.
    pub async fn shutdown(mut self) -> Result<(), NotSaved> {
        self.stop.send_replace(true);
        let flushed = self.rooms.shutdown().await;
        if let Err(err) = (&mut self.serving).await {
            tracing::error!("the server ended in disorder: {err}");
        }
        self.upkeep.iter().for_each(AbortHandle::abort);
        whole::leave_whole(std::mem::take(&mut self.databases)).await;
        flushed
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.serving.abort();
        self.upkeep.iter().for_each(AbortHandle::abort);
    }
}
