//! Real Neovim, Helix and Emacs with README's set-up lines and nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::cli::Person;
use crate::readme;
use crate::terminal::Terminal;
use crate::tools;
use crate::wait::{pause, until_or};

/// Which editor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Neovim, with its built-in LSP client.
    Neovim,
    /// Helix.
    Helix,
    /// Emacs, with its built-in eglot.
    Emacs,
}

/// An editor with one file open; dropped, it is ended as if its terminal were closed.
pub struct Editor {
    kind: Kind,
    terminal: Terminal,
    file: PathBuf,
    person: Person,
}

impl Editor {
    /// Opens `file`, a path beneath `dir`, as `person`, with README's set-up lines.
    ///
    /// # Errors
    /// When the editor does not come to show the file.
    pub fn open(kind: Kind, person: Person, dir: &Path, file: &str) -> Result<Self> {
        let set_up = readme::block(&format!("{kind:?}"))?;
        Self::open_with(kind, person, dir, file, &set_up)
    }

    /// As [`Self::open`], with the given content of the editor's configuration file.
    ///
    /// # Errors
    /// When the editor does not come to show the file.
    pub fn open_with(
        kind: Kind,
        person: Person,
        dir: &Path,
        file: &str,
        set_up: &str,
    ) -> Result<Self> {
        let home = person.home().to_owned();
        let (config, program) = match kind {
            Kind::Neovim => (
                "config/nvim/init.lua",
                format!("nvim --listen {}", home.join("nvim").display()),
            ),
            Kind::Helix => ("config/helix/languages.toml", "hx".to_owned()),
            Kind::Emacs => (".emacs.d/init.el", "emacs -nw".to_owned()),
        };
        let config = home.join(config);
        fs::create_dir_all(config.parent().context("it lies in a directory")?)?;
        fs::write(&config, set_up)?;

        let mut environment = tools::environment(&home)?;
        environment.push(("TUTTI_NAME".into(), person.name().into()));
        let program = format!("exec {}/{program} {file}", tools::editors()?.display());
        let terminal = Terminal::start(&home, dir, &program, &environment)?;
        let path = dir.join(file);
        let name = path.file_name().context("a file's path")?.to_string_lossy();
        terminal.shows(&name)?;
        Ok(Self {
            kind,
            terminal,
            file: path,
            person,
        })
    }

    /// Its terminal.
    #[must_use]
    pub fn terminal(&self) -> &Terminal {
        &self.terminal
    }

    /// Puts the caret behind the last character of the first line that holds `text`, ready to type.
    ///
    /// # Errors
    /// When the editor does not follow.
    pub fn type_behind(&self, text: &str) -> Result<()> {
        let terminal = &self.terminal;
        match self.kind {
            Kind::Neovim => {
                terminal.text("gg/")?;
                terminal.text(text)?;
                terminal.keys(&["Enter"])?;
                terminal.text("A")?;
                terminal.shows("-- INSERT --")
            }
            Kind::Helix => {
                terminal.text("gg/")?;
                terminal.shows("search:")?;
                terminal.text(text)?;
                terminal.keys(&["Enter"])?;
                terminal.screen_is("the search to close", |s| !s.contains("search:"))?;
                terminal.text("A")?;
                terminal.shows(" INS ")
            }
            Kind::Emacs => {
                terminal.keys(&["M-<"])?;
                terminal.keys(&["C-s"])?;
                // The mode line and the menu tell of it. Its prompt may be overwritten by a message at any time.
                terminal.shows("Isearch")?;
                terminal.text(text)?;
                terminal.keys(&["Enter"])?;
                terminal.screen_is("the search to close", |s| !s.contains("Isearch"))?;
                terminal.keys(&["C-e"])
            }
        }
    }

    /// Presses one key after the other, as a person does, one every `pace`.
    ///
    /// # Errors
    /// When the editor has ended.
    pub fn type_text(&self, text: &str, pace: Duration) -> Result<()> {
        for letter in text.chars() {
            self.terminal.text(letter.encode_utf8(&mut [0; 4]))?;
            pause(pace);
        }
        Ok(())
    }

