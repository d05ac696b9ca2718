//! What one person did while writing a long text, edit by edit.

use std::fs;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use fastrand::Rng;
use flate2::read::GzDecoder;
use ropey::Rope;
use serde::Deserialize;
use tutti_engine::patch::{Patch, Splice};

/// How a file begins that gzip has packed (RFC 1952).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A trace.
#[derive(Debug)]
pub struct Trace {
    /// The text at the start.
    pub start: String,
    /// The edits, each of the text that the one before has made.
    pub edits: Vec<Splice>,
    /// The text at the end.
    pub end: String,
}

/// The JSON form of <https://github.com/josephg/editing-traces>, as far as it is needed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    start_content: String,
    end_content: String,
    txns: Vec<Transaction>,
}

#[derive(Deserialize)]
struct Transaction {
    /// Place, how many characters go, what comes.
    patches: Vec<(usize, usize, String)>,
}

impl Trace {
    /// Reads a trace from a JSON file that may be packed with gzip.
    ///
    /// # Errors
    /// When the file cannot be read, or is no such trace.
    pub fn read(path: &Path) -> Result<Self> {
        let read = || {
            let mut bytes = fs::read(path)?;
            if bytes.starts_with(&GZIP) {
                let packed = std::mem::take(&mut bytes);
                GzDecoder::new(&*packed).read_to_end(&mut bytes)?;
            }
            anyhow::Ok(serde_json::from_slice::<File>(&bytes)?)
        };
        let file = read().with_context(|| format!("no editing trace in {}", path.display()))?;
        let patches = file.txns.into_iter().flat_map(|one| one.patches);
        let edit = |(at, delete, insert)| Splice { at, delete, insert };
        Ok(Self {
            start: file.start_content,
            edits: patches.map(edit).collect(),
            end: file.end_content,
        })
    }

    /// A trace of so many edits that is like a real one of a person writing an article in 259,778
    /// edits, which left 104,852 characters: three of ten edits delete, people go on for about 29
    /// characters typing and 18 deleting (most runs are shorter, a few much longer), and before
    /// every second run they go elsewhere, mostly not far.
    pub fn like_a_real_one(edits: usize, rng: &mut Rng) -> Self {
        let mut text = Rope::new();
        let mut done = Vec::with_capacity(edits);
        let (mut caret, mut deletions) = (0usize, 0);
        while done.len() < edits {
            if rng.bool() {
                let far = skewed(text.len_chars(), rng);
                caret = if rng.bool() {
                    caret.saturating_sub(far)
                } else {
                    (caret + far).min(text.len_chars())
                };
            }
            let is_behind = 1000 * deletions < 298 * done.len();
            let deletes = rng.f64() < if is_behind { 0.6 } else { 0.3 };
            let longest = if deletes { 80 } else { 150 };
            for _ in 0..skewed(longest, rng).min(edits - done.len()) {
                let edit = if !deletes {
                    let letter = if rng.u8(0..40) == 0 {
                        '\n'
                    } else {
                        rng.lowercase()
                    };
                    caret += 1;
                    Splice {
                        at: caret - 1,
                        delete: 0,
                        insert: letter.into(),
                    }
                } else if caret > 0 {
                    caret -= 1;
                    deletions += 1;
                    Splice {
                        at: caret,
                        delete: 1,
                        insert: String::new(),
                    }
                } else {
                    break;
                };
                Patch::from(edit.clone()).apply(&mut text);
                done.push(edit);
            }
        }
        Self {
            start: String::new(),
            edits: done,
            end: text.to_string(),
        }
    }
}

/// A number from 1 to `most`, as often below its square root as above.
fn skewed(most: usize, rng: &mut Rng) -> usize {
    (most as f64).powf(rng.f64()) as usize
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;
    use crate::person::{Person, incremental};
    use crate::texts::along;
    use tutti_engine::Replica;

    fn replayed(trace: &Trace) -> String {
        let mut text = trace.start.clone();
        for edit in &trace.edits {
            text.replace_range(edit.at..edit.end(), &edit.insert);
        }
        text
    }

    #[test]
    fn a_file_is_read_packed_or_not() {
        let json = r#"{"startContent": "ab", "endContent": "aXYc", "txns": [
            {"time": "", "patches": [[1, 1, "XY"]]}, {"patches": [[3, 0, "c"]]}
        ]}"#;
        let directory = tempfile::tempdir().unwrap();
        let (plain, packed) = (directory.path().join("a"), directory.path().join("b"));
        fs::write(&plain, json).unwrap();
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(json.as_bytes()).unwrap();
        fs::write(&packed, encoder.finish().unwrap()).unwrap();
        for path in [&plain, &packed] {
            let trace = Trace::read(path).unwrap();
            assert_eq!(trace.edits.len(), 2);
            assert_eq!(replayed(&trace), trace.end);
            assert_eq!(trace.end, "aXYc");
        }
        fs::write(&plain, "{}").unwrap();
        let error = format!("{:#}", Trace::read(&plain).unwrap_err());
        assert!(error.contains("startContent"), "{error}");
    }

    #[test]
    fn a_made_one_has_the_shape_of_the_real_one() {
        let count = 20_000;
        let trace = Trace::like_a_real_one(count, &mut Rng::with_seed(3));
        assert_eq!(trace.edits.len(), count);
        assert_eq!(replayed(&trace), trace.end);
        // 104,852 of 259,778.
        let left = trace.end.len() as f64 / count as f64;
        assert!((0.38..0.43).contains(&left), "{left} characters an edit");
        let goes_on = |pair: &[Splice]| {
            let behind = pair[0].at + pair[0].insert.len();
            pair[1].at == behind || pair[1].end() == behind
        };
        let jumps = trace.edits.windows(2).filter(|pair| !goes_on(pair)).count();
        // 5,491 of 259,778.
        assert!((200..700).contains(&jumps), "{jumps} jumps");
    }

    #[test]
    fn the_engine_takes_it() {
        let trace = Trace::like_a_real_one(3_000, &mut Rng::with_seed(4));
        let (mut person, _) = Person::open(Replica::new(1), "Visual Studio Code");
        let mut peer = Replica::new(2);
        for change in along(&Rope::new(), &trace.edits, incremental) {
            peer.apply(&person.type_in(change).0).unwrap();
        }
        assert_eq!(person.shown(), trace.end);
        assert_eq!(peer.text(), trace.end);
    }
}
