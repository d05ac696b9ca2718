//! Bad input of people: each mistake has an answer in one sentence that says what to do, and nobody else notices.

use std::fs;
use std::net::TcpListener;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use tutti_tests::browser::Browser;
use tutti_tests::cli::{Person, Ran};
use tutti_tests::project;
use tutti_tests::rest::Project;
use tutti_tests::server::Server;
use tutti_tests::tools;
use tutti_tests::witness::Witness;

struct Scene {
    server: Server,
    project: Project,
    witness: Witness,
    person: Person,
}

fn scene() -> Result<Scene> {
    let server = Server::start()?;
    let project = server.rest()?.make_project("calm")?;
    let witness = Witness::new(&server, &project)?;
    let person = Person::new("Ada")?;
    Ok(Scene {
        server,
        project,
        witness,
        person,
    })
}

/// Where there is no server.
fn nowhere() -> Result<String> {
    // The port was free a moment ago, and nobody hands it out again so soon.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    Ok(format!("http://127.0.0.1:{port}"))
}

#[test]
fn joining_by_an_unknown_link() -> Result<()> {
    let mut scene = scene()?;
    let dir = scene.person.home().join("copy");
    let to = dir.to_str().context("a path in UTF-8")?;
    let link = format!("{}/p/no-such-project#secret", scene.server.url());
    scene
        .person
        .tutti(scene.person.home(), &["join", &link, to])?
        .failure(&["link"])?;
    scene
        .person
        .tutti(
            scene.person.home(),
            &["join", "https://example.org/elsewhere", to],
        )?
        .failure_with(2, &["not a tutti link"])?;
    ensure!(!dir.exists(), "a directory was made");
    scene.witness.notices_nothing()
}

#[test]
fn joining_with_a_wrong_token() -> Result<()> {
    let mut scene = scene()?;
    let dir = scene.person.home().join("copy");
    let to = dir.to_str().context("a path in UTF-8")?;
    let link = format!("{}x", scene.project.editor_link);
    scene
        .person
        .tutti(scene.person.home(), &["join", &link, to])?
        .failure(&["link"])?;
    ensure!(!dir.exists(), "a directory was made");

    let answer = scene
        .server
        .rest()?
        .with_token("wrong")
        .get(&format!("/api/projects/{}", scene.project.id))?;
    ensure!(answer.status == 401, "{answer:?}");
    ensure!(
        answer.media_type == "application/problem+json",
        "{answer:?}"
    );
    scene.witness.notices_nothing()
}

#[test]
fn opening_a_bad_link_in_a_browser() -> Result<()> {
    let mut scene = scene()?;
    let url = scene.server.url();
    let mut browser = Browser::open(&format!("{url}/p/no-such-project#secret"))?;
    browser.message()?;
    browser.go(&format!("{}x", scene.project.editor_link))?;
    browser.message()?;
    browser.go(&format!("{url}/p/{}", scene.project.id))?;
    browser.message()?;
    scene.witness.notices_nothing()
}

#[test]
fn sharing_to_a_server_that_is_not_there() -> Result<()> {
    let person = Person::new("Ada")?;
    let dir = tempfile::tempdir()?;
    project::write(dir.path(), &[("a.txt", "a\n")])?;
    let server = nowhere()?;
    person
        .tutti(dir.path(), &["share", "--server", &server, "--token", "t"])?
        .failure(&[&server])?;
    let link = format!("{server}/p/abc#secret");
    person
        .tutti(person.home(), &["join", &link, "copy"])?
        .failure(&[&server])?;
    ensure!(
        !dir.path().join(".tutti").exists(),
        "the directory is left as it was"
    );
    ensure!(!person.home().join("copy").exists(), "a directory was made");
    let link = "http://no-such-host.invalid/p/abc#secret";
    let words = ["join", link, "copy"];
    person
        .tutti(person.home(), &words)?
        .failure(&["no-such-host.invalid", "its name is not known"])?;
    Ok(())
}

/// One of them makes a project, or none, and the links that are printed lead to what the directory names.
#[test]
fn sharing_a_directory_twice_at_once() -> Result<()> {
    let mut scene = scene()?;
    let dir = tempfile::tempdir()?;
    project::write(dir.path(), &[("a.txt", "a\n")])?;
    let (url, token) = (scene.server.url(), scene.server.admin_token()?);
    let words = ["share", "--json", "--server", &url, "--token", &token];
    let ran = std::thread::scope(|scope| {
        let share = || scene.person.tutti(dir.path(), &words);
        let (one, other) = (scope.spawn(share), scope.spawn(share));
        [one, other].map(|ran| ran.join().expect("nobody panics"))
    });
    let [one, other] = ran;
    let (one, other) = (one?, other?);
    let (good, bad) = match one.code {
        Some(0) => (one, other),
        _ => (other, one),
    };
    let shared = Project::from_json(&good.success()?.stdout)?;
    bad.failure(&[dir.path().to_str().context("a path in UTF-8")?])?;
    let named = fs::read_to_string(dir.path().join(".tutti/project.toml"))?;
    ensure!(named.contains(&shared.id), "{named} names another project");
    let files = scene.server.rest()?.files(&shared.id)?;
    ensure!(files.len() == 1, "{files:?}");
    scene.witness.notices_nothing()
}

