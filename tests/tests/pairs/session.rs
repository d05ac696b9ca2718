//! What the two do, from opening their editors to the comparison.

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;
use tutti_tests::browser::Browser;
use tutti_tests::cable::Cable;
use tutti_tests::cli::Person;
use tutti_tests::project::{self, difference};
use tutti_tests::rest::Rest;
use tutti_tests::seat::{Desk, Program, Seat};
use tutti_tests::server::Server;
use tutti_tests::wait::{until, until_or};

use crate::oracle::{
    self, BLOCK_LINES, COMMON_LINE, Hand, OWN_KEYS, PASTE_LINE, QUIET_LINE, behind,
};

/// Python, which each of the editors has a mode for.
const FILE: &str = "paragraph.py";
/// Eight keys a second.
const PACE: Duration = Duration::from_millis(125);
/// What is typed only to be undone.
const UNDONE: &str = "abcdefgh";

/// Who types beside the busy one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Partner {
    /// Someone in an editor.
    Editor(Program),
    /// Someone in the browser.
    Browser,
}

/// What becomes of the busy one's way to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    /// Nothing.
    Whole,
    /// It is cut in the middle, for forty keys: five seconds.
    Cut,
}

/// What the two share.
struct Room<'a> {
    rest: &'a Rest,
    project: &'a str,
    document: &'a str,
    /// How often one of them has come to a point where they wait for each other.
    arrived: AtomicUsize,
}

/// One session from the start to the end.
pub(crate) fn session(busy: Program, partner: Partner, network: Network) -> Result<()> {
    let server = Server::start()?;
    let (owner, owners) = (Person::new("Owner")?, tempfile::tempdir()?);
    project::write(owners.path(), &[(FILE, &oracle::start())])?;
    let project = owner.share(owners.path(), &server)?;
    let rest = server.rest()?;
    let document = rest.file_id(&project.id, FILE)?;
    let cable = Cable::to(server.address())?;
    let link = &project.editor_link;
    let through_cable = link.replace(&server.url(), &cable.url());
    ensure!(
        through_cable != *link,
        "{link} does not hold the server's address"
    );

    let dirs = [tempfile::tempdir()?, tempfile::tempdir()?];
    let (desk, seat) = thread::scope(|scope| {
        let desk = scope.spawn(|| join("Ada", busy, &dirs[0], &through_cable));
        let seat: Result<Box<dyn Seat>> = match partner {
            Partner::Editor(program) => {
                join("Bob", program, &dirs[1], link).map(|desk| -> Box<dyn Seat> { desk })
            }
            Partner::Browser => enter(link).map(|browser| -> Box<dyn Seat> { Box::new(browser) }),
        };
        (desk.join().expect("opening does not panic"), seat)
    });
    let (mut desk, mut seat) = (desk?, seat?);

    let room = Room {
        rest: &rest,
        project: &project.id,
        document: &document,
        arrived: AtomicUsize::new(0),
    };
    let cable = (network == Network::Cut).then_some(&cable);
    thread::scope(|scope| {
        let typing = scope.spawn(|| room.type_along(&mut *seat));
        let working = room.work(&mut *desk, cable);
        let typing = typing.join().expect("typing does not panic");
        working
            .context("the busy one")
            .and(typing.context("the other"))
    })?;

    let text = room.everything()?;
    oracle::check(&text)?;
    desk.holds(&text)?;
    seat.holds(&text)?;
    // And it stays so.
    desk.save()?;
    until_or(
        "the busy one's file to be saved",
        || (fs::read_to_string(desk.file()).ok()? == text).then_some(()),
        || format!("{:?}", fs::read_to_string(desk.file())),
    )?;
    room.server_holds(&text)
}

/// Joins the project in a directory of one's own, and opens the file.
fn join(name: &str, program: Program, dir: &TempDir, link: &str) -> Result<Box<dyn Desk>> {
    let person = Person::new(name)?;
    person.join(link, dir.path())?;
    program.open(person, dir.path(), FILE)
}

/// Opens the link in the browser, and the file.
fn enter(link: &str) -> Result<Browser> {
    let mut browser = Browser::open(link)?;
    browser.introduce("Bob")?;
    browser.open_file(FILE)?;
    browser.holds(&oracle::start())?;
    Ok(browser)
}

