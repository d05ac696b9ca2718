//! A whole project on its way: `tutti share` and `tutti join` beside `git clone` and `rsync`, over
//! loopback, of one tree, in one run. Prints times, bytes on the wire, memory and ratios.
//!
//! `project TUTTI-SERVER TUTTI TREE-OR-NUMBER-OF-FILES [BYTES] [SEED]`; `cargo xtask bench --project` calls it.
#![allow(clippy::print_stdout)] // What it prints is what it is for.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// A tree is grown of so many bytes if nothing else is said.
const BYTES: usize = 100_000_000;
const SEED: u64 = 1;
/// A program that does not listen after this will not.
const PATIENCE: Duration = Duration::from_secs(20);

/// Ends with the measurement, whatever becomes of that.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended by itself is ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [server, tutti, tree, rest @ ..] = words.as_slice() else {
        bail!("usage: project TUTTI-SERVER TUTTI TREE-OR-NUMBER-OF-FILES [BYTES] [SEED]");
    };
    let place = tempfile::tempdir()?;
    let root = place.path().join("tree");
    match tree.parse::<usize>() {
        Ok(files) => {
            let bytes = rest.first().map_or(Ok(BYTES), |text| text.parse())?;
            let seed = rest.get(1).map_or(Ok(SEED), |text| text.parse())?;
            grow(&root, files, bytes, seed)?;
        }
        Err(_) => run(Command::new("cp").args(["-a", tree]).arg(&root))?,
    }
    let (files, bytes) = size(&root)?;
    println!("{files} files, {:.1} MB", mb(bytes));
    measure(place.path(), &root, Path::new(server), Path::new(tutti))
}

fn measure(place: &Path, root: &Path, server: &Path, tutti: &Path) -> Result<()> {
    println!("\n{:<12} {:>8} {:>12}", "", "seconds", "MB on wire");
    let row = |name: &str, took: Duration, wire: u64| {
        println!("{name:<12} {:>8.2} {:>12.1}", took.as_secs_f64(), mb(wire));
    };
    let (git, wire) = git_clone(place, root)?;
    row("git clone", git, wire);
    let (rsync, wire) = rsync(place, root)?;
    row("rsync", rsync, wire);

    let data = place.join("data");
    let mut child = Command::new(server)
        .args(["--listen", "127.0.0.1:0", "--data"])
        .arg(&data)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("tutti-server does not start")?;
    let output = child.stdout.take().context("it has no output")?;
    let process = Running(child);
    let url = BufReader::new(output)
        .lines()
        .map_while(Result::ok)
        .find_map(|line| Some(line.strip_prefix("listening on ")?.to_owned()))
        .context("tutti-server does not listen")?;
    let idle = resident_mb(process.0.id())?;
    let token = fs::read_to_string(data.join("admin-token"))?;
    let person = |words: &[&str]| -> Result<(Duration, u64, String)> {
        let before = on_the_wire()?;
        let start = Instant::now();
        let output = Command::new(tutti)
            .args(words)
            .env("HOME", place.join("home"))
            .env_remove("XDG_CONFIG_HOME")
            .env("TUTTI_TOKEN", token.trim())
            .env("TUTTI_NAME", "Ada")
            .output()?;
        let took = start.elapsed();
        ensure!(output.status.success(), "{words:?} failed: {output:?}");
        let said = String::from_utf8(output.stdout)?;
        Ok((took, on_the_wire()? - before, said))
    };
    let (tree, there) = (text(root)?, place.join("joined"));
    let (share, wire, said) = person(&["share", &tree, "--server", &url, "--json"])?;
    row("tutti share", share, wire);
    let shared = resident_mb(process.0.id())?;
    let said: serde_json::Value = serde_json::from_str(&said)?;
    let link = said["editor_link"].as_str().context("no link")?;
    let (join, wire, _) = person(&["join", link, &text(&there)?])?;
    row("tutti join", join, wire);
    let joined = resident_mb(process.0.id())?;
    run(Command::new("diff")
        .args(["-rq", "--exclude", ".tutti", "--exclude", ".git"])
        .args([root, &there]))?;

    println!(
        "\nserver's memory: {idle:.0} MB idle, {shared:.0} MB after share, {joined:.0} MB after join"
    );
    println!("\n{:<12} {:>14} {:>10}", "", "/ git clone", "/ rsync");
    for (name, took) in [("tutti share", share), ("tutti join", join)] {
        let ratio = |other: Duration| took.as_secs_f64() / other.as_secs_f64();
        println!("{name:<12} {:>14.2} {:>10.2}", ratio(git), ratio(rsync));
    }
    Ok(())
}

