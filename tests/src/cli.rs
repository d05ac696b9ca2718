//! The `tutti` command line.

use std::path::Path;
use std::process::{Child, Output, Stdio};

use anyhow::{Context, Result, ensure};

use crate::rest::Project;
use crate::server::Server;
use crate::tools;

/// One person at a shell: a home directory of their own, where `tutti` keeps its credentials.
pub struct Person {
    home: tempfile::TempDir,
    name: String,
}

impl Person {
    /// A person with an empty home.
    ///
    /// # Errors
    /// When there is no room for one.
    pub fn new(name: &str) -> Result<Self> {
        Ok(Self {
            home: tempfile::tempdir()?,
            name: name.to_owned(),
        })
    }

    /// Their home directory.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The name that others see.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `tutti WORDS` in `dir` to its end, whatever that is.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn tutti(&self, dir: &Path, words: &[&str]) -> Result<Ran> {
        let output = tools::command(tools::binaries()?.join("tutti"), self.home())?
            .args(words)
            .env("TUTTI_NAME", &self.name)
            .current_dir(dir)
            .stdin(Stdio::null())
            .output()
            .context("tutti could not be started")?;
        Ok(Ran::new(&format!("tutti {}", words.join(" ")), &output))
    }

    /// Starts `tutti WORDS` in `dir`, and leaves it to the caller to end it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, dir: &Path, words: &[&str]) -> Result<Child> {
        tools::command(tools::binaries()?.join("tutti"), self.home())?
            .args(words)
            .env("TUTTI_NAME", &self.name)
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("tutti could not be started")
    }

    /// What `tutti share DIR` to this server says, with its admin token.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn shares(&self, dir: &Path, server: &Server) -> Result<Ran> {
        let (url, token) = (server.url(), server.admin_token()?);
        let words = ["share", "--server", &url, "--token", &token, "--json"];
        self.tutti(dir, &words)
    }

    /// The same, where nothing but the project counts.
    ///
    /// # Errors
    /// When it fails.
    pub fn share(&self, dir: &Path, server: &Server) -> Result<Project> {
        let line = self
            .shares(dir, server)?
            .success()?
            .stdout
            .trim()
            .to_owned();
        ensure!(!line.contains('\n'), "more than one line: {line}");
        Project::from_json(&line)
    }

    /// `tutti join LINK DIR`.
    ///
    /// # Errors
    /// When it fails.
    pub fn join(&self, link: &str, dir: &Path) -> Result<()> {
        let dir = dir.to_str().context("a path in UTF-8")?;
        self.tutti(self.home(), &["join", link, dir])?.success()?;
        Ok(())
    }
}

/// A program that ran to its end.
#[derive(Debug)]
pub struct Ran {
    /// What was run.
    pub words: String,
    /// Its exit code, or none if a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Ran {
    /// What became of `words`.
    #[must_use]
    pub fn new(words: &str, output: &Output) -> Self {
        Self {
            words: words.to_owned(),
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Itself, if it ended with 0.
    ///
    /// # Errors
    /// When it did not.
    pub fn success(self) -> Result<Self> {
        ensure!(self.code == Some(0), "it failed: {self:#?}");
        Ok(self)
    }

    /// Checks that it failed as a program should that tells a person what is wrong: with code 1 and one sentence on
    /// standard error that holds every one of `words` (in any case of letters).
    ///
    /// # Errors
    /// When it did not fail, or otherwise.
    pub fn failure(self, words: &[&str]) -> Result<Self> {
        self.failure_with(1, words)
    }

    /// [`Ran::failure`] with this exit code.
    ///
    /// # Errors
    /// When it did not fail, or otherwise.
    pub fn failure_with(self, code: i32, words: &[&str]) -> Result<Self> {
        ensure!(self.code == Some(code), "no exit code {code}: {self:#?}");
        let said = self.stderr.trim().to_lowercase();
        ensure!(!said.is_empty(), "it says nothing: {self:#?}");
        ensure!(!said.contains('\n'), "more than one line: {self:#?}");
        ensure!(!said.contains("panicked"), "it panicked: {self:#?}");
        for word in words {
            ensure!(
                said.contains(&word.to_lowercase()),
                "it does not say `{word}`: {self:#?}"
            );
        }
        Ok(self)
    }
}
