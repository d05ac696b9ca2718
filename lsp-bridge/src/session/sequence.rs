//! Changes that come on the wrong side of the opening of their document.
//!
//! Helix writes each notification from a task of its own. A change may overtake the opening; and
//! one that was made while the opening was being prepared is in the opened text already, and comes
//! behind it. What comes in the wrong order among the changes themselves is the engine's to sort.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

const OPEN: &str = "textDocument/didOpen";
const CHANGE: &str = "textDocument/didChange";
const CLOSE: &str = "textDocument/didClose";

/// How long a change waits for its opening, and how many do.
const PATIENCE: Duration = Duration::from_secs(1);
const MOST_WAITING: usize = 64;

/// Brings openings and changes into order, for editors whose versions step by one.
#[derive(Default)]
pub(super) struct Sequence {
    /// The version with which each document was opened, and when.
    opened: HashMap<String, (i64, Instant)>,
    waiting: Vec<Waiting>,
}

struct Waiting {
    uri: String,
    version: i64,
    since: Instant,
    params: Value,
}

impl Sequence {
    /// What there is to do, in order, now that this has come.
    pub(super) fn follow(
        &mut self,
        method: &str,
        params: Value,
        now: Instant,
    ) -> Vec<(&'static str, Value)> {
        let document = &params["textDocument"];
        let uri = document["uri"].as_str().unwrap_or_default().to_owned();
        let version = document["version"].as_i64();
        match method {
            OPEN => {
                let version = version.unwrap_or_default();
                self.opened.insert(uri.clone(), (version, now));
                // Older ones are in the opened text, or were of an earlier opening.
                self.waiting
                    .retain(|waiting| waiting.uri != uri || waiting.version > version);
                let mut follow = vec![(OPEN, params)];
                follow.extend(self.waited_for(&uri, version, now));
                follow
            }
            CHANGE => match (version, self.opened.get(&uri)) {
                (Some(version), Some(opened)) if is_in_opened(version, *opened, now) => {
                    tracing::debug!(uri, version, "in the opened text already");
                    Vec::new()
                }
                (Some(version), None) if has_ranges(&params) => {
                    self.wait(uri, version, params, now);
                    Vec::new()
                }
                (version, _) => {
                    let mut follow = vec![(CHANGE, params)];
                    follow.extend(
                        version
                            .into_iter()
                            .flat_map(|it| self.waited_for(&uri, it, now)),
                    );
                    follow
                }
            },
            CLOSE => {
                self.opened.remove(&uri);
                vec![(CLOSE, params)]
            }
            _ => Vec::new(),
        }
    }

    fn wait(&mut self, uri: String, version: i64, params: Value, now: Instant) {
        if self.waiting.len() == MOST_WAITING {
            self.waiting.remove(0);
        }
        self.waiting.push(Waiting {
            uri,
            version,
            since: now,
            params,
        });
    }

    /// The changes that have overtaken their opening and follow this version of it, each on the other. What
    /// never follows was of another opening, or of none.
    fn waited_for(&mut self, uri: &str, version: i64, now: Instant) -> Vec<(&'static str, Value)> {
        self.waiting
            .retain(|waiting| now.duration_since(waiting.since) < PATIENCE);
        let mut follow = Vec::new();
        let next = |version: i64| move |one: &Waiting| one.uri == uri && one.version == version + 1;
        let mut version = version;
        while let Some(at) = self.waiting.iter().position(next(version)) {
            follow.push((CHANGE, self.waiting.remove(at).params));
            version += 1;
        }
        follow
    }

    /// Whether this is for [`Sequence::follow`].
    pub(super) fn concerns(method: &str) -> bool {
        matches!(method, OPEN | CHANGE | CLOSE)
    }
}

/// Whether a change was made before its document was opened, and is in the opened text. What comes so much
/// later, or is of so much older a version, is of a client that counts otherwise.
fn is_in_opened(version: i64, opened: (i64, Instant), now: Instant) -> bool {
    let (first, since) = opened;
    let is_near = first.saturating_sub(version) <= MOST_WAITING as i64;
    version <= first && is_near && now.duration_since(since) < PATIENCE
}

