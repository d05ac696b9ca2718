//! Versions: a restore is typing to everybody who is there, takes nothing away that is typed meanwhile, and can be taken
//! back.

use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;
use tutti_tests::bridge::Bridge;
use tutti_tests::cli::Person;
use tutti_tests::project;
use tutti_tests::rest::{Project, Rest};
use tutti_tests::server::Server;
use tutti_tests::stock::{Clients, Target};
use tutti_tests::wait::until;

const FILE: &str = "a.txt";
const TEXT: &str = "one\ntwo 𝄞\nthree\n";

/// A project that Ada has shared.
struct Scene {
    server: Server,
    project: Project,
    ada: Person,
    dir: TempDir,
    rest: Rest,
}

impl Scene {
    fn new() -> Result<Self> {
        let server = Server::start()?;
        let ada = Person::new("Ada")?;
        let dir = tempfile::tempdir()?;
        project::write(dir.path(), &[(FILE, TEXT), ("b.txt", "other\n")])?;
        let project = ada.share(dir.path(), &server)?;
        let rest = Rest::new(server.url(), project.editor_token().to_owned());
        Ok(Self {
            server,
            project,
            ada,
            dir,
            rest,
        })
    }

    fn path(&self, rest: &str) -> String {
        format!("/api/projects/{}{rest}", self.project.id)
    }

    /// Makes a version, and returns its number.
    fn make(&self, name: &str) -> Result<u64> {
        let made = self
            .rest
            .post(&self.path("/versions"), &json!({ "name": name }))?;
        ensure!(made.status == 201, "{made:?}");
        made.json()?["version"].as_u64().context("a number")
    }

    fn text_of(&self, version: u64, file: &str) -> Result<String> {
        let path = self.path(&format!("/versions/{version}/files/{file}/text"));
        let answer = self.rest.get(&path)?;
        ensure!(answer.status == 200, "{answer:?}");
        Ok(answer.body)
    }
}

fn restore(rest: &Rest, project: &str, version: u64) -> Result<Value> {
    let path = format!("/api/projects/{project}/versions/{version}/restore");
    let restored = rest.post(&path, &json!({}))?;
    ensure!(restored.status == 200, "{restored:?}");
    restored.json()
}

/// Two stock clients type while a version is restored.
#[test]
fn to_stock_clients_a_restore_is_typing_and_what_they_type_meanwhile_stays() -> Result<()> {
    let scene = Scene::new()?;
    let id = scene.rest.file_id(&scene.project.id, FILE)?;
    let url = scene.server.ws_url();
    let to = Target {
        server: &url,
        project: &scene.project.id,
        document: &id,
        token: scene.project.editor_token(),
    };
    let people = ["y-websocket-3", "hocuspocus-provider-4"];
    let mut clients = Clients::start()?;
    for package in people {
        clients.connect(package, package, to)?;
        clients.wait(package, "text", &json!(TEXT))?;
    }
    let version = scene.make("first")?;
    clients.insert(people[0], 0, "zero\n")?;
    clients.wait(people[1], "text", &json!(format!("zero\n{TEXT}")))?;

    let restoring = std::thread::spawn({
        let (rest, project) = (scene.rest.clone(), scene.project.id.clone());
        move || restore(&rest, &project, version)
    });
    let mut typed = Vec::new();
    while !restoring.is_finished() || typed.len() < 10 {
        for person in people {
            let word = format!("<{}>", typed.len());
            clients.insert(person, 0, &word)?;
            typed.push(word);
        }
    }
    let restored = restoring
        .join()
        .map_err(|_| anyhow::anyhow!("it panicked"))??;
    let before = restored["before"].as_u64().context("a number")?;

    // Both still type into the same text, and it is the server's too.
    clients.insert(people[0], 0, "<end>")?;
    let kept = scene.text_of(before, &id)?;
    let end = until("all to have one text, with all that was typed", || {
        let text = scene.rest.text(&scene.project.id, &id).ok()?;
        let same = people
            .iter()
            .all(|person| clients.text(person).ok().as_ref() == Some(&text));
        let has = |word: &String| text.contains(word) || kept.contains(word);
        (same && text.contains("<end>") && typed.iter().all(has)).then_some(text)
    })?;
    let mut left = end.replace("<end>", "");
    for word in &typed {
        let (here, there) = (
            end.matches(word.as_str()).count(),
            kept.matches(word.as_str()).count(),
        );
        ensure!(
            here + there == 1,
            "{word}: {here} in {end:?}, {there} in {kept:?}"
        );
        left = left.replace(word.as_str(), "");
    }
    ensure!(left == TEXT, "{left:?}");

    // What was there before comes back in the same way.
    restore(&scene.rest, &scene.project.id, before)?;
    for person in people {
        clients.wait(person, "text", &json!(kept))?;
    }
    Ok(())
}

