//! Where the token comes from that makes a project.

use std::fmt;
use std::path::PathBuf;

use url::{Host, Url};

use crate::api::Api;
use crate::credentials::Credentials;

/// A token and where it was found.
pub(super) struct Found {
    pub(super) token: String,
    pub(super) source: Source,
}

/// Where a token was found.
pub(super) enum Source {
    Flag,
    Environment,
    Credentials,
    AdminFile(PathBuf),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("--token"),
            Self::Environment => f.write_str("TUTTI_TOKEN"),
            Self::Credentials => f.write_str("your credentials file"),
            Self::AdminFile(path) => write!(f, "{}", path.display()),
        }
    }
}

/// Looks for a token that may make projects on `server`: the flag, `TUTTI_TOKEN`, the credentials
/// file, and for a server on this machine the file in which its own data directory keeps it.
pub(super) fn find(
    flag: Option<&str>,
    server: &Url,
    credentials: &Credentials,
) -> anyhow::Result<Found> {
    if let Some(token) = flag {
        return found(token, Source::Flag);
    }
    if let Ok(token) = std::env::var("TUTTI_TOKEN")
        && !token.trim().is_empty()
    {
        return found(&token, Source::Environment);
    }
    if let Some(token) = credentials.server(server)? {
        return found(&token, Source::Credentials);
    }
    if is_this_machine(server)
        && let Some(path) = admin_file()
        && let Ok(token) = std::fs::read_to_string(&path)
    {
        return found(&token, Source::AdminFile(path));
    }
    // A server that is not there is the first thing to know of.
    Api::new(server, "").reach()?;
    anyhow::bail!(
        "no token for {server}: give the administrator's with --token or TUTTI_TOKEN (the server \
         says at its first start in which file it lies)"
    )
}

fn found(token: &str, source: Source) -> anyhow::Result<Found> {
    let token = token.trim();
    // Anything else cannot stand in a request, and the error would be of the connection.
    anyhow::ensure!(
        !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()),
        "the token from {source} is no token: copy it again, on one line and without blanks"
    );
    Ok(Found {
        token: token.to_owned(),
        source,
    })
}

fn is_this_machine(server: &Url) -> bool {
    match server.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The administrator's token in the server's data directory, as the server finds it.
fn admin_file() -> Option<PathBuf> {
    let data = match std::env::var_os("TUTTI_DATA") {
        Some(data) => PathBuf::from(data),
        None => directories::BaseDirs::new()?.data_dir().join("tutti"),
    };
    Some(data.join("admin-token"))
}
