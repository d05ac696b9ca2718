//! The share link: `http(s)://HOST/p/PROJECT#TOKEN`.
//!
//! The token stands in the fragment, which no browser sends to any server, so no log and no
//! Referer header ever holds it.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;
use url::Url;

use crate::ids::ProjectId;

/// A link to a project, with the secret that opens it.
#[derive(Clone, PartialEq, Eq)]
pub struct ShareLink {
    /// The server's base address, without a path's end slash: `https://code.example.org`.
    pub server: Url,
    /// The project.
    pub project: ProjectId,
    /// The secret.
    pub token: String,
}

/// Why a text is no share link.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("this is not a Tutti link: one looks like https://HOST/p/PROJECT#TOKEN")]
pub struct LinkError;

impl FromStr for ShareLink {
    type Err = LinkError;

    fn from_str(text: &str) -> Result<Self, LinkError> {
        let mut url = Url::parse(text.trim()).map_err(|_| LinkError)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(LinkError);
        }
        let token = url
            .fragment()
            .filter(|token| !token.is_empty())
            .ok_or(LinkError)?
            .to_owned();
        // A server may live beneath a path, as in https://example.org/tutti/p/PROJECT#TOKEN.
        let path = url.path().trim_end_matches('/').to_owned();
        let (base, project) = path.rsplit_once("/p/").ok_or(LinkError)?;
        let project = project.parse().map_err(|_| LinkError)?;
        url.set_fragment(None);
        url.set_query(None);
        url.set_path(base);
        Ok(Self {
            server: url,
            project,
            token,
        })
    }
}

impl fmt::Display for ShareLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = self.server.as_str().trim_end_matches('/');
        write!(f, "{base}/p/{}#{}", self.project, self.token)
    }
}

/// Logs never show the token.
impl fmt::Debug for ShareLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = self.server.as_str().trim_end_matches('/');
        write!(f, "{base}/p/{}#…", self.project)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links() {
        for text in [
            "http://127.0.0.1:4400/p/abc#T0ken_-",
            "https://example.org/tutti/p/abc#T",
        ] {
            let link: ShareLink = text.parse().unwrap();
            assert_eq!(link.to_string(), text);
            assert!(!format!("{link:?}").contains(&link.token));
        }
        let queried: ShareLink = "http://h/p/abc?file=a.rs#T".parse().unwrap();
        assert_eq!(queried.to_string(), "http://h/p/abc#T");
        for bad in [
            "",
            "abc",
            "http://h/p/abc",
            "http://h/p/abc#",
            "ftp://h/p/a#t",
            "http://h/x#t",
            "http://h/p/a/b#t",
        ] {
            assert_eq!(bad.parse::<ShareLink>(), Err(LinkError), "{bad}");
        }
    }
}
