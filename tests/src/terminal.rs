//! A terminal program under real keys, in a tmux server of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::tools;
use crate::wait::until_or;

/// A terminal of 120 columns and 40 lines with one program in it; dropped, both are ended.
pub struct Terminal {
    socket: PathBuf,
    home: PathBuf,
}

impl Terminal {
    /// Starts `program` in `dir`; its configuration lies beneath `home`.
    ///
    /// # Errors
    /// When tmux cannot start it.
    pub fn start(
        home: &Path,
        dir: &Path,
        program: &str,
        environment: &[(String, String)],
    ) -> Result<Self> {
        // tmux takes socket paths of at most 107 bytes, so it lies in the home and not deeper.
        let terminal = Self {
            socket: home.join("tmux"),
            home: home.to_owned(),
        };
        let dir = dir.to_str().context("a path in UTF-8")?;
        let mut words = vec![
            // A lone Escape is passed on at once.
            "set-option",
            "-g",
            "escape-time",
            "0",
            ";",
            "set-option",
            "-g",
            "default-terminal",
            "screen-256color",
            ";",
            // A program that ends leaves its last screen to be looked at.
            "set-option",
            "-g",
            "remain-on-exit",
            "on",
            ";",
            "new-session",
            "-d",
            "-x",
            "120",
            "-y",
            "40",
            "-c",
            dir,
        ];
        let pairs: Vec<String> = environment
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        for pair in &pairs {
            words.extend(["-e", pair]);
        }
        words.push(program);
        terminal.tmux(&words)?;
        Ok(terminal)
    }

    /// Presses named keys: `Escape`, `Enter`, `C-x`.
    ///
    /// A terminal program reads an Escape with a key right behind it as Alt and that key, so after one wait for the
    /// screen to change.
    ///
    /// # Errors
    /// When the program has ended.
    pub fn keys(&self, names: &[&str]) -> Result<()> {
        let mut words = vec!["send-keys"];
        words.extend(names);
        self.tmux(&words).map(drop)
    }

    /// Types a text, as one burst of keystrokes.
    ///
    /// # Errors
    /// When the program has ended.
    pub fn text(&self, text: &str) -> Result<()> {
        // tmux ends a command at a word whose last letter is a semicolon.
        let escaped = match text.strip_suffix(';') {
            Some(before) => format!("{before}\\;"),
            None => text.to_owned(),
        };
        self.tmux(&["send-keys", "-l", "--", &escaped]).map(drop)
    }

    /// Pastes a text, which the program is told apart from typing if it asked for that (bracketed paste).
    ///
    /// # Errors
    /// When the program has ended.
    pub fn paste(&self, text: &str) -> Result<()> {
        let file = self.home.join("clipboard");
        std::fs::write(&file, text)?;
        let file = file.to_str().context("a path in UTF-8")?;
        self.tmux(&["load-buffer", file, ";", "paste-buffer", "-p"])
            .map(drop)
    }

    /// What it shows.
    ///
    /// # Errors
    /// When the program has ended.
    pub fn screen(&self) -> Result<String> {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Waits until its screen shows `text`.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn shows(&self, text: &str) -> Result<()> {
        self.screen_is(&format!("the screen to show `{text}`"), |screen| {
            screen.contains(text)
        })
    }

    /// Waits until `accept` takes its screen.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn screen_is(&self, what: &str, accept: impl Fn(&str) -> bool) -> Result<()> {
        until_or(
            what,
            || self.screen().ok().filter(|screen| accept(screen)),
            || self.screen().unwrap_or_else(|error| error.to_string()),
        )
        .map(drop)
    }

    /// Waits until the program has ended.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn ended(&self) -> Result<()> {
        until_or(
            "the program to end",
            || {
                let dead = self.tmux(&["display-message", "-p", "#{pane_dead}"]).ok()?;
                (dead.trim() == "1").then_some(())
            },
            || self.screen().unwrap_or_else(|error| error.to_string()),
        )
    }

    fn tmux(&self, words: &[&str]) -> Result<String> {
        let output = self.command()?.args(words).output()?;
        if !output.status.success() {
            bail!(
                "tmux {}: {}",
                words.join(" "),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn command(&self) -> Result<Command> {
        let mut tmux = tools::command("tmux", &self.home)?;
        tmux.arg("-S")
            .arg(&self.socket)
            .args(["-f", "/dev/null", "-u", "start-server", ";"]);
        Ok(tmux)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Ok(screen) = self.screen() {
            eprintln!(
                "--- {}'s screen\n{}",
                self.home.display(),
                screen.trim_end()
            );
        }
        // The server may have ended by itself; then there is nothing to end.
        if let Ok(mut tmux) = self.command() {
            let _ = tmux.arg("kill-server").output();
        }
    }
}
