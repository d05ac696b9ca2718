//! `cargo xtask run [DIR]`: from a fresh clone to a link that opens in a browser.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Instant, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::command;
use crate::tools::{cargo, repository, target};

const README: &str = include_str!("../../README.md");

/// What `cargo xtask run` is told.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The directory to share; a copy of the sample project if none is given.
    dir: Option<PathBuf>,
    /// The address and port to serve on.
    #[arg(long, default_value = "127.0.0.1:4400")]
    listen: SocketAddr,
}

/// Builds, serves, shares, prints, and stays until Ctrl-C.
pub(crate) fn run(args: &Args) -> Result<()> {
    let start = Instant::now();
    free(args.listen)?;
    let dir = match &args.dir {
        Some(dir) => directory(dir)?,
        None => sample()?,
    };
    // The development profile: a newcomer waits for the first build, and it is done in about half the time of an
    // optimised one. The dependencies, where the time of a running server goes, are optimised in both.
    println!("building the server, its web client and the bridge …");
    command::run(&mut cargo(&[
        "build",
        "--quiet",
        "--package",
        "tutti-server",
        "--package",
        "tutti",
        "--bins",
    ])?)?;

    // Ctrl-C must not end us before the server has written everything down.
    let (stop, stopped) = mpsc::channel();
    let interrupt = stop.clone();
    ctrlc::set_handler(move || {
        // Fails only once we are already stopping.
        let _ = interrupt.send(Stop::Interrupted);
    })?;
    let mut server = Server::start(args.listen, stop)?;
    let link = share(&dir, &server.url);
    match &link {
        Ok(link) => println!("{}", invitation(&dir, link, start.elapsed().as_secs_f64())),
        Err(_) => {
            server.stop()?;
        }
    }
    link?;
    match stopped.recv()? {
        Stop::Interrupted => {
            println!("\nstopping the server …");
            let status = server.stop()?;
            if !status.success() {
                bail!("the server did not stop cleanly ({status})");
            }
            println!("stopped; everything typed is stored");
            Ok(())
        }
        Stop::ServerEnded => bail!("the server ended by itself ({})", server.child.wait()?),
    }
}

/// The directory to share, which must be one before anything is built for it.
fn directory(dir: &Path) -> Result<PathBuf> {
    let no_directory = || format!("{} is no directory to share", dir.display());
    let found = fs::canonicalize(dir).with_context(no_directory)?;
    ensure!(found.is_dir(), no_directory());
    Ok(found)
}

/// Fails with advice when the address is taken.
fn free(address: SocketAddr) -> Result<()> {
    if let Err(error) = TcpListener::bind(address) {
        bail!(
            "cannot serve on {address}: {error}. If another `cargo xtask run` or tutti-server is running, stop it, or choose another port: `cargo xtask run --listen 127.0.0.1:0`"
        );
    }
    Ok(())
}

/// A fresh copy of the sample project; an earlier copy stays, since someone may have typed into it.
fn sample() -> Result<PathBuf> {
    let from = repository().join("samples/orchestra");
    let seconds = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)?
        .as_secs();
    let to = target().join(format!("samples/orchestra-{seconds}"));
    for entry in ignore::WalkBuilder::new(&from).build() {
        let entry = entry?;
        let copy = to.join(entry.path().strip_prefix(&from)?);
        if entry.path().is_dir() {
            fs::create_dir_all(&copy)?;
        } else {
            fs::copy(entry.path(), &copy)?;
        }
    }
    Ok(to)
}

enum Stop {
    Interrupted,
    ServerEnded,
}

struct Server {
    child: Child,
    url: String,
}

