//! Files in which a `\r` stands, or comes to stand, that is not the file's line end. Some editors make something
//! else of it in an edit.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use tutti_tests::editor::Kind;
use tutti_tests::scene::Scene;
use tutti_tests::wait::until_or;

const PACE: Duration = Duration::from_millis(60);

/// Opens a file that begins with a line `one`. Its person has made that `one!`, and everyone knows: from now on the file
/// is the editor's.
fn open(kind: Kind, text: &str) -> Result<Scene> {
    let scene = Scene::open(kind, text, None)?;
    scene.editor.type_behind("one")?;
    scene.editor.type_text("!", PACE)?;
    scene.editor.escape()?;
    scene.server_holds(&text.replacen("one", "one!", 1))?;
    Ok(scene)
}

/// Both type at the end of a text, and nothing else changes in it: how the two texts, the shared one and what the
/// editor shows, end.
fn still_is(scene: &mut Scene, shared: &str, shown: &str) -> Result<[String; 2]> {
    let (mut shared, mut shown) = (shared.to_owned(), shown.to_owned());
    for _ in 0..3 {
        let mark = format!("mark{}", shared.len());
        scene.other.append(&format!("{mark}\n"))?;
        scene.editor.terminal().shows(&mark)?;
        scene.editor.type_behind(&mark)?;
        scene.editor.type_text("seen", PACE)?;
        scene.editor.escape()?;
        for text in [&mut shared, &mut shown] {
            text.push_str(&mark);
            text.push_str("seen\n");
        }
        scene.server_holds(&shared)?;
        scene.other.holds(&shared)?;
        scene.editor.holds(&shown)?;
    }
    ensure!(scene.text()? == shared, "and it stays that");
    Ok([shared, shown])
}

/// A stock client writes a line that ends with `\r\n`, and one with a `\r` in it, into a file of other lines.
fn comes_to_stand(kind: Kind, is_shown: bool) -> Result<()> {
    let mut scene = open(kind, "one\ntwo\n")?;
    scene.other.holds("one!\ntwo\n")?;
    scene.other.insert(5, "x\r\nyes\n")?;
    scene.editor.terminal().shows("yes")?;
    scene.other.insert(5, "a\rb\n")?;
    let shared = "one!\na\rb\nx\r\nyes\ntwo\n";
    let shown = match is_shown {
        true => shared.to_owned(),
        false => shared.replace('\r', ""),
    };
    let [shared, shown] = still_is(&mut scene, shared, &shown)?;
    // What is saved is what is shown, and that changes nothing.
    scene.editor.save()?;
    let file = scene.editor.file().to_owned();
    until_or(
        "the file to be saved",
        || (fs::read_to_string(&file).ok()? == shown).then_some(()),
        || format!("{:?}", fs::read_to_string(&file)),
    )?;
    if kind == Kind::Neovim {
        // Closed and opened again.
        scene.editor.terminal().text(":e!")?;
        scene.editor.terminal().keys(&["Enter"])?;
    }
    still_is(&mut scene, &shared, &shown).map(drop)
}

#[test]
fn neovim_where_one_comes_to_stand() -> Result<()> {
    comes_to_stand(Kind::Neovim, false)
}

#[test]
fn helix_where_one_comes_to_stand() -> Result<()> {
    comes_to_stand(Kind::Helix, true)
}

#[test]
fn emacs_where_one_comes_to_stand() -> Result<()> {
    comes_to_stand(Kind::Emacs, true)
}

/// Somebody types behind a `\r` that Neovim has read from its file; then its person writes on that line and copies
/// it.
#[test]
fn neovim_where_one_stands() -> Result<()> {
    let mut scene = open(Kind::Neovim, "one\ntwo\nthree\r\nfour\n")?;
    scene.other.holds("one!\ntwo\nthree\r\nfour\n")?;
    let behind = "one!\ntwo\nthree\r".len() as u32;
    for (at, letter) in (0..).zip(["B", "o", "b", "!"]) {
        scene.other.insert(behind + at, letter)?;
        scene.other.receive(PACE)?;
    }
    scene.editor.terminal().shows("Bob!")?;
    let text = "one!\ntwo\nthree\rBob!\nfour\n";
    scene.editor.holds(text)?;
    scene.server_holds(text)?;
    scene.editor.type_behind("three")?;
    scene.editor.type_text("?", PACE)?;
    scene.editor.escape()?;
    scene.editor.terminal().text("yyp")?;
    let text = "one!\ntwo\nthree\rBob!?\nthree\rBob!?\nfour\n";
    scene.server_holds(text)?;
    still_is(&mut scene, text, text).map(drop)
}

/// Who deletes a line deletes what they were not shown of it.
#[test]
fn neovim_where_a_line_goes_that_ends_with_one() -> Result<()> {
    let mut scene = open(Kind::Neovim, "one\ntwo\n")?;
    scene.other.holds("one!\ntwo\n")?;
    scene.other.insert(0, "zero\r\n")?;
    scene.editor.terminal().shows("zero")?;
    scene.server_holds("zero\r\none!\ntwo\n")?;
    scene.editor.delete_first_lines(1)?;
    still_is(&mut scene, "one!\ntwo\n", "one!\ntwo\n").map(drop)
}
