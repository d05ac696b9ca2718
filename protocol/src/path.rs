//! Which paths a project may hold.
//!
//! Paths come from other people and are written to disk, so they are refused wherever one of the
//! file systems we run on could read them as something else than a plain file beneath the
//! project's directory.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use thiserror::Error;
use unicode_normalization::UnicodeNormalization;

/// The longest path, in bytes of UTF-8.
pub const MAX_PATH_BYTES: usize = 1024;
/// The longest name of one file or directory, in bytes: the limit of ext4, APFS and NTFS.
pub const MAX_NAME_BYTES: usize = 255;

/// A relative path with `/` between its parts that is safe to create beneath a project's
/// directory on Linux, macOS and Windows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectPath(Arc<str>);

/// Why a path is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PathError {
    /// Nothing, or an empty part as in `a//b` or `a/`.
    #[error("a path needs a name between its slashes")]
    EmptyPart,
    /// Starts at a root: `/a`, `C:\a`, `\\host\a`.
    #[error("an absolute path is not allowed")]
    Absolute,
    /// Has a part `.` or `..`.
    #[error("a path must not contain . or ..")]
    Dots,
    /// Lies in a directory that belongs to git or to Tutti.
    #[error("files in .git and .tutti are never shared")]
    Reserved,
    /// A device of Windows, such as `CON` or `nul.txt`.
    #[error("this name is reserved on Windows")]
    WindowsDevice,
    /// A character that a file system refuses, or that would disguise the name.
    #[error("a path must not contain control characters or any of \\ : * ? \" < > |")]
    Character,
    /// A part that ends in a blank or a dot, which Windows would drop.
    #[error("a name must not end in a blank or a dot")]
    TrailingDotOrBlank,
    /// Over [`MAX_PATH_BYTES`], or a part over [`MAX_NAME_BYTES`].
    #[error("a path has at most 1024 bytes, and a name in it at most 255")]
    TooLong,
}

impl ProjectPath {
    /// The path as text, its parts separated by `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names on the way, the file's own last.
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// The file's own name.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// What two paths share that a case-folding, normalising file system takes for one.
    pub fn folded(&self) -> String {
        fold(&self.0)
    }
}

