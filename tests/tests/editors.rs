//! Each editor with README's set-up lines: what is typed in it reaches everyone, and what others type reaches
//! it.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tutti_tests::cli::Person;
use tutti_tests::collab::Member;
use tutti_tests::editor::Kind;
use tutti_tests::project;
use tutti_tests::rest::{Project, Rest};
use tutti_tests::seat::{Desk, Program};
use tutti_tests::server::Server;
use tutti_tests::stock::Target;
use tutti_tests::wait::until_or;

const FILE: &str = "metronome.py";
const TEXT: &str = "def beat():\n    return 1\n\n\ndef bar():\n    return 4\n";
const NEOVIM: Program = Program::Terminal(Kind::Neovim);
const HELIX: Program = Program::Terminal(Kind::Helix);
const EMACS: Program = Program::Terminal(Kind::Emacs);
const PACE: Duration = Duration::from_millis(60);

struct Scene {
    _server: Server,
    rest: Rest,
    project: Project,
    document: String,
    dir: tempfile::TempDir,
    editor: Box<dyn Desk>,
    other: Member,
}

/// A shared directory, its file open in the editor, and someone else in the same file.
fn scene(program: Program, text: &str) -> Result<Scene> {
    scene_of(program, FILE, text)
}

/// As [`scene`], with a file of this name.
fn scene_of(program: Program, file: &str, text: &str) -> Result<Scene> {
    let server = Server::start()?;
    let person = Person::new("Ada")?;
    let dir = tempfile::tempdir()?;
    project::write(dir.path(), &[(file, text), ("other.txt", "other\n")])?;
    let project = person.share(dir.path(), &server)?;
    let rest = server.rest()?;
    let document = rest.file_id(&project.id, file)?;
    let to = Target {
        server: &server.ws_url(),
        project: &project.id,
        document: &document,
        token: project.editor_token(),
    };
    // The person's home has to outlive the editor, and does so as a part of it.
    let editor = program.open(person, dir.path(), file)?;
    // Last: who does not read for as long as an editor may take to start is sent away.
    let other = Member::join(to, 77)?;
    Ok(Scene {
        _server: server,
        rest,
        project,
        document,
        dir,
        editor,
        other,
    })
}

impl Scene {
    fn server_holds(&self, expected: &str) -> Result<()> {
        let text = || self.rest.text(&self.project.id, &self.document);
        until_or(
            "the server to hold the text",
            || text().ok().filter(|text| text == expected),
            || {
                project::difference(
                    expected,
                    &text().unwrap_or_else(|error| format!("{error:#}")),
                )
            },
        )
        .map(drop)
    }
}

fn both_ways(program: Program) -> Result<()> {
    let mut scene = scene(program, TEXT)?;

    // Typed here, seen there.
    scene.editor.type_behind("def beat")?;
    scene.editor.type_text("  # one", PACE)?;
    let mut expected = TEXT.replacen("beat():", "beat():  # one", 1);
    scene.server_holds(&expected)?;
    scene.other.holds(&expected)?;

    // Typed there, seen here, while the person here is still in the middle of typing.
    scene.other.insert(0, "# top\n")?;
    expected.insert_str(0, "# top\n");
    scene.editor.shows("# top")?;
    scene.editor.type_text(" two", PACE)?;
    expected = expected.replacen("# one", "# one two", 1);
    scene.server_holds(&expected)?;
    scene.editor.rest()?;
    scene.editor.holds(&expected)?;

    // At once, in two places.
    scene.editor.type_behind("return 1")?;
    std::thread::scope(|scope| -> Result<()> {
        let editor = &mut scene.editor;
        let typist = scope.spawn(move || editor.type_text("000000000000", PACE));
        for _ in 0..12 {
            scene.other.append("# more\n")?;
            scene.other.receive(PACE)?;
        }
        typist.join().expect("the typist does not panic")
    })?;
    expected = expected.replacen("return 1", "return 1000000000000", 1) + &"# more\n".repeat(12);
    scene.server_holds(&expected)?;
    scene.editor.rest()?;
    scene.editor.holds(&expected)?;
    scene.other.holds(&expected)?;

    // Saving and leaving changes nothing for anyone.
    scene.editor.save()?;
    let file = scene.dir.path().join(FILE);
    until_or(
        "the file to be saved",
        || (fs::read_to_string(&file).ok()? == expected).then_some(()),
        || format!("{:?}", fs::read_to_string(&file)),
    )?;
    let Scene {
        editor,
        mut other,
        rest,
        project,
        document,
        ..
    } = scene;
    editor.quit()?;
    other.append("# end\n")?;
    other.saved()?;
    ensure!(rest.text(&project.id, &document)? == expected + "# end\n");
    Ok(())
}

