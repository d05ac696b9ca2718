//! Following the store's log: what other nodes have stored and the fan-out did not bring.

use std::collections::HashMap;
use std::time::Duration;

use tutti_protocol::ids::DocumentId;

use super::actor::Room;
use super::exchange::random;
use super::saver::Written;
use crate::document::{Document, Wanted};
use crate::store::{EntryId, Seen, StoreError, StoredDocument};
use crate::update::Contents;

/// Between two looks into the store while nothing is carried, at the least and at the most. With
/// the time that storing takes, an edit is on the other nodes within two seconds.
const LOOK_AFTER: Duration = Duration::from_millis(600);
const LOOK_BEFORE: Duration = Duration::from_millis(1_200);

/// While a node is lost that may only be cut off, and has not left a sign yet: for how long, and
/// about how often. That comes to 1.5 s at the most, so that what it stores is seen as soon as ever.
const WHILE_LOST: Duration = Duration::from_secs(60);
const LOOK_WHILE_LOST: Duration = Duration::from_millis(1_200);

/// The same for a node that is not heard at present: until it is taken for lost.
const WHILE_SILENT: Duration = Duration::from_secs(12);

/// The same for one that is known to be cut off: until it has left another sign.
const WHILE_CUT_OFF: Duration = Duration::from_secs(6);

/// Between two looks for other reasons.
const LOOK_AGAIN: Duration = Duration::from_millis(300);

/// How long somebody who comes waits for a look.
const CATCH_UP: Duration = Duration::from_secs(1);

/// What a look has found.
pub(super) struct News {
    seen: Seen,
    found: Result<Option<StoredDocument>, StoreError>,
    /// What is stored altogether, where that was read and has to be known.
    contents: Option<Contents>,
    /// In an index, how much is stored of each document of the project.
    sizes: Option<Sizes>,
}

type Sizes = HashMap<DocumentId, u64>;

/// How far the store has been read.
#[derive(Default)]
pub(super) struct Follow {
    /// None while a look is under way.
    seen: Option<Seen>,
    /// What this node has written since the look began that is under way.
    written: Vec<EntryId>,
    /// Whether nothing is carried, so that there is always a next look.
    is_needed: bool,
    /// Until when a node that is not heard may go on writing, and be taken for alive.
    silent_until: Option<tokio::time::Instant>,
    /// Until when a node is cut off that goes on writing.
    cut_off_until: Option<tokio::time::Instant>,
    /// Until when a lost node may go on writing.
    lost_until: Option<tokio::time::Instant>,
    due: Option<tokio::time::Instant>,
    /// In an index: as of the last look, while hints are not carried, or not those of all nodes.
    sizes: Option<Sizes>,
}

impl Follow {
    /// A document that has been read, or that there is nothing stored of.
    pub(super) fn after(stored: Option<&StoredDocument>) -> Self {
        let mut seen = Seen::default();
        if let Some(stored) = stored {
            seen.note(stored);
        }
        Self {
            seen: Some(seen),
            ..Self::default()
        }
    }

    /// Whether the fan-out does not bring what other nodes write, or not what one of them does.
    fn is_on(&self) -> bool {
        let now = tokio::time::Instant::now();
        let until = [self.silent_until, self.lost_until];
        self.lacks_hints() || until.into_iter().flatten().any(|until| now < until)
    }

    /// Whether there are nodes, as is known, whose hints do not come.
    fn lacks_hints(&self) -> bool {
        let now = tokio::time::Instant::now();
        self.is_needed || self.cut_off_until.is_some_and(|until| now < until)
    }

    pub(super) fn due(&self) -> Option<tokio::time::Instant> {
        // With a look under way, the next waits for its end.
        self.due.filter(|_| self.seen.is_some())
    }

    fn know(&mut self, written: impl Iterator<Item = EntryId>) {
        match &mut self.seen {
            Some(seen) => seen.entries.extend(written),
            None => self.written.extend(written),
        }
    }

