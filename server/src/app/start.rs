//! From a configuration to a running server.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::{Router, middleware};
use tokio::net::TcpListener;
use tower_http::compression::CompressionLayer;

use super::data_dir::DataDir;
use super::serve::in_time;
use super::storage::Storage;
use super::{Running, Upkeep};
use crate::auth::admin::AdminTokenError;
use crate::auth::{Access, DirectoryError};
use crate::collect::Collector;
use crate::config::Settings;
use crate::fanout::{FanOut, LocalFanOut, RedisFanOut, Signs, SilentFanOut};
use crate::history::{History, Keeper, Watcher};
use crate::mongo::ConnectError;
use crate::rooms::Rooms;
use crate::store::StoreError;
use crate::ws::{self, WsState};
use crate::{api, headers, health, metrics, web};

/// Why the server does not start: one sentence that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The system does not say where the user's data goes.
    #[error("this system names no data directory for this user: give one with --data")]
    NoDataDir,
    /// The data directory cannot be made or written.
    #[error("cannot write to the data directory {}: {cause}; give another with --data", path.display())]
    DataDir {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// Another process serves from the data directory.
    #[error("the data directory {} is in use by another tutti-server: stop that one, or give another with --data", path.display())]
    InUse {
        /// The directory.
        path: PathBuf,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {}", listen_advice(cause))]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        cause: io::Error,
    },
    /// The administrator's token cannot be read or made.
    #[error(transparent)]
    AdminToken(#[from] AdminTokenError),
    /// Projects and links cannot be read.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// The system gives no random bytes to name this node by.
    #[error("this system gives no random bytes ({0}); see that /dev/urandom can be read")]
    NoRandomness(#[from] getrandom::Error),
    /// Documents cannot be read.
    #[error("cannot use the document store {}: {cause}", path.display())]
    Store {
        /// The database file.
        path: PathBuf,
        /// What the store says.
        cause: StoreError,
    },
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] ConnectError),
    /// What is stored is half of a copy, or it cannot be found out.
    #[error("{0}")]
    Migration(String),
}

fn listen_advice(cause: &io::Error) -> String {
    match cause.kind() {
        io::ErrorKind::AddrInUse => {
            "the port is taken by another program; stop that one, or choose another port with --listen".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address; choose one that it has with --listen".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "this user may not use the port; choose one above 1023 with --listen".to_owned()
        }
        _ => format!("{cause}; choose another address with --listen"),
    }
}

/// Starts a server. It serves when this returns.
pub async fn start(settings: Settings) -> Result<Running, StartError> {
    // Before anything that has figures to show for itself.
    metrics::record();
    let data_dir = DataDir::open(settings.data_dir().ok_or(StartError::NoDataDir)?)?;
    let listen = |cause| StartError::Listen {
        address: settings.listen,
        cause,
    };
    let listener = TcpListener::bind(settings.listen).await.map_err(listen)?;
    let addr = listener.local_addr().map_err(listen)?;

    let storage = Storage::open(&settings, &data_dir).await?;

    tracing::info!("serving {} on {addr}", storage.place);
    let admin_token = storage.admin_token;
    let access = Access::new(storage.directory, admin_token.key.clone());
    let fanout = fanout(&settings, storage.signs)?;
    let rooms = Rooms::new(storage.documents, fanout, settings.limits());
    rooms.follow_others(Arc::new(access.clone()));
    let history = History::new(storage.versions, storage.texts);
    let collector = Collector {
        access: access.clone(),
        rooms: rooms.clone(),
        blobs: storage.blobs.clone(),
        history: history.clone(),
    };
    let keeper = Keeper::new(
        access.clone(),
        rooms.clone(),
        storage.blobs.clone(),
        history,
    );
    let quiet = Duration::from_secs(settings.version_quiet_s);
    let watcher = (!quiet.is_zero()).then(|| Watcher::new(keeper.clone(), quiet));
    let api = api::ApiState {
        access: access.clone(),
        rooms: rooms.clone(),
        blobs: storage.blobs,
        keeper,
        begun_uploads: api::BegunUploads::default(),
        public_url: settings.public_url.as_ref().map(|url| url.as_url().clone()),
    };
    let routes = routes(&settings, access, rooms.clone(), api);
    Ok(Running::new(
        listener,
        addr,
        routes,
        rooms,
        admin_token,
        Upkeep {
            collector,
            watcher,
            databases: storage.databases,
        },
        data_dir,
    ))
}

/// Connects to the other nodes. A Redis that is away keeps nobody from starting.
fn fanout(
    settings: &Settings,
    signs: Option<Arc<dyn Signs>>,
) -> Result<Arc<dyn FanOut>, StartError> {
    Ok(match (&settings.redis, signs) {
        (Some(url), signs) => {
            let redis = RedisFanOut::start(url.clone())?;
            if let Some(signs) = signs {
                redis.leave_signs(signs);
            }
            Arc::new(redis)
        }
        // Other nodes may use the database too.
        (None, Some(signs)) => {
            let silent = SilentFanOut::new()?;
            silent.leave_signs(signs);
            Arc::new(silent)
        }
        (None, None) => Arc::new(LocalFanOut::new()),
    })
}

fn routes(settings: &Settings, access: Access, rooms: Rooms, api: api::ApiState) -> Router {
    let sockets = ws::router(WsState {
        rooms: rooms.clone(),
        authorize: Arc::new(access.clone()),
    });
    let api = api::routes(api);
    let readers = metrics::Readers {
        access: access.clone(),
        behind_proxy: settings.public_url.is_some() || settings.client_address_header.is_some(),
    };
    // Whatever is neither a socket nor a whole file may be compressed, and is answered soon.
    let compressed = Router::new()
        .merge(api.brief)
        .merge(health::router(access, rooms))
        .merge(metrics::router(readers))
        .merge(web::router())
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn(in_time));
    let routes = compressed
        .merge(api.files)
        .merge(sockets)
        .method_not_allowed_fallback(api::no_such_method)
        .layer(middleware::from_fn(headers::secure))
        .layer(middleware::from_fn(metrics::count));
    match &settings.client_address_header {
        Some(header) => routes.layer(middleware::from_fn_with_state(
            header.clone(),
            headers::client_address,
        )),
        None => routes,
    }
}
