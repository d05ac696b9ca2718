//! The REST interface: one module for each kind of thing, one handler for each route.
//!
//! Who asks comes in through an extractor ([`extract::Admin`], [`extract::Member`], …), so a
//! handler cannot forget to check; what goes wrong leaves as an [`error::ApiError`]; and the
//! OpenAPI description is made from the handlers themselves.

mod blobs;
mod docs;
mod error;
mod exchange;
mod extract;
mod files;
mod links;
mod projects;
mod versions;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use url::Url;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use error::ApiError;
pub(crate) use extract::bearer;

pub use blobs::BegunUploads;

use crate::auth::Access;
use crate::history::Keeper;
use crate::rooms::Rooms;
use crate::store::BlobStore;

const PROJECTS: &str = "projects";
const FILES: &str = "files";
const LINKS: &str = "links";
const VERSIONS: &str = "versions";

/// No request of this interface needs more.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// What the handlers need.
#[derive(Clone)]
pub struct ApiState {
    /// Projects, links and who may do what.
    pub access: Access,
    /// The documents.
    pub rooms: Rooms,
    /// The contents of files that are no texts.
    pub blobs: Arc<dyn BlobStore>,
    /// Those of them that were cut off on their way in.
    pub begun_uploads: BegunUploads,
    /// The versions.
    pub(crate) keeper: Keeper,
    /// The base address of links, where the request's own is not to be used.
    pub public_url: Option<Url>,
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tutti",
        description = "Everyone together in the same code. A token goes into the header \
                       `Authorization: Bearer TOKEN`: the part of a share link after `#`, or the \
                       administrator's, which lies in the file `admin-token` of the server's data \
                       directory. Every error is a problem document (RFC 9457).",
    ),
    tags(
        (name = PROJECTS, description = "Made and deleted by the administrator."),
        (name = FILES, description = "As they are at this moment; to write, join over WebSocket."),
        (name = LINKS, description = "Who may come in, and as what."),
        (name = VERSIONS, description = "What the project was, to look at and to come back to."),
    ),
    security(("token" = [])),
    modifiers(&BearerToken),
)]
struct Description;

struct BearerToken;

impl Modify for BearerToken {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let scheme =
            SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        openapi
            .components
            .get_or_insert_default()
            .add_security_scheme("token", scheme);
    }
}

/// All routes below `/api`.
pub struct Routes {
    /// Those that are answered soon.
    pub brief: Router,
    /// Those that carry whole files, or go through whole projects: that takes as long as it needs.
    /// They are not compressed; files are already where it is worth it.
    pub files: Router,
}

/// Makes the routes below `/api`.
pub fn routes(state: ApiState) -> Routes {
    let (brief, mut description) = OpenApiRouter::with_openapi(Description::openapi())
        .nest("/api", handlers())
        .split_for_parts();
    let (files, of_files) = OpenApiRouter::new()
        .nest(
            "/api",
            OpenApiRouter::new()
                .routes(routes!(versions::create))
                .routes(routes!(versions::diff))
                .routes(routes!(versions::restore))
                .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
                .routes(routes!(blobs::put, blobs::get)),
        )
        .split_for_parts();
    description.merge(of_files);
    let docs = Router::new().nest("/api", docs::router(description));
    Routes {
        brief: brief
            .with_state(state.clone())
            .merge(docs)
            .layer(DefaultBodyLimit::max(MAX_BODY_BYTES)),
        files: files.with_state(state),
    }
}

/// Routes whose bodies are documents.
fn large(routes: OpenApiRouter<ApiState>) -> OpenApiRouter<ApiState> {
    routes.layer(DefaultBodyLimit::max(tutti_protocol::bulk::MAX_BODY_BYTES))
}

fn handlers() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(projects::create, projects::list))
        .routes(routes!(projects::show, projects::delete))
        .routes(routes!(files::list))
        .routes(routes!(files::text))
        .merge(large(
            OpenApiRouter::new()
                .routes(routes!(exchange::exchange))
                .routes(routes!(blobs::lacking)),
        ))
        .routes(routes!(links::create, links::list))
        .routes(routes!(links::delete))
        .routes(routes!(links::join))
        .routes(routes!(versions::list))
        .routes(routes!(versions::show))
        .routes(routes!(versions::text))
}

/// The answer to a path that leads nowhere.
pub(crate) async fn no_such_route() -> ApiError {
    ApiError::not_found("There is nothing at this address.")
}

/// The answer to a method that a path does not take. The `Allow` header says which it takes.
pub(crate) async fn no_such_method() -> ApiError {
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "This address does not take this method.",
    )
}

/// The answer to a request that was not dealt with in time.
pub(crate) fn took_too_long() -> ApiError {
    ApiError::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "This took too long: try again soon.",
    )
}
