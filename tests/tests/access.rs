//! Access that changes while an editor is open: what is typed goes on to the others as soon as it may.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tutti_tests::bridge::Bridge;
use tutti_tests::cli::Person;
use tutti_tests::collab::Member;
use tutti_tests::project;
use tutti_tests::rest::Project;
use tutti_tests::server::Server;
use tutti_tests::stock::Target;
use tutti_tests::wait::until;

const FILE: &str = "score.txt";

struct Scene {
    server: Server,
    project: Project,
    ada: Person,
    /// Where Ada joins.
    mine: tempfile::TempDir,
}

fn scene() -> Result<Scene> {
    let server = Server::start()?;
    let theirs = tempfile::tempdir()?;
    project::write(theirs.path(), &[(FILE, "one\n")])?;
    let project = Person::new("Bob")?.share(theirs.path(), &server)?;
    Ok(Scene {
        server,
        project,
        ada: Person::new("Ada")?,
        mine: tempfile::tempdir()?,
    })
}

impl Scene {
    fn join(&self, link: &str) -> Result<()> {
        let to = self.mine.path().to_str().context("a path in UTF-8")?;
        self.ada
            .tutti(self.ada.home(), &["join", link, to])?
            .success()?;
        Ok(())
    }

    /// Where links are made and withdrawn.
    fn links(&self) -> String {
        format!("/api/projects/{}/links", self.project.id)
    }

    /// Has Bob make a link: its id, and the link.
    fn make_link(&self, of: &Value) -> Result<(String, String)> {
        let rest = self.server.rest()?.with_token(self.project.editor_token());
        let made = rest.post(&self.links(), of)?.json()?;
        let text = |name: &str| made[name].as_str().map(str::to_owned).context("no link");
        Ok((text("id")?, text("link")?))
    }

    fn server_holds(&self, text: &str, editor: &mut Bridge) -> Result<()> {
        let rest = self.server.rest()?;
        let id = rest.file_id(&self.project.id, FILE)?;
        until("the server to hold it", || {
            editor.catch_up().ok()?;
            let stored = rest.text(&self.project.id, &id).ok()?;
            (stored == text).then_some(())
        })
    }
}

fn is_told(editor: &mut Bridge, words: &str) -> Result<()> {
    until("her to be told", || {
        editor.catch_up().ok()?;
        let mut told = editor.told().iter();
        told.any(|told| told.contains(words)).then_some(())
    })
}

#[test]
fn a_viewer_who_may_edit_from_now_on_sends_what_was_typed() -> Result<()> {
    let scene = scene()?;
    scene.join(&scene.project.viewer_link)?;
    let mut editor = Bridge::open(&scene.ada, scene.mine.path(), FILE)?;
    editor.type_at(0, "typed as a viewer, ")?;
    is_told(&mut editor, "view-only").with_context(|| format!("{:?}", editor.told()))?;
    scene.join(&scene.project.editor_link)?;
    scene.server_holds("typed as a viewer, one\n", &mut editor)?;
    editor.type_at(0, "and more, ")?;
    scene.server_holds("and more, typed as a viewer, one\n", &mut editor)?;
    editor.quit()
}

