//! A `redis-server` process on a free port of this machine.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::server::signal;
use crate::wait::until;

/// A running Redis; dropped, it is killed.
pub struct Redis {
    port: u16,
    dir: TempDir,
    child: Child,
}

impl Redis {
    /// Starts one.
    ///
    /// # Errors
    /// When there is no `redis-server` (`cargo xtask setup` installs it), or it does not come to listen.
    pub fn start() -> Result<Self> {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = free.local_addr()?.port();
        drop(free);
        let dir = tempfile::tempdir()?;
        let child = spawn(port, &dir)?;
        Ok(Self { port, dir, child })
    }

    /// What `--redis` takes.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Stops the process where it is, without ending it, or lets it go on.
    ///
    /// # Errors
    /// When it has ended.
    pub fn hold(&self, still: bool) -> Result<()> {
        signal(self.child.id(), if still { "STOP" } else { "CONT" })
    }

    /// `kill -9`.
    ///
    /// # Errors
    /// When it had ended before.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it again on the same port. It remembers nothing.
    ///
    /// # Errors
    /// When it does not come to listen.
    pub fn restart(&mut self) -> Result<()> {
        self.child = spawn(self.port, &self.dir)?;
        Ok(())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(port: u16, dir: &TempDir) -> Result<Child> {
    let child = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no"])
        .arg("--dir")
        .arg(dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .context("redis-server could not be started: `cargo xtask setup` installs it")?;
    until("Redis to listen", || {
        TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()
    })?;
    Ok(child)
}
