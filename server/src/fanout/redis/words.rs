//! What is the matter with Redis, in words for the person who runs the server.

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// One clause. The library's own words name its types and the system's numbers.
pub(super) fn words(error: &RedisError) -> String {
    tracing::debug!(%error, "in the library's words");
    let text = error.to_string();
    let said = match error.kind() {
        ErrorKind::AuthenticationFailed => "it does not accept the name or password in --redis",
        ErrorKind::Server(ServerErrorKind::NoPerm) => {
            "its account may not do all that docs/operations.md lists"
        }
        ErrorKind::RESP3NotSupported => "it is older than Redis 6",
        ErrorKind::Server(ServerErrorKind::BusyLoading) => "it is still starting",
        ErrorKind::Io if error.is_connection_refusal() => "nothing listens at its address",
        ErrorKind::Io if error.is_timeout() => "it does not answer",
        ErrorKind::Io if text.contains("failed to lookup address") => "its host name is not known",
        ErrorKind::Io if text.contains("certificate") => "its certificate is not trusted",
        ErrorKind::Io => "the connection to it breaks off",
        _ if text.contains("WRONGPASS") || text.contains("NOAUTH") => {
            "it does not accept the name or password in --redis"
        }
        _ => return text.split_whitespace().collect::<Vec<_>>().join(" "),
    };
    said.to_owned()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn no_numbers_of_the_system_and_no_names_of_types() {
        let io = |kind, text: &str| RedisError::from(io::Error::new(kind, text.to_owned()));
        let refused = io::Error::from_raw_os_error(111);
        let lookup = "failed to lookup address information: Name or service not known";
        for (error, said) in [
            (refused.into(), "nothing listens at its address"),
            (
                io(io::ErrorKind::TimedOut, "timed out"),
                "it does not answer",
            ),
            (
                io(io::ErrorKind::Other, lookup),
                "its host name is not known",
            ),
            (
                io::Error::from_raw_os_error(104).into(),
                "the connection to it breaks off",
            ),
            (
                (
                    ErrorKind::AuthenticationFailed,
                    "Password authentication failed",
                )
                    .into(),
                "it does not accept the name or password in --redis",
            ),
        ] {
            assert_eq!(words(&error), said);
        }
    }
}
