//! Opening the socket, and telling apart what time heals from what it does not.

use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use tutti_protocol::close;
use url::Url;

use super::Config;

/// The socket to the server.
pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Why there is no connection (any more).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// Worth another attempt.
    Lost(String),
    /// No attempt will fare better.
    Denied(String),
}

/// A document's first sync comes as one message.
const MAX_MESSAGE_BYTES: usize = 256 << 20;

/// The WebSocket address of a server: `http` becomes `ws`, `https` becomes `wss`, and `collab`
/// is appended to the path.
///
/// # Errors
/// One sentence, when the address is not an http(s) one.
pub fn collab_url(server: &Url) -> Result<Url, String> {
    let scheme = match server.scheme() {
        "http" | "ws" => "ws",
        "https" | "wss" => "wss",
        other => {
            return Err(format!(
                "a server's address begins with http:// or https://, not with {other}:"
            ));
        }
    };
    // `Url` refuses to turn a web scheme into one that it knows nothing about, not the reverse.
    let mut url = server.clone();
    url.set_scheme(scheme)
        .map_err(|()| format!("{server} is no server's address"))?;
    let path = format!("{}/collab", server.path().trim_end_matches('/'));
    url.set_path(&path);
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

/// Opens the socket.
pub(super) async fn connect(config: &Config) -> Result<Socket, Failure> {
    let url = collab_url(&config.server).map_err(Failure::Denied)?;
    let limits = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    // Without Nagle's algorithm: a keystroke must not wait for the one before it.
    let attempt = connect_async_with_config(url.as_str(), Some(limits), true);
    match tokio::time::timeout(config.timing.connect, attempt).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(error)) => Err(refused(&config.server, error)),
        Err(_) => Err(Failure::Lost(format!("{} does not answer", config.server))),
    }
}

fn refused(server: &Url, error: Error) -> Failure {
    match error {
        Error::Http(response) => match response.status() {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Failure::Denied(format!(
                "{server} refuses the connection ({})",
                response.status()
            )),
            StatusCode::NOT_FOUND => Failure::Lost(format!("there is no Tutti server at {server}")),
            status => Failure::Lost(format!("{server} answers {status}")),
        },
        Error::Url(error) => Failure::Denied(format!("{server} cannot be connected to: {error}")),
        error => Failure::Lost(format!("{server} cannot be reached: {}", plain(&error))),
    }
}

/// An error as people say it, without the system's number.
pub(super) fn plain(error: &Error) -> String {
    let Error::Io(error) = error else {
        return error.to_string();
    };
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((text, _)) => text.to_owned(),
        None => text,
    }
}

/// What a close frame of the server means for the next attempt.
pub(super) fn closed(frame: Option<CloseFrame>) -> Failure {
    let Some(frame) = frame else {
        return Failure::Lost("the server closed the connection".into());
    };
    let said = match frame.reason.as_str() {
        "" => String::new(),
        reason => format!(" ({reason})"),
    };
    match u16::from(frame.code) {
        close::UNAUTHORIZED => Failure::Denied(format!(
            "the server does not accept the token{said}; ask for a new link and run `tutti join LINK`"
        )),
        close::FORBIDDEN => Failure::Denied(format!(
            "the link does not allow this{said}; ask for one that does"
        )),
        close::DAMAGED => Failure::Denied(frame.reason.to_string()),
        close::NOT_FOUND => Failure::Denied(format!(
            "the server does not have this project any more{said}"
        )),
        close::RESTART => Failure::Lost("the server restarts".into()),
        close::TRY_LATER => Failure::Lost(format!("the server takes nobody in for now{said}")),
        code => Failure::Lost(format!("the server closed the connection: {code}{said}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let cases = [
            ("http://127.0.0.1:4400", "ws://127.0.0.1:4400/collab"),
            ("https://tutti.example/", "wss://tutti.example/collab"),
            (
                "https://example.org/tutti/",
                "wss://example.org/tutti/collab",
            ),
            ("http://[::1]:4400/?x#y", "ws://[::1]:4400/collab"),
        ];
        for (server, expected) in cases {
            let url = collab_url(&server.parse().unwrap()).unwrap();
            assert_eq!(url.as_str(), expected);
        }
        assert!(collab_url(&"ftp://example.org".parse().unwrap()).is_err());
    }

    #[tokio::test]
    async fn a_secure_server_that_is_none_is_a_failure_and_no_panic() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            tokio::io::AsyncWriteExt::write_all(&mut socket, b"not TLS at all")
                .await
                .unwrap();
        });
        let config = Config {
            server: format!("https://{address}").parse().unwrap(),
            project: "p".parse().unwrap(),
            token: crate::link::Token("t".into()),
            timing: super::super::Timing::default(),
        };
        assert!(matches!(connect(&config).await, Err(Failure::Lost(_))));
    }
}
