//! Any Yjs client is welcome: unmodified `y-websocket` and `@hocuspocus/provider`, of every major version in use.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tutti_tests::cable::Cable;
use tutti_tests::collab::Member;
use tutti_tests::rest::Project;
use tutti_tests::server::Server;
use tutti_tests::stock::{Clients, HOCUSPOCUS, Target, Y_WEBSOCKET};
use tutti_tests::wait::until;

/// Stock clients come back within some seconds, and renew what they show 15 s after they have said it last.
const BACK: Duration = Duration::from_secs(9);

fn all() -> impl Iterator<Item = &'static str> {
    Y_WEBSOCKET.iter().chain(HOCUSPOCUS).copied()
}

fn set_up() -> Result<(Server, Project, Clients)> {
    let server = Server::start()?;
    let project = server.rest()?.make_project("stock")?;
    Ok((server, project, Clients::start()?))
}

/// Everyone's text becomes the same, whatever mixture of clients they use, and the server's too.
#[test]
fn all_versions_edit_one_text() -> Result<()> {
    let (server, project, mut clients) = set_up()?;
    let url = server.ws_url();
    let to = Target {
        server: &url,
        project: &project.id,
        document: "mixed",
        token: project.editor_token(),
    };
    for package in all() {
        clients.connect(package, package, to)?;
        clients.wait(package, "synced", &Value::Null)?;
    }
    let mut expected = String::new();
    for package in all() {
        // Outside the basic plane too: a note takes two UTF-16 units and four bytes.
        let word = format!("{package} 𝄞 ");
        clients.insert(package, 0, &word)?;
        expected.insert_str(0, &word);
        for other in all() {
            clients.wait(other, "text", &json!(expected))?;
        }
    }
    ensure!(server.rest()?.text(&project.id, "mixed")? == expected);
    Ok(())
}

/// A client that comes with edits made before it connected brings them along.
#[test]
fn edits_made_offline_arrive() -> Result<()> {
    let (mut server, project, mut clients) = set_up()?;
    let url = server.ws_url();
    for package in all() {
        let to = Target {
            server: &url,
            project: &project.id,
            document: package,
            token: project.editor_token(),
        };
        clients.connect(package, package, to)?;
        clients.wait(package, "synced", &Value::Null)?;
        clients.insert(package, 0, "before ")?;
    }
    let rest = server.rest()?;
    for package in all() {
        until("the first words to arrive", || {
            (rest.text(&project.id, package).ok()? == "before ").then_some(())
        })?;
    }
    server.stop()?;
    for package in all() {
        clients.insert(package, 7, "while it was away")?;
    }
    server.restart()?;
    for package in all() {
        until(
            &format!("{package} to bring what was typed meanwhile"),
            || (rest.text(&project.id, package).ok()? == "before while it was away").then_some(()),
        )?;
    }
    Ok(())
}

/// Hocuspocus clients count what is not acknowledged; the count comes to nothing, and then the server may die.
#[test]
fn what_hocuspocus_clients_call_synced_survives_a_kill() -> Result<()> {
    let (mut server, project, mut clients) = set_up()?;
    let url = server.ws_url();
    for &package in HOCUSPOCUS {
        let to = Target {
            server: &url,
            project: &project.id,
            document: package,
            token: project.editor_token(),
        };
        clients.connect(package, package, to)?;
        clients.wait(package, "synced", &Value::Null)?;
        clients.wait(package, "saved", &Value::Null)?;
        let texts: Vec<String> = (0..20).map(|number| format!("{number} ")).collect();
        let unsaved = clients.burst(package, &texts)?;
        ensure!(unsaved == 20, "{package} counts {unsaved} of 20");
    }
    for &package in HOCUSPOCUS {
        clients.wait(package, "saved", &Value::Null)?;
        ensure!(
            clients.unsaved(package)? == 0,
            "{package} counts below nothing"
        );
    }
    let texts = HOCUSPOCUS
        .iter()
        .map(|package| clients.text(package))
        .collect::<Result<Vec<_>>>()?;
    server.kill()?;
    // Only the server knows the text now.
    drop(clients);
    server.restart()?;
    for (package, text) in HOCUSPOCUS.iter().zip(texts) {
        ensure!(
            server.rest()?.text(&project.id, package)? == text,
            "{package}"
        );
    }
    Ok(())
}

