//! The whole way: this repository's own sources, shared and joined, in Neovim, Helix and a browser at once.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tutti_tests::browser::Browser;
use tutti_tests::cli::Person;
use tutti_tests::editor::{Editor, Kind};
use tutti_tests::project;
use tutti_tests::server::Server;
use tutti_tests::wait::until_or;

const FILE: &str = "tests/src/wait.rs";
/// Lines of one function of that file, one for each person.
const NEOVIM_LINE: &str = "let start";
const HELIX_LINE: &str = "return Ok";
const BROWSER_LINE: &str = "pause(STEP)";
/// The line behind which all three type at once. It is no comment: those Neovim breaks when they become long.
const COMMON_LINE: &str = "if let Some";

/// A key every 110 ms is a quick typist; ninety of them take ten seconds.
const PACE: Duration = Duration::from_millis(110);
const KEYS: usize = 90;

/// What a person types: words that nobody else types, of as many keys as asked for.
fn words(letter: char, keys: usize) -> String {
    let words = (0..).map(|number| format!(" {letter}{number}"));
    words
        .flat_map(|word| word.chars().collect::<Vec<_>>())
        .take(keys)
        .collect()
}

struct Room<'a> {
    server: &'a Server,
    neovim: Editor,
    helix: Editor,
    browser: Browser,
    project: String,
    document: String,
}

impl Room<'_> {
    /// All three type at the same time.
    fn type_at_once(&mut self, texts: [&str; 3]) -> Result<()> {
        let [of_neovim, of_helix, of_browser] = texts;
        let (neovim, helix, browser) = (&self.neovim, &self.helix, &mut self.browser);
        std::thread::scope(|scope| {
            let typists = [
                scope.spawn(move || neovim.type_text(of_neovim, PACE)),
                scope.spawn(move || helix.type_text(of_helix, PACE)),
                scope.spawn(move || browser.type_text(of_browser, PACE)),
            ];
            typists
                .into_iter()
                .try_for_each(|typist| typist.join().expect("no typist panics"))
        })
    }

    /// The text on the server, as soon as it satisfies `accept`.
    fn server_text(&self, what: &str, accept: impl Fn(&str) -> bool) -> Result<String> {
        let rest = self.server.rest()?;
        let text = || rest.text(&self.project, &self.document);
        until_or(
            what,
            || text().ok().filter(|text| accept(text)),
            || text().unwrap_or_else(|error| format!("{error:#}")),
        )
    }

    /// All three and the server hold exactly this.
    fn all_hold(&mut self, expected: &str) -> Result<()> {
        self.server_text("the server to hold the text", |text| text == expected)?;
        self.neovim.holds(expected)?;
        self.helix.holds(expected)?;
        self.browser.holds(expected)
    }
}

/// `text` with `typed` behind the end of the first line that holds `place`.
fn with(text: &str, place: &str, typed: &str) -> String {
    let at = text.find(place).expect("the line is there");
    let end = at + text[at..].find('\n').expect("it ends");
    format!("{}{typed}{}", &text[..end], &text[end..])
}

