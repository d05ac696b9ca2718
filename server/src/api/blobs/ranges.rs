//! Which bytes of a content are asked for.

use std::ops::Range;

use axum::http::{HeaderMap, StatusCode, header};

use crate::api::error::{ApiError, ApiResult};
use crate::store::blobs::PART_BYTES;

/// The bytes that an answer holds.
pub(super) struct Wanted {
    bytes: Range<u64>,
    whole: u64,
    is_range: bool,
}

impl Wanted {
    /// What `headers` ask for of a content of `whole` bytes. Several ranges, or a unit that is not
    /// known, are answered with everything, as the standard allows.
    pub(super) fn of(headers: &HeaderMap, whole: u64) -> ApiResult<Self> {
        let range = headers.get(header::RANGE).and_then(|it| it.to_str().ok());
        let range = range.and_then(|range| read(range, whole));
        match range {
            None => Ok(Self {
                bytes: 0..whole,
                whole,
                is_range: false,
            }),
            Some(bytes) if bytes.is_empty() => Err(ApiError::new(
                StatusCode::RANGE_NOT_SATISFIABLE,
                format!("The content has {whole} bytes: there are none in this range."),
            )),
            Some(bytes) => Ok(Self {
                bytes,
                whole,
                is_range: true,
            }),
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        match self.is_range {
            true => StatusCode::PARTIAL_CONTENT,
            false => StatusCode::OK,
        }
    }

    pub(super) fn len(&self) -> u64 {
        self.bytes.end - self.bytes.start
    }

    pub(super) fn content_range(&self) -> Option<String> {
        let Range { start, end } = self.bytes;
        let last = end.checked_sub(1)?;
        self.is_range
            .then(|| format!("bytes {start}-{last}/{}", self.whole))
    }

    /// The parts that hold these bytes, and what of each is meant.
    pub(super) fn parts(&self) -> impl Iterator<Item = (u32, Range<usize>)> + Send + 'static {
        let part = PART_BYTES as u64;
        let Range { start, end } = self.bytes.clone();
        (start / part..end.div_ceil(part)).map(move |place| {
            let from = place * part;
            let within = start.max(from) - from..end.min(from + part) - from;
            (place as u32, within.start as usize..within.end as usize)
        })
    }
}

/// One range of bytes, which may be empty; `None` for anything else.
fn read(range: &str, whole: u64) -> Option<Range<u64>> {
    let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
    if first.is_empty() {
        let last: u64 = last.parse().ok()?;
        return Some(whole.saturating_sub(last)..whole);
    }
    let first: u64 = first.parse().ok()?;
    let end = match last {
        "" => whole,
        last => last.parse::<u64>().ok()?.saturating_add(1).min(whole),
    };
    Some(first..end.max(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_read_and_all_else_means_everything() {
        for (range, read_as) in [
            ("bytes=0-", Some(0..10)),
            ("bytes=3-5", Some(3..6)),
            ("bytes=3-99", Some(3..10)),
            ("bytes=-4", Some(6..10)),
            ("bytes=-99", Some(0..10)),
            ("bytes=10-", Some(10..10)),
            ("bytes=5-3", Some(5..5)),
            ("bytes=0-1,4-5", None),
            ("bytes=a-b", None),
            ("lines=0-1", None),
            ("bytes", None),
        ] {
            assert_eq!(read(range, 10), read_as, "{range}");
        }
    }

    #[test]
    fn parts_hold_exactly_what_is_wanted() {
        let part = PART_BYTES as u64;
        let parts = |bytes: Range<u64>| {
            let wanted = Wanted {
                bytes,
                whole: 3 * part,
                is_range: true,
            };
            wanted.parts().collect::<Vec<_>>()
        };
        assert_eq!(parts(0..0), []);
        assert_eq!(parts(0..part), [(0, 0..PART_BYTES)]);
        let across = [(0, PART_BYTES - 1..PART_BYTES), (1, 0..2)];
        assert_eq!(parts(part - 1..part + 2), across);
        assert_eq!(parts(2 * part + 5..2 * part + 6), [(2, 5..6)]);
    }
}
