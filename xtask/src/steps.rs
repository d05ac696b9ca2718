//! Named steps, one after the other, each with its time; none is skipped, and a table closes the run.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// The steps of one task so far.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<Step>,
}

struct Step {
    name: &'static str,
    took: Duration,
    passed: bool,
}

impl Steps {
    /// Runs one step. What fails is told at once and again in the table, and later steps still run.
    pub(crate) fn step(&mut self, name: &'static str, work: impl FnOnce() -> Result<()>) {
        println!("\n==> {name}");
        let start = Instant::now();
        let outcome = work();
        let took = start.elapsed();
        if let Err(error) = &outcome {
            println!("{name}: FAILED: {error:#}");
        }
        println!("<== {name}: {:.1} s", took.as_secs_f64());
        self.done.push(Step {
            name,
            took,
            passed: outcome.is_ok(),
        });
    }

    /// Prints the table; an error names the steps that failed.
    pub(crate) fn close(self) -> Result<()> {
        println!("\n{:<28} {:>9}", "step", "seconds");
        for step in &self.done {
            println!(
                "{:<28} {:>9.1}  {}",
                step.name,
                step.took.as_secs_f64(),
                if step.passed { "ok" } else { "FAILED" }
            );
        }
        let total: Duration = self.done.iter().map(|step| step.took).sum();
        println!("{:<28} {:>9.1}", "all", total.as_secs_f64());
        let failed: Vec<_> = self
            .done
            .iter()
            .filter(|step| !step.passed)
            .map(|step| step.name)
            .collect();
        if !failed.is_empty() {
            bail!("{} failed", failed.join(", "));
        }
        Ok(())
    }
}
