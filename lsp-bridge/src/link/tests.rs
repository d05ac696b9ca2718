//! The link against a scripted server on a real socket.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message as Packet;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, accept_async};
use tutti_protocol::hocuspocus::{Frame, Message};
use tutti_protocol::ids::DocumentId;
use tutti_protocol::role::Role;
use tutti_protocol::sync::SyncMessage;

use super::{Command, Config, Event, Status, Timing, Token, start};

const PATIENCE: Duration = Duration::from_secs(20);

/// The server's end of one connection.
struct Peer(WebSocketStream<TcpStream>);

impl Peer {
    async fn next(&mut self) -> Vec<u8> {
        let receive = async {
            loop {
                match self.0.next().await.unwrap().unwrap() {
                    Packet::Binary(bytes) => return bytes.to_vec(),
                    Packet::Close(_) => panic!("the link closed the connection"),
                    _ => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, receive).await.unwrap()
    }

    async fn expect(&mut self, document: &str, message: Message<'_>) {
        let bytes = self.next().await;
        let address = format!("p/{document}");
        let expected = Frame {
            address: &address,
            message,
        };
        assert_eq!(Frame::decode(&bytes).unwrap(), expected);
    }

    async fn expect_token(&mut self, document: &str) {
        self.expect_token_of(document, "secret").await;
    }

    async fn expect_token_of(&mut self, document: &str, token: &str) {
        let version = None;
        self.expect(document, Message::Token { token, version })
            .await;
    }

    async fn send(&mut self, document: &str, message: Message<'_>) {
        let address = format!("p/{document}");
        let frame = Frame {
            address: &address,
            message,
        };
        self.0
            .send(Packet::Binary(frame.encode().into()))
            .await
            .unwrap();
    }

    async fn close(mut self, code: u16, reason: &str) {
        let frame = CloseFrame {
            code: code.into(),
            reason: reason.into(),
        };
        self.0.close(Some(frame)).await.unwrap();
        while let Some(Ok(_)) = self.0.next().await {}
    }
}

struct Scene {
    listener: TcpListener,
    commands: mpsc::Sender<Command>,
    events: mpsc::Receiver<Event>,
}

impl Scene {
    async fn new(timing: Timing) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (commands, events) = start(Config {
            server: format!("http://{address}").parse().unwrap(),
            project: "p".parse().unwrap(),
            token: Token("secret".into()),
            timing,
        });
        Self {
            listener,
            commands,
            events,
        }
    }

    fn server(&self) -> url::Url {
        let address = self.listener.local_addr().unwrap();
        format!("http://{address}").parse().unwrap()
    }

    async fn accept(&self) -> Peer {
        let accept = async { accept_async(self.listener.accept().await.unwrap().0).await };
        Peer(
            tokio::time::timeout(PATIENCE, accept)
                .await
                .unwrap()
                .unwrap(),
        )
    }

    async fn command(&self, command: Command) {
        self.commands.send(command).await.unwrap();
    }

    async fn event(&mut self) -> Event {
        let event = tokio::time::timeout(PATIENCE, self.events.recv()).await;
        event.unwrap().expect("the link has ended")
    }

    async fn expect(&mut self, expected: Event) {
        assert_eq!(self.event().await, expected);
    }

    /// Accepts a connection on which `a` is joined and live.
    async fn live(&mut self) -> Peer {
        self.command(join("a")).await;
        let mut peer = self.accept().await;
        self.expect(Event::Status(Status::Connecting)).await;
        self.expect(Event::Status(Status::Connected)).await;
        // The join may reach the link before the connection does, or after.
        peer.expect_token("a").await;
        peer.send("a", Message::Authenticated(Role::Editor)).await;
        peer.send("a", Message::Sync(SyncMessage::Step1(b"theirs")))
            .await;
        loop {
            match self.event().await {
                Event::StateVectorWanted(document) => {
                    self.command(Command::StateVector {
                        document,
                        state_vector: b"mine".to_vec(),
                    })
                    .await;
                }
                Event::Authenticated { .. } => {}
                event => {
                    assert_eq!(event, diff_wanted(b"theirs"));
                    break;
                }
            }
        }
        self.command(diff(&[0, 0])).await;
        peer.expect("a", Message::Sync(SyncMessage::Step1(b"mine")))
            .await;
        peer.expect("a", Message::Sync(SyncMessage::Step2(&[0, 0])))
            .await;
        peer.send("a", Message::SyncStatus(true)).await;
        peer
    }

    async fn expect_offline(&mut self) -> String {
        match self.event().await {
            Event::Status(Status::Offline { reason, .. }) => reason,
            other => panic!("{other:?}"),
        }
    }
}

fn id(text: &str) -> DocumentId {
    text.parse().unwrap()
}

fn join(document: &str) -> Command {
    Command::Join {
        document: id(document),
        state_vector: b"mine".to_vec(),
    }
}

fn update(update: &[u8]) -> Command {
    Command::Update {
        document: id("a"),
        update: update.to_vec(),
    }
}

fn diff(update: &[u8]) -> Command {
    Command::Diff {
        document: id("a"),
        update: update.to_vec(),
    }
}

fn diff_wanted(state_vector: &[u8]) -> Event {
    Event::DiffWanted {
        document: id("a"),
        state_vector: state_vector.to_vec(),
    }
}

fn unsaved(count: u32, commanded: u64) -> Event {
    Event::Unsaved {
        document: id("a"),
        count,
        commanded,
    }
}

fn quick() -> Timing {
    Timing {
        retry_first: Duration::from_millis(5),
        retry_longest: Duration::from_millis(20),
        ..Timing::default()
    }
}

#[tokio::test]
async fn an_edit_goes_out_and_is_confirmed_and_others_come_in() {
    let mut scene = Scene::new(quick()).await;
    let mut peer = scene.live().await;
    scene.command(update(b"u1")).await;
    scene.command(update(b"u2")).await;
    peer.expect("a", Message::Sync(SyncMessage::Update(b"u1")))
        .await;
    peer.expect("a", Message::Sync(SyncMessage::Update(b"u2")))
        .await;
    scene.expect(unsaved(1, 1)).await;
    scene.expect(unsaved(2, 2)).await;
    peer.send("a", Message::SyncStatus(true)).await;
    scene.expect(unsaved(1, 2)).await;
    peer.send("a", Message::SyncStatus(true)).await;
    scene.expect(unsaved(0, 2)).await;

    peer.send("a", Message::SyncReply(SyncMessage::Step2(b"all")))
        .await;
    peer.send("a", Message::Sync(SyncMessage::Update(b"one")))
        .await;
    peer.send("a", Message::Awareness(b"who")).await;
    peer.send("stranger", Message::Awareness(b"who")).await;
    peer.send("a", Message::Stateless(r#"{"changed":["b"]}"#))
        .await;
    peer.send("a", Message::Stateless("something else")).await;
    peer.send("a", Message::QueryAwareness).await;
    let a = id("a");
    let got = |update: &[u8]| Event::Update {
        document: id("a"),
        update: update.to_vec(),
    };
    scene.expect(got(b"all")).await;
    scene.expect(Event::Synced(a.clone())).await;
    scene.expect(got(b"one")).await;
    let awareness = Event::Awareness {
        document: a.clone(),
        update: b"who".to_vec(),
    };
    scene.expect(awareness).await;
    scene.expect(Event::Changed(vec![id("b")])).await;
    scene.expect(Event::AwarenessWanted(a)).await;

    scene.command(Command::Leave(id("a"))).await;
    peer.expect("a", Message::Close("")).await;
}

#[tokio::test]
async fn what_was_not_confirmed_goes_out_again_after_a_cut() {
    let mut scene = Scene::new(quick()).await;
    let mut peer = scene.live().await;
    scene.command(update(b"u1")).await;
    peer.expect("a", Message::Sync(SyncMessage::Update(b"u1")))
        .await;
    scene.expect(unsaved(1, 1)).await;
    drop(peer);
    scene.expect_offline().await;
    scene.command(update(b"u2")).await;
    let mut peer = scene.accept().await;
    loop {
        match scene.event().await {
            Event::Status(Status::Connecting) | Event::Status(Status::Offline { .. }) => {}
            event if event == unsaved(2, 2) => {}
            event => {
                assert_eq!(event, Event::Status(Status::Connected));
                break;
            }
        }
    }
    scene.expect(Event::StateVectorWanted(id("a"))).await;
    scene.command(update(b"u3")).await;
    scene
        .command(Command::StateVector {
            document: id("a"),
            state_vector: b"now".to_vec(),
        })
        .await;
    scene.expect(unsaved(3, 3)).await;
    peer.expect_token("a").await;
    // No u3 of its own: the answer to the server's Step1 holds all three.
    peer.expect("a", Message::Sync(SyncMessage::Step1(b"now")))
        .await;
    peer.send("a", Message::Sync(SyncMessage::Step1(b"none")))
        .await;
    scene.expect(diff_wanted(b"none")).await;
    scene.command(diff(b"u1 to u3")).await;
    peer.expect("a", Message::Sync(SyncMessage::Step2(b"u1 to u3")))
        .await;
    scene.expect(unsaved(1, 3)).await;
    peer.send("a", Message::SyncStatus(true)).await;
    scene.expect(unsaved(0, 3)).await;
}

#[tokio::test]
async fn after_a_refused_token_nothing_is_tried_before_there_is_another() {
    let table = [
        (4401, "ask for a new link"),
        (4403, "does not allow"),
        (4404, "does not have this project"),
    ];
    for (code, words) in table {
        let mut scene = Scene::new(quick()).await;
        let peer = scene.live().await;
        peer.close(code, "because").await;
        match scene.event().await {
            Event::Status(Status::Denied { reason }) => {
                assert!(
                    reason.contains(words) && reason.contains("because"),
                    "{reason}"
                );
            }
            other => panic!("{other:?}"),
        }
        scene.command(join("b")).await;
        // Longer than `quick` lets any other attempt wait.
        let silence = Duration::from_millis(300);
        let next = tokio::time::timeout(silence, scene.events.recv()).await;
        assert!(next.is_err(), "an attempt follows: {next:?}");
        let renew = Command::Renew {
            server: scene.server(),
            token: Token("new".into()),
        };
        scene.command(renew).await;
        let mut peer = scene.accept().await;
        scene.expect(Event::Status(Status::Connecting)).await;
        peer.expect_token_of("a", "new").await;
        peer.expect_token_of("b", "new").await;
    }
}

#[tokio::test]
async fn a_restarting_server_is_come_back_to() {
    let mut scene = Scene::new(quick()).await;
    scene.live().await.close(1012, "").await;
    assert_eq!(scene.expect_offline().await, "the server restarts");
    let mut peer = scene.accept().await;
    peer.expect_token("a").await;
}

#[tokio::test]
async fn one_denied_room_leaves_the_others_alone() {
    let mut scene = Scene::new(quick()).await;
    let mut peer = scene.live().await;
    scene.command(join("b")).await;
    peer.expect_token("b").await;
    peer.expect("b", Message::Sync(SyncMessage::Step1(b"mine")))
        .await;
    peer.send("b", Message::PermissionDenied("too many rooms"))
        .await;
    let denied = Event::Denied {
        document: id("b"),
        reason: "too many rooms".into(),
    };
    scene.expect(denied).await;
    scene.command(update(b"u")).await;
    peer.expect("a", Message::Sync(SyncMessage::Update(b"u")))
        .await;
}

#[tokio::test]
async fn an_interrupted_room_is_joined_again_on_the_same_socket() {
    let mut scene = Scene::new(quick()).await;
    let mut peer = scene.live().await;
    scene.command(update(b"u")).await;
    peer.expect("a", Message::Sync(SyncMessage::Update(b"u")))
        .await;
    scene.expect(unsaved(1, 1)).await;
    peer.send("a", Message::Close("the store does not answer"))
        .await;
    let interrupted = Event::Interrupted {
        document: id("a"),
        reason: "the store does not answer".into(),
    };
    scene.expect(interrupted).await;
    peer.expect_token("a").await;
    scene.expect(Event::StateVectorWanted(id("a"))).await;
}

#[tokio::test]
async fn a_viewer_learns_that_a_change_was_refused() {
    let mut scene = Scene::new(quick()).await;
    let mut peer = scene.live().await;
    scene.command(update(b"u")).await;
    scene.expect(unsaved(1, 1)).await;
    peer.send("a", Message::SyncStatus(false)).await;
    scene.expect(Event::Refused(id("a"))).await;
    // It is not saved, and goes out again with the next.
    scene.command(update(b"v")).await;
    scene.expect(unsaved(2, 2)).await;
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let timing = Timing {
        ping: Duration::from_millis(20),
        dead: Duration::from_millis(100),
        ..quick()
    };
    let mut scene = Scene::new(timing).await;
    // Accepted and never read again: no ping is answered.
    let _peer = scene.accept().await;
    scene.expect(Event::Status(Status::Connecting)).await;
    scene.expect(Event::Status(Status::Connected)).await;
    assert_eq!(scene.expect_offline().await, "the server has fallen silent");
}

#[tokio::test]
async fn a_server_that_does_not_read_stops_commands_and_not_events() {
    let mut scene = Scene::new(quick()).await;
    let mut peer = scene.live().await;
    let big = vec![7; 1 << 20];
    let mut sent = 0;
    // Far more than all buffers on the way hold.
    while tokio::time::timeout(Duration::from_millis(200), scene.commands.reserve())
        .await
        .is_ok()
    {
        scene.command(update(&big)).await;
        while let Ok(event) = scene.events.try_recv() {
            assert!(matches!(event, Event::Unsaved { .. }));
        }
        sent += 1;
        assert!(sent < 2_000, "the commands were never stopped");
    }
    peer.send("a", Message::Awareness(b"still here")).await;
    loop {
        match scene.event().await {
            Event::Unsaved { .. } => {}
            event => {
                assert!(matches!(event, Event::Awareness { .. }));
                break;
            }
        }
    }
    for _ in 0..sent {
        peer.expect("a", Message::Sync(SyncMessage::Update(&big)))
            .await;
    }
}

#[tokio::test]
async fn dropping_the_sender_writes_what_was_commanded_and_closes() {
    let mut scene = Scene::new(quick()).await;
    let mut peer = scene.live().await;
    scene.command(update(b"last words")).await;
    let Scene { commands, .. } = scene;
    drop(commands);
    peer.expect("a", Message::Sync(SyncMessage::Update(b"last words")))
        .await;
    let end = tokio::time::timeout(PATIENCE, peer.0.next()).await.unwrap();
    assert!(matches!(end, Some(Ok(Packet::Close(_)))), "{end:?}");
}
