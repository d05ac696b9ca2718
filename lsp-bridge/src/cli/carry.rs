//! Sending and fetching the files that are no texts, for `share` and `join`.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tutti_protocol::ids::ProjectId;

use crate::api::Api;
use crate::carrier::{Carrier, Job, Report};
use crate::mirror::{Cargo, Carried};
use crate::project::Project;

/// A server that does not come back in this time is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(500);
/// So many files are asked about at once.
const FILES_AT_ONCE: usize = 64;

/// A way for files between a directory and its project.
pub(super) struct Carry {
    api: Api,
    project: ProjectId,
    carrier: Carrier,
    reports: Receiver<Report>,
}

impl Carry {
    pub(super) fn new(project: &Project, token: &str) -> Self {
        let (report, reports) = mpsc::channel();
        let root: PathBuf = project.root.clone();
        let api = Api::new(&project.server, token);
        let carrier = Carrier::start(api, &project.id, &root, move |told| {
            if report.send(told).is_err() {
                tracing::debug!("the command ended before a transfer");
            }
        });
        Self {
            api: Api::new(&project.server, token),
            project: project.id.clone(),
            carrier,
            reports,
        }
    }

    /// The largest file that the server takes, in bytes; `None` if it takes texts only.
    pub(super) fn cap(&self) -> anyhow::Result<Option<u64>> {
        Ok(self.api.project(&self.project)?.max_blob_bytes)
    }

    /// Does all of these jobs, and those that `done` returns for each outcome.
    pub(super) fn run(
        &self,
        jobs: Vec<Job>,
        mut done: impl FnMut(Carried) -> anyhow::Result<Vec<Job>>,
    ) -> anyhow::Result<()> {
        let mut under_way = UnderWay::default();
        under_way.add(jobs);
        let mut away_since: Option<Instant> = None;
        loop {
            under_way.give(&self.carrier);
            if under_way.is_empty() {
                return Ok(());
            }
            let report = self.reports.recv().context("the transfers have ended")?;
            let Report::Carried(carried) = report else {
                continue;
            };
            match carried {
                Carried::Later(hash) => {
                    let since = away_since.get_or_insert_with(Instant::now);
                    if since.elapsed() >= PATIENCE {
                        bail!("the server does not answer any more: try again later");
                    }
                    std::thread::sleep(PAUSE);
                    under_way.again(|cargo| cargo.hash == hash);
                }
                carried => {
                    away_since = None;
                    under_way.ended(&carried);
                    under_way.add(done(carried)?);
                }
            }
        }
    }
}

/// What has been begun, and what has not.
#[derive(Default)]
struct UnderWay {
    sends: VecDeque<Cargo>,
    jobs: VecDeque<Job>,
    given: Vec<(Cargo, bool)>,
}

impl UnderWay {
    fn add(&mut self, jobs: Vec<Job>) {
        for job in jobs {
            match job {
                Job::Send(cargo) => self.sends.extend(cargo),
                job => self.jobs.push_back(job),
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.given.is_empty()
    }

    fn give(&mut self, carrier: &Carrier) {
        while !self.sends.is_empty() {
            let some = self.sends.len().min(FILES_AT_ONCE);
            let cargo: Vec<Cargo> = self.sends.drain(..some).collect();
            self.given
                .extend(cargo.iter().map(|cargo| (cargo.clone(), true)));
            carrier.give(Job::Send(cargo));
        }
        while let Some(job) = self.jobs.pop_front() {
            if let Job::Fetch(cargo) = &job {
                self.given.push((cargo.clone(), false));
            }
            carrier.give(job);
        }
    }

    /// These are to be begun anew.
    fn again(&mut self, which: impl Fn(&Cargo) -> bool) {
        let given = std::mem::take(&mut self.given);
        for (cargo, is_sent) in given {
            match (which(&cargo), is_sent) {
                (false, _) => self.given.push((cargo, is_sent)),
                (true, true) => self.sends.push_back(cargo),
                (true, false) => self.jobs.push_back(Job::Fetch(cargo)),
            }
        }
    }

    fn ended(&mut self, carried: &Carried) {
        let (hash, sent) = match carried {
            Carried::Sent(hash) | Carried::Changed(hash) => (hash, Some(true)),
            Carried::Fetched(hash) | Carried::Unwritten(hash, _) => (hash, Some(false)),
            Carried::Later(hash) | Carried::Never(hash, _) => (hash, None),
        };
        self.given.retain(|(cargo, is_sent)| {
            cargo.hash != *hash || sent.is_some_and(|sent| sent != *is_sent)
        });
    }
}