/// To a bridge and its editor, too; and files come and go on the disk.
#[test]
fn a_restore_reaches_editors_and_directories() -> Result<()> {
    let scene = Scene::new()?;
    let dir = scene.dir.path();
    let id = scene.rest.file_id(&scene.project.id, "b.txt")?;
    let mut editor = Bridge::open(&scene.ada, dir, FILE)?;
    let version = scene.make("first")?;

    editor.type_at(0, "zero\n")?;
    fs::remove_file(dir.join("b.txt"))?;
    fs::write(dir.join("new.txt"), "new\n")?;
    until("the project to have what Ada did", || {
        let files = scene.rest.files(&scene.project.id).ok()?;
        let paths: Vec<&str> = files.iter().map(|(_, path)| path.as_str()).collect();
        (paths == [FILE, "new.txt"]).then_some(())
    })?;
    until("what Ada typed to be there", || {
        let id = scene.rest.file_id(&scene.project.id, FILE).ok()?;
        let text = scene.rest.text(&scene.project.id, &id).ok()?;
        text.starts_with("zero").then_some(())
    })?;

    let restored = restore(&scene.rest, &scene.project.id, version)?;
    ensure!(
        restored["changed"] == 1 && restored["returned"] == 1 && restored["deleted"] == 1,
        "{restored}"
    );
    editor.text_is(|text| text == TEXT)?;
    until("the files to be there as they were", || {
        let back = fs::read_to_string(dir.join("b.txt")).ok()?;
        (back == "other\n" && !dir.join("new.txt").exists()).then_some(())
    })?;
    let back = scene.rest.file_id(&scene.project.id, "b.txt")?;
    ensure!(back == id, "it is the same document");
    // Ada was in the project.
    let versions = scene.rest.get(&scene.path("/versions"))?.json()?;
    ensure!(versions[0]["reason"] == "before_restore", "{versions}");
    ensure!(versions[0]["people"] == json!(["Ada"]), "{versions}");
    Ok(())
}

/// The same from a terminal.
#[test]
fn versions_are_listed_and_restored_from_a_terminal() -> Result<()> {
    let scene = Scene::new()?;
    let (ada, dir) = (&scene.ada, scene.dir.path());
    let none = ada.tutti(dir, &["log"])?.success()?;
    ensure!(
        none.stdout.is_empty() && none.stderr.contains("no version yet"),
        "{none:?}"
    );
    scene.make("before the rewrite")?;
    let listed = ada.tutti(dir, &["log"])?.success()?.stdout;
    ensure!(
        listed.lines().count() == 1 && listed.contains("\"before the rewrite\"  2 files"),
        "{listed}"
    );
    fs::create_dir(dir.join("src"))?;
    let mut editor = Bridge::open(ada, dir, FILE)?;
    editor.type_at(0, "zero\n")?;
    let id = scene.rest.file_id(&scene.project.id, FILE)?;
    let is_typed = |text: &str| text.starts_with("zero");
    until("what Ada typed to be there", || {
        let text = scene.rest.text(&scene.project.id, &id).ok()?;
        is_typed(&text).then_some(())
    })?;
    // From where one stands.
    let there = dir.join("src");
    let restored = ada
        .tutti(&there, &["restore", "1", "../a.txt"])?
        .success()?;
    ensure!(
        restored.stdout
            == "Restored version 1: 1 file changed; `tutti restore 2 ../a.txt` takes this back\n",
        "{restored:?}"
    );
    editor.text_is(|text| text == TEXT)?;
    let json = ada
        .tutti(dir, &["restore", "2", "--json"])?
        .success()?
        .stdout;
    let json: Value = serde_json::from_str(&json)?;
    ensure!(json["changed"] == 1, "{json}");
    editor.text_is(is_typed)?;
    let all = ada
        .tutti(dir, &["log", "--json", "--limit", "2"])?
        .success()?
        .stdout;
    let all: Value = serde_json::from_str(&all)?;
    ensure!(all.as_array().is_some_and(|all| all.len() == 2), "{all}");

    let out = ada.home();
    ada.tutti(out, &["log"])?.failure(&["tutti join"])?;
    ada.tutti(dir, &["restore", "77"])?
        .failure(&["no such version"])?;
    ada.tutti(dir, &["restore", "1", "none"])?
        .failure(&["no file at this path"])?;
    ada.tutti(dir, &["restore", "1", "/etc/passwd"])?
        .failure(&["not in this project"])?;
    ada.tutti(dir, &["restore", "1", ".git/config"])?
        .failure(&["no path"])?;
    let words = ada.tutti(dir, &["restore", "first"])?;
    ensure!(words.code == Some(2), "{words:?}");
    let bob = Person::new("Bob")?;
    let bobs = tempfile::tempdir()?;
    bob.join(&scene.project.viewer_link, bobs.path())?;
    bob.tutti(bobs.path(), &["log"])?.success()?;
    bob.tutti(bobs.path(), &["restore", "1"])?
        .failure(&["viewing only"])?;
    Ok(())
}
