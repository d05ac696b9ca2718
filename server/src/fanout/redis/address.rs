//! Where Redis is, as the operator writes it.

use std::fmt;
use std::str::FromStr;

use redis::io::tcp::TcpSettings;
use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion};

/// A Redis URL that has been understood. It is shown without its password.
#[derive(Clone)]
pub struct RedisUrl {
    info: ConnectionInfo,
    written: String,
}

impl RedisUrl {
    /// What to connect with.
    pub(super) fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    /// The same Redis account on another member of a cluster.
    pub(super) fn at(&self, host: &str, port: u16) -> ConnectionInfo {
        let mut address = self.info.addr().clone();
        match &mut address {
            ConnectionAddr::Tcp(to_host, to_port)
            | ConnectionAddr::TcpTls {
                host: to_host,
                port: to_port,
                ..
            } => {
                // A server that does not know its own name leaves it out.
                if !host.is_empty() && host != "?" {
                    host.clone_into(to_host);
                }
                *to_port = port;
            }
            _ => {}
        }
        self.info.clone().set_addr(address)
    }

    /// The database's number. Redis carries messages across databases, so whoever keeps two
    /// installations apart by it needs it in the names of the channels.
    pub(super) fn database(&self) -> i64 {
        self.info.redis_settings().db()
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({self})")
    }
}

impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.info.addr())
    }
}

impl PartialEq for RedisUrl {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Eq for RedisUrl {}

impl FromStr for RedisUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const ADVICE: &str = "write it like redis://127.0.0.1:6379, redis://:PASSWORD@HOST:6379/0 or, with TLS, rediss://HOST:6379";
        let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
        if !matches!(
            scheme,
            "redis" | "rediss" | "valkey" | "valkeys" | "unix" | "redis+unix"
        ) {
            return Err(format!("it is no Redis URL; {ADVICE}"));
        }
        // The library's own words name its types.
        let info = text
            .into_connection_info()
            .map_err(|_| format!("its host, port or database is not well-formed; {ADVICE}"))?;
        if let ConnectionAddr::TcpTls { insecure: true, .. } = info.addr() {
            return Err("#insecure would believe any certificate; leave it out, and have the system trust the one that Redis has".to_owned());
        }
        let settings = info
            .redis_settings()
            .clone()
            // Messages and answers come over one connection, which needs RESP3 (Redis 6).
            .set_protocol(ProtocolVersion::RESP3);
        let info = info
            .set_redis_settings(settings)
            .set_tcp_settings(TcpSettings::default().set_nodelay(true));
        Ok(Self {
            info,
            written: text.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_understood_and_shown_without_password() {
        let url: RedisUrl = "redis://:secret@redis.example:7000/3".parse().unwrap();
        assert_eq!(url.to_string(), "redis.example:7000");
        assert!(!format!("{url:?}").contains("secret"));
        assert_eq!(url.database(), 3);
        assert_eq!(url.at("other", 1).addr().to_string(), "other:1");
        assert_eq!(url.at("", 2).addr().to_string(), "redis.example:2");
        for good in ["rediss://h", "unix:///run/redis.sock", "redis://[::1]:1"] {
            assert!(good.parse::<RedisUrl>().is_ok(), "{good}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_advice() {
        for bad in [
            "",
            "localhost:6379",
            "http://h",
            "redis://",
            "redis://h/x",
            "redis://h:port",
        ] {
            let reason = bad.parse::<RedisUrl>().unwrap_err();
            assert!(reason.contains("redis://127.0.0.1:6379"), "{bad}: {reason}");
            assert!(!reason.contains('\n'));
            assert!(!reason.contains("InvalidClientConfig"), "{reason}");
        }
        let reason = "rediss://h/#insecure".parse::<RedisUrl>().unwrap_err();
        assert!(reason.contains("certificate"), "{reason}");
    }
}
