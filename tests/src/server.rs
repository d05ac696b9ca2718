//! A `tutti-server` process with a data directory of its own.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::rest::Rest;
use crate::tools;
use crate::wait::until_or;

/// A running server; dropped, it is killed.
pub struct Server {
    data: TempDir,
    words: Words,
    address: SocketAddr,
    child: Child,
    log: Log,
}

/// How it is called.
#[derive(Clone, Debug, Default)]
struct Words {
    /// A shell's words that end in starting what follows them.
    before: Vec<String>,
    arguments: Vec<String>,
}

/// What a process has written so far.
pub type Log = Arc<Mutex<String>>;

impl Server {
    /// Starts a server on a free port of this machine.
    ///
    /// # Errors
    /// When it does not come to listen.
    pub fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// As [`Self::start`], with more arguments.
    ///
    /// # Errors
    /// When it does not come to listen.
    pub fn start_with(arguments: &[&str]) -> Result<Self> {
        let arguments = arguments.iter().map(|&word| word.to_owned()).collect();
        Self::start_as(Words {
            arguments,
            ..Words::default()
        })
    }

    /// As [`Self::start`], so that a file that may not grow is an error of writing and not the end of the process.
    /// That is what [`Self::let_files_grow_to`] needs.
    ///
    /// # Errors
    /// When it does not come to listen.
    pub fn start_on_small_disk() -> Result<Self> {
        // A signal that is ignored stays so in the program that the shell becomes.
        let before = ["sh", "-c", r#"trap "" XFSZ; exec "$0" "$@""#];
        Self::start_as(Words {
            before: before.map(str::to_owned).to_vec(),
            ..Words::default()
        })
    }

    fn start_as(words: Words) -> Result<Self> {
        let data = tempfile::tempdir()?;
        let log = Log::default();
        let (child, address) = spawn(data.path(), "127.0.0.1:0", &words, &log)?;
        Ok(Self {
            data,
            words,
            address,
            child,
            log,
        })
    }

    /// Limits the size of the files that the running server writes, or lifts the limit.
    ///
    /// # Errors
    /// When it cannot be set.
    pub fn let_files_grow_to(&self, bytes: Option<u64>) -> Result<()> {
        let_files_grow_to(self.pid(), bytes)
    }

    /// `http://ADDRESS`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `ws://ADDRESS`.
    #[must_use]
    pub fn ws_url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its data directory.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.data.path().join("data")
    }

    /// The process id of the server that runs now.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything it has written to standard error and output.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().expect("no writer panics").clone()
    }

    /// The token that may do everything.
    ///
    /// # Errors
    /// When the server wrote none.
    pub fn admin_token(&self) -> Result<String> {
        let path = self.data().join("admin-token");
        let token = fs::read_to_string(&path)
            .with_context(|| format!("the server wrote no {}", path.display()))?;
        Ok(token.trim().to_owned())
    }

    /// Its REST interface, as the admin.
    ///
    /// # Errors
    /// When there is no admin token.
    pub fn rest(&self) -> Result<Rest> {
        Ok(Rest::new(self.url(), self.admin_token()?))
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When it had ended before.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the server had ended by itself ({status}):\n{}", self.log());
        }
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it again on the same port and data.
    ///
    /// # Errors
    /// When it does not come to listen.
    pub fn restart(&mut self) -> Result<()> {
        let listen = self.address.to_string();
        (self.child, self.address) = spawn(self.data.path(), &listen, &self.words, &self.log)?;
        Ok(())
    }

    /// As [`Self::restart`], by a clock that is off by so much, as libfaketime writes it (`+1h`); `None` for a right one.
    ///
    /// # Errors
    /// When there is no libfaketime (`cargo xtask setup` installs it), or the server does not come to listen.
    pub fn restart_by_clock(&mut self, off: Option<&str>) -> Result<()> {
        self.words.before = match off {
            None => Vec::new(),
            Some(off) => vec![
                "env".to_owned(),
                format!("LD_PRELOAD={}", tools::faketime()?.display()),
                format!("FAKETIME={off}"),
                // Only what calendars tell is wrong; a second lasts a second.
                "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
            ],
        };
        self.restart()
    }

    /// Stops the process where it is, without ending it, or lets it go on.
    ///
    /// # Errors
    /// When it has ended.
    pub fn hold(&self, still: bool) -> Result<()> {
        signal(self.pid(), if still { "STOP" } else { "CONT" })
    }

    /// Stops it and starts it again on another port, with the same data.
    ///
    /// # Errors
    /// When it does not come to listen.
    pub fn move_away(&mut self) -> Result<()> {
        self.stop()?;
        // Taken while the new port is chosen, so that it is another one.
        let _old = std::net::TcpListener::bind(self.address)?;
        (self.child, self.address) =
            spawn(self.data.path(), "127.0.0.1:0", &self.words, &self.log)?;
        Ok(())
    }

    /// Sends SIGTERM and waits for the end.
    ///
    /// # Errors
    /// When it does not end in time.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        signal(self.pid(), "TERM")
            .with_context(|| format!("the server had ended by itself:\n{}", self.log()))?;
        let log = self.log.clone();
        until_or(
            "the server's end after SIGTERM",
            || self.child.try_wait().ok().flatten(),
            || log.lock().expect("no writer panics").clone(),
        )
    }

    /// The memory that it holds, in bytes (resident set size).
    ///
    /// # Errors
    /// When it has ended.
    pub fn resident_bytes(&self) -> Result<u64> {
        resident_bytes(self.pid())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
        eprint!("--- server's log\n{}", self.log());
    }
}

