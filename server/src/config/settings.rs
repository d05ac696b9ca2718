//! The options themselves, with their defaults and their value parsers.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use axum::http::HeaderName;
use clap::{Parser, ValueEnum};
use url::Url;

use crate::fanout::RedisUrl;
use crate::limits::Limits;
use crate::mongo::MongoUri;

const MIB: usize = 1024 * 1024;

/// Tutti's collaboration server.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(
    name = "tutti-server",
    version,
    after_help = "Every option is also an environment variable (TUTTI_CACHE_MB for --cache-mb) and a key \
                  of the file given by --config (cache-mb = 256). A flag goes before the environment, \
                  the environment before the file. `tutti-server migrate --help` tells how to copy everything \
                  from the embedded store into MongoDB, or back."
)]
pub struct Settings {
    /// Address to serve on; port 0 picks a free one [default: 127.0.0.1:4400]
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address_and_port)]
    pub listen: SocketAddr,

    /// Directory of the embedded store and the admin token [default: the user's data directory]
    #[arg(long, value_name = "DIR", value_parser = clap::builder::PathBufValueParser::new())]
    pub data: Option<PathBuf>,

    /// Store in this MongoDB database instead of in files below --data
    #[arg(long, value_name = "URI")]
    pub mongodb: Option<MongoUri>,

    /// Work together with other nodes over this Redis
    #[arg(long, value_name = "URL")]
    pub redis: Option<RedisUrl>,

    /// Memory for documents that nobody has open at the moment, in MiB [default: 256]
    #[arg(long, value_name = "N")]
    pub cache_mb: usize,

    /// Largest document, in MiB of its encoded state [default: 32]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub max_document_mb: usize,

    /// Largest file that is no text, in MiB [default: 100]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub max_blob_mb: usize,

    /// Edits held in memory while the store takes none, before more are refused, in MiB [default: 256]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub max_unsaved_mb: usize,

    /// Largest single message of a client, in MiB [default: 16]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub max_message_mb: usize,

    /// Most documents of one project that may be open at the same time [default: 20000]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub max_rooms_per_project: usize,

    /// Most connections from one address [default: 1024]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub max_connections_per_address: usize,

    /// Seconds without an edit after which a version of a project is made; 0 makes none [default: 300]
    #[arg(long, value_name = "N")]
    pub version_quiet_s: u64,

    /// Versions of a project that are kept beside those that somebody has named; at least 10 [default: 200]
    #[arg(long, value_name = "N", value_parser = at_least_ten)]
    pub keep_versions: usize,

    /// Address that people open, where a proxy stands between them and this server
    #[arg(long, value_name = "https://HOST")]
    pub public_url: Option<PublicUrl>,

    /// Header in which a trusted proxy gives the client's address (x-forwarded-for) [default: none]
    #[arg(long, value_name = "HEADER")]
    pub client_address_header: Option<HeaderName>,

    /// How to write the log on standard error [default: text]
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub log: LogFormat,

    /// What to log, for example info or tutti_server=debug [default: info]
    #[arg(long, value_name = "FILTER")]
    pub log_filter: String,

    /// File with the same options as keys, in TOML
    #[arg(long, value_name = "FILE", value_parser = clap::builder::PathBufValueParser::new())]
    pub config: Option<PathBuf>,
}

impl Default for Settings {
    fn default() -> Settings {
        let limits = Limits::default();
        Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 4400)),
            data: None,
            mongodb: None,
            redis: None,
            cache_mb: limits.cache_bytes / MIB,
            max_document_mb: limits.document_bytes / MIB,
            max_blob_mb: limits.blob_bytes as usize / MIB,
            max_unsaved_mb: limits.unsaved_bytes / MIB,
            max_message_mb: limits.message_bytes / MIB,
            max_rooms_per_project: limits.rooms_per_project,
            max_connections_per_address: limits.connections_per_address,
            version_quiet_s: 300,
            keep_versions: limits.kept_versions,
            public_url: None,
            client_address_header: None,
            log: LogFormat::Text,
            log_filter: "info".to_owned(),
            config: None,
        }
    }
}

impl Settings {
    /// The data directory in use: `--data`, or `tutti` in the user's data directory; none where
    /// the system does not say where that is.
    pub fn data_dir(&self) -> Option<PathBuf> {
        let default = || directories::BaseDirs::new().map(|dirs| dirs.data_dir().join("tutti"));
        self.data.clone().or_else(default)
    }

    /// The caps in use: these options, and the defaults of all others.
    pub fn limits(&self) -> Limits {
        Limits {
            cache_bytes: self.cache_mb.saturating_mul(MIB),
            document_bytes: self.max_document_mb.saturating_mul(MIB),
            blob_bytes: (self.max_blob_mb.saturating_mul(MIB)) as u64,
            unsaved_bytes: self.max_unsaved_mb.saturating_mul(MIB),
            message_bytes: self.max_message_mb.saturating_mul(MIB),
            rooms_per_project: self.max_rooms_per_project,
            connections_per_address: self.max_connections_per_address,
            kept_versions: self.keep_versions,
            ..Limits::default()
        }
    }
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

/// The address that people open: scheme and authority, without a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl(Url);

impl PublicUrl {
    /// The address, such as `https://tutti.example.org`.
    pub fn as_url(&self) -> &Url {
        &self.0
    }
}

impl FromStr for PublicUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<PublicUrl, String> {
        let url = Url::parse(text)
            .map_err(|err| format!("{err}; write it like https://tutti.example.org"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("it must start with http:// or https://".to_owned());
        }
        let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !bare || !url.username().is_empty() || url.password().is_some() {
            return Err(
                "it must hold a host and at most a port: no path, query or user name".to_owned(),
            );
        }
        Ok(PublicUrl(url))
    }
}

fn address_and_port(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        "it must be an IP address and a port, such as 127.0.0.1:4400 for this machine alone, \
         or 0.0.0.0:4400 for every machine that reaches it"
            .to_owned()
    })
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("it must be 1 or more".to_owned()),
        Ok(number) => Ok(number),
        Err(err) => Err(err.to_string()),
    }
}

fn at_least_ten(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 10..) => Ok(number),
        Ok(_) => Err("it must be 10 or more".to_owned()),
        Err(err) => Err(err.to_string()),
    }
}
