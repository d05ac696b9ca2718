//! Bad input of programs: garbage, too much, wrong names, and silence. Whoever sends it is told by a close code or a
//! refusal; two people who use the same server notice nothing.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use fastrand::Rng;
use tokio_tungstenite::tungstenite::Message as Socket;
use tutti_protocol::close;
use tutti_protocol::hocuspocus::{Frame, Message};
use tutti_protocol::sync::SyncMessage;
use tutti_tests::cli::Person;
use tutti_tests::collab::{Connection, Event, Member, closed, connect, send};
use tutti_tests::rest::Project;
use tutti_tests::server::Server;
use tutti_tests::stock::Target;
use tutti_tests::wait::until_or;
use tutti_tests::witness::Witness;

const MIB: usize = 1024 * 1024;

struct Scene {
    server: Server,
    project: Project,
    witness: Witness,
}

impl Scene {
    fn new(server: Server) -> Result<Self> {
        let project = server.rest()?.make_project("calm")?;
        let witness = Witness::new(&server, &project)?;
        Ok(Self {
            server,
            project,
            witness,
        })
    }

    /// A y-websocket connection to the document that the witnesses use.
    fn y_websocket(&self, document: &str) -> Result<Connection> {
        let (project, token) = (&self.project.id, self.project.editor_token());
        connect(
            &self.server.ws_url(),
            &format!("/ws/{project}/{document}?token={token}"),
        )
    }

    /// A Hocuspocus connection that was let into the witnesses' room.
    fn hocuspocus(&self) -> Result<Connection> {
        let mut socket = connect(&self.server.ws_url(), "/collab")?;
        let address = format!("{}/witness", self.project.id);
        send(
            &mut socket,
            &address,
            Message::Token {
                token: self.project.editor_token(),
                version: None,
            },
        )?;
        loop {
            let frame = socket.read()?.into_data();
            if let Message::Authenticated(_) = Frame::decode(&frame)?.message {
                return Ok(socket);
            }
        }
    }
}

/// Sends something that may not be taken to its end: the server may close before it has read all.
fn push(socket: &mut Connection, bytes: Vec<u8>) {
    // What counts is the close code that is read afterwards.
    let _ = socket.send(Socket::binary(bytes));
}

#[test]
fn a_frame_of_garbage() -> Result<()> {
    let mut scene = Scene::new(Server::start()?)?;
    let mut rng = Rng::with_seed(7);
    let mut garbage: Vec<Vec<u8>> = vec![
        vec![],
        vec![0xff; 20],
        vec![0, 0, 0xff, 0xff, 0xff, 0xff, 0x7f],
    ];
    garbage.extend((1..30).map(|length| (0..length).map(|_| 0x80 | rng.u8(..)).collect()));
    for bytes in garbage {
        let mut socket = connect(&scene.server.ws_url(), "/collab")?;
        push(&mut socket, bytes.clone());
        let (code, reason) = closed(&mut socket).with_context(|| format!("/collab: {bytes:?}"))?;
        ensure!(
            code == close::BAD_FRAME && !reason.is_empty(),
            "{code} {reason} for {bytes:?}"
        );
        if bytes.is_empty() {
            continue;
        }
        let mut socket = scene.y_websocket("witness")?;
        push(&mut socket, bytes.clone());
        let (code, reason) = closed(&mut socket).with_context(|| format!("/ws: {bytes:?}"))?;
        ensure!(
            code == close::BAD_FRAME && !reason.is_empty(),
            "{code} {reason} for {bytes:?}"
        );
    }
    scene.witness.notices_nothing()
}

/// The frame is right, and the update in it is not.
#[test]
fn an_update_of_garbage() -> Result<()> {
    let mut scene = Scene::new(Server::start()?)?;
    let address = format!("{}/witness", scene.project.id);
    let mut rng = Rng::with_seed(8);
    // The first claims four thousand million structs in five bytes.
    let mut updates: Vec<Vec<u8>> = vec![vec![0xff, 0xff, 0xff, 0xff, 0x0f], vec![1, 1, 1]];
    updates.extend((6..40).map(|length| (0..length).map(|_| 0x80 | rng.u8(..)).collect()));
    for update in updates {
        let mut socket = scene.hocuspocus()?;
        send(
            &mut socket,
            &address,
            Message::Sync(SyncMessage::Update(&update)),
        )?;
        refused(&mut socket).with_context(|| format!("{update:?}"))?;
        scene.witness.notices_nothing()?;
    }
    Ok(())
}

