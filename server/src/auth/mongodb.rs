//! The directory in MongoDB, shared by any number of nodes.
//!
//! A project is one record with its links and passes in it, so that each change is atomic without
//! a transaction. Each link and pass carries the names of the links that it descends from, so that
//! a link goes together with all of them in one step, whatever others make meanwhile.

mod record;
#[cfg(test)]
mod tests;

use futures_util::TryStreamExt;
use mongodb::Collection;
use mongodb::bson::{Bson, doc, serialize_to_bson};
use tutti_protocol::ids::ProjectId;

use super::directory::{
    Answer, Credential, Directory, DirectoryError, Link, Pass, Project, ProjectRecord,
};
use super::token::TokenHash;
use crate::mongo::{Mongo, schema};
use record::{Admitting, LinkRecord, PassRecord, Record, Summary, hash};

/// A directory in one MongoDB database.
#[derive(Clone)]
pub struct MongoDirectory {
    mongo: Mongo,
    projects: Collection<Record>,
}

impl MongoDirectory {
    /// The directory in `mongo`.
    pub fn new(mongo: Mongo) -> Self {
        Self {
            projects: mongo.collection(schema::PROJECTS),
            mongo,
        }
    }

    async fn record(&self, id: &ProjectId) -> Result<Option<Record>, DirectoryError> {
        let record = self.projects.find_one(doc! { "_id": id.as_str() });
        let record = self.mongo.measured("find", record).await?;
        Ok(self.mongo.certain(record).await?)
    }

    /// The one link with this id, and the one pass with this id, of all projects.
    async fn admitting(&self, id: &str) -> Result<Option<Admitting>, DirectoryError> {
        let projects = self.projects.clone_with_type::<Admitting>();
        let either = doc! { "$or": [{ "links.id": id }, { "passes.id": id }] };
        let only = doc! {
            "links": { "$elemMatch": { "id": id } },
            "passes": { "$elemMatch": { "id": id } },
        };
        let found = projects.find_one(either).projection(only);
        let found = self.mongo.measured("find", found).await?;
        Ok(self.mongo.certain(found).await?)
    }

    /// The lineage of a link of any project, while there is that link.
    async fn lineage(&self, link: &str) -> Result<Option<Vec<String>>, DirectoryError> {
        let found = self.admitting(link).await?;
        let links = found.map(|found| found.links).unwrap_or_default();
        Ok(links.first().map(|link| link.lineage().to_vec()))
    }
}

