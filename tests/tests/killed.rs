//! Real editors whose bridge is killed while they live on: whatever was typed before, in between and after is there
//! once, beside what others typed meanwhile.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tutti_tests::editor::Kind;
use tutti_tests::scene::Scene;
use tutti_tests::wait::until;

const TEXT: &str = "# one\n# two\n# three\n";
const PACE: Duration = Duration::from_millis(30);
/// What is typed before, in between, and after; by the others, at the start of the text.
const ROUNDS: [[&str; 4]; 3] = [
    ["abc", "def", "ghi", "OTHERS1 "],
    ["jkl", "mno", "pqr", "OTHERS2 "],
    ["stu", "vwx", "yzz", "OTHERS3 "],
];

/// The bridges that work in a directory.
fn bridges(dir: &Path) -> Result<Vec<u32>> {
    let dir = dir.canonicalize()?;
    let is_bridge = |pid: &u32| {
        let of = |name: &str| Path::new("/proc").join(pid.to_string()).join(name);
        let words = fs::read(of("cmdline")).unwrap_or_default();
        let place = fs::read_link(of("cwd")).unwrap_or_default();
        words.ends_with(b"tutti\0lsp\0") && place == dir
    };
    let pids = fs::read_dir("/proc")?.filter_map(|entry| {
        let name = entry.ok()?.file_name();
        name.to_str()?.parse().ok()
    });
    Ok(pids.filter(is_bridge).collect())
}

fn kill(scene: &Scene) -> Result<()> {
    let dir = scene.editor.file().parent().context("a directory")?;
    let running = bridges(dir)?;
    ensure!(running.len() == 1, "bridges: {running:?}");
    let pid = running[0].to_string();
    let killed = Command::new("kill").args(["-9", &pid]).status()?;
    ensure!(killed.success(), "{pid} could not be killed");
    until("the bridge to end", || {
        bridges(dir).ok().filter(|all| !all.contains(&running[0]))
    })?;
    Ok(())
}

/// A key whose request to the server fails has Emacs throw away the keys that it has not read yet.
fn emacs_has_noticed(scene: &Scene) -> Result<()> {
    let dir = scene.editor.file().parent().context("a directory")?;
    let terminal = scene.editor.terminal();
    until("Emacs to notice", || {
        let is_left = !terminal.screen().ok()?.contains("[eglot:");
        let is_back = !bridges(dir).ok()?.is_empty();
        (is_left || is_back).then_some(())
    })
}

/// As its person would, the editor is told to start its language server anew.
fn restart(scene: &Scene, kind: Kind) -> Result<()> {
    let terminal = scene.editor.terminal();
    scene.editor.escape()?;
    match kind {
        Kind::Neovim => terminal.text(":doautocmd BufReadPost")?,
        Kind::Helix => terminal.text(":set-language python")?,
        Kind::Emacs => {
            terminal.keys(&["M-x"])?;
            terminal.text("eglot")?;
        }
    }
    terminal.keys(&["Enter"])?;
    let dir = scene.editor.file().parent().context("a directory")?;
    until("another bridge", || {
        bridges(dir).ok().filter(|all| !all.is_empty())
    })?;
    Ok(())
}

/// What `tutti status` says of the file whose editor reports nothing: nothing else has heard of it.
fn status_names_it(scene: &Scene) -> Result<bool> {
    let dir = scene.editor.file().parent().context("a directory")?;
    let status = scene.editor.person().tutti(dir, &["status"])?.success()?;
    Ok(status.stdout.contains("no longer tells"))
}

fn is_killed_again_and_again(kind: Kind) -> Result<()> {
    let mut scene = Scene::open(kind, TEXT, None)?;
    let mut expected = TEXT.to_owned();
    for [before, between, after, others] in ROUNDS {
        scene.editor.type_behind("# two")?;
        scene.editor.type_text(before, PACE)?;
        kill(&scene)?;
        if kind == Kind::Emacs {
            emacs_has_noticed(&scene)?;
        }
        // See `neovim_goes_deaf_and_hears_again`.
        let between = if kind == Kind::Neovim { "" } else { between };
        scene.editor.type_text(between, PACE)?;
        scene.other.insert(0, others)?;
        restart(&scene, kind)?;
        scene.editor.type_behind("# two")?;
        scene.editor.type_text(after, PACE)?;
        scene.editor.escape()?;
        let typed = [before, between, after].concat();
        let line = expected.lines().nth(1).context("a second line")?.to_owned();
        expected = others.to_owned() + &expected.replacen(&line, &(line.clone() + &typed), 1);
        scene.other.holds(&expected)?;
        scene.editor.holds(&expected)?;
    }
    scene.server_holds(&expected)?;
    scene.editor.quit()
}

#[test]
fn neovim() -> Result<()> {
    is_killed_again_and_again(Kind::Neovim)
}

