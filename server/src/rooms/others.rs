//! What happens to projects and links on other nodes: withdrawn links, deleted projects.
//!
//! It is told over the fan-out, at once. What may have been missed is made up for by asking the
//! directory which grants and projects still stand: after every gap, soon after another node has gone,
//! and again and again while nothing is carried.

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use tokio::sync::oneshot;
use tutti_protocol::ids::ProjectId;

use super::registry::Registry;
use super::{RoomError, Rooms};
use crate::fanout::{Message, Received, Topic};
use crate::room::Command;
use crate::ws::GrantId;

/// Between two questions to the directory while nothing is carried.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// After a gap: so that many gaps lead to one question.
const ASK_SOON: Duration = Duration::from_millis(500);

/// How long the rooms of a project stay shut that another node deletes. Its id is not used again.
const DELETING: Duration = Duration::from_secs(60);

/// When what other nodes may have stored meanwhile of a deleted project is deleted as well.
const DELETE_AGAIN: Duration = Duration::from_secs(15);

/// Knows which grants and projects there are.
pub trait Standing: Send + Sync + 'static {
    /// Whether this grant still lets anybody in. An error is no answer.
    fn grant_stands<'a>(&'a self, grant: &'a GrantId) -> BoxFuture<'a, Result<bool, String>>;

    /// Whether there is such a project. An error is no answer.
    fn project_stands<'a>(&'a self, project: &'a ProjectId) -> BoxFuture<'a, Result<bool, String>>;
}

impl Rooms {
    /// Follows what other nodes do to projects and links, from now on. Call it within a tokio
    /// runtime.
    pub fn follow_others(&self, standing: Arc<dyn Standing>) {
        if self.registry.fanout.has_others() {
            tokio::spawn(follow(Arc::downgrade(&self.registry), standing));
        }
    }

    /// Turns out everybody who came in by this grant, on every node.
    pub fn revoke(&self, grant: &GrantId) {
        self.registry.revoke(grant);
        let message = Message::Revoked(vec![grant.clone()]);
        self.registry.fanout.publish(&Topic::Server, None, message);
    }

    /// Closes a project's rooms on every node, for good, and deletes its documents.
    ///
    /// # Errors
    /// The store did not delete them.
    pub async fn delete_project(&self, project: &ProjectId) -> Result<(), RoomError> {
        let registry = &self.registry;
        let message = Message::Deleted(project.clone());
        registry.fanout.publish(&Topic::Server, None, message);
        registry.close_project(project).await;
        let deleted = registry.store.delete_project(project).await;
        registry.deleted(project);
        if registry.fanout.has_others() {
            let (registry, project) = (registry.clone(), project.clone());
            tokio::spawn(async move {
                // Another node may have been saving when it was told.
                tokio::time::sleep(DELETE_AGAIN).await;
                if let Err(error) = registry.store.delete_project(&project).await {
                    tracing::warn!(%project, %error, "a deleted project may have left documents");
                }
            });
        }
        Ok(deleted?)
    }
}

async fn follow(registry: Weak<Registry>, standing: Arc<dyn Standing>) {
    let Some(mut others) = registry
        .upgrade()
        .map(|registry| registry.fanout.subscribe(&Topic::Server))
    else {
        return;
    };
    let mut ask_at = None;
    let mut is_away = false;
    loop {
        let received = tokio::select! {
            received = others.next() => Some(received),
            () = until(ask_at) => None,
        };
        let Some(registry) = registry.upgrade() else {
            return;
        };
        match received {
            Some(Received::Message(_, Message::Revoked(grants))) => {
                for grant in grants {
                    registry.revoke(&grant);
                }
            }
            Some(Received::Message(_, Message::Deleted(project))) => {
                close(&registry, project);
            }
            Some(Received::Message(..) | Received::Silent) => {}
            // What it had done, it may not have told any more.
            Some(Received::Left(_) | Received::Lost(_)) => {
                let soon = tokio::time::Instant::now() + ASK_SOON;
                ask_at = Some(ask_at.map_or(soon, |at: tokio::time::Instant| at.min(soon)));
            }
            // It may withdraw links, and nobody hears it.
            Some(Received::CutOff) => {
                let soon = tokio::time::Instant::now() + ASK_AGAIN;
                ask_at.get_or_insert(soon);
            }
            Some(Received::Missed(_) | Received::Back) => {
                is_away = false;
                ask_at = Some(tokio::time::Instant::now() + ASK_SOON);
            }
            Some(Received::Away) => {
                is_away = true;
                ask_at = Some(tokio::time::Instant::now() + ASK_AGAIN);
            }
            None => {
                let settled = ask(&registry, &*standing).await;
                let again = is_away || !settled;
                ask_at = again.then(|| tokio::time::Instant::now() + ASK_AGAIN);
            }
        }
    }
}

async fn until(time: Option<tokio::time::Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Closes a project's rooms without keeping anybody waiting.
fn close(registry: &Arc<Registry>, project: ProjectId) {
    let registry = registry.clone();
    tokio::spawn(async move {
        registry.close_project(&project).await;
        tokio::time::sleep(DELETING).await;
        registry.deleted(&project);
    });
}

/// Asks for everything that people here came in by; says whether all answers came.
async fn ask(registry: &Arc<Registry>, standing: &dyn Standing) -> bool {
    let (projects, handles) = registry.open_projects();
    let grants = handles.iter().map(|handle| async {
        let (answer, grants) = oneshot::channel();
        match handle.send(Command::Grants(answer)).await {
            Ok(()) => grants.await.unwrap_or_default(),
            Err(_) => Vec::new(),
        }
    });
    let grants: HashSet<GrantId> = join_all(grants).await.into_iter().flatten().collect();
    let mut settled = true;
    for project in projects {
        match standing.project_stands(&project).await {
            Ok(true) => {}
            Ok(false) => close(registry, project),
            Err(_) => settled = false,
        }
    }
    for grant in grants {
        match standing.grant_stands(&grant).await {
            Ok(true) => {}
            Ok(false) => registry.revoke(&grant),
            Err(_) => settled = false,
        }
    }
    settled
}