#[test]
fn who_is_shut_out_comes_back_by_another_link() -> Result<()> {
    let scene = scene()?;
    let (id, link) = scene.make_link(&json!({ "role": "editor" }))?;
    scene.join(&link)?;
    let mut editor = Bridge::open(&scene.ada, scene.mine.path(), FILE)?;
    editor.type_at(0, "before, ")?;
    scene.server_holds("before, one\n", &mut editor)?;

    let withdrawn = scene.server.rest()?;
    let withdrawn = withdrawn.delete(&format!("{}/{id}", scene.links()))?;
    ensure!(withdrawn.status == 204, "{}", withdrawn.body);
    is_told(&mut editor, "tutti join")?;
    editor.type_at(0, "shut out, ")?;
    // As she was told to: in the directory.
    let (_, link) = scene.make_link(&json!({ "role": "editor" }))?;
    let renewed = scene.ada.tutti(scene.mine.path(), &["join", &link])?;
    let renewed = renewed.success()?.stdout;
    ensure!(
        renewed.contains("your access was renewed: you may edit"),
        "{renewed}"
    );
    scene.server_holds("shut out, before, one\n", &mut editor)?;
    // The way back is open too.
    let mut other = Member::join(
        Target {
            server: &scene.server.ws_url(),
            project: &scene.project.id,
            document: &scene.server.rest()?.file_id(&scene.project.id, FILE)?,
            token: scene.project.editor_token(),
        },
        7,
    )?;
    other.append("two\n")?;
    editor.text_is(|text| text == "shut out, before, one\ntwo\n")?;
    editor.type_at(0, "after, ")?;
    scene.server_holds("after, shut out, before, one\ntwo\n", &mut editor)?;
    // Nothing is left of it: all is saved, and once the file is closed it follows the others.
    until("all to be saved", || {
        editor.catch_up().ok()?;
        let status = scene.ada.tutti(scene.mine.path(), &["status"]).ok()?;
        (!status.stdout.contains("confirmed")).then_some(())
    })?;
    editor.close()?;
    other.append("three\n")?;
    until("the file to follow", || {
        let text = std::fs::read_to_string(scene.mine.path().join(FILE)).ok()?;
        text.ends_with("two\nthree\n").then_some(())
    })?;
    editor.quit()
}

/// A link for one person is not used up by a join that was refused here.
#[test]
fn a_link_for_one_lets_in_who_has_to_ask_twice() -> Result<()> {
    let scene = scene()?;
    let (_, link) = scene.make_link(&json!({ "role": "editor", "max_uses": 1 }))?;
    let link = link.as_str();
    project::write(scene.mine.path(), &[(FILE, "mine\n")])?;
    let to = scene.mine.path().to_str().context("a path in UTF-8")?;
    let refused = scene.ada.tutti(scene.ada.home(), &["join", link, to])?;
    ensure!(refused.code == Some(1), "{refused:?}");
    let words = ["join", "--merge", link, to];
    scene.ada.tutti(scene.ada.home(), &words)?.success()?;
    // Nor by what the same person does with it then: who joins once more, or elsewhere as well.
    scene
        .ada
        .tutti(scene.mine.path(), &["join", link])?
        .success()?;
    scene
        .ada
        .tutti(scene.ada.home(), &["join", link, "another"])?
        .success()?;
    // Somebody else it does not.
    let bob = Person::new("Bob")?;
    bob.tutti(bob.home(), &["join", link, "copy"])?
        .failure(&["used"])?;
    Ok(())
}

/// The editor that is open follows its project to the server's new address, too.
#[test]
fn who_has_an_editor_open_follows_a_server_that_has_moved() -> Result<()> {
    let mut scene = scene()?;
    scene.join(&scene.project.editor_link)?;
    let mut editor = Bridge::open(&scene.ada, scene.mine.path(), FILE)?;
    editor.type_at(0, "before, ")?;
    scene.server_holds("before, one\n", &mut editor)?;
    scene.server.move_away()?;
    editor.type_at(0, "meanwhile, ")?;
    let words = ["link", "--role", "editor", "--server", &scene.server.url()];
    let link = scene.ada.tutti(scene.mine.path(), &words)?.success()?;
    let to = scene.mine.path().to_str().context("a path in UTF-8")?;
    let words = ["join", "--merge", link.stdout.trim(), to];
    scene.ada.tutti(scene.ada.home(), &words)?.success()?;
    scene.server_holds("meanwhile, before, one\n", &mut editor)?;
    editor.type_at(0, "after, ")?;
    scene.server_holds("after, meanwhile, before, one\n", &mut editor)?;
    editor.quit()
}