/// Neovim 0.10 reports nothing more of a buffer that is typed into while no language server is there. Its person is
/// told, and nothing is written twice.
#[test]
fn neovim_goes_deaf_and_hears_again() -> Result<()> {
    let mut scene = Scene::open(Kind::Neovim, TEXT, None)?;
    let terminal = scene.editor.terminal();
    scene.editor.type_behind("# two")?;
    scene.editor.type_text("abc", PACE)?;
    kill(&scene)?;
    scene.editor.type_text("def", PACE)?;
    restart(&scene, Kind::Neovim)?;
    scene.other.holds(&TEXT.replace("two", "twoabcdef"))?;
    terminal.shows(":bwipeout")?;
    terminal.keys(&["Enter"])?;
    // What is typed now moves the places that an edit would name.
    scene.editor.type_behind("# three")?;
    scene.editor.type_text("ghi", PACE)?;
    scene.other.insert(0, "OTHERS ")?;
    scene.editor.escape()?;
    scene.editor.save()?;
    let mut expected = "OTHERS # one\n# twoabcdef\n# threeghi\n".to_owned();
    scene.other.holds(&expected)?;
    terminal.text(":bwipeout")?;
    terminal.keys(&["Enter"])?;
    terminal.text(":e metronome.py")?;
    terminal.keys(&["Enter"])?;
    scene.editor.type_behind("# threeghi")?;
    scene.editor.type_text("jkl", PACE)?;
    scene.editor.escape()?;
    expected = expected.replace("ghi", "ghijkl");
    scene.other.holds(&expected)?;
    scene.other.insert(0, "MORE ")?;
    scene.editor.holds(&format!("MORE {expected}"))?;
    scene.editor.quit()
}

/// The same with a text that is saved while no bridge is there, and read again by Neovim.
#[test]
fn neovim_goes_deaf_and_saves() -> Result<()> {
    let mut scene = Scene::open(Kind::Neovim, TEXT, None)?;
    let ex = |scene: &Scene, command: &str| -> Result<()> {
        scene.editor.terminal().text(command)?;
        scene.editor.terminal().keys(&["Enter"])
    };
    scene.editor.type_behind("# two")?;
    scene.editor.type_text("abc", PACE)?;
    kill(&scene)?;
    // It takes a moment to notice, and is not deaf if nothing is typed after that.
    scene.editor.type_text("def", PACE * 10)?;
    scene.editor.escape()?;
    scene.editor.save()?;
    ex(&scene, ":e")?;
    scene.editor.terminal().shows(":bwipeout")?;
    scene.editor.terminal().keys(&["Enter"])?;
    scene.other.holds("# one\n# twoabcdef\n# three\n")?;
    ensure!(status_names_it(&scene)?, "status calls it in step");
    // What is typed now moves the places that an edit would name.
    scene.editor.type_behind("# one")?;
    scene.editor.type_text("ghi", PACE)?;
    scene.editor.escape()?;
    scene.other.insert(0, "OTHERS ")?;
    scene.server_holds("OTHERS # one\n# twoabcdef\n# three\n")?;
    scene.editor.save()?;
    let expected = "OTHERS # oneghi\n# twoabcdef\n# three\n";
    scene.other.holds(expected)?;
    ex(&scene, ":bwipeout")?;
    ex(&scene, ":e metronome.py")?;
    scene.editor.holds(expected)?;
    scene.editor.type_behind("# three")?;
    scene.editor.type_text("jkl", PACE)?;
    scene.editor.escape()?;
    let expected = expected.replace("# three", "# threejkl");
    scene.other.holds(&expected)?;
    scene.server_holds(&expected)?;
    ensure!(!status_names_it(&scene)?, "it hears again");
    scene.editor.quit()
}

/// A window that the new bridge does not know, for nothing told it, is written before and after another has typed,
/// again and again, also when that bridge has been killed as well.
#[test]
fn neovim_writes_a_window_that_nobody_follows() -> Result<()> {
    let mut scene = Scene::open(Kind::Neovim, TEXT, None)?;
    let terminal = scene.editor.terminal();
    let ex = |command: &str| -> Result<()> {
        terminal.text(command)?;
        terminal.keys(&["Enter"])
    };
    scene.editor.type_behind("# two")?;
    scene.editor.type_text("abc", PACE)?;
    scene.editor.escape()?;
    let mut expected = TEXT.replace("two", "twoabc");
    scene.other.holds(&expected)?;
    let dir = scene.editor.file().parent().context("a directory")?;
    let holds = |expected: &str| {
        until("the file to follow", || {
            let text = fs::read_to_string(scene.editor.file()).ok()?;
            (text == expected).then_some(())
        })
    };
    fs::write(dir.join("other.py"), "# other\n")?;
    ex(":vsplit other.py")?;
    terminal.shows("# other")?;
    let mut third = scene.join(78)?;
    let another_bridge = || {
        kill(&scene)?;
        terminal.shows("Client tutti quit")?;
        ex(":1wincmd w")?;
        ex(":e!")?;
        until("another bridge", || {
            bridges(dir).ok().filter(|all| !all.is_empty())
        })?;
        ex(":2wincmd w")
    };
    another_bridge()?;
    let mut before = "# three".to_owned();
    let mut writes = |word: &str, expected: &mut String| {
        scene.editor.type_behind(&before)?;
        scene.editor.type_text(word, PACE)?;
        scene.editor.escape()?;
        ex(":w!")?;
        let after = before.clone() + word;
        *expected = expected.replacen(&before, &after, 1);
        before = after;
        scene.server_holds(expected)?;
        holds(expected)
    };
    for round in ["one", "two", "three"] {
        writes(round, &mut expected)?;
        writes("again", &mut expected)?;
        let others = format!("# {round} of others ");
        third.insert(0, &others)?;
        expected = others + &expected;
        scene.server_holds(&expected)?;
        let more = format!("# the third has {round}\n");
        third.append(&more)?;
        expected += &more;
        holds(&expected)?;
        if matches!(round, "one" | "three") {
            another_bridge()?;
        }
        writes("last", &mut expected)?;
    }
    scene.other.holds(&expected)?;
    ex(":bwipeout! other.py")?;
    scene.editor.quit()
}

#[test]
fn helix() -> Result<()> {
    is_killed_again_and_again(Kind::Helix)
}

#[test]
fn emacs() -> Result<()> {
    is_killed_again_and_again(Kind::Emacs)
}
