//! Others' carets in editors without a plugin, as inlay hints: they follow where the editor can be asked to look again,
//! and appear with its person's next move where it cannot. Nothing else of it is to be seen.

use std::time::Duration;

use anyhow::{Result, ensure};
use tutti_tests::cli::Person;
use tutti_tests::editor::Kind;
use tutti_tests::readme;
use tutti_tests::scene::Scene;

const TEXT: &str = "one = 1\ntwo = 2\nthree = 3\nfour = 4\n";
const PACE: Duration = Duration::from_millis(60);

/// Behind `one`, and the line as it is shown then, but for the number of spaces.
const BEHIND_ONE: u32 = 3;
const AT_ONE: &str = "one Bob = 1";
/// The same of `three`.
const BEHIND_THREE: u32 = 21;
const AT_THREE: &str = "three Bob = 3";

/// Waits until the screen shows Bob in a line like this, and nowhere else.
fn shows_bob(scene: &Scene, line: &str) -> Result<()> {
    let there = |screen: &str| {
        let screen = screen.replace("  ", " ");
        screen.contains(line) && screen.matches("Bob").count() == 1
    };
    let what = format!("Bob as in `{line}`");
    scene.editor.terminal().screen_is(&what, there)
}

/// Types a key at the end of the line that holds this, and waits until Bob is shown in a line like that.
fn shows_bob_after(scene: &Scene, typed_behind: &str, line: &str) -> Result<()> {
    scene.editor.type_behind(typed_behind)?;
    scene.editor.type_text("5", PACE)?;
    scene.editor.escape()?;
    shows_bob(scene, line)
}

/// The screen speaks of nothing but the text: the last lines, where editors tell things, hold none of these words.
fn is_calm(scene: &Scene) -> Result<()> {
    let screen = scene.editor.terminal().screen()?;
    for word in [
        "error",
        "fail",
        "not found",
        "unsupported",
        "32601",
        "tutti",
    ] {
        let said = screen.to_lowercase().contains(word);
        ensure!(!said, "the screen says `{word}`:\n{screen}");
    }
    Ok(())
}

/// The hint follows Bob, and goes when he goes, with no key pressed.
fn follows(kind: Kind) -> Result<()> {
    let mut scene = Scene::open(kind, TEXT, Some(("Bob", BEHIND_ONE)))?;
    shows_bob(&scene, AT_ONE)?;
    scene.other.show_caret("Bob", BEHIND_THREE)?;
    shows_bob(&scene, AT_THREE)?;
    shows_bob_after(&scene, "four", AT_THREE)?;
    // What Bob types moves him on.
    scene.other.insert(0, "# top\n")?;
    shows_bob(&scene, AT_THREE)?;
    scene.other.show_caret("Bob", 5)?;
    shows_bob(&scene, "# top Bob")?;
    is_calm(&scene)?;
    scene
        .editor
        .holds(&format!("# top\n{}", TEXT.replace("= 4", "= 45")))?;
    scene.other.leave();
    let gone = |screen: &str| !screen.contains("Bob");
    scene.editor.terminal().screen_is("Bob to go", gone)
}

#[test]
fn neovim_follows_carets() -> Result<()> {
    follows(Kind::Neovim)
}

#[test]
fn emacs_follows_carets() -> Result<()> {
    follows(Kind::Emacs)
}

/// Helix cannot be told to look again, and does so by itself when its text changes.
#[test]
fn helix_shows_carets_when_it_looks() -> Result<()> {
    let mut scene = Scene::open(Kind::Helix, TEXT, Some(("Bob", BEHIND_ONE)))?;
    shows_bob_after(&scene, "four", AT_ONE)?;
    scene.other.show_caret("Bob", BEHIND_THREE)?;
    shows_bob_after(&scene, "four", AT_THREE)?;
    is_calm(&scene)?;
    // Neither is there any message of another kind.
    let silent = |screen: &str| screen.lines().nth(39).is_none_or(|it| it.trim().is_empty());
    scene
        .editor
        .terminal()
        .screen_is("an empty last line", silent)
}

/// Nor can Emacs, without the lines for comfort: it looks again below where its text changes.
#[test]
fn emacs_as_it_is_shows_carets_when_it_looks() -> Result<()> {
    let (person, set_up) = (Person::new("Ada")?, readme::block("Emacs")?);
    let caret = Some(("Bob", BEHIND_ONE));
    let mut scene = Scene::open_with(Kind::Emacs, person, &set_up, TEXT, caret)?;
    shows_bob_after(&scene, "one", AT_ONE)?;
    scene.other.show_caret("Bob", BEHIND_THREE)?;
    shows_bob_after(&scene, "one", AT_THREE)?;
    is_calm(&scene)
}
