//! The bodies of the REST interface, as JSON. `docs/protocol.md` and the server's own OpenAPI
//! description say which route takes which.

use serde::{Deserialize, Serialize};

use crate::blob::BlobHash;
use crate::role::Role;

/// `POST /api/projects`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewProject {
    /// The name that people read: 1 to 200 characters.
    pub name: String,
}

/// The answer to `POST /api/projects`, and what `tutti share --json` prints.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedProject {
    /// The project's id.
    pub project: String,
    /// A link with which one reads and writes.
    pub editor_link: String,
    /// A link with which one reads.
    pub viewer_link: String,
}

/// A project in lists and by itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Project {
    /// The project's id.
    pub project: String,
    /// The name that people read.
    pub name: String,
    /// When it was made, in milliseconds since 1970 (UTC).
    pub created_at: i64,
    /// What the asker may do in it.
    pub role: Role,
    /// The largest file that is no text, in bytes. Absent where the server keeps texts only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_blob_bytes: Option<u64>,
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum FileKind {
    /// A text that people edit together.
    Text,
    /// Anything else, which travels whole.
    Binary,
}

/// A file in `GET /api/projects/{project}/files`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct File {
    /// The document's id.
    pub id: String,
    /// The path under which the file is shown.
    pub path: String,
    /// What it is.
    pub kind: FileKind,
    /// Of a text, how much the store keeps of it, in bytes: its history is a part of that, so it is
    /// no size of its text. Of anything else, its size.
    pub bytes: u64,
    /// The SHA-256 of a file that is no text, by which its content is read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub sha256: Option<BlobHash>,
}

/// `POST /api/projects/{project}/blobs`: contents of files.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Blobs {
    /// Their SHA-256s, at most 1000.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub sha256: Vec<BlobHash>,
}

/// The answer to `POST /api/projects/{project}/blobs`: those that are to be sent.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LackingBlobs {
    /// Their SHA-256s.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub sha256: Vec<BlobHash>,
    /// Those of them whose sending was cut off, and may be gone on with.
    #[serde(default)]
    pub begun: Vec<BegunBlob>,
}

/// A content whose sending was cut off.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BegunBlob {
    /// Its SHA-256.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub sha256: BlobHash,
    /// How many of its bytes the server has.
    pub bytes: u64,
}

/// `POST /api/projects/{project}/links`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewLink {
    /// What the link lets its holder do.
    pub role: Role,
    /// For how many seconds it is valid; for ever if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_s: Option<u64>,
    /// How many times it can be used to enter; without limit if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_uses: Option<u32>,
}

/// The answer to `POST /api/projects/{project}/links`: the only time that the secret is shown.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedLink {
    /// The link's id, by which it can be deleted.
    pub id: String,
    /// The link itself, with its secret.
    pub link: String,
}

/// A link in `GET /api/projects/{project}/links`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Link {
    /// The link's id.
    pub id: String,
    /// What it lets its holder do.
    pub role: Role,
    /// When it was made, in milliseconds since 1970 (UTC).
    pub created_at: i64,
    /// When it ends, in milliseconds since 1970 (UTC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// How many times it may be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_uses: Option<u32>,
    /// How many times it has been used.
    pub uses: u32,
}

/// The answer to `POST /api/projects/{project}/join`.
#[derive(Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Joined {
    /// The project's id.
    pub project: String,
    /// The token to use from now on, in the place of the link's.
    pub token: String,
    /// What it lets its holder do.
    pub role: Role,
}

/// Why a version of a project was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum VersionReason {
    /// Somebody asked for it.
    Named,
    /// Nobody had edited for a while.
    Quiet,
    /// An earlier version was about to be restored.
    BeforeRestore,
}

impl VersionReason {
    /// As JSON has it.
    pub fn as_str(self) -> &'static str {
        match self {
            VersionReason::Named => "named",
            VersionReason::Quiet => "quiet",
            VersionReason::BeforeRestore => "before_restore",
        }
    }
}

impl std::str::FromStr for VersionReason {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Named, Self::Quiet, Self::BeforeRestore]
            .into_iter()
            .find(|reason| reason.as_str() == text)
            .ok_or_else(|| "a version is made named, quiet or before_restore".to_owned())
    }
}

/// `POST /api/projects/{project}/versions`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewVersion {
    /// What people will know it by: 1 to 200 characters.
    pub name: String,
}

/// A version in `GET /api/projects/{project}/versions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Version {
    /// Its number: the project's first is 1.
    pub version: u32,
    /// What somebody has called it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When it was made, in milliseconds since 1970 (UTC).
    pub made_at: i64,
    /// Why it was made.
    pub reason: VersionReason,
    /// The names of those who were in the project while it grew.
    pub people: Vec<String>,
    /// How many files it has.
    pub files: u32,
}

/// `GET /api/projects/{project}/versions/{version}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VersionContents {
    /// The version.
    pub version: Version,
    /// Its files, in the order of their paths.
    pub files: Vec<VersionFile>,
}

/// A file of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct VersionFile {
    /// The document's id.
    pub id: String,
    /// The path under which it was shown.
    pub path: String,
    /// What it is.
    pub kind: FileKind,
    /// Its length. A text's line ends count as one byte.
    pub bytes: u64,
    /// The SHA-256 of its content.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub sha256: BlobHash,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FileChange {
    /// It was not there before.
    Added,
    /// It is not there any more.
    Deleted,
    /// It is another one, or elsewhere, or has another line end or executable bit.
    Changed,
}

/// A file that differs, in `GET /api/projects/{project}/versions/{version}/diff`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FileDiff {
    /// Its path, or the last that it had.
    pub path: String,
    /// The path that it had before, where that is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// What it is.
    pub kind: FileKind,
    /// What became of it.
    pub change: FileChange,
    /// The lines that differ, as a unified diff. Absent where no line differs, and for files that
    /// are no texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
    /// Why the lines that differ are not shown, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<String>,
}

/// `POST /api/projects/{project}/versions/{version}/restore`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct RestoreVersion {
    /// The file to restore, or the directory; everything if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}

/// The answer to a restore.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RestoredVersion {
    /// The version of what was there before: to restore it takes this back.
    pub before: u32,
    /// Files that got another text, content, path or mode.
    pub changed: u32,
    /// Files that came back.
    pub returned: u32,
    /// Files that were deleted.
    pub deleted: u32,
}

/// The `type` of a [`Problem`]: what the server has stored of this is damaged. To ask again is of no
/// use before its administrator has put that right.
pub const DAMAGED: &str = "urn:tutti:damaged";

/// Any error's body: problem details (RFC 9457), as `application/problem+json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Problem {
    /// `about:blank`, where the status says it all, or [`DAMAGED`].
    #[serde(rename = "type")]
    pub kind: String,
    /// The status' name.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// One sentence for the person who asked.
    pub detail: String,
}