#[test]
fn three_people_in_three_editors_type_into_one_function() -> Result<()> {
    let mut server = Server::start()?;
    let (ada, bob) = (Person::new("Ada")?, Person::new("Bob")?);
    let (adas, bobs) = (tempfile::tempdir()?, tempfile::tempdir()?);

    // Shared in one directory, joined in another: the same files.
    let files = project::copy_of_this_repository(adas.path())?;
    let project = ada.share(adas.path(), &server)?;
    bob.join(&project.editor_link, bobs.path())?;
    for file in &files {
        let (mine, theirs) = (adas.path().join(file), bobs.path().join(file));
        ensure!(
            fs::read(mine)? == fs::read(&theirs).with_context(|| format!("{file} did not come"))?,
            "{file} came as something else"
        );
    }

    let rest = server.rest()?;
    let document = rest.file_id(&project.id, FILE)?;
    let original = fs::read_to_string(adas.path().join(FILE))?;
    ensure!(rest.text(&project.id, &document)? == original);

    let neovim = Editor::open(Kind::Neovim, ada, adas.path(), FILE)?;
    let helix = Editor::open(Kind::Helix, bob, bobs.path(), FILE)?;
    let mut browser = Browser::open(&project.editor_link)?;
    browser.introduce("Cleo")?;
    browser.open_file(FILE)?;
    browser.holds(&original)?;
    let mut room = Room {
        server: &server,
        neovim,
        helix,
        browser,
        project: project.id.clone(),
        document: document.clone(),
    };

    // Ten seconds, each in their own line of the same function: the text is known to the letter.
    let typed = ['n', 'h', 'b'].map(|letter| words(letter, KEYS));
    room.neovim.type_behind(NEOVIM_LINE)?;
    room.helix.type_behind(HELIX_LINE)?;
    room.browser.type_behind(BROWSER_LINE)?;
    room.type_at_once([&typed[0], &typed[1], &typed[2]])?;
    room.neovim.escape()?;
    room.helix.escape()?;
    let mut expected = with(&original, NEOVIM_LINE, &typed[0]);
    expected = with(&expected, HELIX_LINE, &typed[1]);
    expected = with(&expected, BROWSER_LINE, &typed[2]);
    room.all_hold(&expected)?;

    // Three seconds at one and the same place: whose letter comes first is open, each person's order is not.
    let typed = [
        "0123456789".repeat(3),
        "ABCDEFGHIJ".repeat(3),
        "abcdefghij".repeat(3),
    ];
    room.neovim.type_behind(COMMON_LINE)?;
    room.helix.type_behind(COMMON_LINE)?;
    room.browser.type_behind(COMMON_LINE)?;
    room.type_at_once([&typed[0], &typed[1], &typed[2]])?;
    room.neovim.escape()?;
    room.helix.escape()?;
    let length = expected.len() + typed.iter().map(String::len).sum::<usize>();
    let merged = room.server_text("everything typed at one place", |text| text.len() >= length)?;
    let (before, behind) = expected.split_at(
        with(&expected, COMMON_LINE, "\u{0}")
            .find('\u{0}')
            .context("it was put there")?,
    );
    let middle = merged
        .strip_prefix(before)
        .and_then(|rest| rest.strip_suffix(behind))
        .with_context(|| project::difference(&expected, &merged))?;
    for typed in &typed {
        let kept: String = middle
            .chars()
            .filter(|letter| typed.contains(*letter))
            .collect();
        ensure!(kept == *typed, "typed {typed}, there is {kept} in {middle}");
    }
    ensure!(merged.len() == length, "nobody typed all of {middle}");
    room.all_hold(&merged)?;

    // What the browser calls saved outlives the server's sudden end, and everyone goes on.
    room.browser.status("saved")?;
    let Room {
        neovim,
        helix,
        browser,
        ..
    } = room;
    server.kill()?;
    server.restart()?;
    let after = server.rest()?.text(&project.id, &document)?;
    ensure!(after == merged, project::difference(&merged, &after));
    let mut room = Room {
        server: &server,
        neovim,
        helix,
        browser,
        project: project.id,
        document,
    };
    room.neovim.type_behind(NEOVIM_LINE)?;
    room.helix.type_behind(HELIX_LINE)?;
    room.browser.type_behind(BROWSER_LINE)?;
    room.type_at_once([" again, Ada", " again, Bob", " again, Cleo"])?;
    room.neovim.escape()?;
    room.helix.escape()?;
    expected = with(&merged, NEOVIM_LINE, " again, Ada");
    expected = with(&expected, HELIX_LINE, " again, Bob");
    expected = with(&expected, BROWSER_LINE, " again, Cleo");
    room.all_hold(&expected)?;
    room.browser.status("saved")?;

    // Saving writes what everyone sees.
    room.neovim.save()?;
    until_or(
        "Neovim to save",
        || (fs::read_to_string(room.neovim.file()).ok()? == expected).then_some(()),
        String::new,
    )
}