/// Limits the size of the files that a process writes, or lifts the limit. It must survive the signal that comes of it.
///
/// # Errors
/// When it cannot be set.
pub fn let_files_grow_to(pid: u32, bytes: Option<u64>) -> Result<()> {
    let limit = bytes.map_or_else(|| "unlimited".to_owned(), |bytes| bytes.to_string());
    let status = Command::new("prlimit")
        .arg(format!("--pid={pid}"))
        .arg(format!("--fsize={limit}:unlimited"))
        .status()?;
    ensure!(status.success(), "prlimit failed ({status})");
    Ok(())
}

/// A process's resident set size in bytes, from /proc.
///
/// # Errors
/// When there is no such process.
pub fn resident_bytes(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .context("no VmRSS in /proc")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024)
}

/// Sends a process a signal.
///
/// # Errors
/// When there is no such process.
pub(crate) fn signal(pid: u32, name: &str) -> Result<()> {
    let words = [format!("-{name}"), pid.to_string()];
    let status = Command::new("kill").args(words).status()?;
    ensure!(status.success(), "kill -{name} failed ({status})");
    Ok(())
}

fn spawn(home: &Path, listen: &str, words: &Words, log: &Log) -> Result<(Child, SocketAddr)> {
    let program = tools::binaries()?.join("tutti-server");
    let mut command = match words.before.split_first() {
        None => tools::command(program, home)?,
        Some((first, others)) => {
            let mut command = tools::command(first, home)?;
            command.args(others).arg(program);
            command
        }
    };
    let mut child = command
        .args(["--listen", listen, "--data"])
        .arg(home.join("data"))
        .args(&words.arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("tutti-server could not be started")?;
    let errors = child.stderr.take().context("no standard error")?;
    record(errors, log);
    let mut lines = BufReader::new(child.stdout.take().context("no standard output")?);
    let mut line = String::new();
    loop {
        line.clear();
        if lines.read_line(&mut line)? == 0 {
            let status = child.wait()?;
            let log = log.lock().expect("no writer panics");
            bail!("the server ended before it listened ({status}):\n{log}");
        }
        log.lock().expect("no writer panics").push_str(&line);
        if let Some(url) = line.trim().strip_prefix("listening on http://") {
            let address = url.parse().with_context(|| format!("no address: {url}"))?;
            record(lines, log);
            return Ok((child, address));
        }
    }
}

/// Keeps what a process writes, and keeps its pipe from filling.
pub(crate) fn record(output: impl std::io::Read + Send + 'static, log: &Log) {
    let log = Arc::clone(log);
    thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            let mut log = log.lock().expect("no writer panics");
            log.push_str(&String::from_utf8_lossy(&line));
            log.push('\n');
        }
    });
}
