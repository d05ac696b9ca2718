//! Noticing what other programs change.
//!
//! The watcher's own thread only fills a channel; [`DiskChanges::next`] collects what belongs
//! together. Which of it is news is decided later by comparing contents, so that the mirror's own
//! writes need no bookkeeping.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Paths that wait to be collected; beyond it, everything is looked at.
const CAPACITY: usize = 4096;
/// Changes that follow each other this closely belong together.
const QUIET: Duration = Duration::from_millis(60);
/// Changes are not held back longer than this.
const LONGEST: Duration = Duration::from_millis(500);

/// What may have changed on disk since the last look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Relative to the project's directory, `/` between the parts; files and directories.
    pub(crate) paths: BTreeSet<String>,
    /// Too much to tell, or unknown: look at everything.
    pub(crate) everything: bool,
}

impl Changes {
    /// Look at everything: at the start, and whenever changes may have been missed.
    pub fn everything() -> Self {
        Self {
            paths: BTreeSet::new(),
            everything: true,
        }
    }

    /// Look at these paths, relative to the project's directory.
    pub fn of<S: Into<String>>(paths: impl IntoIterator<Item = S>) -> Self {
        Self {
            paths: paths.into_iter().map(Into::into).collect(),
            everything: false,
        }
    }

    fn is_empty(&self) -> bool {
        self.paths.is_empty() && !self.everything
    }
}

/// The watcher: it stops when it is dropped.
#[derive(Debug)]
pub(crate) struct Watcher {
    inner: RecommendedWatcher,
    root: PathBuf,
    /// The directories that are watched by name: none where a whole tree is watched.
    watched: BTreeSet<String>,
}

/// Changes as they come in.
#[derive(Debug)]
pub struct DiskChanges {
    paths: mpsc::Receiver<String>,
    overflowed: Arc<AtomicBool>,
    collected: Changes,
    /// When the first of what is collected came.
    since: Option<Instant>,
}

/// Starts watching; directories are added with [`Watcher::watch`].
pub(crate) fn start(root: &Path) -> notify::Result<(Watcher, DiskChanges)> {
    let root = root.canonicalize()?;
    let (sender, paths) = mpsc::channel(CAPACITY);
    let overflowed = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&overflowed);
    let base = root.clone();
    let inner = notify::recommended_watcher(move |event: notify::Result<Event>| {
        let Ok(event) = event else {
            flag.store(true, Ordering::Release);
            // Wakes the reader; a full channel has woken it already.
            let _ = sender.try_send(String::new());
            return;
        };
        if matches!(event.kind, EventKind::Access(_)) {
            return;
        }
        let lost = event.need_rescan();
        let paths = event.paths.iter().filter_map(|path| relative(&base, path));
        for path in paths.chain(lost.then(String::new)) {
            if sender.try_send(path).is_err() || lost {
                flag.store(true, Ordering::Release);
            }
        }
    })?;
    let watcher = Watcher {
        inner,
        root,
        watched: BTreeSet::new(),
    };
    let changes = DiskChanges {
        paths,
        overflowed,
        collected: Changes::default(),
        since: None,
    };
    Ok((watcher, changes))
}

/// `None` for what is not news to anyone: the root itself and what is private.
fn relative(root: &Path, path: &Path) -> Option<String> {
    let relative = path.strip_prefix(root).ok()?;
    let parts: Option<Vec<&str>> = relative.iter().map(|part| part.to_str()).collect();
    let parts = parts?;
    let first = parts.first()?;
    let private = *first == ".tutti" || parts.contains(&".git");
    let temporary = parts.last().is_some_and(|n| super::tree::is_temporary(n));
    (!private && !temporary).then(|| parts.join("/"))
}

impl Watcher {
    /// Watches these directories ("" for the root) from now on. Only those that the ignore rules
    /// leave are given, so that a build directory costs nothing. To watch one again is harmless,
    /// and needed where it was removed and made anew: [`Watcher::forget`] it first.
    pub(crate) fn watch(&mut self, directories: &[String]) {
        for directory in directories {
            // Other systems than Linux watch a whole tree at the price of one directory.
            let (path, mode) = if cfg!(target_os = "linux") {
                (self.root.join(directory), RecursiveMode::NonRecursive)
            } else if directory.is_empty() {
                (self.root.clone(), RecursiveMode::Recursive)
            } else {
                continue;
            };
            if let Err(error) = notify::Watcher::watch(&mut self.inner, &path, mode) {
                tracing::warn!(directory, %error, "changes in this directory will go unseen");
            } else if cfg!(target_os = "linux") {
                self.watched.insert(directory.clone());
            }
        }
    }

    /// Watches this directory and those beneath it no more ("" for all of them). Something has
    /// happened to them, and they may be others by now, or stand elsewhere.
    ///
    /// The system watches directories, whatever they are called, and the watcher goes by names. One
    /// that moved is known to it under both of its names, and would be given up under the new one
    /// when something that has the old one goes.
    pub(crate) fn forget(&mut self, directory: &str) {
        let beneath = match directory {
            "" => String::new(),
            directory => format!("{directory}/"),
        };
        let others = self.watched.range(beneath.clone()..);
        let mut gone: Vec<String> = others
            .take_while(|one| one.starts_with(&beneath))
            .cloned()
            .collect();
        gone.extend(self.watched.get(directory).cloned());
        for one in gone {
            // It has given up by itself most of those that are not there any more.
            if let Err(error) = notify::Watcher::unwatch(&mut self.inner, &self.root.join(&one)) {
                tracing::trace!(directory = one, %error);
            }
            self.watched.remove(&one);
        }
    }
}

impl DiskChanges {
    /// Waits for changes and for the quiet after them. Nothing is lost if the future is dropped.
    /// Pends for ever once the watcher has stopped.
    pub async fn next(&mut self) -> Changes {
        loop {
            let due = self.since.map(|since| {
                let now = Instant::now();
                (now + QUIET).min(since + LONGEST)
            });
            let received = match due {
                None => self.paths.recv().await,
                Some(due) => match tokio::time::timeout_at(due, self.paths.recv()).await {
                    Ok(received) => received,
                    Err(_) => return self.take(),
                },
            };
            match received {
                None if self.collected.is_empty() => std::future::pending().await,
                None => return self.take(),
                Some(path) => {
                    self.since.get_or_insert_with(Instant::now);
                    if !path.is_empty() {
                        self.collected.paths.insert(path);
                    }
                }
            }
        }
    }

    fn take(&mut self) -> Changes {
        self.since = None;
        let mut changes = std::mem::take(&mut self.collected);
        if self.overflowed.swap(false, Ordering::AcqRel) {
            changes = Changes::everything();
        }
        changes
    }
}
