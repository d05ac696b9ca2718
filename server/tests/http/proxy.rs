//! Whom the server takes a client for, with and without a proxy in front.

use std::time::Duration;

use futures_util::StreamExt;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::support::{Server, Shared};

/// Opens a socket as a proxy would pass it on; whether the server talks to it.
async fn is_let_in(server: &Server, project: &Shared, forwarded_for: &str) -> (bool, impl Sized) {
    let base = server.base.replace("http://", "ws://");
    let url = format!("{base}/ws/{}/a1?token={}", project.id, project.editor);
    let mut request = url.into_client_request().unwrap();
    let value = forwarded_for.parse().unwrap();
    request.headers_mut().insert("x-forwarded-for", value);
    let mut socket = tokio_tungstenite::connect_async(request).await.unwrap().0;
    let first = tokio::time::timeout(Duration::from_secs(20), socket.next())
        .await
        .unwrap();
    (matches!(first, Some(Ok(Frame::Binary(_)))), socket)
}

#[test]
fn connections_are_counted_by_the_address_that_the_proxy_gives() {
    let server = Server::with(|settings| {
        settings.max_connections_per_address = 1;
        settings.client_address_header = Some("x-forwarded-for".parse().unwrap());
    });
    let project = server.project("x");
    server.runtime.block_on(async {
        let first = is_let_in(&server, &project, "10.0.0.1").await;
        let second = is_let_in(&server, &project, "10.0.0.2").await;
        assert!(first.0 && second.0);
        let pretending = is_let_in(&server, &project, "10.9.9.9, 10.0.0.1").await;
        assert!(!pretending.0, "only the last address is the proxy's word");
    });
}

#[test]
fn without_a_proxy_nobody_chooses_their_address() {
    let server = Server::with(|settings| settings.max_connections_per_address = 1);
    let project = server.project("x");
    server.runtime.block_on(async {
        let first = is_let_in(&server, &project, "10.0.0.1").await;
        let second = is_let_in(&server, &project, "10.0.0.2").await;
        assert!(first.0 && !second.0);
    });
}
