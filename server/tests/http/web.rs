//! The web client and the description, as a browser gets them.

use crate::support::Server;

/// The address of the first script in the page.
fn script(page: &str) -> &str {
    let (_, rest) = page.split_once("src=\"/assets/").unwrap();
    rest.split_once('"').unwrap().0
}

#[test]
fn the_page_and_its_files() {
    let server = Server::start();
    let page = server.get("/", "");
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(page.header("cache-control"), "no-cache");
    assert_eq!(server.get("/p/some-project", "").body, page.body);

    let path = format!("/assets/{}", script(&page.body));
    let script = server.get(&path, "");
    assert_eq!(script.status, 200);
    assert!(script.header("content-type").starts_with("text/javascript"));
    assert!(script.header("cache-control").contains("immutable"));
    assert_eq!(server.ask("HEAD", &path, "", None).body, "");

    let again = |tag: &str| {
        let request =
            ureq::http::Request::get(format!("{}/", server.base)).header("if-none-match", tag);
        server.send(request.body(String::new()).unwrap())
    };
    let tag = page.header("etag");
    assert_eq!(again(tag).status, 304);
    assert_eq!(again(tag).body, "");
    assert_eq!(
        again(&format!("\"other\", {}", tag.trim_start_matches("W/"))).status,
        304
    );
    assert_eq!(again("\"other\"").status, 200);
}

#[test]
fn who_visits_an_address_that_is_none_gets_the_page() {
    let server = Server::start();
    let visit = |path: &str| {
        let request = ureq::http::Request::get(format!("{}{path}", server.base))
            .header("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        server.send(request.body(String::new()).unwrap())
    };
    let page = visit("/nope/where");
    assert_eq!(page.status, 404);
    assert_eq!(page.body, server.get("/", "").body);
    for problem in [visit("/api/nope"), server.get("/nope", "")] {
        assert_eq!(problem.status, 404);
        assert_eq!(problem.header("content-type"), "application/problem+json");
    }
}

#[test]
fn every_answer_is_guarded() {
    let server = Server::start();
    for path in ["/", "/api/projects", "/api/docs", "/healthz", "/nope"] {
        let reply = server.get(path, "");
        let policy = reply.header("content-security-policy");
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"),
            "{path}"
        );
        assert!(
            !policy.contains("unsafe-eval") && !policy.contains("script-src 'self' 'unsafe"),
            "{path}"
        );
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.header("referrer-policy"), "no-referrer");
    }
}

#[test]
fn no_path_leads_out() {
    let server = Server::start();
    std::fs::write(server.dir.path().join("data/secret.txt"), "secret").unwrap();
    for path in [
        "/../admin-token",
        "/assets/../../admin-token",
        "/%2e%2e/admin-token",
        "/assets/..%2f..%2fadmin-token",
        "/assets/%2e%2e/%2e%2e/secret.txt",
        "//etc/passwd",
        "/etc/passwd",
        "/..\\admin-token",
        "/%00",
        "/assets/",
        "/assets",
    ] {
        let reply = server.send_raw(&format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        ));
        let status = String::from_utf8_lossy(&reply[..12]).into_owned();
        assert!(
            status == "HTTP/1.1 404" || status == "HTTP/1.1 400",
            "{path}: {status}"
        );
    }
}

#[test]
fn large_answers_are_compressed_for_those_who_can_read_it() {
    let server = Server::start();
    let page = server.get("/", "").body;
    let path = format!("/assets/{}", script(&page));
    let size = |encoding: &str| {
        let reply = server.send_raw(&format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: {encoding}\r\nConnection: close\r\n\r\n"
        ));
        let head = reply
            .windows(4)
            .position(|window| window == b"\r\n\r\n")
            .unwrap();
        let headers = String::from_utf8_lossy(&reply[..head]).to_lowercase();
        assert_eq!(
            headers.contains(&format!("content-encoding: {encoding}")),
            encoding != "identity"
        );
        assert!(headers.contains("vary: accept-encoding"));
        reply.len()
    };
    let plain = size("identity");
    assert!(size("gzip") * 2 < plain);
    assert!(size("br") * 2 < plain);
}

#[test]
fn the_description_is_whole_and_its_page_is_our_own() {
    let server = Server::start();
    let description = server.get("/api/openapi.json", "").json();
    let mut routes: Vec<String> = description["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            methods
                .as_object()
                .unwrap()
                .keys()
                .map(move |method| format!("{method} {path}"))
        })
        .collect();
    routes.sort();
    assert_eq!(
        routes,
        [
            "delete /api/projects/{project}",
            "delete /api/projects/{project}/links/{id}",
            "get /api/projects",
            "get /api/projects/{project}",
            "get /api/projects/{project}/blobs/{sha256}",
            "get /api/projects/{project}/files",
            "get /api/projects/{project}/files/{id}/text",
            "get /api/projects/{project}/links",
            "get /api/projects/{project}/versions",
            "get /api/projects/{project}/versions/{version}",
            "get /api/projects/{project}/versions/{version}/diff",
            "get /api/projects/{project}/versions/{version}/files/{id}/text",
            "head /api/projects/{project}/blobs/{sha256}",
            "post /api/projects",
            "post /api/projects/{project}/blobs",
            "post /api/projects/{project}/exchange",
            "post /api/projects/{project}/join",
            "post /api/projects/{project}/links",
            "post /api/projects/{project}/versions",
            "post /api/projects/{project}/versions/{version}/restore",
            "put /api/projects/{project}/blobs/{sha256}",
        ]
    );
    let page = server.get("/api/docs", "");
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    for name in ["docs.js", "docs.css"] {
        assert!(page.body.contains(&format!("\"{name}\"")), "{name}");
        assert_eq!(server.get(&format!("/api/{name}"), "").status, 200);
    }
    assert!(
        !page.body.contains("http"),
        "the page loads nothing from elsewhere"
    );
}
