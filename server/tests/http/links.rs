use serde_json::{Value, json};

use crate::support::{Server, Shared, token_of};

fn make(server: &Server, project: &Shared, with: &str, wanted: Value) -> (String, String) {
    let reply = server.post(&project.path("/links"), with, wanted);
    assert_eq!(reply.status, 201, "{}", reply.body);
    let created = reply.json();
    (
        created["id"].as_str().unwrap().to_owned(),
        token_of(&created["link"]),
    )
}

#[test]
fn made_listed_and_withdrawn() {
    let server = Server::start();
    let project = server.project("x");
    let wanted = json!({ "role": "viewer", "expires_in_s": 3600, "max_uses": 3 });
    let (id, _) = make(&server, &project, &server.admin, wanted);

    let listed = server.get(&project.path("/links"), &project.editor);
    assert!(
        !listed.body.contains(&project.viewer[12..]),
        "a list holds no secrets"
    );
    let listed = listed.json();
    assert_eq!(listed.as_array().unwrap().len(), 3);
    let link = listed
        .as_array()
        .unwrap()
        .iter()
        .find(|link| link["id"] == id.as_str())
        .unwrap();
    assert_eq!(link["role"], "viewer");
    assert_eq!((&link["max_uses"], &link["uses"]), (&json!(3), &json!(0)));
    let lifetime = link["expires_at"].as_i64().unwrap() - link["created_at"].as_i64().unwrap();
    assert!((3_599_000..=3_601_000).contains(&lifetime), "{lifetime}");

    let (id, token) = make(
        &server,
        &project,
        &project.editor,
        json!({ "role": "editor" }),
    );
    assert_eq!(server.get(&project.path(""), &token).status, 200);
    assert_eq!(
        server
            .delete(&project.path(&format!("/links/{id}")), &project.editor)
            .status,
        204
    );
    server.get(&project.path(""), &token).problem(401);
    server
        .delete(&project.path(&format!("/links/{id}")), &project.editor)
        .problem(404);
    server
        .delete(&project.path(&format!("/links/{id}")), &server.admin)
        .problem(404);
}

#[test]
fn withdrawing_a_link_withdraws_what_was_made_with_it() {
    let server = Server::start();
    let project = server.project("x");
    let (first_id, first) = make(
        &server,
        &project,
        &server.admin,
        json!({ "role": "editor" }),
    );
    let (_, second) = make(&server, &project, &first, json!({ "role": "editor" }));
    let (_, third) = make(&server, &project, &second, json!({ "role": "viewer" }));
    assert_eq!(
        server
            .delete(&project.path(&format!("/links/{first_id}")), &server.admin)
            .status,
        204
    );
    for token in [first, second, third] {
        server.get(&project.path(""), &token).problem(401);
    }
    assert_eq!(server.get(&project.path(""), &project.editor).status, 200);
}

#[test]
fn editors_withdraw_only_what_they_made() {
    let server = Server::start();
    let project = server.project("x");
    let other_project = server.project("y");
    let (others_id, _) = make(
        &server,
        &project,
        &server.admin,
        json!({ "role": "viewer" }),
    );
    server
        .delete(
            &project.path(&format!("/links/{others_id}")),
            &project.editor,
        )
        .problem(403);
    let own_id = &project.editor[..12];
    server
        .delete(&project.path(&format!("/links/{own_id}")), &project.editor)
        .problem(403);
    let (foreign_id, foreign) = make(
        &server,
        &other_project,
        &server.admin,
        json!({ "role": "viewer" }),
    );
    server
        .delete(
            &project.path(&format!("/links/{foreign_id}")),
            &server.admin,
        )
        .problem(404);
    assert_eq!(server.get(&other_project.path(""), &foreign).status, 200);
}

