//! Counts the tests that a runner reports, while its output goes on to ours.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Whose summary is counted. A runner may quote another's: nextest prints what a failed test's own harness said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runner {
    Nextest,
    Rustdoc,
    Vitest,
}

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Tally {
    /// Runs a test runner, shows what it prints, and adds up its summary lines.
    pub(crate) fn run(&mut self, runner: Runner, command: &mut Command) -> Result<()> {
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
            self.add(runner, &String::from_utf8_lossy(&line));
        }
        let status = child.wait()?;
        if !status.success() {
            bail!("`{program}` reports failures ({status})");
        }
        Ok(())
    }

    /// Adds one line of output if it is the runner's summary.
    fn add(&mut self, runner: Runner, line: &str) {
        let line = plain(line);
        let line = line.trim();
        let counts = match runner {
            Runner::Nextest if line.starts_with("Summary [") => line
                .split_once("tests run:")
                .or_else(|| line.split_once("test run:")),
            Runner::Rustdoc if line.starts_with("test result:") => line.split_once('.'),
            Runner::Vitest => line.strip_prefix("Tests ").map(|counts| ("", counts)),
            _ => None,
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
                "failed" | "timed" => self.failed += number,
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
    use super::{Runner, Tally};

    fn tally(runner: Runner, line: &str) -> (u64, u64) {
        let mut tally = Tally::default();
        tally.add(runner, line);
        (tally.passed, tally.failed)
    }

    #[test]
    fn each_runners_summary_is_counted() {
        let line = "     Summary [   2.1s] 12 tests run: 10 passed (1 slow), 1 failed, 1 timed out, 3 skipped";
        assert_eq!(tally(Runner::Nextest, line), (10, 2));
        let line = "     Summary [   0.1s] 1 test run: 1 passed, 0 skipped";
        assert_eq!(tally(Runner::Nextest, line), (1, 0));
        let line = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out";
        assert_eq!(tally(Runner::Rustdoc, line), (3, 0));
        let line = "\u{1b}[2m      Tests \u{1b}[22m \u{1b}[31m1 failed\u{1b}[39m | \u{1b}[32m7 passed\u{1b}[39m (8)";
        assert_eq!(tally(Runner::Vitest, line), (7, 1));
    }

    #[test]
    fn other_lines_are_not() {
        let line = "    test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured";
        assert_eq!(tally(Runner::Nextest, line), (0, 0));
        assert_eq!(
            tally(Runner::Nextest, "  PASS [   0.005s] tutti-engine 9 passed"),
            (0, 0)
        );
    }
}
