//! The interface's description, for programs and for people. The page is made from the
//! description by a script of this server's own, so it also works where there is no internet.

use std::sync::Arc;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use utoipa::openapi::OpenApi;

pub(super) fn router(description: OpenApi) -> Router {
    let description = Arc::new(description);
    let json = move || async move { axum::Json(description.as_ref().clone()) };
    Router::new()
        .route("/openapi.json", get(json))
        .route(
            "/docs",
            get(|| text("text/html; charset=utf-8", include_str!("page.html"))),
        )
        .route(
            "/docs.js",
            get(|| text("text/javascript; charset=utf-8", include_str!("page.js"))),
        )
        .route(
            "/docs.css",
            get(|| text("text/css; charset=utf-8", include_str!("page.css"))),
        )
}

async fn text(content_type: &'static str, text: &'static str) -> impl IntoResponse {
    ([(CONTENT_TYPE, content_type)], text)
}
