//! A person at any editor or in the browser: what all of them can do, under one name.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::browser::Browser;
use crate::cli::Person;
use crate::editor::{Editor, Kind};
use crate::vscode::VsCode;
use crate::wait::pause;

/// One file open before one person, who types.
pub trait Seat: Send {
    /// Puts the caret behind the last character of the first line that holds `text`, ready to type.
    ///
    /// # Errors
    /// When the caret does not go there.
    fn type_behind(&mut self, text: &str) -> Result<()>;

    /// Presses one key.
    ///
    /// # Errors
    /// When the program has ended.
    fn key(&mut self, letter: char) -> Result<()>;

    /// Takes the hands off the keys: leaves insert mode, where there is one.
    ///
    /// # Errors
    /// When the program does not follow.
    fn rest(&mut self) -> Result<()>;

    /// Waits until the screen shows `text`.
    ///
    /// # Errors
    /// When it does not in time.
    fn shows(&mut self, text: &str) -> Result<()>;

    /// Waits until the program itself holds exactly this text, in an editor by saving it. The person rests.
    ///
    /// # Errors
    /// When it does not in time.
    fn holds(&mut self, text: &str) -> Result<()>;

    /// Presses one key after the other, one every `pace` however long each takes to arrive.
    ///
    /// # Errors
    /// When the program has ended.
    fn type_text(&mut self, text: &str, pace: Duration) -> Result<()> {
        let mut next = Instant::now();
        for letter in text.chars() {
            self.key(letter)?;
            next += pace;
            while let Some(left) = next.checked_duration_since(Instant::now()) {
                pause(left);
            }
        }
        Ok(())
    }
}

/// A seat at an editor proper, where a person does more than type. They rest before each of these but the pasting.
pub trait Desk: Seat {
    /// Pastes a text at the caret, ready to type.
    ///
    /// # Errors
    /// When the program has ended.
    fn paste(&mut self, text: &str) -> Result<()>;

    /// Takes back what was done last.
    ///
    /// # Errors
    /// When the program has ended.
    fn undo(&mut self) -> Result<()>;

    /// Saves the file.
    ///
    /// # Errors
    /// When the program has ended.
    fn save(&mut self) -> Result<()>;

    /// Saves the file though another program has written it since.
    ///
    /// # Errors
    /// When the program has ended, or is one that knows no such command.
    fn save_anyway(&mut self) -> Result<()> {
        bail!("this editor has no command for that")
    }

    /// Deletes the first lines of the file.
    ///
    /// # Errors
    /// When the program has ended.
    fn delete_first_lines(&mut self, lines: usize) -> Result<()>;

    /// The file on disk.
    fn file(&self) -> &Path;

    /// What the screen shows.
    ///
    /// # Errors
    /// When the program has ended.
    fn screen(&mut self) -> Result<String>;

    /// Leaves without saving.
    ///
    /// # Errors
    /// When the program does not end.
    fn quit(self: Box<Self>) -> Result<()>;
}

/// Which editor a desk has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// One in a terminal.
    Terminal(Kind),
    /// VS Code.
    VsCode,
}

impl Program {
    /// Opens `file`, which lies in `dir` itself, as `person`, with README's set-up lines.
    ///
    /// # Errors
    /// When the editor does not come to show the file.
    pub fn open(self, person: Person, dir: &Path, file: &str) -> Result<Box<dyn Desk>> {
        Ok(match self {
            Self::Terminal(kind) => Box::new(Editor::open(kind, person, dir, file)?),
            Self::VsCode => Box::new(VsCode::open(person, dir, file)?),
        })
    }
}

impl Seat for Editor {
    fn type_behind(&mut self, text: &str) -> Result<()> {
        Self::type_behind(self, text)
    }

    fn key(&mut self, letter: char) -> Result<()> {
        self.terminal().text(letter.encode_utf8(&mut [0; 4]))
    }

    fn rest(&mut self) -> Result<()> {
        self.escape()
    }

    fn shows(&mut self, text: &str) -> Result<()> {
        self.terminal().shows(text)
    }

    fn holds(&mut self, text: &str) -> Result<()> {
        Self::holds(self, text)
    }
}

impl Desk for Editor {
    fn paste(&mut self, text: &str) -> Result<()> {
        self.terminal().paste(text)
    }

    fn undo(&mut self) -> Result<()> {
        Self::undo(self)
    }

    fn save(&mut self) -> Result<()> {
        Self::save(self)
    }

    fn save_anyway(&mut self) -> Result<()> {
        Self::save_anyway(self)
    }

    fn delete_first_lines(&mut self, lines: usize) -> Result<()> {
        Self::delete_first_lines(self, lines)
    }

    fn file(&self) -> &Path {
        Self::file(self)
    }

    fn screen(&mut self) -> Result<String> {
        self.terminal().screen()
    }

    fn quit(self: Box<Self>) -> Result<()> {
        Self::quit(*self)
    }
}

impl Seat for VsCode {
    fn type_behind(&mut self, text: &str) -> Result<()> {
        Self::type_behind(self, text)
    }

    fn key(&mut self, letter: char) -> Result<()> {
        self.type_text(letter.encode_utf8(&mut [0; 4]), Duration::ZERO)
    }

    fn rest(&mut self) -> Result<()> {
        Ok(())
    }

    fn shows(&mut self, text: &str) -> Result<()> {
        Self::shows(self, text)
    }

    fn holds(&mut self, text: &str) -> Result<()> {
        Self::holds(self, text)
    }
}

impl Desk for VsCode {
    fn paste(&mut self, text: &str) -> Result<()> {
        Self::paste(self, text)
    }

    fn undo(&mut self) -> Result<()> {
        Self::undo(self)
    }

    fn save(&mut self) -> Result<()> {
        Self::save(self)
    }

    fn delete_first_lines(&mut self, lines: usize) -> Result<()> {
        Self::delete_first_lines(self, lines)
    }

    fn file(&self) -> &Path {
        Self::file(self)
    }

    fn screen(&mut self) -> Result<String> {
        Self::screen(self)
    }

    fn quit(self: Box<Self>) -> Result<()> {
        // With its window closed it would wait for another one, so it is ended.
        drop(self);
        Ok(())
    }
}

impl Seat for Browser {
    fn type_behind(&mut self, text: &str) -> Result<()> {
        Self::type_behind(self, text)
    }

    fn key(&mut self, letter: char) -> Result<()> {
        Self::type_text(self, letter.encode_utf8(&mut [0; 4]), Duration::ZERO)
    }

    fn rest(&mut self) -> Result<()> {
        Ok(())
    }

    fn shows(&mut self, text: &str) -> Result<()> {
        Self::shows(self, text)
    }

    fn holds(&mut self, text: &str) -> Result<()> {
        Self::holds(self, text)
    }
}
