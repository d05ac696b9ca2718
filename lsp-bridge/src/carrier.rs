//! Contents of files on their way to the server and back, and questions about many documents, on
//! threads of their own, so that neither an edit nor the mirror waits for them.
//!
//! A content is sent straight from its file: if that is written to meanwhile, what arrives has
//! another hash, and the server does not take it. It is fetched into `.tutti/blobs`. In both
//! directions a transfer goes on where it was cut off.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tutti_protocol::ids::ProjectId;
use url::Url;

use crate::api::{Api, ApiError, Put};
use crate::bulk::Question;
use crate::link::Token;
use crate::mirror::{Cargo, Carried, Holds};

/// Transfers at a time.
const AT_ONCE: usize = 3;
/// Read at once.
const PIECE_BYTES: usize = 64 * 1024;
/// A content that arrives damaged is fetched once more.
const TRIES: usize = 2;

/// An answer about documents that is not there by then is not waited for: their rooms are another way.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);

/// Something to be carried.
pub(crate) enum Job {
    /// Send those of these contents that the server lacks.
    Send(Vec<Cargo>),
    /// The same, where nobody waits for the outcome.
    Offer(Vec<Cargo>),
    /// Fetch this content.
    Fetch(Cargo),
    /// Ask what the largest file is that the server takes.
    Cap,
}

/// What has become of it.
#[derive(Debug)]
pub(crate) enum Report {
    Carried(Carried),
    /// The largest file that the server takes, in bytes; `None` if it takes texts only.
    Cap(Option<u64>),
    /// The answer to the question of this number.
    Answered(u64, Result<Vec<u8>, ApiError>),
}

/// The way to the threads. They end with what they are at when this is dropped.
pub(crate) struct Carrier {
    jobs: Sender<Job>,
    api: Arc<Api>,
    ask: Box<dyn Fn(u64, Question) + Send + Sync>,
}

/// One of the threads.
struct Porter<F> {
    api: Arc<Api>,
    project: ProjectId,
    root: PathBuf,
    report: F,
}

impl Carrier {
    /// Begins to carry between the directory `root` and a project.
    pub(crate) fn start(
        api: Api,
        project: &ProjectId,
        root: &Path,
        report: impl Fn(Report) + Clone + Send + Sync + 'static,
    ) -> Self {
        let (jobs, waiting) = mpsc::channel();
        let (api, waiting) = (Arc::new(api), Arc::new(Mutex::new(waiting)));
        for _ in 0..AT_ONCE {
            let porter = Porter {
                api: api.clone(),
                project: project.clone(),
                root: root.to_owned(),
                report: report.clone(),
            };
            let waiting = waiting.clone();
            std::thread::spawn(move || porter.work(&waiting));
        }
        let (asked, project) = (api.clone(), project.clone());
        let ask = move |number, question: Question| {
            let (api, project, report) = (asked.clone(), project.clone(), report.clone());
            std::thread::spawn(move || {
                let answer = api.exchange(&project, &question.into_body(), ANSWER_PATIENCE);
                report(Report::Answered(number, answer));
            });
        };
        let ask = Box::new(ask);
        Self { jobs, api, ask }
    }

    /// Asks about documents, on a thread of its own: it must wait neither for a long file nor for a
    /// question that a connection before this one has left unanswered.
    pub(crate) fn ask(&self, number: u64, question: Question) {
        (self.ask)(number, question);
    }

    /// Another server, or another token, from now on.
    pub(crate) fn renew(&self, server: &Url, token: &Token) {
        self.api.renew(server, token);
    }

    /// Gives them something to carry.
    pub(crate) fn give(&self, job: Job) {
        if self.jobs.send(job).is_err() {
            tracing::error!("nobody carries files any more");
        }
    }
}

impl<F: Fn(Report)> Porter<F> {
    fn work(&self, waiting: &Mutex<Receiver<Job>>) {
        loop {
            let next = waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .recv();
            match next {
                Ok(Job::Send(cargo)) => self.send(&cargo, |carried| self.carried(carried)),
                Ok(Job::Offer(cargo)) => self.send(&cargo, |carried| {
                    if !matches!(carried, Carried::Sent(_)) {
                        tracing::debug!(?carried, "what was offered");
                    }
                }),
                Ok(Job::Fetch(cargo)) => {
                    let fetched = self.fetch(&cargo);
                    self.carried(fetched);
                }
                Ok(Job::Cap) => match self.api.project(&self.project) {
                    Ok(project) => (self.report)(Report::Cap(project.max_blob_bytes)),
                    // The next connection asks again.
                    Err(error) => tracing::debug!(%error, "the server does not tell its cap"),
                },
                Err(_) => return,
            }
        }
    }

