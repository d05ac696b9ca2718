//! Each terminal editor with the lines of `editor-plugins/README.md`: both directions flow while its person types
//! without a pause.

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tutti_tests::collab::Member;
use tutti_tests::editor::{Editor, Kind};
use tutti_tests::readme;
use tutti_tests::scene::Scene;
use tutti_tests::tools;
use tutti_tests::wait::LONG;

const TEXT: &str = "def beat():\n    return 1\n\n\ndef bar():\n    return 4\n";
/// No editor that waits for a pause gets one.
const PACE: Duration = Duration::from_millis(60);
/// Both directions have flowed twice before this many keys, on a machine with much else to do.
const ENOUGH: usize = 100;

/// Types digits until `done`; what was typed.
fn type_on(editor: &Editor, done: &AtomicBool) -> Result<String> {
    let mut typed = String::new();
    for digit in "0123456789".chars().cycle() {
        if done.load(Ordering::Relaxed) {
            break;
        }
        editor.type_text(&digit.to_string(), PACE)?;
        typed.push(digit);
    }
    Ok(typed)
}

/// Each sees twice what the other types.
fn flow(editor: &Editor, other: &mut Member) -> Result<()> {
    for (theirs, ours) in [
        ("# here\n", "0123456789"),
        ("# there\n", "01234567890123456789"),
    ] {
        other.append(theirs)?;
        editor.terminal().shows(theirs.trim_end())?;
        let screen = editor.terminal().screen()?;
        let is_announced = screen.contains("Edit successful");
        ensure!(!is_announced, "each edit is announced: {screen}");
        while !other.text().contains(ours) {
            other.receive(LONG)?.context("nothing comes any more")?;
        }
    }
    Ok(())
}

fn flows_while_typing(kind: Kind) -> Result<()> {
    let mut scene = Scene::open(kind, TEXT, None)?;
    scene.editor.type_behind("return 1")?;
    let (editor, other) = (&scene.editor, &mut scene.other);
    let done = AtomicBool::new(false);
    let (typed, flowed) = std::thread::scope(|scope| {
        let typist = scope.spawn(|| type_on(editor, &done));
        let flowed = flow(editor, other);
        done.store(true, Ordering::Relaxed);
        (typist.join().expect("the typist does not panic"), flowed)
    });
    flowed?;
    let typed = typed?;
    // Twenty are needed. Without its lines Emacs is at a thousand and more before anyone sees one.
    ensure!((20..=ENOUGH).contains(&typed.len()), "{} keys", typed.len());
    let expected = TEXT.replacen("return 1", &format!("return 1{typed}"), 1) + "# here\n# there\n";
    scene.server_holds(&expected)?;
    scene.editor.escape()?;
    scene.editor.holds(&expected)?;
    scene.other.holds(&expected)
}

#[test]
fn neovim_flows_while_typing() -> Result<()> {
    flows_while_typing(Kind::Neovim)
}

#[test]
fn helix_flows_while_typing() -> Result<()> {
    flows_while_typing(Kind::Helix)
}

#[test]
fn emacs_flows_while_typing() -> Result<()> {
    flows_while_typing(Kind::Emacs)
}

/// The lines for VS Code, up to those that fetch packages, make what VS Code takes for an extension.
#[test]
fn the_lines_for_vs_code_make_an_extension() -> Result<()> {
    let home = tempfile::tempdir()?;
    let lines = readme::comfort("VS Code")?;
    let (files, packages) = lines.split_once("npm install\n").context("npm install")?;
    ensure!(packages.contains("tutti-client-0.0.1.vsix"), "{packages}");
    let shell = |dir: &Path, lines: &str| -> Result<()> {
        let mut shell = tools::command("sh", home.path())?;
        let status = shell.args(["-ec", lines]).current_dir(dir).status()?;
        ensure!(status.success(), "{lines}");
        Ok(())
    };
    shell(home.path(), files)?;
    let dir = home.path().join("tutti-client");
    let package: Value = serde_json::from_str(&fs::read_to_string(dir.join("package.json"))?)?;
    ensure!(package["main"] == "./extension.js", "{package}");
    ensure!(
        package["name"] == "tutti-client" && package["version"] == "0.0.1",
        "{package}"
    );
    ensure!(
        package["dependencies"]["vscode-languageclient"].is_string(),
        "{package}"
    );
    shell(&dir, "node --check extension.js")
}
