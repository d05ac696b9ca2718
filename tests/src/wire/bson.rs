//! As much of MongoDB's protocol as tells a write from a read, and refuses it.

use super::Refusal;

const OP_MSG: i32 = 2013;

/// Length, request id, id of what is answered, kind.
const HEADER: usize = 16;

/// The first message, once it is complete.
pub(super) fn message(bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(..usize::try_from(number(bytes, 0)?).ok()?)
}

/// What an `OP_MSG` asks for: the name of the first field of its document.
pub(super) fn command(message: &[u8]) -> Option<&str> {
    // Behind the header: flags (4), kind of section (1), length of the document (4), type of the field (1).
    let name = message.get(HEADER + 10..)?;
    let end = name.iter().position(|&byte| byte == 0)?;
    let is_message = number(message, 12)? == OP_MSG && message[HEADER + 4] == 0;
    std::str::from_utf8(&name[..end])
        .ok()
        .filter(|_| is_message)
}

/// The answer to a message that it is not done.
pub(super) fn refusal(message: &[u8], refusal: Refusal) -> Vec<u8> {
    let mut fields = Vec::new();
    fields.extend(b"\x01ok\0");
    fields.extend(0f64.to_le_bytes());
    for (name, text) in [
        ("errmsg", "it may not be written"),
        ("codeName", refusal.name),
    ] {
        fields.push(2);
        fields.extend(name.as_bytes());
        fields.push(0);
        fields.extend((text.len() as i32 + 1).to_le_bytes());
        fields.extend(text.as_bytes());
        fields.push(0);
    }
    fields.extend(b"\x10code\0");
    fields.extend(refusal.code.to_le_bytes());
    fields.push(0);
    let document = fields.len() as i32 + 4;
    let all = HEADER as i32 + 5 + document;
    let mut answer = Vec::new();
    for number in [all, 0, number(message, 4).unwrap_or_default(), OP_MSG, 0] {
        answer.extend(number.to_le_bytes());
    }
    answer.push(0);
    answer.extend(document.to_le_bytes());
    answer.extend(fields);
    answer
}

fn number(bytes: &[u8], at: usize) -> Option<i32> {
    let four = bytes.get(at..at + 4)?;
    Some(i32::from_le_bytes(four.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_is_known_and_its_refusal_is_a_message() {
        // {insert: "x"}
        let document = b"\x13\0\0\0\x02insert\0\x02\0\0\0x\0\0";
        let mut insert = Vec::new();
        for number in [HEADER as i32 + 5 + document.len() as i32, 7, 0, OP_MSG, 0] {
            insert.extend(number.to_le_bytes());
        }
        insert.push(0);
        insert.extend(document);
        assert!(message(&insert[..insert.len() - 1]).is_none());
        assert_eq!(message(&insert).map(<[u8]>::len), Some(insert.len()));
        assert_eq!(command(&insert), Some("insert"));
        let refusal = Refusal {
            code: 10_107,
            name: "NotWritablePrimary",
        };
        let answer = super::refusal(&insert, refusal);
        assert_eq!(message(&answer).map(<[u8]>::len), Some(answer.len()));
        assert_eq!(command(&answer), Some("ok"));
        assert_eq!(number(&answer, 8), Some(7));
    }
}
