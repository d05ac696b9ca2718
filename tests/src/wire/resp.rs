//! As much of RESP3 as tells one message of Pub/Sub from the next.

/// Whether a value is a message on a room's channel. Signs of life arrive, so that it is messages that are lost and not
/// nodes.
pub(super) fn is_for_a_room(value: &[u8]) -> bool {
    let is_push =
        value.starts_with(b">3\r\n$7\r\nmessage") || value.starts_with(b">3\r\n$8\r\nsmessage");
    is_push && value.windows(6).any(|part| part == b":room:")
}

/// Where the first value ends; `None` while it is incomplete.
pub(super) fn value_end(bytes: &[u8]) -> Option<usize> {
    let line = bytes.windows(2).position(|two| two == b"\r\n")? + 2;
    let number = || std::str::from_utf8(&bytes[1..line - 2]).ok()?.parse().ok();
    let parts: i64 = match bytes[0] {
        b'$' | b'=' => {
            let end = match number()? {
                -1 => line,
                length => line + usize::try_from(length).ok()? + 2,
            };
            return (bytes.len() >= end).then_some(end);
        }
        b'*' | b'>' | b'~' => number()?,
        b'%' => number()? * 2,
        _ => return Some(line),
    };
    let mut end = line;
    for _ in 0..parts {
        end += value_end(&bytes[end..])?;
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_ends_where_it_ends() {
        let message = b">3\r\n$7\r\nmessage\r\n$10\r\nt:0:room:p\r\n$3\r\na\r\n\r\n";
        let both = [&message[..], b"+OK\r\n"].concat();
        assert_eq!(value_end(&both), Some(message.len()));
        assert!(is_for_a_room(message));
        assert_eq!(value_end(&both[message.len()..]), Some(5));
        assert!((0..message.len()).all(|end| value_end(&message[..end]).is_none()));
    }
}
