//! The processes that are measured.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use axum::routing::get;
use futures_util::future::BoxFuture;
use metrics_exporter_prometheus::PrometheusBuilder;
use tutti_protocol::ids::ProjectId;
use tutti_protocol::role::Role;
use tutti_server::fanout::{FanOut, LocalFanOut, MongoSigns, RedisFanOut, SilentFanOut};
use tutti_server::limits::Limits;
use tutti_server::mongo::{Mongo, MongoUri};
use tutti_server::rooms::Rooms;
use tutti_server::store::{DocumentStore, MongoStore, SqliteStore};
use tutti_server::ws::{self, Authorize, Denied, Grant, GrantId, WsState};

/// A node. It ends when this is dropped.
pub(crate) struct Node {
    process: Child,
    addr: SocketAddr,
}

impl Node {
    /// One of Tutti's; `cache_mb` is the memory for documents.
    pub(crate) fn start(
        dir: &Path,
        redis: Option<&str>,
        database: Option<&str>,
        cache_mb: usize,
    ) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--serve").arg(dir);
        command.args(["--cache-mb", &cache_mb.to_string()]);
        if let Some(url) = redis {
            command.args(["--redis", url]);
        }
        if let Some(uri) = database {
            command.args(["--database", uri]);
        }
        Self::of(command)
    }

    /// What a command starts that prints its address first.
    pub(crate) fn of(mut command: Command) -> Result<Self> {
        let mut process = command.stdout(Stdio::piped()).spawn()?;
        let output = process.stdout.take().context("no output")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let addr = line.trim().parse().context("the node does not start")?;
        Ok(Self { process, addr })
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The processor time it has taken so far.
    pub(crate) fn used(&self) -> Result<Duration> {
        used(self.process.id())
    }

    /// The memory that is its own, in bytes.
    pub(crate) fn memory(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        Ok(kib.context("the system does not tell how much memory a node takes")? << 10)
    }

    /// The sum of a figure's series whose line contains `label`, 0 if there is none yet.
    pub(crate) fn figure(&self, name: &str, label: &str) -> Result<f64> {
        let mut socket = TcpStream::connect(self.addr)?;
        write!(socket, "GET /metrics HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        ensure!(answer.contains(" 200 OK"), "no figures: {answer}");
        let of_it = answer.lines().filter_map(|line| {
            let rest = line.strip_prefix(name)?;
            let (labels, value) = rest.rsplit_once(' ')?;
            let is_it = labels.is_empty() || labels.starts_with('{');
            (is_it && labels.contains(label)).then_some(value)
        });
        Ok(of_it.map(str::parse::<f64>).sum::<Result<f64, _>>()?)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

/// A Redis of this run's own.
pub(crate) struct Redis {
    process: Child,
    port: u16,
}

impl Redis {
    pub(crate) fn start() -> Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn()
            .context("redis-server does not run here; `cargo xtask setup` installs it")?;
        let redis = Self { process, port };
        for _ in 0..200 {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Ok(redis);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("redis-server does not start");
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn used(&self) -> Result<Duration> {
        used(self.process.id())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        end(&mut self.process);
    }
}

fn end(process: &mut Child) {
    // One that has ended already is what we want.
    let _ = process.kill();
    let _ = process.wait();
}

/// The processor time of a process, by Linux's `/proc`.
fn used(process: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("not as expected")?;
    let ticks = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse::<u64>)
        .sum::<Result<u64, _>>()?;
    // USER_HZ is 100 on every Linux that Rust runs on.
    Ok(Duration::from_millis(ticks * 10))
}

/// Lets everybody in.
struct Everybody;

impl Authorize for Everybody {
    fn authorize<'a>(
        &'a self,
        _: &'a ProjectId,
        _: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Grant, Denied>> {
        Box::pin(std::future::ready(Ok(Grant {
            role: Role::Editor,
            grant_id: GrantId::new("everybody"),
            expires_at: None,
        })))
    }
}

/// Is a node: on a database, or on the store of a directory, that others may share.
pub(crate) async fn serve(
    dir: &str,
    redis: Option<&str>,
    database: Option<&MongoUri>,
    cache_mb: usize,
) -> Result<()> {
    let figures = PrometheusBuilder::new().install_recorder()?;
    let mongo = match database {
        Some(uri) => Some(Mongo::connect(uri).await?),
        None => None,
    };
    let store: Arc<dyn DocumentStore> = match &mongo {
        Some(mongo) => Arc::new(MongoStore::new(mongo)),
        None => Arc::new(SqliteStore::open(&Path::new(dir).join("documents.db"))?),
    };
    let fanout: Arc<dyn FanOut> = match (redis, &mongo) {
        (Some(url), mongo) => {
            let redis = RedisFanOut::start(url.parse().map_err(anyhow::Error::msg)?)?;
            if let Some(mongo) = mongo {
                redis.leave_signs(Arc::new(MongoSigns::new(mongo)));
            }
            Arc::new(redis)
        }
        // Others may be on the same one, as the server itself assumes.
        (None, Some(mongo)) => {
            let silent = SilentFanOut::new()?;
            silent.leave_signs(Arc::new(MongoSigns::new(mongo)));
            Arc::new(silent)
        }
        (None, None) => Arc::new(LocalFanOut::new()),
    };
    let limits = Limits {
        cache_bytes: cache_mb << 20,
        ..Limits::default()
    };
    let router = ws::router(WsState {
        rooms: Rooms::new(store, fanout, limits),
        authorize: Arc::new(Everybody),
    });
    let router = router.route("/metrics", get(async move || figures.render()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(
        axum::serve::ListenerExt::tap_io(listener, |stream| {
            // As the server itself does.
            let _ = stream.set_nodelay(true);
        }),
        service,
    )
    .await?;
    Ok(())
}
