//! The set-up lines that the documents give, so that the tests use what people paste.

use std::fs;

use anyhow::{Context, Result};

use crate::tools::repository;

/// The first code block beneath README's heading that starts with `heading`.
///
/// # Errors
/// When there is none.
pub fn block(heading: &str) -> Result<String> {
    block_of("README.md", heading)
}

/// The same of `editor-plugins/README.md`: an editor's lines with more comfort.
///
/// # Errors
/// When there is none.
pub fn comfort(heading: &str) -> Result<String> {
    block_of("editor-plugins/README.md", heading)
}

/// As [`block`], in another file of the repository.
///
/// # Errors
/// When there is none.
pub fn block_of(file: &str, heading: &str) -> Result<String> {
    let text = fs::read_to_string(repository().join(file))?;
    block_in(&text, heading).with_context(|| format!("{file} has no code block under `{heading}`"))
}

fn block_in(text: &str, heading: &str) -> Option<String> {
    let mut lines = text.lines().skip_while(|line| {
        line.trim_start_matches('#') == *line
            || !line.trim_start_matches('#').trim().starts_with(heading)
    });
    lines.next()?;
    let mut lines = lines
        .take_while(|line| !line.starts_with('#') || line.starts_with("#!"))
        .skip_while(|line| !line.starts_with("```"));
    lines.next()?;
    let block: Vec<&str> = lines.take_while(|line| !line.starts_with("```")).collect();
    Some(block.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::block_in;

    #[test]
    fn the_block_of_a_heading() {
        let text = "# T\n```\nno\n```\n### Neovim 0.10\nText.\n```lua\nfirst()\nsecond()\n```\n### Helix\n";
        assert_eq!(
            block_in(text, "Neovim").as_deref(),
            Some("first()\nsecond()\n")
        );
        assert_eq!(block_in(text, "Helix"), None);
        assert_eq!(block_in(text, "Emacs"), None);
    }
}