    fn look_in(&mut self, pause: Duration) {
        let at = tokio::time::Instant::now() + pause;
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// Plans the next look where there has to be one.
    fn look_regularly(&mut self) {
        let now = tokio::time::Instant::now();
        let is_silent = self.silent_until.is_some_and(|until| now < until);
        if self.lacks_hints() || is_silent {
            let span = LOOK_BEFORE - LOOK_AFTER;
            self.look_in(LOOK_AFTER + span.mul_f64(random()));
        } else if self.lost_until.is_some_and(|until| now < until) {
            self.look_in(LOOK_WHILE_LOST.mul_f64(0.75 + random() / 2.0));
        } else {
            self.lost_until = None;
        }
    }
}

/// What a whole document that was read contains. Building it may take longer than a task may hold
/// its thread.
async fn contents(
    stored: StoredDocument,
) -> (Result<Option<StoredDocument>, StoreError>, Option<Contents>) {
    let built = tokio::task::spawn_blocking(move || {
        let contents = Document::from_stored(&stored).map(|document| document.contents());
        // A document that cannot be built says nothing about what it contains.
        (Ok(Some(stored)), contents.ok())
    });
    let failed = |error: tokio::task::JoinError| StoreError::Unavailable(error.to_string());
    built
        .await
        .unwrap_or_else(|error| (Err(failed(error)), None))
}

impl Room {
    /// The next look need not read what this room has written itself: under load that is nearly all that a look would
    /// find, and the database has the same people's edits to store meanwhile.
    pub(super) fn know_what_is_written(&mut self, written: &Written) {
        // Without looks to come, names that go from the log would stay here.
        if self.follow.is_on() {
            let store = &self.registry.store;
            let names = written.appends.iter();
            self.follow
                .know(names.filter_map(|append| store.entry_of(append.write)));
        }
        self.hearsay
            .stored(written.appends.iter().map(|append| &append.update));
    }

    /// Looks into the store once, soon.
    pub(super) fn follow_store(&mut self) {
        if self.registry.fanout.has_others() || self.hearsay.is_orphaned() {
            self.follow
                .look_in(LOOK_AGAIN.mul_f64(0.2 + 0.8 * random()));
        }
    }

    /// Looks into the store again and again.
    pub(super) fn follow_until_back(&mut self) {
        self.is_fresh = false;
        self.follow.is_needed = true;
        // At once, for what was on its way when the fan-out fell silent.
        self.follow_store();
    }

    /// Looks again and again for a moment: what a silent node stores is seen as if Redis were away.
    pub(super) fn follow_silent(&mut self) {
        self.follow.silent_until = Some(tokio::time::Instant::now() + WHILE_SILENT);
        // Whether or not any other node is known: this one may have just come.
        self.follow
            .look_in(LOOK_AGAIN.mul_f64(0.2 + 0.8 * random()));
    }

    /// Looks again and again for as long as a node leaves signs that it lives and is cut off.
    pub(super) fn follow_cut_off(&mut self) {
        self.follow.cut_off_until = Some(tokio::time::Instant::now() + WHILE_CUT_OFF);
        self.follow
            .look_in(LOOK_AGAIN.mul_f64(0.2 + 0.8 * random()));
    }

    /// Looks again and again, but not for ever: a node that died writes nothing any more.
    pub(super) fn follow_for_a_while(&mut self) {
        self.follow.silent_until = None;
        self.follow.lost_until = Some(tokio::time::Instant::now() + WHILE_LOST);
        self.follow.look_regularly();
    }

    pub(super) fn follow_no_more(&mut self) {
        self.follow.is_needed = false;
        if !self.follow.lacks_hints() {
            self.follow.sizes = None;
        }
    }

    /// Whether other nodes may have written what a room without members has not looked up.
    pub(super) fn may_be_behind(&self) -> bool {
        self.members.is_empty() && self.idle && self.follow.is_on()
    }

