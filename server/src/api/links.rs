//! Share links: who may make, see and withdraw them, and what a use is.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use tutti_protocol::ids::ProjectId;
use tutti_protocol::link::ShareLink;
use tutti_protocol::rest::{CreatedLink, Joined, Link, NewLink, Problem};
use tutti_protocol::role::Role;
use url::Url;

use super::error::{ApiError, ApiResult};
use super::extract::{BaseUrl, Joiner, Json, Member};
use super::{ApiState, LINKS};
use crate::auth::{self, Identity, Token, UnixMillis, now};
use crate::ws::GrantId;

/// A hundred years; what is longer is a mistake rather than a wish.
const MAX_EXPIRY_S: u64 = 100 * 365 * 24 * 60 * 60;

/// What a new link is to allow.
pub(super) struct LinkTerms {
    role: Role,
    expires_at: Option<UnixMillis>,
    max_uses: Option<u32>,
    made_with: Option<String>,
}

impl LinkTerms {
    /// A link for any number of people, for ever.
    pub(super) fn unlimited(role: Role) -> LinkTerms {
        LinkTerms {
            role,
            expires_at: None,
            max_uses: None,
            made_with: None,
        }
    }

    /// What `wanted` asks for, if `identity` may make such a link.
    fn granted(wanted: &NewLink, identity: &Identity) -> ApiResult<LinkTerms> {
        if wanted.max_uses == Some(0) {
            return Err(ApiError::bad_request("max_uses must be 1 or more."));
        }
        let expires_at = match wanted.expires_in_s {
            None => None,
            Some(seconds @ 1..=MAX_EXPIRY_S) => Some(now() + seconds as UnixMillis * 1000),
            Some(_) => {
                return Err(ApiError::bad_request(
                    "expires_in_s must be between 1 and 3153600000, a hundred years.",
                ));
            }
        };
        let mut terms = LinkTerms {
            role: wanted.role,
            expires_at,
            max_uses: wanted.max_uses,
            made_with: None,
        };
        if let Identity::Guest { link, .. } = identity {
            require_editor(identity)?;
            // A link cannot give more than the one it was made with: not more people, not more time.
            if link.max_uses.is_some() {
                return Err(ApiError::forbidden(
                    "Your link lets in a limited number of people, so no further links can be made with it: \
                     ask the administrator.",
                ));
            }
            terms.expires_at = [terms.expires_at, link.expires_at]
                .into_iter()
                .flatten()
                .min();
            terms.made_with = Some(link.id.clone());
        }
        Ok(terms)
    }
}

/// A new link record with its token.
pub(super) fn new_link(project: &ProjectId, terms: LinkTerms) -> ApiResult<(auth::Link, Token)> {
    let token = Token::generate().map_err(ApiError::internal)?;
    let link = auth::Link {
        id: token.id().to_owned(),
        project: project.clone(),
        role: terms.role,
        created_at: now(),
        expires_at: terms.expires_at,
        max_uses: terms.max_uses,
        uses: 0,
        made_with: terms.made_with,
    };
    Ok((link, token))
}

/// The link as people pass it on.
pub(super) fn share_link(base: &Url, project: &ProjectId, token: &Token) -> String {
    let link = ShareLink {
        server: base.clone(),
        project: project.clone(),
        token: token.reveal().to_owned(),
    };
    link.to_string()
}