impl Room<'_> {
    /// What the busy one does.
    fn work(&self, desk: &mut dyn Desk, cable: Option<&Cable>) -> Result<()> {
        let hand = Hand::busy();
        let keys = |from: usize, to: usize| &hand.typed[from..to];
        let mut expected = oracle::start();
        desk.type_behind(hand.line)?;
        self.meet(1)?;
        desk.type_text(keys(0, 40), PACE)?;

        desk.rest()?;
        desk.type_behind(PASTE_LINE)?;
        desk.paste(&oracle::pasted())?;
        desk.rest()?;
        desk.type_behind(hand.line)?;
        desk.type_text(keys(40, 80), PACE)?;
        desk.rest()?;

        // An editor's own undo takes back whatever came last, others' edits among it. So that it is known what that is,
        // the other pauses.
        self.meet(2)?;
        expected = behind(&expected, PASTE_LINE, &oracle::pasted());
        for hand in [&hand, &Hand::other()] {
            expected = behind(&expected, hand.line, &hand.typed[..80]);
        }
        self.server_holds(&expected)?;
        desk.holds(&expected)?;
        desk.type_behind(QUIET_LINE)?;
        desk.type_text(UNDONE, PACE)?;
        self.server_holds(&behind(&expected, QUIET_LINE, UNDONE))?;
        desk.rest()?;
        self.undo(desk, &expected)?;
        desk.type_behind(hand.line)?;
        self.meet(3)?;

        desk.type_text(keys(80, 100), PACE)?;
        desk.rest()?;
        desk.save()?;
        desk.type_behind(hand.line)?;
        desk.type_text(keys(100, OWN_KEYS), PACE)?;
        desk.rest()?;
        desk.type_behind(COMMON_LINE)?;
        desk.type_text(keys(OWN_KEYS, 130), PACE)?;
        if let Some(cable) = cable {
            cable.cut();
        }
        desk.type_text(keys(130, 150), PACE)?;
        desk.rest()?;
        desk.delete_first_lines(BLOCK_LINES)?;
        desk.type_behind(COMMON_LINE)?;
        desk.type_text(keys(150, 170), PACE)?;
        if let Some(cable) = cable {
            let text = self.server_text()?;
            ensure!(
                text.starts_with("BLOCK") && hand.in_text(&text).len() <= 130,
                "nothing was cut"
            );
            cable.mend();
        }
        desk.type_text(keys(170, oracle::KEYS), PACE)?;
        desk.rest()
    }

    /// Takes back all of [`UNDONE`], and nothing else. Emacs takes it back in pieces, cut where it was busy in between.
    fn undo(&self, desk: &mut dyn Desk, expected: &str) -> Result<()> {
        let mut left = UNDONE.len();
        while left > 0 {
            desk.undo()?;
            left = until_or(
                "the undone to vanish",
                || {
                    let text = self.server_text().ok()?;
                    (0..left).find(|&kept| text == behind(expected, QUIET_LINE, &UNDONE[..kept]))
                },
                || format!("{:?}", self.server_text()),
            )?;
        }
        desk.holds(expected)
    }

    /// What the other does: nothing but typing.
    fn type_along(&self, seat: &mut dyn Seat) -> Result<()> {
        let hand = Hand::other();
        seat.type_behind(hand.line)?;
        self.meet(1)?;
        seat.type_text(&hand.typed[..80], PACE)?;
        self.meet(2)?;
        self.meet(3)?;
        seat.type_text(&hand.typed[80..OWN_KEYS], PACE)?;
        seat.rest()?;
        seat.type_behind(COMMON_LINE)?;
        seat.type_text(&hand.typed[OWN_KEYS..], PACE)?;
        seat.rest()
    }

    /// Waits until both have come to the point of this number.
    fn meet(&self, point: usize) -> Result<()> {
        self.arrived.fetch_add(1, Ordering::SeqCst);
        until(&format!("the two to meet, {point}"), || {
            (self.arrived.load(Ordering::SeqCst) >= 2 * point).then_some(())
        })
    }

    fn server_text(&self) -> Result<String> {
        self.rest.text(self.project, self.document)
    }

    fn server_holds(&self, expected: &str) -> Result<()> {
        let mut last = Ok(String::new());
        until("the server to hold the text", || {
            last = self.server_text();
            last.as_ref()
                .is_ok_and(|text| text == expected)
                .then_some(())
        })
        .with_context(|| match &last {
            Ok(text) => difference(expected, text),
            Err(error) => format!("{error:#}"),
        })
    }

    /// The server's text when all of it may have come: it has its length, or no longer comes nearer to it.
    fn everything(&self) -> Result<String> {
        let mut last = String::new();
        // What is wrong with a text of another length the oracle tells better.
        let _ = until("all of the text", || {
            last = self.server_text().ok()?;
            (last.len() == oracle::final_length() && oracle::check(&last).is_ok()).then_some(())
        });
        Ok(last)
    }
}