#[test]
fn sharing_with_a_wrong_token() -> Result<()> {
    let mut scene = scene()?;
    let dir = tempfile::tempdir()?;
    project::write(dir.path(), &[("a.txt", "a\n")])?;
    scene
        .person
        .tutti(
            dir.path(),
            &["share", "--server", &scene.server.url(), "--token", "wrong"],
        )?
        .failure(&["token"])?;
    // A part of a file in its place, say.
    let pasted = "two\nlines";
    scene
        .person
        .tutti(
            dir.path(),
            &["share", "--server", &scene.server.url(), "--token", pasted],
        )?
        .failure(&["--token is no token", "on one line"])?;
    ensure!(
        !dir.path().join(".tutti").exists(),
        "the directory is left as it was"
    );
    scene.witness.notices_nothing()
}

#[test]
fn joining_into_a_directory_that_is_not_empty() -> Result<()> {
    let mut scene = scene()?;
    let theirs = tempfile::tempdir()?;
    project::write(theirs.path(), &[("a.txt", "theirs\n"), ("b.txt", "b\n")])?;
    let project = Person::new("Bob")?.share(theirs.path(), &scene.server)?;

    let mine = tempfile::tempdir()?;
    project::write(mine.path(), &[("a.txt", "mine\n"), ("c.txt", "c\n")])?;
    let to = mine.path().to_str().context("a path in UTF-8")?;
    let ran = scene
        .person
        .tutti(scene.person.home(), &["join", &project.editor_link, to])?;
    // A plain statement of what would change, and nothing lost.
    ensure!(ran.code == Some(1), "{ran:?}");
    let said = format!("{}{}", ran.stdout, ran.stderr);
    ensure!(
        said.contains("a.txt") && said.contains("not empty"),
        "{ran:?}"
    );
    ensure!(fs::read_to_string(mine.path().join("a.txt"))? == "mine\n");
    ensure!(fs::read_to_string(mine.path().join("c.txt"))? == "c\n");
    ensure!(!mine.path().join("b.txt").exists());
    scene.witness.notices_nothing()
}

#[test]
fn joining_where_nothing_can_be_written() -> Result<()> {
    let mut scene = scene()?;
    let home = scene.person.home().to_owned();
    let once = |ran: &Ran| {
        let count = ran.stderr.matches("os error").count();
        ensure!(count == 1, "the reason, {count} times: {}", ran.stderr);
        Ok(())
    };
    let to = |dir: &std::path::Path| dir.to_str().map(str::to_owned).context("a path in UTF-8");
    let link = &scene.project.editor_link;
    // Where the credentials should lie is a file.
    fs::create_dir_all(home.join("config"))?;
    fs::write(home.join("config/tutti"), "")?;
    let dir = home.join("copy");
    let ran = scene.person.tutti(&home, &["join", link, &to(&dir)?])?;
    once(&ran.failure(&["credentials.toml"])?)?;
    ensure!(!dir.join(".tutti").exists(), "the join was begun");

    fs::remove_file(home.join("config/tutti"))?;
    let taken = home.join("taken");
    fs::create_dir(&taken)?;
    fs::write(taken.join(".tutti"), "")?;
    let words = ["join", "--merge", link, &to(&taken)?];
    once(&scene.person.tutti(&home, &words)?.failure(&[".tutti"])?)?;
    let kept = fs::read_to_string(home.join("config/tutti/credentials.toml"))?;
    ensure!(
        !kept.contains("taken"),
        "what was not begun is kept: {kept}"
    );
    scene.witness.notices_nothing()
}

/// In a clone of the project's repository the link is for that, not for a directory within it.
#[test]
fn joining_without_a_name_in_a_directory_of_that_name() -> Result<()> {
    let scene = scene()?;
    let link = scene.project.editor_link.as_str();
    let clone = scene.person.home().join("calm");
    fs::create_dir(&clone)?;
    fs::write(clone.join("own.txt"), "own\n")?;
    let refused = scene.person.tutti(&clone, &["join", link])?;
    let said = &refused.stderr;
    let is_clear = said.contains("own.txt") && said.contains("--merge");
    ensure!(refused.code == Some(1) && is_clear, "{refused:?}");
    let joined = scene.person.tutti(&clone, &["join", "--merge", link])?;
    joined.success()?;
    ensure!(
        clone.join(".tutti/project.toml").exists(),
        "it is not the clone"
    );
    ensure!(!clone.join("calm").exists(), "another one was made within");
    let elsewhere = scene
        .person
        .tutti(scene.person.home(), &["join", link, "calm/../other"])?;
    let said = elsewhere.success()?.stdout;
    ensure!(!said.contains(".."), "{said}");
    Ok(())
}