/// Grows a tree of text files, of the same content for the same numbers.
fn grow(root: &Path, files: usize, bytes: usize, seed: u64) -> Result<()> {
    let mut random = fastrand::Rng::with_seed(seed);
    let words: Vec<String> = (0..4_000)
        .map(|_| {
            (0..random.usize(2..10))
                .map(|_| random.lowercase())
                .collect()
        })
        .collect();
    let average = bytes as f64 / files.max(1) as f64;
    for number in 0..files {
        let depth = random.usize(..4);
        let mut path: PathBuf = root.to_owned();
        path.extend((0..depth).map(|_| format!("d{}", random.u8(..12))));
        fs::create_dir_all(&path)?;
        // Many small ones, a few large ones.
        let length = -(1.0 - random.f64()).ln() * average;
        let mut text = String::new();
        while (text.len() as f64) < length {
            let count = random.usize(1..12);
            let line: Vec<&str> = (0..count)
                .map(|_| words[random.usize(..words.len())].as_str())
                .collect();
            text.push_str(&"    ".repeat(random.usize(..4)));
            text.push_str(&line.join(" "));
            text.push('\n');
        }
        fs::write(path.join(format!("f{number}.rs")), text)?;
    }
    Ok(())
}

fn size(root: &Path) -> Result<(usize, u64)> {
    let (mut files, mut bytes, mut waiting) = (0, 0, vec![root.to_owned()]);
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(directory)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                waiting.push(entry.path());
            } else {
                files += 1;
                bytes += entry.metadata()?.len();
            }
        }
    }
    Ok((files, bytes))
}

/// A clone of a repository that has been packed, as on a server.
fn git_clone(place: &Path, root: &Path) -> Result<(Duration, u64)> {
    let origin = place.join("origin");
    run(Command::new("cp").arg("-a").args([root, &origin]))?;
    let git = |words: &[&str]| {
        let mut git = Command::new("git");
        git.arg("-C")
            .arg(&origin)
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@localhost"]);
        run(git.args(words))
    };
    git(&["init", "--quiet"])?;
    git(&["add", "--all", "--force"])?;
    git(&["commit", "--quiet", "--message", "all"])?;
    git(&["repack", "-adq"])?;
    let port = free_port()?;
    let _daemon = listening(
        Command::new("git").args([
            "daemon",
            "--export-all",
            "--listen=127.0.0.1",
            &format!("--port={port}"),
            &format!("--base-path={}", place.display()),
        ]),
        port,
    )?;
    timed(|| {
        let url = format!("git://127.0.0.1:{port}/origin");
        run(Command::new("git")
            .args(["clone", "--quiet", &url])
            .arg(place.join("cloned")))
    })
}

fn rsync(place: &Path, root: &Path) -> Result<(Duration, u64)> {
    let port = free_port()?;
    let configuration = place.join("rsyncd.conf");
    let mut file = fs::File::create(&configuration)?;
    writeln!(
        file,
        "port = {port}\naddress = 127.0.0.1\nuse chroot = no\n[tree]\npath = {}",
        root.display()
    )?;
    let _daemon = listening(
        Command::new("rsync")
            .args(["--daemon", "--no-detach"])
            .arg(format!("--config={}", configuration.display())),
        port,
    )?;
    timed(|| {
        let url = format!("rsync://127.0.0.1:{port}/tree/");
        run(Command::new("rsync")
            .args(["--archive", &url])
            .arg(place.join("synced")))
    })
}

fn listening(command: &mut Command, port: u16) -> Result<Running> {
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let running =
        Running(child.with_context(|| format!("{command:?} does not start; is it installed?"))?);
    let start = Instant::now();
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        ensure!(start.elapsed() < PATIENCE, "{command:?} does not listen");
        thread::sleep(Duration::from_millis(20));
    }
    Ok(running)
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn timed(work: impl FnOnce() -> Result<()>) -> Result<(Duration, u64)> {
    let before = on_the_wire()?;
    let start = Instant::now();
    work()?;
    Ok((start.elapsed(), on_the_wire()? - before))
}

/// What loopback has carried so far, in bytes; other programs' traffic counts too.
fn on_the_wire() -> Result<u64> {
    let mut text = String::new();
    fs::File::open("/proc/net/dev")?.read_to_string(&mut text)?;
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("lo:"));
    let bytes = line.and_then(|line| line.split_whitespace().next());
    Ok(bytes.context("there is no loopback")?.parse()?)
}

fn resident_mb(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kb = line.and_then(|line| line.split_whitespace().next());
    Ok(kb.context("it has ended")?.parse::<f64>()? / 1_000.0)
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn text(path: &Path) -> Result<String> {
    Ok(path.to_str().context("a path in UTF-8")?.to_owned())
}

fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("{command:?} does not start"))?;
    ensure!(status.success(), "{command:?} failed");
    Ok(())
}
