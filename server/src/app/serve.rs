//! Takes in connections. As `axum::serve` does, but a peer that says nothing is not kept for ever.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio_io_timeout::TimeoutWriter;

use super::linger::Linger;
use crate::api;

/// How long a request may take until its answer begins. Sockets are requests that end at once.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// How long to wait when the system gives no more connections, since each would fail the same.
const OUT_OF_SOCKETS: Duration = Duration::from_millis(200);

/// What every connection needs.
#[derive(Clone)]
pub(super) struct Serving {
    /// Who answers.
    pub(super) routes: Router,
    /// Turns true when the server is to stop.
    pub(super) stop: watch::Receiver<bool>,
    /// How long a peer may take to send a request's head, and to think about the next request.
    pub(super) head_timeout: Duration,
    /// How long a peer may take nothing of what it is sent.
    pub(super) write_timeout: Duration,
    /// How long requests under way may take once the server stops.
    pub(super) last_requests: Duration,
}

/// Serves until `stop` says so, then lets the requests under way end.
pub(super) async fn serve(listener: TcpListener, serving: Serving) {
    // Each connection holds a sender, so the receiver tells when the last of them is gone.
    let (open, mut all_closed) = mpsc::channel::<()>(1);
    let mut stop = serving.stop.clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = told(&mut stop) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (serving, open) = (serving.clone(), open.clone());
                tokio::spawn(async move {
                    converse(stream, peer, serving).await;
                    drop(open);
                });
            }
            Err(err) if concerns_one_peer(&err) => {
                tracing::debug!("a connection came to nothing: {err}");
            }
            Err(err) => {
                tracing::error!("cannot take in connections: {err}");
                tokio::time::sleep(OUT_OF_SOCKETS).await;
            }
        }
    }
    drop((listener, open));
    if tokio::time::timeout(serving.last_requests, all_closed.recv())
        .await
        .is_err()
    {
        tracing::warn!("requests were still under way and have been cut off");
    }
}

/// Answers the requests of one connection until either side has enough.
async fn converse(stream: TcpStream, peer: SocketAddr, mut serving: Serving) {
    // Keystrokes are small packets that must not wait for more to come.
    if let Err(err) = stream.set_nodelay(true) {
        tracing::debug!("cannot set TCP_NODELAY: {err}");
    }
    let routes = TowerToHyperService::new(serving.routes);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        routes.call(request)
    });
    // Who has stopped in the middle of a download must not hold a part of it, and a socket, for ever.
    let mut stream = TimeoutWriter::new(Linger::new(stream));
    stream.set_timeout(Some(serving.write_timeout));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(serving.head_timeout)
        .serve_connection(TokioIo::new(Box::pin(stream)), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = told(&mut serving.stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(err) = ended {
        tracing::debug!("a connection ended early: {err}");
    }
}

/// Waits until the server is told to stop.
async fn told(stop: &mut watch::Receiver<bool>) {
    // An error says that the server was dropped, which is to say the same.
    let _ = stop.wait_for(|stop| *stop).await;
}

fn concerns_one_peer(err: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        err.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

/// Gives up on a request whose body never ends or whose answer never comes.
pub(super) async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(ANSWER_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => api::took_too_long().into_response(),
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use futures_util::stream;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const SOON: Duration = Duration::from_millis(50);
    const NEVER: Duration = Duration::from_secs(3600);

    /// Serves these routes: where, how to stop it, and its end.
    async fn start(
        routes: Router,
        head_timeout: Duration,
        last_requests: Duration,
    ) -> (SocketAddr, watch::Sender<bool>, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (told, stop) = watch::channel(false);
        let serving = Serving {
            routes,
            stop,
            head_timeout,
            write_timeout: SOON,
            last_requests,
        };
        (addr, told, tokio::spawn(serve(listener, serving)))
    }

    #[tokio::test]
    async fn a_peer_that_says_nothing_is_let_go() {
        let (addr, _told, _end) = start(Router::new(), SOON, NEVER).await;
        for head in ["", "GET / HTTP/1.1\r\nHost: x\r\n"] {
            let mut peer = TcpStream::connect(addr).await.unwrap();
            peer.write_all(head.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            peer.read_to_end(&mut answer).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_peer_that_takes_nothing_is_let_go() {
        let (hold, mut let_go) = mpsc::channel(1);
        let handler = move || async move {
            // Held by the answer alone.
            let (held, answer) = mpsc::channel::<()>(1);
            hold.send(answer).await.unwrap();
            // More than the system keeps for a peer.
            let endless = stream::repeat_with(move || {
                let _held = &held;
                Ok::<_, io::Error>(vec![0; 1 << 20])
            });
            axum::body::Body::from_stream(endless)
        };
        let routes = Router::new().route("/", get(handler));
        let (addr, _told, _end) = start(routes, NEVER, NEVER).await;
        let mut peer = TcpStream::connect(addr).await.unwrap();
        let head = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        peer.write_all(head).await.unwrap();
        let mut begin = [0; 8];
        peer.read_exact(&mut begin).await.unwrap();
        let mut answer = let_go.recv().await.unwrap();
        assert_eq!(answer.recv().await, None);
    }

    #[tokio::test]
    async fn stopping_waits_for_requests_but_not_for_ever() {
        let answer = std::sync::Arc::new(tokio::sync::Notify::new());
        let (asked, mut was_asked) = mpsc::channel(1);
        let handler = {
            let answer = answer.clone();
            move || async move {
                asked.send(()).await.unwrap();
                answer.notified().await;
                "done"
            }
        };
        let routes = Router::new().route("/", get(handler));
        for (last_requests, answered) in [(NEVER, true), (SOON, false)] {
            let (addr, told, end) = start(routes.clone(), NEVER, last_requests).await;
            let mut peer = TcpStream::connect(addr).await.unwrap();
            peer.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                .await
                .unwrap();
            was_asked.recv().await.unwrap();
            told.send(true).unwrap();
            if answered {
                answer.notify_one();
                let mut reply = String::new();
                peer.read_to_string(&mut reply).await.unwrap();
                assert!(reply.ends_with("done"), "{reply}");
            }
            end.await.unwrap();
            assert!(TcpStream::connect(addr).await.is_err());
        }
    }
}