/// Helix tells what has changed. Whoever sends a whole text is none that overtakes its opening.
fn has_ranges(params: &Value) -> bool {
    let changes = params["contentChanges"].as_array();
    changes.is_none_or(|changes| changes.iter().all(|change| !change["range"].is_null()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn params(uri: &str, version: i64) -> Value {
        json!({ "textDocument": { "uri": uri, "version": version } })
    }

    struct Heard(Sequence, Instant);

    impl Heard {
        fn follow(&mut self, method: &str, version: i64) -> Vec<(&'static str, i64)> {
            let follow = self.0.follow(method, params("a", version), self.1);
            let version = |params: &Value| params["textDocument"]["version"].as_i64().unwrap();
            let follow = follow.into_iter();
            follow
                .map(|(method, params)| (method, version(&params)))
                .collect()
        }
    }

    #[test]
    fn openings_come_first_and_once() {
        let mut heard = Heard(Sequence::default(), Instant::now());
        assert_eq!(heard.follow(CHANGE, 4), []);
        assert_eq!(heard.follow(CHANGE, 3), []);
        assert_eq!(heard.0.follow(CHANGE, params("b", 9), heard.1), []);
        assert_eq!(heard.follow(OPEN, 3), [(OPEN, 3), (CHANGE, 4)]);
        assert_eq!(heard.follow(CHANGE, 2), []);
        // Among each other they are the engine's.
        assert_eq!(heard.follow(CHANGE, 6), [(CHANGE, 6)]);
        assert_eq!(heard.follow(CHANGE, 5), [(CHANGE, 5)]);
        assert_eq!(heard.follow(CLOSE, 6), [(CLOSE, 6)]);
        // One that has overtaken another that has overtaken the opening.
        assert_eq!(heard.follow(CHANGE, 5), []);
        assert_eq!(heard.follow(OPEN, 3), [(OPEN, 3)]);
        assert_eq!(heard.follow(CHANGE, 4), [(CHANGE, 4), (CHANGE, 5)]);
        assert_eq!(heard.follow(CLOSE, 5), [(CLOSE, 5)]);
        // A stray one, which follows nothing.
        assert_eq!(heard.follow(CHANGE, 7), []);
        assert_eq!(heard.follow(OPEN, 1), [(OPEN, 1)]);
        assert_eq!(heard.follow(CHANGE, 2), [(CHANGE, 2)]);
        assert_eq!(heard.follow(CLOSE, 2), [(CLOSE, 2)]);
        // What is left of that one does not belong to the next.
        assert_eq!(heard.follow(CHANGE, 7), []);
        heard.1 += PATIENCE;
        assert_eq!(heard.follow(OPEN, 0), [(OPEN, 0)]);
    }
    #[test]
    fn versions_that_go_backwards_are_not_of_an_earlier_opening() {
        let mut heard = Heard(Sequence::default(), Instant::now());
        assert_eq!(heard.follow(OPEN, 50), [(OPEN, 50)]);
        assert_eq!(heard.follow(CHANGE, 49), []);
        assert_eq!(heard.follow(CHANGE, -49), [(CHANGE, -49)]);
        heard.1 += PATIENCE;
        assert_eq!(heard.follow(CHANGE, 49), [(CHANGE, 49)]);
    }

    #[test]
    fn a_whole_text_waits_for_no_opening() {
        let mut heard = Heard(Sequence::default(), Instant::now());
        let mut whole = params("a", 2);
        whole["contentChanges"] = json!([{ "text": "all of it" }]);
        let follow = heard.0.follow(CHANGE, whole.clone(), heard.1);
        assert_eq!(follow, [(CHANGE, whole)]);
        assert_eq!(heard.follow(OPEN, 1), [(OPEN, 1)]);
    }
}
