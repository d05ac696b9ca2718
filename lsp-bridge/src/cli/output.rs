//! What the command line prints: results on standard output, everything else on standard error.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

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

/// How far a command is: a bar where standard error is a terminal, elsewhere a line now and then.
pub(super) struct Progress {
    doing: &'static str,
    total: usize,
    done: usize,
    bar: Option<ProgressBar>,
    /// When the next line is due; `None` where nothing is to be said.
    next_line: Option<Instant>,
}

/// Between two lines for those who read no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

impl Progress {
    /// Begins. One that is `quiet` shows nothing at all.
    pub(super) fn new(doing: &'static str, total: usize, quiet: bool) -> Self {
        let is_shown = !quiet && total > 0;
        let on_terminal = io::stderr().is_terminal();
        Self {
            doing,
            total,
            done: 0,
            bar: (is_shown && on_terminal).then(|| bar(doing, total)),
            next_line: (is_shown && !on_terminal).then(|| Instant::now() + LINE_EVERY),
        }
    }

    /// One file more is done.
    pub(super) fn step(&mut self) {
        self.done += 1;
        if let Some(bar) = &self.bar {
            bar.set_position(self.done as u64);
        }
        if self.next_line.is_some_and(|due| Instant::now() >= due) {
            self.next_line = Some(Instant::now() + LINE_EVERY);
            let Self {
                doing, done, total, ..
            } = self;
            note(format_args!("{doing}: {done} of {total} files"));
        }
    }
}

fn bar(doing: &'static str, total: usize) -> ProgressBar {
    let bar = ProgressBar::new(total as u64).with_message(doing);
    let style = ProgressStyle::with_template("{msg} [{bar:30}] {pos} of {len} files, {eta} left");
    bar.set_style(
        style
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> "),
    );
    bar
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
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