impl Server {
    /// Starts the server and waits until it listens. `stop` hears when its output ends, which is when it ends.
    fn start(listen: SocketAddr, stop: mpsc::Sender<Stop>) -> Result<Self> {
        let mut command = Command::new(target().join("debug/tutti-server"));
        command
            .arg("--listen")
            .arg(listen.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        // A process group of its own: Ctrl-C reaches only us, and we stop it when it is time.
        command.process_group(0);
        let mut child = command
            .spawn()
            .context("tutti-server could not be started")?;
        let mut lines = BufReader::new(child.stdout.take().context("no standard output")?).lines();
        let url = loop {
            let Some(line) = lines.next().transpose()? else {
                bail!("tutti-server ended before it listened ({})", child.wait()?);
            };
            println!("{line}");
            if let Some(url) = line.strip_prefix("listening on ") {
                break url.trim().to_owned();
            }
        };
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                println!("{line}");
            }
            // Fails only once we are already stopping.
            let _ = stop.send(Stop::ServerEnded);
        });
        Ok(Self { child, url })
    }

    /// Asks the server to stop, as a service manager would, and waits for it.
    fn stop(&mut self) -> Result<ExitStatus> {
        command::run(
            Command::new("kill")
                .arg("-TERM")
                .arg(self.child.id().to_string())
                // A second Ctrl-C would end it before it is through.
                .process_group(0),
        )?;
        Ok(self.child.wait()?)
    }
}

/// Shares the directory, or makes a further link where it is shared already, though the server may have had another
/// port then. Returns a link to edit.
fn share(dir: &Path, server: &str) -> Result<String> {
    let tutti = || Command::new(target().join("debug/tutti"));
    if dir.join(".tutti/project.toml").exists() {
        let mut link = tutti();
        link.args(["link", "--role", "editor", "--server", server]);
        let link = command::output(link.current_dir(dir))?.trim().to_owned();
        command::output(tutti().args(["join", "--merge", &link]).arg(dir))?;
        return Ok(link);
    }
    let line = command::output(
        tutti()
            .arg("share")
            .arg(dir)
            .args(["--server", server, "--json"]),
    )?;
    let shared: Value =
        serde_json::from_str(line.trim()).context("`tutti share --json` wrote no JSON")?;
    shared["editor_link"]
        .as_str()
        .map(str::to_owned)
        .context("`tutti share --json` named no editor_link")
}

/// What the newcomer does next.
fn invitation(dir: &Path, link: &str, seconds: f64) -> String {
    let binaries = target().join("debug");
    let set_ups = ["Neovim", "Helix", "Emacs"].map(set_up).concat();
    format!(
        "
{dir} is shared, {seconds:.1} s after the start. Everyone who has this link can edit:

  {link}

Open it in a browser. Or join in an editor, in another terminal:

  export PATH={binaries}:$PATH
  tutti join '{link}' my-copy

and open a file of my-copy. The editor needs these lines once:
{set_ups}
Ctrl-C stops the server.",
        dir = dir.display(),
        binaries = binaries.display(),
    )
}

/// An editor's set-up as README has it: the text beneath its heading, indented.
fn set_up(editor: &str) -> String {
    let section = README
        .split("\n### ")
        .find_map(|section| section.strip_prefix(editor))
        .and_then(|section| section.split("\n#").next())
        .unwrap_or_default();
    let lines = section
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("```"))
        .map(|line| format!("    {line}\n"))
        .collect::<String>();
    format!("\n  {editor}\n{lines}")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{directory, set_up};

    #[test]
    fn only_a_directory_is_shared() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        assert!(directory(here).is_ok());
        for wrong in ["Cargo.toml", "missing"] {
            let refusal = directory(&here.join(wrong)).unwrap_err().to_string();
            assert!(refusal.ends_with("is no directory to share"), "{refusal}");
        }
    }

    #[test]
    fn every_editors_lines_are_found() {
        assert!(set_up("Neovim").contains("vim.lsp.start("));
        assert!(set_up("Helix").contains("language-server.tutti = "));
        let emacs = set_up("Emacs");
        assert!(emacs.contains("(require 'eglot)"));
        assert!(!emacs.contains("VS Code"));
    }
}
