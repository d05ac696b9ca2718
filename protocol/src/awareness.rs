//! The awareness payload: who is there, and what each one shows (y-protocols `awareness.js`).

use crate::codec::{DecodeError, Reader, Write};

/// The state of one client, as an awareness update carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwarenessEntry {
    /// The Yjs client id.
    pub client: u64,
    /// Grows with each change of this client's state; an entry with an older clock is ignored.
    pub clock: u64,
    /// The state as JSON; `null` says that the client has gone.
    pub state: String,
}

impl AwarenessEntry {
    /// Whether this entry removes its client.
    pub fn is_removal(&self) -> bool {
        self.state == "null"
    }
}

/// Reads the entries of an awareness update.
///
/// # Errors
/// [`DecodeError`] when the bytes are not an awareness update. States are not parsed as JSON.
pub fn decode(update: &[u8]) -> Result<Vec<AwarenessEntry>, DecodeError> {
    let mut reader = Reader::new(update);
    let count = reader.var_uint()?;
    let mut entries = Vec::new();
    for _ in 0..count {
        entries.push(AwarenessEntry {
            client: reader.var_uint()?,
            clock: reader.var_uint()?,
            state: reader.var_str()?.to_owned(),
        });
    }
    Ok(entries)
}

/// Writes an awareness update.
pub fn encode(entries: &[AwarenessEntry]) -> Vec<u8> {
    let mut out = Vec::new();
    out.var_uint(entries.len() as u64);
    for entry in entries {
        out.var_uint(entry.client);
        out.var_uint(entry.clock);
        out.var_str(&entry.state);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_survive_and_agree_with_yrs() {
        let entries = [
            AwarenessEntry {
                client: 7,
                clock: 3,
                state: r#"{"user":{"name":"Ada"}}"#.into(),
            },
            AwarenessEntry {
                client: 1 << 40,
                clock: 1,
                state: "null".into(),
            },
        ];
        let bytes = encode(&entries);
        assert_eq!(decode(&bytes).unwrap(), entries);
        use yrs::updates::decoder::Decode;
        let theirs = yrs::sync::AwarenessUpdate::decode_v1(&bytes).unwrap();
        assert_eq!(theirs.clients.len(), 2);
    }

    #[test]
    fn a_claimed_count_is_not_believed() {
        assert_eq!(
            decode(&[0xff, 0xff, 0xff, 0xff, 0x0f]),
            Err(DecodeError::UnexpectedEnd)
        );
    }
}