    /// Looks into the store before somebody is shown what is here. A store that does not answer holds
    /// nobody up for long.
    pub(super) async fn catch_up_with_store(&mut self) {
        let Some(seen) = self.follow.seen.take() else {
            return;
        };
        let look = self.registry.news(&self.name, &seen);
        match tokio::time::timeout(CATCH_UP, look).await {
            Err(_) => self.follow.seen = Some(seen),
            Ok(found) => self.on_news(News {
                seen,
                found,
                contents: None,
                sizes: None,
            }),
        }
    }

    /// The time for a look has come.
    pub(super) fn on_follow(&mut self) {
        self.follow.due = None;
        // Who comes into a room that nobody is in has it looked up then.
        if self.members.is_empty() && self.idle && !self.hearsay.is_orphaned() {
            return;
        }
        let Some(seen) = self.follow.seen.take() else {
            return;
        };
        let (registry, name, news) = (self.registry.clone(), self.name.clone(), self.news.clone());
        let asks_contents = !self.hearsay.is_empty();
        let asks_sizes = self.follow.lacks_hints() && self.name.document.is_index();
        tokio::spawn(async move {
            let found = registry.news(&name, &seen).await;
            let (found, contents) = match found {
                Ok(Some(stored)) if asks_contents && stored.snapshot.is_some() => {
                    contents(stored).await
                }
                found => (found, None),
            };
            let sizes = match asks_sizes {
                true => registry.store.documents(&name.project).await.ok(),
                false => None,
            };
            let sizes = sizes.map(|sizes| {
                let sizes = sizes.into_iter();
                sizes.map(|size| (size.document, size.bytes)).collect()
            });
            // The room may have been unloaded meanwhile.
            let news_found = News {
                seen,
                found,
                contents,
                sizes,
            };
            let _ = news.send(news_found).await;
        });
    }

    pub(super) fn on_news(&mut self, news: News) {
        let News {
            mut seen,
            found,
            contents,
            sizes,
        } = news;
        let has_looked = found.is_ok();
        match found {
            Ok(None) => {}
            Ok(Some(stored)) => {
                let mut any = false;
                let log = stored.log.iter().map(|entry| &entry.update);
                for update in stored.snapshot.iter().chain(log) {
                    if let Some(news) = self.integrate_elsewhere(update, Wanted::OnlyNew).news {
                        any = true;
                        self.hearsay.spread(&news);
                    }
                }
                if any {
                    metrics::counter!("tutti_fanout_from_store_total").increment(1);
                }
                seen.note(&stored);
                self.hearsay.found(&stored.log, contents.as_ref());
            }
            Err(error) => {
                tracing::debug!(room = %self.name, %error, "the store cannot be followed");
                self.follow.look_in(LOOK_BEFORE);
            }
        }
        if has_looked && self.hearsay.is_orphaned() {
            self.vouch();
        }
        match sizes.filter(|_| self.follow.lacks_hints()) {
            Some(sizes) => self.hint_at_growth(sizes),
            // What was known before says nothing about the next time.
            None if !self.follow.lacks_hints() => self.follow.sizes = None,
            None => {}
        }
        seen.entries.extend(self.follow.written.drain(..));
        self.follow.seen = Some(seen);
        self.follow.look_regularly();
    }

    /// Tells the members of an index which documents other nodes have written to, as far as the
    /// store shows. A compaction looks like an edit, which only makes somebody look in vain.
    fn hint_at_growth(&mut self, sizes: Sizes) {
        if let Some(before) = &self.follow.sizes {
            let changed: Vec<DocumentId> = sizes
                .iter()
                .filter(|(document, bytes)| before.get(*document) != Some(*bytes))
                .filter(|(document, _)| !document.is_index())
                .map(|(document, _)| document.clone())
                .collect();
            self.tell_changed(&changed);
        }
        self.follow.sizes = Some(sizes);
    }
}