impl FromStr for ProjectPath {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        let bytes = text.as_bytes();
        let drive = bytes.len() >= 3
            && bytes[0].is_ascii_alphabetic()
            && bytes[1] == b':'
            && matches!(bytes[2], b'/' | b'\\');
        if text.starts_with(['/', '\\']) || drive {
            return Err(PathError::Absolute);
        }
        if text.len() > MAX_PATH_BYTES {
            return Err(PathError::TooLong);
        }
        for part in text.split('/') {
            check_part(part)?;
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for ProjectPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for ProjectPath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

fn check_part(part: &str) -> Result<(), PathError> {
    if part.is_empty() {
        return Err(PathError::EmptyPart);
    }
    if part == "." || part == ".." {
        return Err(PathError::Dots);
    }
    if part.len() > MAX_NAME_BYTES {
        return Err(PathError::TooLong);
    }
    if part.chars().any(is_refused) {
        return Err(PathError::Character);
    }
    if part.ends_with(['.', ' ']) {
        return Err(PathError::TrailingDotOrBlank);
    }
    let folded = fold(part);
    // At any depth: a nested repository's hooks run as well as the outer one's, and a nested project would take the
    // files around it away from this one.
    for private in ["git", "tutti"] {
        if folded.strip_prefix('.') == Some(private) || is_short_name_of(&folded, private) {
            return Err(PathError::Reserved);
        }
    }
    if is_windows_device(&folded) {
        return Err(PathError::WindowsDevice);
    }
    Ok(())
}

fn is_refused(c: char) -> bool {
    c.is_control()
        || matches!(c, '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|')
        // Marks that turn the direction of writing make `gpj.exe` look like `exe.jpg`.
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
}

/// Case and form folded, and without the characters that some file systems ignore in names.
fn fold(text: &str) -> String {
    text.chars()
        .filter(|c| !is_ignorable(*c))
        .nfkc()
        .flat_map(char::to_lowercase)
        .collect()
}

/// Unicode's `Default_Ignorable_Code_Point`: what a case-folding ext4 ignores in names. HFS+ does
/// so with some of them (git's CVE-2014-9390).
fn is_ignorable(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Whether Windows may give the name `.LONG` this short one: `LONG~1`, a higher number where that
/// is taken, or two letters and four hexadecimal digits where many are.
fn is_short_name_of(folded: &str, long: &str) -> bool {
    let Some((stem, number)) = folded.split_once('~') else {
        return false;
    };
    let hashed = stem.strip_prefix(&long[..2]);
    let is_hashed =
        hashed.is_some_and(|hash| hash.len() == 4 && hash.bytes().all(|b| b.is_ascii_hexdigit()));
    (stem == long || is_hashed)
        && !number.is_empty()
        && number.bytes().all(|digit| digit.is_ascii_digit())
}

fn is_windows_device(folded: &str) -> bool {
    let stem = folded.split('.').next().unwrap_or(folded).trim_end();
    match stem {
        "con" | "prn" | "aux" | "nul" | "conin$" | "conout$" => true,
        _ => {
            let digit = stem
                .strip_prefix("com")
                .or_else(|| stem.strip_prefix("lpt"));
            digit.is_some_and(|d| d.len() == 1 && d.as_bytes()[0].is_ascii_digit())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused() {
        use PathError::*;
        let name = "x".repeat(256);
        let deep = "abcdefg/".repeat(128) + "x";
        let long = "y".repeat(4096);
        let table: &[(&str, PathError)] = &[
            ("", EmptyPart),
            ("a//b", EmptyPart),
            ("a/", EmptyPart),
            ("/etc/passwd", Absolute),
            ("\\\\host\\share", Absolute),
            ("C:/x", Absolute),
            ("c:\\x", Absolute),
            ("c:x", Character),
            ("..", Dots),
            ("a/../b", Dots),
            ("./a", Dots),
            (".git/hooks/post-checkout", Reserved),
            ("sub/.git/config", Reserved),
            (".GIT/config", Reserved),
            (".gi\u{200c}t/config", Reserved),
            ("\u{ff0e}git/config", Reserved),
            (".g\u{ad}it/config", Reserved),
            (".git\u{fe0f}/config", Reserved),
            (".g\u{e0061}it/config", Reserved),
            ("GIT~1/config", Reserved),
            ("sub/git~23/config", Reserved),
            ("gi7EB0~1/config", Reserved),
            (".git/", Reserved),
            (".git::$INDEX_ALLOCATION/config", Character),
            (".git./config", TrailingDotOrBlank),
            (".git . ./config", TrailingDotOrBlank),
            (".GI\u{ff34}", Reserved),
            ("TUTTI~1/project.toml", Reserved),
            ("tu0a1b~2", Reserved),
            (".Tutti/project.toml", Reserved),
            ("CON", WindowsDevice),
            ("a/nul.txt", WindowsDevice),
            ("com1", WindowsDevice),
            ("lpt\u{b9}", WindowsDevice),
            ("con .txt", WindowsDevice),
            ("co\u{200d}n", WindowsDevice),
            ("a\0b", Character),
            ("a\nb", Character),
            ("a\\b", Character),
            ("file:stream", Character),
            ("exe.\u{202e}gpj", Character),
            ("a./b", TrailingDotOrBlank),
            ("a ", TrailingDotOrBlank),
            (&name, TooLong),
            (&deep, TooLong),
            (&long, TooLong),
        ];
        for (path, error) in table {
            assert_eq!(path.parse::<ProjectPath>(), Err(*error), "{path:?}");
        }
    }

    #[test]
    fn allowed() {
        for path in [
            "a",
            "src/main.rs",
            ".gitignore",
            ".github/workflows/ci.yml",
            "naïve/ファイル.txt",
            "console.rs",
            "com10",
            "a b/c.d.e",
            "...x",
            "git~",
            "gifted~1",
            "a~1.b",
            "\u{2615}\u{fe0f}.txt",
        ] {
            assert_eq!(path.parse::<ProjectPath>().unwrap().as_str(), path);
        }
    }
}
