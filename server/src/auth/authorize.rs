//! The answer to the WebSocket endpoints' question: who may enter a project's rooms.

use std::time::{Duration, UNIX_EPOCH};

use futures_util::future::BoxFuture;
use tutti_protocol::ids::ProjectId;

use super::access::{Access, Identity, Refusal};
use crate::rooms::Standing;
use crate::ws::{Authorize, Denied, Grant, GrantId};

impl Authorize for Access {
    fn authorize<'a>(
        &'a self,
        project: &'a ProjectId,
        token: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Grant, Denied>> {
        Box::pin(async move {
            match token {
                Some(token) => self.grant(project, token).await,
                None => Err(Denied::Unauthorized(NO_TOKEN.to_owned())),
            }
        })
    }
}

/// Nobody is let in without one.
const NO_TOKEN: &str = "This needs a token: the part of your link after #, as `?token=`.";

/// What the administrator's grants are called; they end with the process only.
const ADMIN: &str = "admin";

impl Standing for Access {
    fn grant_stands<'a>(&'a self, grant: &'a GrantId) -> BoxFuture<'a, Result<bool, String>> {
        Box::pin(async move {
            if grant.as_str() == ADMIN {
                return Ok(true);
            }
            let found = self.directory().credential(grant.as_str()).await;
            found
                .map(|credential| credential.is_some())
                .map_err(|error| error.to_string())
        })
    }

    fn project_stands<'a>(&'a self, project: &'a ProjectId) -> BoxFuture<'a, Result<bool, String>> {
        Box::pin(async move {
            let found = self.directory().project(project).await;
            found
                .map(|project| project.is_some())
                .map_err(|error| error.to_string())
        })
    }
}

impl Access {
    async fn grant(&self, project: &ProjectId, token: &str) -> Result<Grant, Denied> {
        let identity = self.identify(token).await?;
        identity.may_enter(project)?;
        // A guest's link is deleted with its project; the administrator may name any.
        if matches!(identity, Identity::Admin)
            && self
                .directory()
                .project(project)
                .await
                .map_err(Refusal::from)?
                .is_none()
        {
            return Err(Denied::NotFound("There is no such project.".to_owned()));
        }
        let role = identity.role();
        Ok(match identity {
            Identity::Admin => Grant {
                role,
                grant_id: GrantId::new(ADMIN),
                expires_at: None,
            },
            Identity::Guest { link, .. } => Grant {
                role,
                grant_id: GrantId::new(link.id),
                expires_at: link.expires_at.map(|at| {
                    UNIX_EPOCH + Duration::from_millis(u64::try_from(at).unwrap_or_default())
                }),
            },
        })
    }
}

impl From<Refusal> for Denied {
    fn from(refusal: Refusal) -> Denied {
        let text = refusal.to_string();
        match refusal {
            Refusal::Invalid => Denied::Unauthorized(text),
            Refusal::OtherProject | Refusal::JoinFirst | Refusal::UsedUp => Denied::Forbidden(text),
            Refusal::Unavailable(cause) => {
                tracing::error!("cannot check a token: {cause}");
                Denied::Unavailable(text)
            }
        }
    }
}