/// Waits until the server closes the room or the socket, or says that it did not take the update.
fn refused(socket: &mut Connection) -> Result<()> {
    loop {
        match socket.read().context("no refusal")? {
            Socket::Binary(bytes) => match Frame::decode(&bytes)?.message {
                Message::SyncStatus(true) => bail!("it was acknowledged"),
                Message::SyncStatus(false) | Message::Close(_) => return Ok(()),
                _ => {}
            },
            Socket::Close(Some(frame)) => {
                let code = u16::from(frame.code);
                ensure!(
                    code == close::BAD_FRAME,
                    "closed with {code} {}",
                    frame.reason
                );
                return Ok(());
            }
            Socket::Close(None) => bail!("closed without a code"),
            _ => {}
        }
    }
}

#[test]
fn a_frame_over_the_cap() -> Result<()> {
    let mut scene = Scene::new(Server::start()?)?;
    for mut socket in [scene.hocuspocus()?, scene.y_websocket("witness")?] {
        push(&mut socket, vec![0; 17 * MIB]);
        let (code, _) = closed(&mut socket)?;
        ensure!(code == close::TOO_BIG, "closed with {code}");
    }
    scene.witness.notices_nothing()
}

#[test]
fn a_room_name_outside_the_rules() -> Result<()> {
    let mut scene = Scene::new(Server::start()?)?;
    let project = scene.project.id.clone();
    let token = scene.project.editor_token().to_owned();
    let long = "d".repeat(65);
    for document in ["", "a%2Fb", "..", "a%20b", "%00", "s%C3%B6ng", &long] {
        let path = format!("/ws/{project}/{document}?token={token}");
        // Either no such address at all, or a socket that closes with the reason.
        if let Ok(mut socket) = connect(&scene.server.ws_url(), &path) {
            let (code, _) = closed(&mut socket).with_context(|| document.to_owned())?;
            ensure!(
                code == close::NOT_FOUND,
                "closed with {code} for {document:?}"
            );
        }
    }
    let names = [
        "",
        "/",
        "witness",
        "/witness",
        "../x",
        "a b/witness",
        "\u{1}/witness",
    ]
    .map(str::to_owned);
    let of_project =
        ["", "a/b", "..", "a b", "söng", &long].map(|document| format!("{project}/{document}"));
    for name in names.iter().chain(&of_project) {
        let mut socket = connect(&scene.server.ws_url(), "/collab")?;
        let token = Message::Token {
            token: &token,
            version: None,
        };
        send(&mut socket, name, token)?;
        denied(&mut socket, name).with_context(|| format!("{name:?}"))?;
    }
    scene.witness.notices_nothing()
}

/// Waits for the refusal of one room, or for the close of the socket.
fn denied(socket: &mut Connection, address: &str) -> Result<()> {
    loop {
        match socket.read()? {
            Socket::Binary(bytes) => {
                let frame = Frame::decode(&bytes)?;
                ensure!(
                    frame.address == address,
                    "an answer for {:?}",
                    frame.address
                );
                match frame.message {
                    Message::PermissionDenied(reason) => {
                        ensure!(!reason.is_empty(), "no reason");
                        return Ok(());
                    }
                    Message::Authenticated(_) => bail!("let in"),
                    _ => {}
                }
            }
            Socket::Close(Some(frame)) => {
                let code = u16::from(frame.code);
                ensure!(
                    [close::NOT_FOUND, close::BAD_FRAME].contains(&code),
                    "closed with {code}"
                );
                return Ok(());
            }
            Socket::Close(None) => bail!("closed without a code"),
            _ => {}
        }
    }
}

#[test]
fn wrong_tokens_on_the_wire() -> Result<()> {
    let mut scene = Scene::new(Server::start()?)?;
    let project = scene.project.id.clone();
    for token in ["", "?token=", "?token=wrong"] {
        let mut socket = connect(
            &scene.server.ws_url(),
            &format!("/ws/{project}/text{token}"),
        )?;
        let (code, reason) = closed(&mut socket)?;
        ensure!(
            code == close::UNAUTHORIZED && !reason.is_empty(),
            "{code} {reason}"
        );
    }
    let to = Target {
        server: &scene.server.ws_url(),
        project: &project,
        document: "text",
        token: "wrong",
    };
    let refusal = Member::join(to, 1)
        .err()
        .context("let in with a wrong token")?;
    ensure!(
        refusal.to_string().starts_with("permission denied: "),
        "{refusal:#}"
    );
    scene.witness.notices_nothing()
}