#[test]
fn a_link_gives_no_more_than_the_one_it_was_made_with() {
    let server = Server::start();
    let project = server.project("x");
    let expiring = json!({ "role": "editor", "expires_in_s": 600 });
    let (_, expiring) = make(&server, &project, &server.admin, expiring);
    let (forever, _) = make(&server, &project, &expiring, json!({ "role": "viewer" }));
    let links = server.get(&project.path("/links"), &server.admin).json();
    let made = links
        .as_array()
        .unwrap()
        .iter()
        .find(|link| link["id"] == forever.as_str())
        .unwrap();
    let left = made["expires_at"].as_i64().unwrap() - made["created_at"].as_i64().unwrap();
    assert!(left <= 600_000, "{left}");
}

#[test]
fn bad_wishes() {
    let server = Server::start();
    let project = server.project("x");
    let wish = |wanted: Value| server.post(&project.path("/links"), &project.editor, wanted);
    wish(json!({ "role": "owner" })).problem(422);
    wish(json!({})).problem(422);
    wish(json!({ "role": "viewer", "max_uses": 0 })).problem(400);
    wish(json!({ "role": "viewer", "max_uses": -1 })).problem(422);
    wish(json!({ "role": "viewer", "expires_in_s": 0 })).problem(400);
    wish(json!({ "role": "viewer", "expires_in_s": u64::MAX })).problem(400);
}

#[test]
fn a_limited_link_lets_that_many_people_in() {
    let server = Server::start();
    let project = server.project("x");
    let (_, limited) = make(
        &server,
        &project,
        &server.admin,
        json!({ "role": "editor", "max_uses": 2 }),
    );
    assert!(
        server
            .get(&project.path(""), &limited)
            .problem(403)
            .contains("tutti join")
    );
    server.get("/api/projects", &limited).problem(403);

    let join = |token: &str| server.post(&project.path("/join"), token, json!({}));
    let passes: Vec<String> = (0..2)
        .map(|_| {
            let joined = join(&limited).json();
            assert_eq!(
                (&joined["project"], &joined["role"]),
                (&json!(project.id), &json!("editor"))
            );
            joined["token"].as_str().unwrap().to_owned()
        })
        .collect();
    assert!(join(&limited).problem(403).contains("as often as it may"));
    assert_ne!(passes[0], passes[1]);
    for pass in &passes {
        // Coming back uses nothing up.
        assert_eq!(join(pass).json()["token"], pass.as_str());
        assert_eq!(server.get(&project.path(""), pass).status, 200);
    }
    let wish = json!({ "role": "viewer" });
    assert!(
        server
            .post(&project.path("/links"), &passes[0], wish)
            .problem(403)
            .contains("limited")
    );

    let id = &limited[..12];
    let links = server.get(&project.path("/links"), &server.admin).json();
    let link = links
        .as_array()
        .unwrap()
        .iter()
        .find(|link| link["id"] == id)
        .unwrap();
    assert_eq!(link["uses"], 2);
    assert_eq!(
        server
            .delete(&project.path(&format!("/links/{id}")), &server.admin)
            .status,
        204
    );
    server.get(&project.path(""), &passes[0]).problem(401);
}

#[test]
fn joining_with_any_other_token_changes_nothing() {
    let server = Server::start();
    let project = server.project("x");
    for (token, role) in [
        (&project.editor, "editor"),
        (&project.viewer, "viewer"),
        (&server.admin, "editor"),
    ] {
        let joined = server.post(&project.path("/join"), token, json!({})).json();
        assert_eq!(
            (&joined["token"], &joined["role"]),
            (&json!(token), &json!(role))
        );
    }
}

#[test]
fn an_expired_link_opens_nothing() {
    let server = Server::start();
    let project = server.project("x");
    let (_, brief) = make(
        &server,
        &project,
        &server.admin,
        json!({ "role": "viewer", "expires_in_s": 1 }),
    );
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while server.get(&project.path(""), &brief).status == 200 {
        assert!(
            std::time::Instant::now() < deadline,
            "still valid after ten seconds"
        );
    }
    assert!(
        server
            .get(&project.path(""), &brief)
            .problem(401)
            .contains("ask for a new one")
    );
    server
        .post(&project.path("/join"), &brief, json!({}))
        .problem(401);
}