/// Make a link
///
/// Editors may make links for editors and viewers. A link that an editor made ends at the latest
/// when the link ends that the editor used. The answer is the only time that its secret is shown.
///
/// With `max_uses`, the link lets in that many people: each of them joins (see `join`) and goes on
/// with the token that this gives.
#[utoipa::path(
    post, path = "/projects/{project}/links", tag = LINKS, operation_id = "createLink", request_body = NewLink,
    params(("project" = String, Path, description = "The project's id")),
    responses(
        (status = 201, body = CreatedLink),
        (status = "default", description = "What went wrong.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn create(
    State(state): State<ApiState>,
    member: Member,
    BaseUrl(base): BaseUrl,
    Json(wanted): Json<NewLink>,
) -> ApiResult<(StatusCode, axum::Json<CreatedLink>)> {
    let project = member.project.id;
    let (link, token) = new_link(&project, LinkTerms::granted(&wanted, &member.identity)?)?;
    let created = CreatedLink {
        id: link.id.clone(),
        link: share_link(&base, &project, &token),
    };
    if !state
        .access
        .directory()
        .create_link(link, token.hash())
        .await?
    {
        return Err(ApiError::not_found(
            "The project or your link has just been deleted.",
        ));
    }
    Ok((StatusCode::CREATED, axum::Json(created)))
}

/// List links
///
/// For editors: all links of the project, without their secrets.
#[utoipa::path(
    get, path = "/projects/{project}/links", tag = LINKS, operation_id = "listLinks",
    params(("project" = String, Path, description = "The project's id")),
    responses(
        (status = 200, body = Vec<Link>),
        (status = "default", description = "What went wrong.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    member: Member,
) -> ApiResult<axum::Json<Vec<Link>>> {
    require_editor(&member.identity)?;
    let links = state.access.directory().links(&member.project.id).await?;
    let shown = |link: auth::Link| Link {
        id: link.id,
        role: link.role,
        created_at: link.created_at,
        expires_at: link.expires_at,
        max_uses: link.max_uses,
        uses: link.uses,
    };
    Ok(axum::Json(links.into_iter().map(shown).collect()))
}

/// Withdraw a link
///
/// The administrator may withdraw any link, editors those that were made with the link they use.
/// The links made with a withdrawn link go with it, and everyone who came in by them is
/// disconnected at once.
#[utoipa::path(
    delete, path = "/projects/{project}/links/{id}", tag = LINKS, operation_id = "withdrawLink",
    params(
        ("project" = String, Path, description = "The project's id"),
        ("id" = String, Path, description = "The link's id"),
    ),
    responses(
        (status = 204, description = "It is withdrawn."),
        (status = "default", description = "What went wrong.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn delete(
    State(state): State<ApiState>,
    member: Member,
    Path(path): Path<LinkPath>,
) -> ApiResult<StatusCode> {
    require_editor(&member.identity)?;
    let directory = state.access.directory();
    let no_such_link = || ApiError::not_found("There is no such link in this project.");
    if let Identity::Guest { link: own, .. } = &member.identity {
        let links = directory.links(&member.project.id).await?;
        let link = links
            .iter()
            .find(|link| link.id == path.id)
            .ok_or_else(no_such_link)?;
        if link.made_with.as_ref() != Some(&own.id) {
            return Err(ApiError::forbidden(
                "You may withdraw the links that were made with your own link: ask the administrator for others.",
            ));
        }
    }
    let withdrawn = directory.delete_link(&member.project.id, &path.id).await?;
    if withdrawn.is_empty() {
        return Err(no_such_link());
    }
    for link in withdrawn {
        state.rooms.revoke(&GrantId::new(link));
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Join a project
///
/// Answers with the token to use from now on. For a link with `max_uses` this is a use of it, and
/// the token is a new one for this person: keep it, reconnecting with it uses nothing up. For
/// every other token it is the same token, and nothing changes.
#[utoipa::path(
    post, path = "/projects/{project}/join", tag = LINKS, operation_id = "joinProject",
    params(("project" = String, Path, description = "The project's id")),
    responses(
        (status = 200, body = Joined),
        (status = "default", description = "What went wrong.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn join(
    State(state): State<ApiState>,
    Joiner {
        identity,
        token,
        project,
    }: Joiner,
) -> ApiResult<axum::Json<Joined>> {
    let pass = state.access.join(&identity).await?;
    let token = pass.map_or(token, |pass| pass.reveal().to_owned());
    Ok(axum::Json(Joined {
        project: project.id.to_string(),
        role: identity.role(),
        token,
    }))
}

#[derive(Deserialize)]
pub(super) struct LinkPath {
    id: String,
}

fn require_editor(identity: &Identity) -> ApiResult<()> {
    match identity.role() {
        Role::Editor => Ok(()),
        Role::Viewer => Err(ApiError::forbidden(
            "Your link is for viewing only: ask for an editor link.",
        )),
    }
}