/// Someone joins the room in which others write megabytes, and never reads.
#[test]
fn a_client_that_never_reads() -> Result<()> {
    let mut scene = Scene::new(Server::start()?)?;
    let url = scene.server.ws_url();
    let to = Target {
        server: &url,
        project: &scene.project.id,
        document: "loud",
        token: scene.project.editor_token(),
    };
    let mut loud = Member::join(to, 1)?;
    // Both protocols: the sockets stay open to the end, and only their first frames are read.
    let deaf = [Member::join(to, 2)?, Member::join(to, 3)?];
    let _deaf = (deaf, scene.y_websocket("loud")?);
    let mut listener = Member::join(to, 4)?;

    let before = scene.server.resident_bytes()?;
    // More than all buffers between two processes take: 24 MiB, in pieces that a person could paste.
    let piece = format!("{}\n", "♪ la ".repeat(32 * 1024 / 7));
    for _ in 0..(24 * MIB / piece.len()) {
        loud.append(&piece)?;
        loud.saved()?;
        scene.witness.hears()?;
    }
    listener.holds(&loud.text())?;
    scene.witness.notices_nothing()?;
    let grown = scene.server.resident_bytes()?.saturating_sub(before);
    // The document itself several times over, and not once more for each deaf client's backlog of everything.
    ensure!(
        grown < 400 * MIB as u64,
        "the server grew by {} MiB",
        grown / MIB as u64
    );
    Ok(())
}

/// The disk is full while people type: they go on hearing each other, are not told that it is saved, and once there is
/// room again everything is.
#[test]
fn a_disk_that_is_full_while_committing() -> Result<()> {
    let mut scene = Scene::new(Server::start_on_small_disk()?)?;
    let rest = scene.server.rest()?;
    ensure!(rest.get("/readyz")?.status == 200);

    scene.server.let_files_grow_to(Some(1))?;
    for _ in 0..20 {
        scene.witness.hears()?;
    }
    let not_ready = until_or(
        "/readyz to say why it is not ready",
        || {
            rest.get("/readyz")
                .ok()
                .filter(|answer| answer.status == 503)
        },
        || format!("{:?}", rest.get("/readyz")),
    )?;
    ensure!(not_ready.body.len() > 10, "no reason: {not_ready:?}");
    // Who has no browser open is told the same.
    let person = Person::new("Ada")?;
    let copy = person.home().join("copy");
    person.join(&scene.project.editor_link, &copy)?;
    let status = person.tutti(&copy, &["status"])?.success()?.stdout;
    ensure!(
        status.contains("Not saved  documents are not being saved"),
        "{status}"
    );
    ensure!(
        !scene
            .witness
            .acknowledged_within(Duration::from_millis(500))?,
        "acknowledged without a disk"
    );

    scene.server.let_files_grow_to(None)?;
    scene.witness.saved()?;
    until_or(
        "/readyz to be ready again",
        || {
            rest.get("/readyz")
                .ok()
                .filter(|answer| answer.status == 200)
        },
        || format!("{:?}", rest.get("/readyz")),
    )?;
    let text = scene.witness.text();
    scene.server.kill()?;
    scene.server.restart()?;
    let stored = scene.server.rest()?.text(&scene.project.id, "witness")?;
    ensure!(stored == text, "saved and gone: {stored:?}");
    Ok(())
}

/// A viewer's update is refused, and says so, and the others never see it.
#[test]
fn an_update_of_a_viewer() -> Result<()> {
    let mut scene = Scene::new(Server::start()?)?;
    let url = scene.server.ws_url();
    let to = Target {
        server: &url,
        project: &scene.project.id,
        document: "witness",
        token: scene.project.viewer_token(),
    };
    let mut viewer = Member::join(to, 1)?;
    let before = scene.witness.text();
    // It has nothing that the server lacks, and that much is granted.
    viewer.saved()?;
    viewer.append("viewer")?;
    let refused = (|| -> Result<()> {
        loop {
            if let Some(Event::Acknowledged) = viewer.receive(Duration::from_secs(60))? {
                bail!("it was acknowledged");
            }
        }
    })();
    let refusal = refused
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    ensure!(refusal == "the server refused an update", "{refusal}");
    scene.witness.notices_nothing()?;
    ensure!(scene.witness.text().starts_with(&before) && !scene.witness.text().contains("viewer"));
    Ok(())
}
