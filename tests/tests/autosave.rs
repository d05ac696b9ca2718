//! An editor that writes its file at each key, by an autocommand, and tells nobody of it.

use std::fs;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Result, ensure};
use tutti_tests::editor::Kind;
use tutti_tests::scene::Scene;
use tutti_tests::wait::until_or;

const PACE: Duration = Duration::from_millis(60);
/// Between what a program writes and the next key. Nothing tells of the one, and the bridge is to see it.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(300),
    Duration::from_millis(700),
    Duration::from_millis(1_500),
];

#[test]
fn what_a_program_writes_between_two_keys_stays() -> Result<()> {
    let before = "one\ntwo\nthree\nfour\nfive\n";
    let mut scene = Scene::open(Kind::Neovim, before, None)?;
    let terminal = scene.editor.terminal();
    terminal.text(":autocmd TextChanged,TextChangedI * silent! write!")?;
    terminal.keys(&["Enter"])?;
    let file = scene.editor.file().to_owned();
    let mut first = "one".to_owned();
    let mut written = String::new();
    let text = |first: &str, written: &str| format!("{first}\ntwo\nthree\nfour\n{written}five\n");
    scene.editor.type_behind("one")?;
    for (round, pause) in PAUSES.into_iter().enumerate() {
        scene.editor.type_text("x", PACE)?;
        first.push('x');
        let expected = text(&first, &written);
        scene.server_holds(&expected)?;
        until_or(
            "the file to be written",
            || (fs::read_to_string(&file).ok()? == expected).then_some(()),
            || format!("{:?}", fs::read_to_string(&file)),
        )?;
        written = format!("line {round}\n{written}");
        // As `sed -i` does.
        let new = file.with_extension("new");
        fs::write(&new, text(&first, &written))?;
        fs::rename(&new, &file)?;
        sleep(pause);
        scene.editor.type_text("y", PACE)?;
        first.push('y');
        let all = text(&first, &written);
        scene.server_holds(&all)?;
        scene.other.holds(&all)?;
        scene.editor.holds(&all)?;
    }
    scene.editor.escape()?;
    ensure!(scene.text()? == text(&first, &written), "and it stays that");
    Ok(())
}