impl Directory for MongoDirectory {
    fn create_project(&self, project: Project, links: Vec<(Link, TokenHash)>) -> Answer<'_, ()> {
        self.restore_project(ProjectRecord {
            project,
            links,
            passes: Vec::new(),
        })
    }

    fn projects(&self) -> Answer<'_, Vec<Project>> {
        Box::pin(async {
            let records: Vec<Summary> = self
                .mongo
                .measured("find", async {
                    let projects = self.projects.clone_with_type::<Summary>();
                    let projects = projects
                        .find(doc! {})
                        .projection(doc! { "name": 1, "created_at": 1 })
                        .sort(doc! { "created_at": 1, "_id": 1 });
                    projects.await?.try_collect().await
                })
                .await?;
            records.into_iter().map(Summary::project).collect()
        })
    }

    fn project(&self, id: &ProjectId) -> Answer<'_, Option<Project>> {
        let id = id.clone();
        Box::pin(async move {
            let record = self.projects.clone_with_type::<Summary>();
            let record = record
                .find_one(doc! { "_id": id.as_str() })
                .projection(doc! { "name": 1, "created_at": 1 });
            let record = self.mongo.measured("find", record).await?;
            let record = self.mongo.certain(record).await?;
            record.map(Summary::project).transpose()
        })
    }

    fn delete_project(&self, id: &ProjectId) -> Answer<'_, bool> {
        let id = id.clone();
        Box::pin(async move {
            let deleted = self.projects.delete_one(doc! { "_id": id.as_str() });
            Ok(self.mongo.measured("delete", deleted).await?.deleted_count > 0)
        })
    }

    fn create_link(&self, link: Link, token: TokenHash) -> Answer<'_, bool> {
        Box::pin(async move {
            let mut project = doc! { "_id": link.project.as_str() };
            let mut lineage = Vec::new();
            if let Some(origin) = &link.made_with {
                let Some(inherited) = self.lineage(origin).await? else {
                    return Ok(false);
                };
                lineage = inherited;
                // It may be withdrawn by now; a lineage never changes.
                project.insert("links.id", origin);
            }
            lineage.push(link.id.clone());
            let record = bson(&LinkRecord::of(&link, &token, lineage))?;
            let with = doc! { "$push": { "links": record } };
            let updated = self.projects.update_one(project, with);
            Ok(self.mongo.measured("update", updated).await?.matched_count > 0)
        })
    }

    fn links(&self, project: &ProjectId) -> Answer<'_, Vec<Link>> {
        let project = project.clone();
        Box::pin(async move {
            let record = self.project_record(&project).await?;
            let links = record.map(|record| record.links).unwrap_or_default();
            Ok(links.into_iter().map(|(link, _)| link).collect())
        })
    }

    fn delete_link(&self, project: &ProjectId, link: &str) -> Answer<'_, Vec<String>> {
        let (project, link) = (project.clone(), link.to_owned());
        Box::pin(async move {
            let there = doc! { "_id": project.as_str(), "links.id": &link };
            let descendants = doc! { "lineage": &link };
            let without = doc! { "$pull": { "links": &descendants, "passes": &descendants } };
            // What it was before, in the same step.
            let before = self.projects.find_one_and_update(there, without);
            let before = self.mongo.measured("findAndModify", before).await?;
            let links = before.map(|record| record.links).unwrap_or_default();
            let gone = links.into_iter().filter(|made| made.descends_from(&link));
            Ok(gone.map(LinkRecord::into_id).collect())
        })
    }

    fn add_pass(&self, link: &str, id: &str, token: TokenHash) -> Answer<'_, bool> {
        let pass = Pass {
            id: id.to_owned(),
            link: link.to_owned(),
            hash: token,
        };
        Box::pin(async move {
            let Some(lineage) = self.lineage(&pass.link).await? else {
                return Ok(false);
            };
            let usable = doc! { "id": &pass.link, "left": { "$gt": 0i64 } };
            let usable = doc! { "links": { "$elemMatch": usable } };
            let used_link = doc! { "used.id": &pass.link };
            let used = doc! {
                "$inc": { "links.$[used].uses": 1i64, "links.$[used].left": -1i64 },
                "$push": { "passes": bson(&PassRecord::of(&pass, lineage))? },
            };
            let updated = self.projects.update_one(usable, used);
            let updated = updated.array_filters([used_link]);
            Ok(self.mongo.measured("update", updated).await?.matched_count > 0)
        })
    }

    fn credential(&self, token_id: &str) -> Answer<'_, Option<Credential>> {
        let id = token_id.to_owned();
        Box::pin(async move {
            let Some(found) = self.admitting(&id).await? else {
                return Ok(None);
            };
            if let Some(link) = found.links.first() {
                let (link, hash) = link.link(&found.id)?;
                return Ok(Some(Credential {
                    hash,
                    link,
                    is_pass: false,
                }));
            }
            let Some(pass) = found.passes.first() else {
                return Ok(None);
            };
            let hash = hash(&pass.hash)?;
            // Withdrawn meanwhile, a link takes its passes along.
            let Some(found) = self.admitting(&pass.link).await? else {
                return Ok(None);
            };
            let Some(link) = found.links.first() else {
                return Ok(None);
            };
            let (link, _) = link.link(&found.id)?;
            Ok(Some(Credential {
                hash,
                link,
                is_pass: true,
            }))
        })
    }

    fn project_record(&self, id: &ProjectId) -> Answer<'_, Option<ProjectRecord>> {
        let id = id.clone();
        Box::pin(async move {
            let record = self.record(&id).await?;
            record.map(Record::restore).transpose()
        })
    }

    fn restore_project(&self, record: ProjectRecord) -> Answer<'_, ()> {
        Box::pin(async move {
            let record = Record::of(&record);
            self.mongo
                .measured("insert", self.projects.insert_one(&record))
                .await?;
            Ok(())
        })
    }

    fn ping(&self) -> Answer<'_, ()> {
        Box::pin(async { Ok(self.mongo.ping().await?) })
    }
}

fn bson(value: &impl serde::Serialize) -> Result<Bson, DirectoryError> {
    serialize_to_bson(value).map_err(|error| DirectoryError::Failed(error.to_string()))
}
