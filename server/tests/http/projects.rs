use serde_json::json;
use tutti_protocol::link::ShareLink;

use crate::support::{Server, token_of};

#[test]
fn made_listed_shown_and_deleted() {
    let server = Server::start();
    let reply = server.post(
        "/api/projects",
        &server.admin,
        json!({ "name": "  Große Oper ♫ " }),
    );
    assert_eq!(reply.status, 201, "{}", reply.body);
    assert_eq!(reply.header("cache-control"), "no-store");
    let created = reply.json();
    let id = created["project"].as_str().unwrap();
    for key in ["editor_link", "viewer_link"] {
        let link: ShareLink = created[key].as_str().unwrap().parse().unwrap();
        assert_eq!(link.project.as_str(), id);
        assert_eq!(link.server.as_str().trim_end_matches('/'), server.base);
    }

    let shown = server
        .get(&format!("/api/projects/{id}"), &server.admin)
        .json();
    assert_eq!(shown["name"], "Große Oper ♫");
    assert_eq!(shown["project"], id);
    assert_eq!(shown["role"], "editor");
    let viewer = token_of(&created["viewer_link"]);
    assert_eq!(
        server.get(&format!("/api/projects/{id}"), &viewer).json()["role"],
        "viewer"
    );

    let other = server.project("other");
    let all = server.get("/api/projects", &server.admin).json();
    assert_eq!(all.as_array().unwrap().len(), 2);
    let own = server.get("/api/projects", &other.viewer).json();
    assert_eq!(own.as_array().unwrap().len(), 1);
    assert_eq!(own[0]["project"], other.id.as_str());

    assert_eq!(
        server
            .delete(&format!("/api/projects/{id}"), &server.admin)
            .status,
        204
    );
    server
        .get(&format!("/api/projects/{id}"), &server.admin)
        .problem(404);
    server
        .delete(&format!("/api/projects/{id}"), &server.admin)
        .problem(404);
    server
        .get(&format!("/api/projects/{id}"), &viewer)
        .problem(401);
    assert_eq!(
        server
            .get("/api/projects", &server.admin)
            .json()
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn survive_a_restart() {
    let server = Server::start();
    let project = server.project("kept");
    let admin = server.admin.clone();
    let server = server.restart();
    assert_eq!(server.admin, admin);
    assert_eq!(
        server.get(&project.path(""), &project.editor).json()["name"],
        "kept"
    );
}

#[test]
fn bad_names_and_bodies() {
    let server = Server::start();
    let post = |body: &str| {
        server.ask(
            "POST",
            "/api/projects",
            &server.admin,
            Some(body.to_owned()),
        )
    };
    for name in ["", "   ", "a\nb", "a\0b", &"x".repeat(201)] {
        assert!(
            post(&json!({ "name": name }).to_string())
                .problem(400)
                .contains("200 characters")
        );
    }
    assert_eq!(
        post(&json!({ "name": "ü".repeat(200) }).to_string()).status,
        201
    );
    post("{").problem(400);
    post("{}").problem(422);
    post(r#"{"name": 1}"#).problem(422);
    post(&format!(r#"{{"name": "{}"}}"#, "x".repeat(100_000))).problem(413);
    let untyped = ureq::http::Request::post(format!("{}/api/projects", server.base))
        .header("authorization", format!("Bearer {}", server.admin))
        .body(r#"{"name": "x"}"#.to_owned());
    server.send(untyped.unwrap()).problem(415);
}

#[test]
fn links_name_the_address_that_people_use() {
    let server = Server::with(|settings| {
        settings.public_url = Some("https://tutti.example.org".parse().unwrap());
    });
    let created = server
        .post("/api/projects", &server.admin, json!({ "name": "x" }))
        .json();
    assert!(
        created["editor_link"]
            .as_str()
            .unwrap()
            .starts_with("https://tutti.example.org/p/")
    );
}

#[test]
fn a_bad_host_makes_no_links() {
    let server = Server::start();
    let with_host = |host: &str| {
        let body = r#"{"name":"x"}"#;
        let reply = server.send_raw(&format!(
            "POST /api/projects HTTP/1.1\r\n{host}Authorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            server.admin,
            body.len(),
        ));
        String::from_utf8(reply).unwrap()
    };
    assert!(with_host("Host: somewhere:80\r\n").contains("http://somewhere/p/"));
    for bad in [
        "",
        "Host: evil/path\r\n",
        "Host: user@evil\r\n",
        "Host: a b\r\n",
        "Host: \r\n",
    ] {
        let reply = with_host(bad);
        assert!(reply.starts_with("HTTP/1.1 400 "), "{bad:?}: {reply}");
    }
    assert_eq!(
        server
            .get("/api/projects", &server.admin)
            .json()
            .as_array()
            .unwrap()
            .len(),
        1
    );
}