    fn carried(&self, carried: Carried) {
        (self.report)(Report::Carried(carried));
    }

    fn send(&self, cargo: &[Cargo], tell: impl Fn(Carried)) {
        let hashes: Vec<_> = cargo.iter().map(|cargo| cargo.hash).collect();
        let lacking = match self.api.lacking_blobs(&self.project, &hashes) {
            Ok(lacking) => lacking,
            Err(error) => {
                for cargo in cargo {
                    tell(failed(cargo, &error));
                }
                return;
            }
        };
        for cargo in cargo {
            tell(match lacking.get(&cargo.hash) {
                None => Carried::Sent(cargo.hash),
                Some(from) => self.send_one(cargo, *from),
            });
        }
    }

    /// Sends one from the byte `from` on.
    fn send_one(&self, cargo: &Cargo, from: u64) -> Carried {
        let file = Holds::open(&self.root).and_then(|holds| holds.file(&cargo.path));
        let file = match file {
            Ok(Some(file)) => file,
            // The mirror finds out what stands there.
            Ok(None) | Err(_) => return Carried::Changed(cargo.hash),
        };
        let put = self
            .api
            .put_blob(&self.project, &cargo.hash, cargo.bytes, from, file);
        match put {
            Ok(Put::Done) => Carried::Sent(cargo.hash),
            Ok(Put::OtherContent) => Carried::Changed(cargo.hash),
            Err(error) => failed(cargo, &error),
        }
    }

    fn fetch(&self, cargo: &Cargo) -> Carried {
        for _ in 0..TRIES {
            match self.try_fetch(cargo) {
                Ok(true) => return Carried::Fetched(cargo.hash),
                Ok(false) => tracing::warn!(path = %cargo.path, "a file arrived damaged"),
                Err(FetchError::Server(error)) => return failed(cargo, &error),
                Err(FetchError::Cut(error)) => {
                    tracing::info!(path = %cargo.path, %error, "a transfer was cut off");
                    return Carried::Later(cargo.hash);
                }
                Err(FetchError::Disk(error)) => {
                    tracing::info!(path = %cargo.path, %error, "a file cannot be written");
                    return Carried::Unwritten(cargo.hash, error.into());
                }
            }
        }
        let reason = "what the server gives is not what the project names".to_owned();
        Carried::Never(cargo.hash, reason)
    }

    fn try_fetch(&self, cargo: &Cargo) -> Result<bool, FetchError> {
        let holds = Holds::open(&self.root).map_err(FetchError::Disk)?;
        let mut incoming = holds.incoming(cargo.hash).map_err(FetchError::Disk)?;
        if incoming.bytes > cargo.bytes {
            incoming.restart().map_err(FetchError::Disk)?;
        }
        if incoming.bytes < cargo.bytes {
            let from = incoming.bytes;
            let opened = self.api.blob(&self.project, &cargo.hash, from, cargo.bytes);
            let (begins, mut content) = opened.map_err(FetchError::Server)?;
            if begins != from {
                incoming.restart().map_err(FetchError::Disk)?;
            }
            let mut piece = vec![0; PIECE_BYTES];
            loop {
                let read = match content.read(&mut piece) {
                    Ok(0) => break,
                    Ok(read) => read,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(FetchError::Cut(error)),
                };
                // An index that lies about a length must not fill the disk.
                if incoming.bytes + read as u64 > cargo.bytes {
                    incoming.restart().map_err(FetchError::Disk)?;
                    return Ok(false);
                }
                if let Err(error) = incoming.add(&piece[..read]) {
                    // What is here of it must not take the room that others need.
                    let _ = incoming.restart();
                    return Err(FetchError::Disk(error));
                }
            }
            if incoming.bytes < cargo.bytes {
                let error = io::ErrorKind::UnexpectedEof.into();
                return Err(FetchError::Cut(error));
            }
        }
        incoming.finish().map_err(FetchError::Disk)
    }
}

/// Why a content was not fetched.
enum FetchError {
    Server(ApiError),
    Cut(io::Error),
    Disk(io::Error),
}

fn failed(cargo: &Cargo, error: &ApiError) -> Carried {
    tracing::info!(path = %cargo.path, %error, "a file was not carried");
    match error {
        ApiError::NoServer { .. } | ApiError::Failed(_) => Carried::Later(cargo.hash),
        // Its words say what to do, and are a sentence of their own.
        error => {
            let reason = error.to_string();
            let reason = reason.trim_end_matches('.');
            Carried::Never(cargo.hash, reason.to_owned())
        }
    }
}
