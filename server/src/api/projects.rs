//! Projects: made and deleted by the administrator, seen by those who have a link.

use axum::extract::State;
use axum::http::StatusCode;
use tutti_protocol::rest::{CreatedProject, NewProject, Problem, Project};
use tutti_protocol::role::Role;

use super::error::{ApiError, ApiResult};
use super::extract::{Admin, BaseUrl, Caller, Json, Member};
use super::links::{LinkTerms, new_link, share_link};
use super::{ApiState, PROJECTS};
use crate::auth::{self, Identity, now, random_id};
use crate::ws::GrantId;

/// 80 random bits: project ids are not secret, but they are not to be guessed either.
const PROJECT_ID_LEN: usize = 16;
const MAX_NAME_CHARS: usize = 200;

/// Make a project
///
/// Needs the administrator's token. Answers with a link for editors and one for viewers; this is
/// the only time that their secrets are shown.
#[utoipa::path(
    post, path = "/projects", tag = PROJECTS, operation_id = "createProject", request_body = NewProject,
    responses(
        (status = 201, body = CreatedProject),
        (status = "default", description = "What went wrong.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn create(
    State(state): State<ApiState>,
    Admin: Admin,
    BaseUrl(base): BaseUrl,
    Json(wanted): Json<NewProject>,
) -> ApiResult<(StatusCode, axum::Json<CreatedProject>)> {
    let name = wanted.name.trim();
    if name.is_empty()
        || name.chars().count() > MAX_NAME_CHARS
        || name.chars().any(char::is_control)
    {
        return Err(ApiError::bad_request(
            "A project's name has 1 to 200 characters, none of them a control character.",
        ));
    }
    let id = random_id(PROJECT_ID_LEN).map_err(ApiError::internal)?;
    let project = auth::Project {
        id: id.parse().map_err(ApiError::internal)?,
        name: name.to_owned(),
        created_at: now(),
    };
    let (editor, editor_token) = new_link(&project.id, LinkTerms::unlimited(Role::Editor))?;
    let (viewer, viewer_token) = new_link(&project.id, LinkTerms::unlimited(Role::Viewer))?;
    let created = CreatedProject {
        project: project.id.to_string(),
        editor_link: share_link(&base, &project.id, &editor_token),
        viewer_link: share_link(&base, &project.id, &viewer_token),
    };
    let links = vec![(editor, editor_token.hash()), (viewer, viewer_token.hash())];
    state
        .access
        .directory()
        .create_project(project, links)
        .await?;
    Ok((StatusCode::CREATED, axum::Json(created)))
}

/// List projects
///
/// The administrator sees all of them, everyone else the one that their link leads to.
#[utoipa::path(
    get, path = "/projects", tag = PROJECTS, operation_id = "listProjects",
    responses(
        (status = 200, body = Vec<Project>),
        (status = "default", description = "What went wrong.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn list(
    State(state): State<ApiState>,
    Caller { identity, .. }: Caller,
) -> ApiResult<axum::Json<Vec<Project>>> {
    let directory = state.access.directory();
    let projects = match &identity {
        Identity::Admin => directory.projects().await?,
        Identity::Guest { link, .. } => {
            identity.may_enter(&link.project)?;
            directory
                .project(&link.project)
                .await?
                .into_iter()
                .collect()
        }
    };
    Ok(axum::Json(
        projects
            .into_iter()
            .map(|project| shown(&state, project, &identity))
            .collect(),
    ))
}

/// Show a project
#[utoipa::path(
    get, path = "/projects/{project}", tag = PROJECTS, operation_id = "showProject",
    params(("project" = String, Path, description = "The project's id")),
    responses(
        (status = 200, body = Project),
        (status = "default", description = "What went wrong.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn show(State(state): State<ApiState>, member: Member) -> axum::Json<Project> {
    axum::Json(shown(&state, member.project, &member.identity))
}

/// Delete a project
///
/// Needs the administrator's token. Deletes its files, its versions and its links for good, and closes the
/// connections of everyone in it.
#[utoipa::path(
    delete, path = "/projects/{project}", tag = PROJECTS, operation_id = "deleteProject",
    params(("project" = String, Path, description = "The project's id")),
    responses(
        (status = 204, description = "It is gone."),
        (status = "default", description = "What went wrong.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(super) async fn delete(
    State(state): State<ApiState>,
    Admin: Admin,
    Member { project, .. }: Member,
) -> ApiResult<StatusCode> {
    let directory = state.access.directory();
    // The links go first, so that nobody comes back while the documents are deleted; the project
    // itself goes last, so that a deletion that failed half-way can be asked for again.
    for link in directory.links(&project.id).await? {
        for gone in directory.delete_link(&project.id, &link.id).await? {
            state.rooms.revoke(&GrantId::new(gone));
        }
    }
    state.rooms.delete_project(&project.id).await?;
    state.blobs.delete_blobs(&project.id).await?;
    state.keeper.history.delete_project(&project.id).await?;
    directory.delete_project(&project.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn shown(state: &ApiState, project: auth::Project, identity: &Identity) -> Project {
    Project {
        project: project.id.to_string(),
        name: project.name,
        created_at: project.created_at,
        role: identity.role(),
        max_blob_bytes: Some(state.rooms.limits().blob_bytes),
    }
}
