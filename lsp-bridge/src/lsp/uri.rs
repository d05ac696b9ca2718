//! Between `file:` URIs and paths.

use std::path::PathBuf;

use url::Url;

/// The path that a `file:` URI names, percent-decoded; `None` for other schemes (`untitled:`,
/// `git:`, `output:` …) and other hosts.
pub(crate) fn file_path(uri: &str) -> Option<PathBuf> {
    let url = Url::parse(uri).ok()?;
    if url.scheme() != "file" {
        return None;
    }
    url.to_file_path().ok()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn uris() {
        let table = [
            ("file:///a/b.rs", Some("/a/b.rs")),
            ("file:///a%20b/%C3%BC%23.rs", Some("/a b/ü#.rs")),
            ("file:///a/ü.rs", Some("/a/ü.rs")),
            ("file:///a%2Bb/c+d", Some("/a+b/c+d")),
            ("file://localhost/a", Some("/a")),
            ("file:///a/../b", Some("/b")),
            ("file://elsewhere/a", None),
            ("untitled:Untitled-1", None),
            ("git:/a/b?ref", None),
            ("/a/b", None),
            ("", None),
        ];
        for (uri, path) in table {
            assert_eq!(file_path(uri), path.map(PathBuf::from), "{uri}");
        }
    }

    #[test]
    fn there_and_back() {
        let path = Path::new("/a b/ü#?%.rs");
        let uri = String::from(Url::from_file_path(path).unwrap());
        assert!(uri.is_ascii(), "{uri}");
        assert_eq!(file_path(&uri).unwrap(), path);
    }
}
