//! The set-up lines, cut out of the documents that people read, so that there is one source.

/// The repository's README.
pub(super) const README: &str = include_str!("../../../../README.md");
/// `editor-plugins/README.md`.
pub(super) const EDITORS: &str = include_str!("../../../../editor-plugins/README.md");

/// The first code block beneath `heading`.
pub(super) fn block(document: &str, heading: &str) -> Option<String> {
    let title = |line: &str| {
        let title = line.trim_start_matches('#');
        (title.len() < line.len()).then(|| title.trim().to_owned())
    };
    let mut lines = document.lines();
    lines.find(|line| title(line).as_deref() == Some(heading))?;
    let mut lines = lines.skip_while(|line| !line.starts_with("```") && title(line).is_none());
    lines.next().filter(|line| line.starts_with("```"))?;
    let block: Vec<&str> = lines.take_while(|line| !line.starts_with("```")).collect();
    Some(block.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_block_beneath_a_heading() {
        let document = "# T\n```\nno\n```\n### Vim\nText.\n```lua\n# a\nb\n```\n```\nc\n```\n## Vi\n## X\n```\nx\n```\n";
        assert_eq!(block(document, "Vim").as_deref(), Some("# a\nb"));
        assert_eq!(block(document, "Vi"), None);
        assert_eq!(block(document, "T").as_deref(), Some("no"));
        assert_eq!(block(document, "Y"), None);
    }
}
