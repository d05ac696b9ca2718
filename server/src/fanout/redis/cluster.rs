//! Redis as a cluster: which of its members carries which channel.

use redis::aio::MultiplexedConnection;
use redis::{RedisError, Value};

/// The hash slots of a cluster.
const SLOTS: u16 = 16_384;

/// One range of slots and the member that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) first: u16,
    pub(super) last: u16,
    /// As its peers call it; empty where it does not know its own name.
    pub(super) host: String,
    pub(super) port: u16,
}

/// The ranges of a cluster; `None` where Redis is a single server.
///
/// # Errors
/// Redis does not answer, or says nothing that can be understood.
pub(super) async fn ranges(
    connection: &mut MultiplexedConnection,
) -> Result<Option<Vec<Range>>, RedisError> {
    let info: Result<String, RedisError> = redis::cmd("INFO")
        .arg("cluster")
        .query_async(connection)
        .await;
    let is_cluster = match info {
        Ok(info) => info.contains("cluster_enabled:1"),
        // An account without the right to ask is one on a single server.
        Err(error) if error.code() == Some("NOPERM") => false,
        Err(error) => return Err(error),
    };
    if !is_cluster {
        return Ok(None);
    }
    let slots: Value = redis::cmd("CLUSTER")
        .arg("SLOTS")
        .query_async(connection)
        .await?;
    Ok(Some(read(&slots)))
}

/// Reads the answer to CLUSTER SLOTS; what is not understood is left out.
fn read(answer: &Value) -> Vec<Range> {
    let Value::Array(entries) = answer else {
        return Vec::new();
    };
    entries.iter().filter_map(range).collect()
}

fn range(entry: &Value) -> Option<Range> {
    let Value::Array(parts) = entry else {
        return None;
    };
    let [
        Value::Int(first),
        Value::Int(last),
        Value::Array(master),
        ..,
    ] = parts.as_slice()
    else {
        return None;
    };
    let [host, Value::Int(port), ..] = master.as_slice() else {
        return None;
    };
    let host = match host {
        Value::BulkString(host) => String::from_utf8(host.clone()).ok()?,
        Value::SimpleString(host) => host.clone(),
        _ => String::new(),
    };
    Some(Range {
        first: u16::try_from(*first).ok()?,
        last: u16::try_from(*last).ok()?,
        host,
        port: u16::try_from(*port).ok()?,
    })
}

/// The slot of a channel. The names of our channels hold no braces, so all of it counts.
pub(super) fn slot(channel: &str) -> u16 {
    crc16(channel.as_bytes()) % SLOTS
}

/// CRC-16/XMODEM, as the Redis cluster specification asks for.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| {
            let carried = crc & 0x8000 != 0;
            (crc << 1) ^ if carried { 0x1021 } else { 0 }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        // As CLUSTER KEYSLOT says.
        assert_eq!(slot("foo"), 12_182);
        assert_eq!(slot("somekey"), 11_058);
    }

    #[test]
    fn an_answer_is_read_and_what_is_odd_left_out() {
        let text = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let range = |first, last, host, port| {
            let master = Value::Array(vec![
                host,
                Value::Int(port),
                text("id"),
                Value::Array(vec![]),
            ]);
            Value::Array(vec![Value::Int(first), Value::Int(last), master])
        };
        let answer = Value::Array(vec![
            range(0, 99, text("one"), 7000),
            range(100, 16_383, Value::Nil, 7001),
            range(0, 1 << 20, text("odd"), 7002),
            Value::Nil,
        ]);
        let ranges = read(&answer);
        assert_eq!(ranges.len(), 2);
        assert_eq!((ranges[0].host.as_str(), ranges[0].port), ("one", 7000));
        assert_eq!((ranges[1].host.as_str(), ranges[1].last), ("", 16_383));
    }
}