#[test]
fn a_server_that_has_moved() -> Result<()> {
    let mut server = Server::start()?;
    let person = Person::new("Ada")?;
    let dir = tempfile::tempdir()?;
    project::write(dir.path(), &[("a.txt", "one\n")])?;
    let shared = person.share(dir.path(), &server)?;
    let before = server.url();
    server.move_away()?;
    let now = server.url();
    ensure!(before != now, "the same address: {now}");

    let words = ["link", "--role", "editor", "--server", &now];
    let link = person.tutti(dir.path(), &words)?.success()?;
    let link = link.stdout.trim().to_owned();
    ensure!(link.starts_with(&now), "{link}");
    let root = dir.path().to_str().context("a path in UTF-8")?;
    person
        .tutti(dir.path(), &["join", &link, root])?
        .failure(&["has moved", "--merge"])?;
    person
        .tutti(dir.path(), &["join", "--merge", &link, root])?
        .success()?;
    let status = person.tutti(dir.path(), &["status"])?;
    let said = status.success()?.stdout;
    ensure!(said.contains("reachable, you may edit"), "{said}");
    ensure!(
        said.contains("1 file in step with the project, 0 changed"),
        "{said}"
    );
    ensure!(said.contains(&now) && !said.contains(&before), "{said}");
    let files = server.rest()?.files(&shared.id)?;
    ensure!(files.len() == 1, "{files:?}");
    Ok(())
}

#[test]
fn asking_where_no_project_is() -> Result<()> {
    let person = Person::new("Ada")?;
    let dir = tempfile::tempdir()?;
    for words in [&["status"][..], &["leave"]] {
        person
            .tutti(dir.path(), words)?
            .failure(&["no project", "tutti share", "tutti join"])?;
    }
    ensure!(
        fs::read_dir(dir.path())?.next().is_none(),
        "something was written"
    );
    Ok(())
}

#[test]
fn serving_on_a_port_that_is_taken() -> Result<()> {
    let mut scene = scene()?;
    let home = tempfile::tempdir()?;
    let address = scene.server.address().to_string();
    let data = home.path().join("data");
    let data = data.to_str().context("a path in UTF-8")?;
    serve(&home, &["--listen", &address, "--data", data])?.failure(&[&address, "--listen"])?;
    scene.witness.notices_nothing()
}

#[test]
fn serving_from_a_directory_that_cannot_be_written() -> Result<()> {
    let home = tempfile::tempdir()?;
    // Beneath a file nobody can write, the administrator included.
    project::write(home.path(), &[("file", "")])?;
    let data = home.path().join("file/data");
    let data = data.to_str().context("a path in UTF-8")?;
    serve(&home, &["--listen", "127.0.0.1:0", "--data", data])?.failure(&[data, "--data"])?;
    Ok(())
}

#[test]
fn serving_from_a_directory_that_is_served_already() -> Result<()> {
    let mut scene = scene()?;
    let home = tempfile::tempdir()?;
    let data = scene.server.data();
    let data = data.to_str().context("a path in UTF-8")?;
    serve(&home, &["--listen", "127.0.0.1:0", "--data", data])?.failure(&[data, "--data"])?;
    scene.witness.notices_nothing()
}

#[test]
fn serving_from_a_database_that_is_none() -> Result<()> {
    let home = tempfile::tempdir()?;
    let data = home.path().join("data");
    for database in ["documents.db", "directory.db"] {
        project::write(&data, &[(database, &"no database at all ".repeat(100))])?;
        let data = data.to_str().context("a path in UTF-8")?;
        serve(&home, &["--listen", "127.0.0.1:0", "--data", data])?
            .failure(&[database, "damaged", "backup"])?;
        fs::remove_dir_all(data)?;
    }
    Ok(())
}

/// Runs the server to its end.
fn serve(home: &tempfile::TempDir, words: &[&str]) -> Result<Ran> {
    let output = tools::command(tools::binaries()?.join("tutti-server"), home.path())?
        .args(words)
        .stdin(Stdio::null())
        .output()?;
    Ok(Ran::new(
        &format!("tutti-server {}", words.join(" ")),
        &output,
    ))
}
