//! What is asked wrongly, health, and figures.

use crate::support::Server;

#[test]
fn unknown_routes_and_methods_are_problems() {
    let server = Server::start();
    for path in [
        "/api",
        "/api/",
        "/api/nope",
        "/api/projects/",
        "/api/projects/a/b/c",
        "/nope",
        "/p",
        "/p/a/b",
    ] {
        server.get(path, "").problem(404);
    }
    let refused = server.ask("PUT", "/api/projects", "", None);
    refused.problem(405);
    assert!(refused.header("allow").contains("POST"));
    server.ask("DELETE", "/healthz", "", None).problem(405);
    server.ask("POST", "/", "", None).problem(405);
    server.ask("POST", "/index.html", "", None).problem(405);
}

#[test]
fn an_address_for_sockets_says_so() {
    let server = Server::start();
    for path in ["/ws/project/document", "/collab"] {
        assert!(server.get(path, "").problem(400).contains("WebSocket"));
    }
}

#[test]
fn health() {
    let server = Server::start();
    assert_eq!(server.get("/healthz", "").body, "ok\n");
    let ready = server.get("/readyz", "");
    assert_eq!(ready.status, 200);
    assert_eq!(
        ready.json(),
        serde_json::json!({ "ready": true, "reasons": [] })
    );
}

#[test]
fn figures_are_for_this_machine_and_the_administrator() {
    let server = Server::start();
    let project = server.project("x");
    server.get(&project.path(""), &project.viewer);
    let figures = server.get("/metrics", "");
    assert_eq!(figures.status, 200);
    assert!(
        figures
            .header("content-type")
            .starts_with("text/plain; version=0.0.4")
    );
    assert!(figures.body.contains(
        r#"tutti_http_requests_total{method="GET",route="/api/projects/{project}",status="200"}"#
    ));
    assert!(
        !figures.body.contains(&project.id),
        "figures name no project"
    );
    assert_eq!(server.get("/metrics", &server.admin).status, 200);
    server.get("/metrics", &project.editor).problem(403);
    server.get("/metrics", "wrong").problem(401);

    let rebound = server
        .send_raw("GET /metrics HTTP/1.1\r\nHost: evil.example:80\r\nConnection: close\r\n\r\n");
    assert!(rebound.starts_with(b"HTTP/1.1 401 "));
}

#[test]
fn behind_a_proxy_nobody_counts_as_this_machine() {
    let server =
        Server::with(|settings| settings.public_url = Some("https://a.example".parse().unwrap()));
    server.get("/metrics", "").problem(401);
    assert_eq!(server.get("/metrics", &server.admin).status, 200);
    let server = Server::with(|settings| {
        settings.client_address_header = Some("x-forwarded-for".parse().unwrap());
    });
    server.get("/metrics", "").problem(401);
}

#[test]
fn nothing_is_allowed_across_origins() {
    let server = Server::start();
    let request = ureq::http::Request::builder()
        .method("OPTIONS")
        .uri(format!("{}/api/projects", server.base))
        .header("origin", "https://evil.example")
        .header("access-control-request-method", "POST");
    let reply = server.send(request.body(String::new()).unwrap());
    reply.problem(405);
    assert!(
        reply
            .headers
            .keys()
            .all(|name| !name.as_str().starts_with("access-control-"))
    );
}

#[test]
fn a_directory_that_fails_is_told_and_recovers() {
    let server = Server::start();
    let project = server.project("x");
    let db = rusqlite::Connection::open(server.dir.path().join("data/directory.db")).unwrap();
    db.execute_batch("ALTER TABLE projects RENAME TO hidden")
        .unwrap();
    let ready = server.get("/readyz", "");
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["ready"], false);
    assert!(
        ready.json()["reasons"][0]
            .as_str()
            .unwrap()
            .contains("list of projects")
    );
    let failed = server.get(&project.path(""), &project.viewer);
    assert!(
        !failed.problem(503).contains("table"),
        "causes are for the log"
    );
    assert_eq!(failed.header("retry-after"), "5");

    db.execute_batch("ALTER TABLE hidden RENAME TO projects")
        .unwrap();
    assert_eq!(server.get("/readyz", "").status, 200);
    assert_eq!(server.get(&project.path(""), &project.viewer).status, 200);
}
