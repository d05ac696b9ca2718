//! Who may do what: every route, as everyone.

use serde_json::json;

use crate::support::Server;

/// A made-up token of the right form.
fn stranger() -> String {
    tutti_server::auth::Token::generate()
        .unwrap()
        .reveal()
        .to_owned()
}

#[test]
fn every_route_as_everyone() {
    let server = Server::start();
    let project = server.project("x");
    let elsewhere = server.project("y");
    // For each request: what an anonymous person, a stranger, another project's editor, a viewer,
    // an editor and the administrator get.
    let table = [
        (
            "POST",
            "/api/projects".to_owned(),
            Some(json!({ "name": "z" })),
            [401, 401, 403, 403, 403, 201],
        ),
        (
            "GET",
            "/api/projects".to_owned(),
            None,
            [401, 401, 200, 200, 200, 200],
        ),
        (
            "GET",
            project.path(""),
            None,
            [401, 401, 403, 200, 200, 200],
        ),
        (
            "GET",
            project.path("/files"),
            None,
            [401, 401, 403, 200, 200, 200],
        ),
        (
            "GET",
            project.path("/files/none/text"),
            None,
            [401, 401, 403, 404, 404, 404],
        ),
        (
            "GET",
            project.path("/links"),
            None,
            [401, 401, 403, 403, 200, 200],
        ),
        (
            "POST",
            project.path("/links"),
            Some(json!({ "role": "viewer" })),
            [401, 401, 403, 403, 201, 201],
        ),
        (
            "POST",
            project.path("/links"),
            Some(json!({ "role": "editor" })),
            [401, 401, 403, 403, 201, 201],
        ),
        (
            "DELETE",
            project.path("/links/none"),
            None,
            [401, 401, 403, 403, 404, 404],
        ),
        (
            "POST",
            project.path("/join"),
            None,
            [401, 401, 403, 200, 200, 200],
        ),
        (
            "POST",
            project.path("/versions"),
            Some(json!({ "name": "first" })),
            [401, 401, 403, 403, 201, 201],
        ),
        (
            "GET",
            project.path("/versions"),
            None,
            [401, 401, 403, 200, 200, 200],
        ),
        (
            "GET",
            project.path("/versions/1"),
            None,
            [401, 401, 403, 200, 200, 200],
        ),
        (
            "GET",
            project.path("/versions/1/files/none/text"),
            None,
            [401, 401, 403, 404, 404, 404],
        ),
        (
            "GET",
            project.path("/versions/1/diff?against=now"),
            None,
            [401, 401, 403, 200, 200, 200],
        ),
        (
            "POST",
            project.path("/versions/1/restore"),
            Some(json!({})),
            [401, 401, 403, 403, 200, 200],
        ),
        (
            "DELETE",
            project.path(""),
            None,
            [401, 401, 403, 403, 403, 204],
        ),
    ];
    let people = [
        String::new(),
        stranger(),
        elsewhere.editor.clone(),
        project.viewer.clone(),
        project.editor.clone(),
        server.admin.clone(),
    ];
    for (method, path, body, expected) in table {
        for (token, expected) in people.iter().zip(expected) {
            let reply = server.ask(method, &path, token, body.as_ref().map(ToString::to_string));
            assert_eq!(reply.status, expected, "{method} {path}: {}", reply.body);
            if expected >= 400 {
                reply.problem(expected);
            }
            if expected == 401 {
                assert_eq!(reply.header("www-authenticate"), "Bearer");
            }
        }
    }
}

#[test]
fn only_those_who_may_know_learn_whether_a_project_is_there() {
    let server = Server::start();
    let project = server.project("x");
    let there = project.path("/files");
    for nowhere in [
        "/api/projects/nowhere/files",
        "/api/projects/not%20an%20id/files",
        "/api/projects/%2e%2e/files",
    ] {
        for token in [String::new(), stranger(), server.project("y").editor] {
            let (one, other) = (server.get(&there, &token), server.get(nowhere, &token));
            assert_eq!(
                (one.status, one.body),
                (other.status, other.body),
                "{nowhere}"
            );
        }
        server.get(nowhere, &server.admin).problem(404);
    }
}

#[test]
fn what_is_wrong_with_a_token_is_not_told() {
    let server = Server::start();
    let project = server.project("x");
    let flip = |token: &str, at: usize| {
        let mut bytes = token.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'a' { b'b' } else { b'a' };
        String::from_utf8(bytes).unwrap()
    };
    let replies = [
        stranger(),
        flip(&project.editor, 54),
        flip(&project.editor, 12),
        flip(&project.editor, 0),
        flip(&server.admin, 54),
        flip(&server.admin, 0),
        "short".to_owned(),
        "x".repeat(5000),
    ]
    .map(|token| server.get(&project.path(""), &token));
    for reply in &replies {
        assert_eq!(
            reply.problem(401),
            "This link is not valid any more, or its project is gone: ask for a new one."
        );
        assert_eq!(reply.body, replies[0].body);
    }
}

#[test]
fn only_bearer_tokens_are_read() {
    let server = Server::start();
    let project = server.project("x");
    let with = |value: String| {
        let request = ureq::http::Request::get(format!("{}{}", server.base, project.path("")));
        server
            .send(
                request
                    .header("authorization", value)
                    .body(String::new())
                    .unwrap(),
            )
            .status
    };
    assert_eq!(with(format!("bearer {}", project.viewer)), 200);
    assert_eq!(with(format!("Basic {}", project.viewer)), 401);
    assert_eq!(with(project.viewer.clone()), 401);
    assert_eq!(
        server
            .get(
                &format!("{}?token={}", project.path(""), project.viewer),
                ""
            )
            .status,
        401
    );
}
