//! More is typed while the database is away than a server keeps: it refuses the rest, stays small, and nothing is lost.

use anyhow::{Context, Result, ensure};
use tutti_server::mongo::test_server::TestServer;
use tutti_tests::collab::Member;
use tutti_tests::rest::Project;
use tutti_tests::server::Server;
use tutti_tests::stock::Target;
use tutti_tests::wait::until;

const MIB: usize = 1 << 20;

/// What the server holds of edits that it cannot save.
const UNSAVED: usize = 32 * MIB;

/// Each writes less than the largest message, so that all of it can come back in one.
const EACH: usize = 12;
const PEOPLE: usize = 6;

/// An edit is held as it came and in its document, and both may be copied while they are sent and written.
const MEMORY: u64 = 4 * UNSAVED as u64;

struct Place {
    server: Server,
    project: Project,
}

impl Place {
    fn member(&self, document: usize, client: usize) -> Result<Member> {
        let to = Target {
            server: &self.server.ws_url(),
            project: &self.project.id,
            document: &format!("document-{document}"),
            token: self.project.editor_token(),
        };
        Member::join(to, client as u64)
    }
}

#[test]
#[allow(clippy::print_stdout, reason = "a figure")]
fn memory_is_bounded_while_the_database_is_away_and_all_is_saved_once_it_is_back() -> Result<()> {
    let mut database = TestServer::start();
    let cap = (UNSAVED / MIB).to_string();
    let server =
        Server::start_with(&["--mongodb", &database.uri_text(), "--max-unsaved-mb", &cap])?;
    let project = server.rest()?.make_project("outage")?;
    let place = Place { server, project };
    let mut people = (1..=PEOPLE)
        .map(|one| place.member(one, one))
        .collect::<Result<Vec<Member>>>()?;
    let empty = place.server.resident_bytes()?;

    database.kill();
    let mut refused = 0;
    let mut most = 0;
    for one in &mut people {
        for part in 0..EACH {
            let text = char::from(b'a' + part as u8).to_string().repeat(MIB);
            // The connection of somebody who was refused is gone; they type on.
            let _ = one.append(&text);
            most = most.max(place.server.resident_bytes()?);
        }
        // An answer after what was sent: all of it was taken in, or the connection is closed.
        if until_answered(one).is_err() {
            one.leave();
            refused += 1;
        }
    }
    most = most.max(place.server.resident_bytes()?);
    println!(
        "{} MiB typed, {refused} of {PEOPLE} people sent away, the server grew by {} MiB from {}",
        PEOPLE * EACH,
        (most - empty) / MIB as u64,
        empty / MIB as u64
    );
    ensure!(refused > 0, "more was taken than is to be held");
    ensure!(refused < PEOPLE, "{refused} were sent away");
    ensure!(most - empty < MEMORY, "the server grew to {most} bytes");

    database.restart();
    for one in &mut people {
        if !one.is_connected() {
            until("somebody to be let in again", || one.connect().ok())?;
        }
        one.saved()?;
        ensure!(one.is_saved());
    }
    drop(people);
    // Only what is in the database is known to this one.
    let fresh = Server::start_with(&["--mongodb", &database.uri_text()])?;
    let place = Place {
        server: fresh,
        ..place
    };
    for document in 1..=PEOPLE {
        let reader = place.member(document, PEOPLE + document)?;
        let length = reader.text().len();
        ensure!(
            length == EACH * MIB,
            "document {document} has {length} bytes"
        );
    }
    Ok(())
}

/// What a server holds of keystrokes that it cannot save; the largest message has to fit in.
const UNSAVED_KEYS: usize = 8 * MIB;

/// Each is held in a queue, with who waits for it, and in its document.
const MEMORY_OF_KEYS: u64 = 3 * UNSAVED_KEYS as u64;

/// Keystrokes are small, and what each takes besides is not.
#[test]
#[allow(clippy::print_stdout, reason = "a figure")]
fn memory_is_bounded_where_keystrokes_wait_for_the_database() -> Result<()> {
    let mut database = TestServer::start();
    let cap = (UNSAVED_KEYS / MIB).to_string();
    let server = Server::start_with(&[
        "--mongodb",
        &database.uri_text(),
        "--max-unsaved-mb",
        &cap,
        "--max-message-mb",
        &cap,
    ])?;
    let project = server.rest()?.make_project("outage")?;
    let place = Place { server, project };
    let mut people = (1..=PEOPLE)
        .map(|one| place.member(one, one))
        .collect::<Result<Vec<Member>>>()?;
    let empty = place.server.resident_bytes()?;

    database.kill();
    let mut typed = 0;
    let mut most = 0;
    'typing: loop {
        for one in &mut people {
            for _ in 0..1_000 {
                let place = one.typed().len() as u32 / 2;
                if one.insert(place, "x").is_err() {
                    break 'typing;
                }
                typed += 1;
            }
            if until_answered(one).is_err() {
                break 'typing;
            }
        }
        most = most.max(place.server.resident_bytes()?);
        ensure!(typed < 10 * UNSAVED_KEYS / 25, "nobody is sent away");
    }
    most = most.max(place.server.resident_bytes()?);
    println!(
        "{typed} keys typed, the server grew by {} MiB from {}",
        (most - empty) / MIB as u64,
        empty / MIB as u64
    );
    ensure!(
        most - empty < MEMORY_OF_KEYS,
        "the server grew to {most} bytes"
    );

    database.restart();
    for one in &mut people {
        // Who is sent away once more before there is space again comes back once more.
        until("all to be saved", || {
            let is_saved = one.is_connected() && one.saved().is_ok() && one.is_saved();
            if !is_saved {
                let _ = one.connect();
            }
            is_saved.then_some(())
        })?;
    }
    Ok(())
}

/// Shows something that the server sends back to who sent it, and waits for it.
fn until_answered(member: &mut Member) -> Result<()> {
    member.show_itself("somebody")?;
    while member.present().is_empty() {
        let heard = member.receive(tutti_tests::wait::LONG)?;
        heard.context("the server says nothing")?;
    }
    Ok(())
}
