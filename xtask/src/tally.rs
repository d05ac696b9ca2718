//! Counts the tests that a runner reports, while its output goes on to ours.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Tally {
    /// Runs a test runner, shows what it prints, and adds up its summary lines.
    pub(crate) fn run(&mut self, command: &mut Command) -> Result<()> {
        let program = command.get_program().to_string_lossy().into_owned();
        let (reader, writer) = std::io::pipe()?;
        command
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer);
        let mut child = command
            .spawn()
            .with_context(|| format!("`{program}` could not be started"))?;
        // The command still holds the pipe's writing end; only without it does reading end with the child.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let mut out = std::io::stdout().lock();
        for line in BufReader::new(reader).split(b'\n') {
            let line = line?;
            out.write_all(&line)?;
            out.write_all(b"\n")?;
            self.add(&String::from_utf8_lossy(&line));
        }
        let status = child.wait()?;
        if !status.success() {
            bail!("`{program}` reports failures ({status})");
        }
        Ok(())
    }

    /// Adds one line of output if it is the summary of nextest, of rustdoc's tests or of vitest.
    fn add(&mut self, line: &str) {
        let line = plain(line);
        let line = line.trim();
        let counts = if line.starts_with("Summary [") {
            line.split_once("tests run:")
                .or_else(|| line.split_once("test run:"))
        } else if line.starts_with("test result:") {
            line.split_once('.')
        } else {
            line.strip_prefix("Tests ").map(|counts| ("", counts))
        };
        let Some((_, counts)) = counts else { return };
        let mut words = counts
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .peekable();
        while let Some(word) = words.next() {
            let (Ok(number), Some(kind)) = (word.parse::<u64>(), words.peek()) else {
                continue;
            };
            match *kind {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "timed" => self.failed += number,
                _ => {}
            }
        }
    }
}

/// The line without its colours.
fn plain(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        rest = after
            .split_once(|c: char| c.is_alphabetic())
            .map_or("", |(_, rest)| rest);
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::Tally;

    fn tally(line: &str) -> (u64, u64) {
        let mut tally = Tally::default();
        tally.add(line);
        (tally.passed, tally.failed)
    }

    #[test]
    fn each_runners_summary_is_counted() {
        assert_eq!(
            tally(
                "     Summary [   2.1s] 12 tests run: 10 passed (1 slow), 1 failed, 1 timed out, 3 skipped"
            ),
            (10, 2)
        );
        assert_eq!(
            tally("     Summary [   0.1s] 1 test run: 1 passed, 0 skipped"),
            (1, 0)
        );
        assert_eq!(
            tally("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out"),
            (3, 0)
        );
        assert_eq!(
            tally(
                "\u{1b}[2m      Tests \u{1b}[22m \u{1b}[31m1 failed\u{1b}[39m | \u{1b}[32m7 passed\u{1b}[39m (8)"
            ),
            (7, 1)
        );
    }

    #[test]
    fn other_lines_are_not() {
        assert_eq!(tally("  PASS [   0.005s] tutti-engine 9 passed"), (0, 0));
    }
}
