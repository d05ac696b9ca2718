//! Undo of one's own edits, on the keys that the documentation gives, in the real editors.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use tutti_tests::cli::Person;
use tutti_tests::collab::Member;
use tutti_tests::editor::{Editor, Kind};
use tutti_tests::project;
use tutti_tests::readme;
use tutti_tests::server::Server;
use tutti_tests::stock::Target;
use tutti_tests::wait::until_or;

const FILE: &str = "metronome.py";
const TEXT: &str = "def beat():\n    return 1\n";
const PACE: Duration = Duration::from_millis(60);
const DOCUMENTATION: &str = "docs/lsp-extension.md";

/// What is pressed for undo and for redo.
fn keys(kind: Kind) -> [&'static [&'static str]; 2] {
    match kind {
        Kind::Neovim => [&["Space", "u"], &["Space", "r"]],
        Kind::Helix => [&["M-u"], &["M-U"]],
        Kind::Emacs => [&["C-c", "u"], &["C-c", "r"]],
    }
}

/// The editor with README's set-up lines and the documentation's lines for these keys.
fn open(kind: Kind, person: Person, dir: &Path) -> Result<Editor> {
    let mut set_up = readme::block(&format!("{kind:?}"))?;
    let lines = readme::block_of(DOCUMENTATION, &format!("{kind:?}"))?;
    match kind {
        Kind::Neovim | Kind::Emacs => set_up += &lines,
        // Its keys have a file of their own.
        Kind::Helix => {
            let config = person.home().join("config/helix/config.toml");
            fs::create_dir_all(config.parent().context("it lies in a directory")?)?;
            fs::write(config, lines)?;
        }
    }
    Editor::open_with(kind, person, dir, FILE, &set_up)
}

/// Someone types, another types inside of it, and the first takes their own back.
fn ones_own(kind: Kind) -> Result<()> {
    let server = Server::start()?;
    let person = Person::new("Ada")?;
    let dir = tempfile::tempdir()?;
    project::write(dir.path(), &[(FILE, TEXT)])?;
    let project = person.share(dir.path(), &server)?;
    let to = Target {
        server: &server.ws_url(),
        project: &project.id,
        document: &server.rest()?.file_id(&project.id, FILE)?,
        token: project.editor_token(),
    };
    let mut other = Member::join(to, 77)?;
    let editor = open(kind, person, dir.path())?;
    let [undo, redo] = keys(kind);

    editor.type_behind("return 1")?;
    editor.type_text("  # mine", PACE)?;
    editor.escape()?;
    let mine = TEXT.replacen("return 1", "return 1  # mine", 1);
    other.holds(&mine)?;
    let inside = mine.find("ne\n").context("it was typed")?;
    let inside = u32::try_from(inside)?;
    other.insert(inside, "THEIRS")?;
    let both = mine.replacen("mine", "miTHEIRSne", 1);
    editor.terminal().shows("# miTHEIRSne")?;

    let theirs = TEXT.replacen("return 1", "return 1THEIRS", 1);
    for _ in 0..2 {
        // Where one typed slowly there are several steps; more undo than that does nothing.
        press_until(&editor, &mut other, undo, &theirs)?;
        editor.terminal().shows("return 1THEIRS")?;
        editor.holds(&theirs)?;
        press_until(&editor, &mut other, redo, &both)?;
        editor.terminal().shows("# miTHEIRSne")?;
        editor.holds(&both)?;
    }
    editor.quit()
}

/// Presses the keys, once for each step, until the other person has `text`.
fn press_until(editor: &Editor, other: &mut Member, keys: &[&str], text: &str) -> Result<()> {
    const MOST_STEPS: usize = 8;
    for _ in 0..MOST_STEPS {
        let before = other.text();
        editor.terminal().keys(keys)?;
        until_or(
            &format!("{keys:?} to change the text"),
            || {
                other.receive(PACE).ok()?;
                (other.text() != before).then_some(())
            },
            || before.clone(),
        )?;
        if other.text() == text {
            return Ok(());
        }
    }
    other.holds(text)
}

#[test]
fn neovim() -> Result<()> {
    ones_own(Kind::Neovim)
}

#[test]
fn helix() -> Result<()> {
    ones_own(Kind::Helix)
}

#[test]
fn emacs() -> Result<()> {
    ones_own(Kind::Emacs)
}
