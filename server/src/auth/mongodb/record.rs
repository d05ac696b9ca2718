//! A project's record, as it is stored.

use std::collections::HashMap;

use mongodb::bson::{Binary, spec::BinarySubtype};
use serde::{Deserialize, Serialize};
use tutti_protocol::ids::ProjectId;
use tutti_protocol::role::Role;

use crate::auth::directory::{DirectoryError, Link, Pass, Project, ProjectRecord};
use crate::auth::token::TokenHash;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Record {
    #[serde(rename = "_id")]
    id: String,
    name: String,
    created_at: i64,
    pub(super) links: Vec<LinkRecord>,
    passes: Vec<PassRecord>,
}

/// A project without its links.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Summary {
    #[serde(rename = "_id")]
    id: String,
    name: String,
    created_at: i64,
}

/// What one token opens, of a project's record.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Admitting {
    #[serde(rename = "_id")]
    pub(super) id: String,
    #[serde(default)]
    pub(super) links: Vec<LinkRecord>,
    #[serde(default)]
    pub(super) passes: Vec<PassRecord>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct LinkRecord {
    id: String,
    role: Role,
    hash: Binary,
    created_at: i64,
    expires_at: Option<i64>,
    uses: i64,
    /// Uses left: counted down in one step with `uses`. None where uses are not counted.
    left: Option<i64>,
    /// The links that it descends from, the oldest first, and itself last.
    lineage: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct PassRecord {
    id: String,
    pub(super) link: String,
    pub(super) hash: Binary,
    /// Its link's.
    lineage: Vec<String>,
}

impl Record {
    pub(super) fn of(record: &ProjectRecord) -> Self {
        let origins: HashMap<&str, Option<&str>> = record
            .links
            .iter()
            .map(|(link, _)| (link.id.as_str(), link.made_with.as_deref()))
            .collect();
        let lineage = |link: &str| lineage(link, &origins);
        let links = record.links.iter();
        let links = links.map(|(link, hash)| LinkRecord::of(link, hash, lineage(&link.id)));
        let passes = record.passes.iter();
        Self {
            id: record.project.id.to_string(),
            name: record.project.name.clone(),
            created_at: record.project.created_at,
            links: links.collect(),
            passes: passes
                .map(|pass| PassRecord::of(pass, lineage(&pass.link)))
                .collect(),
        }
    }

    pub(super) fn restore(self) -> Result<ProjectRecord, DirectoryError> {
        let links = self.links.iter().map(|link| link.link(&self.id));
        let mut links = links.collect::<Result<Vec<_>, _>>()?;
        links.sort_by(|(a, _), (b, _)| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        let passes = self.passes.into_iter().map(PassRecord::pass);
        Ok(ProjectRecord {
            passes: passes.collect::<Result<_, _>>()?,
            links,
            project: Summary {
                id: self.id,
                name: self.name,
                created_at: self.created_at,
            }
            .project()?,
        })
    }
}

fn lineage(link: &str, origins: &HashMap<&str, Option<&str>>) -> Vec<String> {
    let mut lineage = vec![link.to_owned()];
    let mut next = origins.get(link).copied().flatten();
    // No longer than there are links, should the origins go in a circle.
    while let Some(origin) = next
        && lineage.len() <= origins.len()
    {
        lineage.push(origin.to_owned());
        next = origins.get(origin).copied().flatten();
    }
    lineage.reverse();
    lineage
}

impl Summary {
    pub(super) fn project(self) -> Result<Project, DirectoryError> {
        Ok(Project {
            id: project_id(&self.id)?,
            name: self.name,
            created_at: self.created_at,
        })
    }
}

impl LinkRecord {
    pub(super) fn of(link: &Link, hash: &TokenHash, lineage: Vec<String>) -> Self {
        let left = |most: u32| i64::from(most) - i64::from(link.uses);
        Self {
            id: link.id.clone(),
            role: link.role,
            hash: binary(hash),
            created_at: link.created_at,
            expires_at: link.expires_at,
            uses: i64::from(link.uses),
            left: link.max_uses.map(left),
            lineage,
        }
    }

    /// What a link or a pass inherits that is made with this one.
    pub(super) fn lineage(&self) -> &[String] {
        &self.lineage
    }

    pub(super) fn descends_from(&self, link: &str) -> bool {
        self.lineage.iter().any(|origin| origin == link)
    }

    pub(super) fn into_id(self) -> String {
        self.id
    }

    pub(super) fn link(&self, project: &str) -> Result<(Link, TokenHash), DirectoryError> {
        let count = |number: i64| u32::try_from(number).map_err(|_| damaged("a number of uses"));
        let link = Link {
            id: self.id.clone(),
            project: project_id(project)?,
            role: self.role,
            created_at: self.created_at,
            expires_at: self.expires_at,
            max_uses: self.left.map(|left| count(self.uses + left)).transpose()?,
            uses: count(self.uses)?,
            made_with: self.lineage.iter().rev().nth(1).cloned(),
        };
        Ok((link, hash(&self.hash)?))
    }
}

impl PassRecord {
    pub(super) fn of(pass: &Pass, lineage: Vec<String>) -> Self {
        Self {
            id: pass.id.clone(),
            link: pass.link.clone(),
            hash: binary(&pass.hash),
            lineage,
        }
    }

    fn pass(self) -> Result<Pass, DirectoryError> {
        Ok(Pass {
            hash: hash(&self.hash)?,
            id: self.id,
            link: self.link,
        })
    }
}

pub(super) fn hash(binary: &Binary) -> Result<TokenHash, DirectoryError> {
    let bytes = binary.bytes.as_slice().try_into();
    let bytes = bytes.map_err(|_| damaged("a token's hash"))?;
    Ok(TokenHash::from_bytes(bytes))
}

fn binary(hash: &TokenHash) -> Binary {
    Binary {
        subtype: BinarySubtype::Generic,
        bytes: hash.as_bytes().to_vec(),
    }
}

fn project_id(text: &str) -> Result<ProjectId, DirectoryError> {
    text.parse().map_err(|_| damaged("a project's id"))
}

fn damaged(what: &str) -> DirectoryError {
    DirectoryError::Failed(format!("{what} in it is damaged; restore it from a backup"))
}
