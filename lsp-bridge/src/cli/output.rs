//! What the command line prints: results on standard output, everything else on standard error.

use std::io::{self, IsTerminal, Write};

/// Nobody reads the result any more, as after `| head`: no failure of ours.
#[derive(Debug, thiserror::Error)]
#[error("nobody reads standard output any more")]
pub(super) struct NotRead;

/// One line of the result.
pub(super) fn line(text: impl std::fmt::Display) -> anyhow::Result<()> {
    match writeln!(io::stdout(), "{text}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(NotRead.into()),
        written => Ok(written?),
    }
}

/// One line beside the result.
pub(super) fn note(text: impl std::fmt::Display) {
    // Where standard error is closed there is nobody to tell.
    let _ = writeln!(io::stderr(), "{text}");
}

/// The one sentence with which a command fails.
pub(super) fn error(error: &anyhow::Error) {
    let text = sentence(error);
    note(format_args!("tutti: {}", text.trim_end_matches('.')));
}

/// What went wrong and why, each reason once: many an error's own words name its cause already.
pub fn sentence(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

/// A count that stays on one line of a terminal; silent elsewhere.
pub(super) struct Progress {
    doing: &'static str,
    total: usize,
    done: usize,
    visible: bool,
}

impl Progress {
    pub(super) fn new(doing: &'static str, total: usize) -> Self {
        let progress = Self {
            doing,
            total,
            done: 0,
            visible: io::stderr().is_terminal() && total > 0,
        };
        progress.draw();
        progress
    }

    pub(super) fn step(&mut self) {
        self.done += 1;
        self.draw();
    }

    fn draw(&self) {
        if self.visible {
            let Self {
                doing, done, total, ..
            } = self;
            let _ = write!(io::stderr(), "\r\x1b[K{doing} {done} of {total} files");
            let _ = io::stderr().flush();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.visible {
            let _ = write!(io::stderr(), "\r\x1b[K");
            let _ = io::stderr().flush();
        }
    }
}

/// "1 file", "2 files".
pub(super) fn files(count: usize) -> String {
    match count {
        1 => "1 file".to_owned(),
        n => format!("{n} files"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("a.txt: {source}")]
    struct Named {
        source: io::Error,
    }

    #[test]
    fn each_reason_is_given_once() {
        let source = io::Error::other("no room");
        let error = anyhow::Error::new(Named { source }).context("not written");
        assert_eq!(sentence(&error), "not written: a.txt: no room");
        let error = anyhow::Error::new(io::Error::other("no room")).context("not written");
        assert_eq!(sentence(&error), "not written: no room");
    }
}
