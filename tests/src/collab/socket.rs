//! Sockets to the server, and how long one waits for them.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio_tungstenite::tungstenite::client::client_with_config;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::stream::MaybeTlsStream;
use tokio_tungstenite::tungstenite::{Message as Socket, WebSocket};
use tutti_protocol::hocuspocus::{Frame, Message};

use crate::wait::LONG;

/// A socket to `/collab`.
pub type Connection = WebSocket<MaybeTlsStream<TcpStream>>;

/// Opens a socket to a path of the server, such as `/collab`.
///
/// # Errors
/// When the server does not let it in.
pub fn connect(server: &str, path: &str) -> Result<Connection> {
    connect_within(LONG, server, path)
}

/// The same, with less patience for each step of it.
pub(super) fn connect_within(patience: Duration, server: &str, path: &str) -> Result<Connection> {
    // A document may come in one frame, however large it is.
    let config = WebSocketConfig::default()
        .max_frame_size(None)
        .max_message_size(None);
    let address = server.strip_prefix("ws://").context("no ws:// address")?;
    let stream = TcpStream::connect_timeout(&address.parse()?, patience)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    let request = format!("{server}{path}");
    let stream = MaybeTlsStream::Plain(stream);
    match client_with_config(&request, stream, Some(config)) {
        Ok((socket, _)) => Ok(socket),
        Err(error) => bail!("no WebSocket at {request}: {error}"),
    }
}

/// Sends one Hocuspocus frame.
///
/// # Errors
/// When the socket is closed.
pub fn send(socket: &mut Connection, address: &str, message: Message<'_>) -> Result<()> {
    let frame = Frame { address, message }.encode();
    socket.send(Socket::binary(frame))?;
    Ok(())
}

/// Reads until the server closes the socket; returns its code and reason.
///
/// # Errors
/// When it does not close in time, or without a close frame.
pub fn closed(socket: &mut Connection) -> Result<(u16, String)> {
    let start = Instant::now();
    while start.elapsed() < LONG {
        match socket.read() {
            Ok(Socket::Close(Some(CloseFrame { code, reason }))) => {
                return Ok((code.into(), reason.to_string()));
            }
            Ok(Socket::Close(None)) => bail!("closed without a code"),
            Ok(_) => {}
            Err(error) => return Err(error).context("the socket ended without a close frame"),
        }
    }
    bail!("not closed within {LONG:?}")
}

/// The longest time that one read may wait.
pub(super) fn wait_at_most(socket: &Connection, time: Duration) -> Result<()> {
    if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
        stream.set_read_timeout(Some(time))?;
    }
    Ok(())
}