#[test]
fn neovim() -> Result<()> {
    both_ways(NEOVIM)
}

#[test]
fn helix() -> Result<()> {
    both_ways(HELIX)
}

#[test]
fn emacs() -> Result<()> {
    both_ways(EMACS)
}

#[test]
fn vscode() -> Result<()> {
    both_ways(Program::VsCode)
}

/// Emacs has no mode of its own for such files, and eglot takes none without a mode.
#[test]
fn emacs_in_files_without_a_mode() -> Result<()> {
    for file in ["metronome.rs", "LICENSE"] {
        let mut scene = scene_of(EMACS, file, "one\ntwo\n")?;
        scene.editor.type_behind("one")?;
        scene.editor.type_text(" here", PACE)?;
        scene.server_holds("one here\ntwo\n")?;
        scene.other.append("three\n")?;
        scene.editor.holds("one here\ntwo\nthree\n")?;
    }
    Ok(())
}

/// Someone types from the first moment on and never pauses, while another types too. Editors that wait for a pause
/// report nothing for as long as that lasts: Neovim before its first report, Emacs always.
fn without_a_pause(program: Program) -> Result<()> {
    let mut scene = scene(program, TEXT)?;
    scene.editor.type_behind("return 1")?;
    std::thread::scope(|scope| -> Result<()> {
        let editor = &mut scene.editor;
        let typist = scope.spawn(move || editor.type_text(&"0123456789".repeat(9), PACE));
        while !typist.is_finished() {
            scene.other.append("# more\n")?;
            // Whatever comes meanwhile, the other types no faster than people do.
            let next = Instant::now() + 4 * PACE;
            while let Some(left) = next.checked_duration_since(Instant::now()) {
                scene.other.receive(left)?;
            }
        }
        typist.join().expect("the typist does not panic")
    })?;
    let more = scene.other.typed().concat();
    let expected = TEXT.replacen(
        "return 1",
        &format!("return 1{}", "0123456789".repeat(9)),
        1,
    ) + &more;
    scene.server_holds(&expected)?;
    scene.editor.rest()?;
    scene.editor.holds(&expected)?;
    scene.other.holds(&expected)
}

#[test]
fn neovim_without_a_pause() -> Result<()> {
    without_a_pause(NEOVIM)
}

#[test]
fn helix_without_a_pause() -> Result<()> {
    without_a_pause(HELIX)
}

#[test]
fn emacs_without_a_pause() -> Result<()> {
    without_a_pause(EMACS)
}

#[test]
fn vscode_without_a_pause() -> Result<()> {
    without_a_pause(Program::VsCode)
}

/// Another program writes the file that the editor shows, as it was read and then with what is not saved: all of it is
/// merged.
fn written_by_another_program(program: Program) -> Result<(Scene, String)> {
    let mut scene = scene(program, TEXT)?;
    let file = scene.dir.path().join(FILE);
    // Its bridge has started by then.
    scene.other.append("# first\n")?;
    scene.editor.shows("# first")?;
    let text = format!("{TEXT}# first\n");
    // Once: a save that comes later would write over what the program writes.
    scene.editor.save()?;
    until_or(
        "the file to be saved",
        || (fs::read_to_string(&file).ok()? == text).then_some(()),
        || format!("{:?}", fs::read_to_string(&file)),
    )?;
    let written = text.replacen("return 4", "return 5", 1);
    fs::write(&file, &written)?;
    scene.server_holds(&written)?;
    scene.editor.shows("return 5")?;

    scene.editor.type_behind("return 1")?;
    scene.editor.type_text("  # mine", PACE)?;
    scene.editor.rest()?;
    scene.other.append("# theirs\n")?;
    scene.editor.shows("# theirs")?;
    // It knows of neither.
    fs::write(&file, text.replacen("return 4", "return 6", 1))?;
    let mut expected = text.replacen("return 1", "return 1  # mine", 1);
    expected = expected.replacen("return 4", "return 6", 1) + "# theirs\n";
    scene.server_holds(&expected)?;
    scene.other.holds(&expected)?;
    scene.editor.shows("return 6")?;

    scene.editor.type_behind("return 6")?;
    scene.editor.type_text("  # more", PACE)?;
    expected = expected.replacen("return 6", "return 6  # more", 1);
    scene.server_holds(&expected)?;
    scene.other.holds(&expected)?;
    Ok((scene, expected))
}

