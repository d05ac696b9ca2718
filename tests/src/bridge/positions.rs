//! Positions of the Language Server Protocol in an ASCII text.

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

/// The position of a byte offset.
pub(super) fn position(text: &str, offset: usize) -> Value {
    let before = &text[..offset];
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    json!({ "line": before.matches('\n').count(), "character": offset - start })
}

/// The byte offset of a position.
pub(super) fn offset(text: &str, position: &Value) -> Result<usize> {
    let number = |name: &str| {
        position[name]
            .as_u64()
            .and_then(|number| usize::try_from(number).ok())
            .with_context(|| format!("no position: {position}"))
    };
    let start: usize = text
        .split_inclusive('\n')
        .take(number("line")?)
        .map(str::len)
        .sum();
    let offset = start + number("character")?;
    ensure!(offset <= text.len(), "{position} is behind the end");
    Ok(offset)
}
