//! Serves the web client, which is part of this binary (see `build.rs`).
//!
//! The files are looked up by name in a table, never on a disk, so no path can lead out of them.

use axum::Router;
use axum::extract::Request;
use axum::http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::api;

#[derive(RustEmbed)]
#[folder = "$OUT_DIR/web"]
struct Files;

const PAGE: &str = "index.html";

/// Where programs ask.
const API: &str = "/api/";

/// Vite puts a hash of its content into the name of each file in this folder.
const HASHED: &str = "assets/";

/// The pages of the client, and its files for every path that nothing else takes.
pub fn router() -> Router {
    let page = |headers: HeaderMap| async move { file(PAGE, &headers) };
    Router::new()
        .route("/", get(page))
        .route("/p/{project}", get(page))
        .fallback(asset)
}

async fn asset(request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    if Files::get(path).is_none() {
        // The page tells a person what to do; a program is told what is wrong.
        return match is_visit(&request) {
            true => (StatusCode::NOT_FOUND, file(PAGE, &HeaderMap::new())).into_response(),
            false => api::no_such_route().await.into_response(),
        };
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let error = api::no_such_method().await;
        return ([(ALLOW, "GET,HEAD")], error).into_response();
    }
    file(path, request.headers())
}

/// Whether somebody has typed this address into a browser, or has followed a link to it.
fn is_visit(request: &Request) -> bool {
    let accepted = request.headers().get_all(ACCEPT);
    let wants_page = |accepted: &HeaderValue| {
        let accepted = accepted.to_str().unwrap_or_default();
        accepted.contains("text/html")
    };
    *request.method() == Method::GET
        && !request.uri().path().starts_with(API)
        && accepted.iter().any(wants_page)
}

fn file(path: &str, headers: &HeaderMap) -> Response {
    let Some(EmbeddedFile { data, metadata }) = Files::get(path) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    // Weak, because the same file leaves in several encodings.
    let tag = format!(
        "W/\"{}\"",
        URL_SAFE_NO_PAD.encode(&metadata.sha256_hash()[..12])
    );
    let cache = match path.starts_with(HASHED) {
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    };
    let known = headers
        .get_all(IF_NONE_MATCH)
        .iter()
        .any(|sent| names(sent, &tag));
    let common = [(CACHE_CONTROL, cache.to_owned()), (ETAG, tag)];
    if known {
        return (StatusCode::NOT_MODIFIED, common).into_response();
    }
    let mime = metadata.mimetype();
    let content_type = match mime.starts_with("text/") || mime.ends_with("/json") {
        true => format!("{mime}; charset=utf-8"),
        false => mime.to_owned(),
    };
    (common, [(CONTENT_TYPE, content_type)], data).into_response()
}

/// Whether an If-None-Match header names this tag.
fn names(sent: &HeaderValue, tag: &str) -> bool {
    let strong = tag.trim_start_matches("W/");
    let mut tags = sent.to_str().unwrap_or_default().split(',').map(str::trim);
    tags.any(|sent| sent == "*" || sent.trim_start_matches("W/") == strong)
}