/// As [`written_by_another_program`], and then the person saves at once what they see, over what it writes.
fn written_by_another_program_and_over(program: Program) -> Result<()> {
    let (mut scene, mut expected) = written_by_another_program(program)?;
    let file = scene.dir.path().join(FILE);
    scene.editor.rest()?;
    fs::write(&file, fs::read_to_string(&file)?.replacen("bar", "bare", 1))?;
    // What was written before this has been seen when this has.
    fs::write(scene.dir.path().join("other.txt"), "seen\n")?;
    let document = scene.rest.file_id(&scene.project.id, "other.txt")?;
    let other = || scene.rest.text(&scene.project.id, &document);
    until_or(
        "the bridge to have seen what was written",
        || other().ok().filter(|text| text == "seen\n"),
        || format!("{:?}", other()),
    )?;
    scene.editor.save_anyway()?;
    expected = expected.replacen("bar", "bare", 1);
    scene.server_holds(&expected)?;
    scene.other.holds(&expected)?;
    scene.editor.shows("bare")?;
    scene.editor.holds(&expected)
}

#[test]
fn neovim_while_another_program_writes() -> Result<()> {
    written_by_another_program_and_over(NEOVIM)
}

#[test]
fn helix_while_another_program_writes() -> Result<()> {
    written_by_another_program_and_over(HELIX)
}

#[test]
fn emacs_while_another_program_writes() -> Result<()> {
    written_by_another_program(EMACS).map(drop)
}

#[test]
fn vscode_while_another_program_writes() -> Result<()> {
    written_by_another_program(Program::VsCode).map(drop)
}

/// Outside a shared project the set-up lines do nothing that one would notice.
fn silent_outside(program: Program) -> Result<()> {
    let person = Person::new("Ada")?;
    let dir = tempfile::tempdir()?;
    project::write(dir.path(), &[(FILE, TEXT)])?;
    let mut editor = program.open(person, dir.path(), FILE)?;
    editor.type_behind("return 1")?;
    editor.type_text("23", PACE)?;
    editor.rest()?;
    editor.holds(&TEXT.replacen("return 1", "return 123", 1))?;
    let screen = editor.screen()?.to_lowercase();
    for word in ["error", "exited", "failed"] {
        ensure!(
            !screen.contains(word),
            "the screen says `{word}`:\n{screen}"
        );
    }
    ensure!(!dir.path().join(".tutti").exists());
    editor.quit()
}

#[test]
fn neovim_outside_a_project() -> Result<()> {
    silent_outside(NEOVIM)
}

#[test]
fn helix_outside_a_project() -> Result<()> {
    silent_outside(HELIX)
}

/// What Helix has no language for, README's lines make one of.
#[test]
fn helix_with_plain_text() -> Result<()> {
    for file in ["notes.txt", "LICENSE"] {
        let mut scene = scene_of(HELIX, file, "one\ntwo\n")?;
        scene.editor.type_behind("one")?;
        scene.editor.type_text(" and a half", PACE)?;
        scene.server_holds("one and a half\ntwo\n")?;
        scene.other.insert(0, "zero, ")?;
        scene.editor.shows("zero, one and a half")?;
    }
    Ok(())
}

#[test]
fn emacs_outside_a_project() -> Result<()> {
    silent_outside(EMACS)
}

#[test]
fn vscode_outside_a_project() -> Result<()> {
    silent_outside(Program::VsCode)
}

/// Letters outside the basic plane and a file with CRLF line ends, which each editor counts and reports in its own way.
fn notes_and_carriage_returns(program: Program) -> Result<()> {
    let shown = "# 𝄞 clef\nbeat = 1\n# 𝄢 bass\n";
    let mut scene = scene(program, &shown.replace('\n', "\r\n"))?;
    scene.server_holds(shown)?;
    scene.editor.type_behind("clef")?;
    scene.editor.type_text(" e", PACE)?;
    scene.other.insert(2, "𝅘𝅥𝅮 ")?;
    let expected = "# 𝅘𝅥𝅮 𝄞 clef e\nbeat = 1\n# 𝄢 bass\n";
    scene.server_holds(expected)?;
    scene.editor.rest()?;
    let file = scene.dir.path().join(FILE);
    until_or(
        "the file to be saved with its own line ends",
        || {
            scene.editor.save().ok()?;
            (fs::read_to_string(&file).ok()? == expected.replace('\n', "\r\n")).then_some(())
        },
        || format!("{:?}", fs::read_to_string(&file)),
    )
    .context("CRLF")
}

#[test]
fn neovim_with_notes_and_carriage_returns() -> Result<()> {
    notes_and_carriage_returns(NEOVIM)
}

#[test]
fn helix_with_notes_and_carriage_returns() -> Result<()> {
    notes_and_carriage_returns(HELIX)
}

#[test]
fn emacs_with_notes_and_carriage_returns() -> Result<()> {
    notes_and_carriage_returns(EMACS)
}

#[test]
fn vscode_with_notes_and_carriage_returns() -> Result<()> {
    notes_and_carriage_returns(Program::VsCode)
}
