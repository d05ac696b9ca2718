//! Measuring an action again and again in things that wear out.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use criterion::{Criterion, SamplingMode};
use tutti_bench::table::Table;

/// How often an action is sampled.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Samples {
    /// It is quick, or the thing that it needs is.
    Many,
    /// It takes milliseconds, or what it needs does.
    Few,
}

/// Runs the measurements and knows which were asked for.
pub(crate) struct Bench {
    criterion: Criterion,
    measured: Vec<(String, String)>,
    directory: PathBuf,
}

impl Bench {
    /// The arguments are criterion's.
    pub(crate) fn new() -> Self {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("criterion");
        let criterion = Criterion::default()
            .warm_up_time(Duration::from_millis(500))
            .measurement_time(Duration::from_secs(2))
            .configure_from_args()
            .without_plots()
            .output_directory(&directory);
        Self {
            criterion,
            measured: Vec::new(),
            directory,
        }
    }

    /// Measures `act`, which says how long it took, in a thing that `fresh` makes, and in a new one
    /// once it answers `None`.
    pub(crate) fn measure<T>(
        &mut self,
        group: &str,
        name: &str,
        samples: Samples,
        fresh: impl Fn() -> T,
        act: impl Fn(&mut T) -> Option<Duration>,
    ) {
        let mut is_measured = false;
        let mut benches = self.criterion.benchmark_group(group);
        match samples {
            Samples::Many => benches.sample_size(50),
            Samples::Few => benches.sample_size(10).sampling_mode(SamplingMode::Flat),
        };
        let mut thing = None;
        benches.bench_function(name, |bencher| {
            is_measured = true;
            bencher.iter_custom(|times| {
                let (mut took, mut left) = (Duration::ZERO, times);
                while left > 0 {
                    match thing.as_mut().and_then(&act) {
                        Some(once) => {
                            took += once;
                            left -= 1;
                        }
                        None => thing = Some(fresh()),
                    }
                }
                took
            });
        });
        benches.finish();
        if is_measured {
            self.measured.push((group.to_owned(), name.to_owned()));
        }
    }

    /// The figures of what was measured.
    pub(crate) fn table(self) -> Result<Table> {
        Table::read(&self.directory, &self.measured)
    }
}