/// A viewer reads along and changes nothing, and is told so where the protocol has a word for it.
#[test]
fn viewers_read_only() -> Result<()> {
    let (server, project, mut clients) = set_up()?;
    let url = server.ws_url();
    let to = |token| Target {
        server: &url,
        project: &project.id,
        document: "text",
        token,
    };
    let mut author = Member::join(to(project.editor_token()), 1)?;
    author.append("fixed")?;
    author.saved()?;
    for package in all() {
        clients.connect(package, package, to(project.viewer_token()))?;
        clients.wait(package, "synced", &Value::Null)?;
        clients.wait(package, "text", &json!("fixed"))?;
    }
    for &package in HOCUSPOCUS {
        let scope = clients.wait(package, "scope", &Value::Null)?;
        ensure!(scope == "readonly", "{package} was told {scope}");
    }
    for package in all() {
        clients.insert(package, 0, "viewer ")?;
    }
    // What the author types next reaches every viewer; by then the server has read what they sent.
    author.append("!")?;
    author.saved()?;
    for package in all() {
        clients.wait(package, "text", &json!("viewer fixed!"))?;
    }
    author.holds("fixed!")?;
    ensure!(server.rest()?.text(&project.id, "text")? == "fixed!");
    Ok(())
}

/// Everyone sees everyone, and sees them go.
#[test]
fn presence_reaches_everyone() -> Result<()> {
    let (server, project, mut clients) = set_up()?;
    let url = server.ws_url();
    let to = Target {
        server: &url,
        project: &project.id,
        document: "text",
        token: project.editor_token(),
    };
    let mut names: Vec<&str> = Vec::new();
    for package in all() {
        clients.connect(package, package, to)?;
        clients.wait(package, "synced", &Value::Null)?;
        clients.announce(package, package)?;
        names.push(package);
        names.sort_unstable();
        for &other in &names {
            clients.wait(other, "peers", &json!(names))?;
        }
    }
    while let Some(gone) = names.pop() {
        clients.leave(gone)?;
        for &other in &names {
            clients.wait(other, "peers", &json!(names))?;
        }
    }
    Ok(())
}

/// Who was cut off for a moment sees everyone again as soon as it is back, and so do all after a restart: no later than
/// they come back, which is long before stock clients renew what they show.
#[test]
fn who_comes_back_sees_everyone_at_once() -> Result<()> {
    let (mut server, project, mut clients) = set_up()?;
    let (url, cable) = (server.ws_url(), Cable::to(server.address())?);
    let cut = cable.url().replace("http://", "ws://");
    let names: Vec<&str> = all().collect::<BTreeSet<_>>().into_iter().collect();
    for (package, is_cut) in all().zip([true, false].into_iter().cycle()) {
        let to = Target {
            server: if is_cut { &cut } else { &url },
            project: &project.id,
            document: "text",
            token: project.editor_token(),
        };
        clients.connect(package, package, to)?;
        clients.wait(package, "synced", &Value::Null)?;
        clients.announce(package, package)?;
    }
    let everyone_sees_everyone = |clients: &mut Clients| -> Result<()> {
        for package in all() {
            clients.wait(package, "peers", &json!(names))?;
        }
        Ok(())
    };
    everyone_sees_everyone(&mut clients)?;

    cable.cut();
    for (package, is_cut) in all().zip([true, false].into_iter().cycle()) {
        if is_cut {
            clients.wait(package, "peers", &json!([package]))?;
        }
    }
    let back = Instant::now();
    cable.mend();
    everyone_sees_everyone(&mut clients)?;
    ensure!(back.elapsed() < BACK, "{:?} after a cut", back.elapsed());

    server.stop()?;
    for package in all() {
        clients.wait(package, "peers", &json!([package]))?;
    }
    let back = Instant::now();
    server.restart()?;
    everyone_sees_everyone(&mut clients)?;
    ensure!(
        back.elapsed() < BACK,
        "{:?} after a restart",
        back.elapsed()
    );
    Ok(())
}

/// A wrong token is refused in the words of each protocol, and y-websocket clients stop asking.
#[test]
fn wrong_tokens_are_refused() -> Result<()> {
    let (server, project, mut clients) = set_up()?;
    let url = server.ws_url();
    let to = Target {
        server: &url,
        project: &project.id,
        document: "text",
        token: "not-a-token",
    };
    for &package in HOCUSPOCUS {
        clients.connect(package, package, to)?;
        clients.wait(package, "denied", &Value::Null)?;
    }
    for &package in Y_WEBSOCKET {
        clients.connect(package, package, to)?;
        let code = clients.wait(package, "closed", &Value::Null)?;
        // Version 1 passes no event on when its socket closes.
        ensure!(code == 4401 || code.is_null(), "{package} was told {code}");
        clients.leave(package)?;
    }
    Ok(())
}
