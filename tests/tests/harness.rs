//! The harness itself: that it drives the editors and the browser as a person would.

use std::fs;
use std::time::Duration;

use anyhow::Result;
use tutti_tests::cli::Person;
use tutti_tests::editor::{Editor, Kind};
use tutti_tests::project;

/// Without Tutti, an editor holds and saves exactly what was typed.
fn types_and_saves(kind: Kind) -> Result<()> {
    let person = Person::new("Ada")?;
    let dir = tempfile::tempdir()?;
    project::write(dir.path(), &[("song.txt", "one\ntwo; three\n")])?;
    let editor = Editor::open_with(kind, person, dir.path(), "song.txt", "")?;
    editor.type_behind("two")?;
    editor.type_text(" für;", Duration::from_millis(5))?;
    editor.escape()?;
    let expected = "one\ntwo; three für;\n";
    editor.holds(expected)?;
    editor.save()?;
    let file = editor.file().to_owned();
    editor.quit()?;
    assert_eq!(fs::read_to_string(file)?, expected);
    Ok(())
}

#[test]
fn neovim_types_and_saves() -> Result<()> {
    types_and_saves(Kind::Neovim)
}

#[test]
fn helix_types_and_saves() -> Result<()> {
    types_and_saves(Kind::Helix)
}

#[test]
fn emacs_types_and_saves() -> Result<()> {
    types_and_saves(Kind::Emacs)
}