    /// Leaves insert mode, where the editor has one.
    ///
    /// # Errors
    /// When the editor does not follow.
    pub fn escape(&self) -> Result<()> {
        match self.kind {
            Kind::Neovim => {
                self.terminal.keys(&["Escape"])?;
                self.terminal
                    .screen_is("insert mode to end", |s| !s.contains("-- INSERT --"))
            }
            Kind::Helix => {
                self.terminal.keys(&["Escape"])?;
                self.terminal
                    .screen_is("insert mode to end", |s| !s.contains(" INS "))
            }
            Kind::Emacs => Ok(()),
        }
    }

    /// Saves the file; insert mode has been left.
    ///
    /// # Errors
    /// When the editor has ended.
    pub fn save(&self) -> Result<()> {
        match self.kind {
            Kind::Neovim | Kind::Helix => {
                self.terminal.text(":w")?;
                self.terminal.keys(&["Enter"])
            }
            Kind::Emacs => self.terminal.keys(&["C-x", "C-s"]),
        }
    }

    /// Saves the file though another program has written it since; insert mode has been left.
    ///
    /// # Errors
    /// When the editor has ended, or is Emacs, which has no such command.
    pub fn save_anyway(&self) -> Result<()> {
        match self.kind {
            Kind::Neovim | Kind::Helix => {
                self.terminal.text(":w!")?;
                self.terminal.keys(&["Enter"])
            }
            Kind::Emacs => bail!("Emacs asks each time"),
        }
    }

    /// Takes back what was done last; insert mode has been left.
    ///
    /// # Errors
    /// When the editor has ended.
    pub fn undo(&self) -> Result<()> {
        match self.kind {
            Kind::Neovim | Kind::Helix => self.terminal.text("u"),
            Kind::Emacs => self.terminal.keys(&["C-x", "u"]),
        }
    }

    /// Deletes the first lines of the file; insert mode has been left.
    ///
    /// # Errors
    /// When the editor has ended.
    pub fn delete_first_lines(&self, lines: usize) -> Result<()> {
        match self.kind {
            Kind::Neovim => self.terminal.text(&format!("gg{lines}dd")),
            Kind::Helix => self.terminal.text(&format!("gg{lines}xd")),
            Kind::Emacs => {
                self.terminal.keys(&["M-<", "C-u"])?;
                self.terminal.text(&lines.to_string())?;
                self.terminal.keys(&["C-k"])
            }
        }
    }

    /// Waits until the editor itself holds exactly this text. Insert mode has been left.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn holds(&self, text: &str) -> Result<()> {
        let mut last = String::new();
        until_or(
            &format!("{:?} to hold the text", self.kind),
            || match self.text() {
                Ok(held) if held == text => Some(()),
                Ok(held) => {
                    last = held;
                    None
                }
                Err(error) => {
                    last = format!("{error:#}");
                    None
                }
            },
            String::new,
        )
        .with_context(|| crate::project::difference(text, &last))
    }

    /// What the editor holds, asked of the editor: Neovim by its remote interface, the others by saving.
    /// Insert mode has been left.
    ///
    /// # Errors
    /// When the editor does not answer.
    pub fn text(&self) -> Result<String> {
        if self.kind != Kind::Neovim {
            self.save()?;
            // The save is written a moment later: `holds` looks again until what it expects is there.
            return Ok(fs::read_to_string(&self.file)?);
        }
        // A buffer's last line has no newline of its own; `eol` says whether the file would get one.
        let expression = r#"join(getline(1, "$"), "\n") . (&eol ? "\n" : "")"#;
        self.remote(expression)
    }

    /// Neovim's answer to an expression.
    ///
    /// # Errors
    /// When it is another editor or does not answer.
    pub fn remote(&self, expression: &str) -> Result<String> {
        let output = tools::command(tools::editors()?.join("nvim"), self.person.home())?
            .arg("--server")
            .arg(self.person.home().join("nvim"))
            .args(["--remote-expr", expression])
            .output()?;
        if !output.status.success() {
            bail!("nvim: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Whose editor it is.
    #[must_use]
    pub fn person(&self) -> &Person {
        &self.person
    }

    /// The file on disk.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Leaves without saving.
    ///
    /// # Errors
    /// When it does not end.
    pub fn quit(self) -> Result<()> {
        match self.kind {
            Kind::Neovim | Kind::Helix => {
                self.escape()?;
                self.terminal.text(":q!")?;
                self.terminal.keys(&["Enter"])?;
            }
            Kind::Emacs => self.terminal.keys(&["M-:", "(kill-emacs)", "Enter"])?,
        }
        self.terminal.ended()
    }
}
