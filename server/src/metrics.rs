//! `/metrics`, for Prometheus, and the counting of HTTP requests.
//!
//! The figures tell how busy a team is, so they are not for everyone: the administrator's token
//! opens them, and so does asking from this machine, but that only where no proxy is configured,
//! since a proxy on this machine would pass on anybody's request as its own.

pub mod catalog;

use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::api::{ApiError, bearer};
use crate::auth::{Access, Identity};

/// How often figures that nobody asked for are folded, so that they do not pile up.
const UPKEEP: Duration = Duration::from_secs(5);

const SECONDS: &[f64] = &[
    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0,
];

/// For what is counted.
const COUNTS: &[f64] = &[
    1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 5_000.0, 20_000.0,
];

/// The recorder of this process. There is one, however many servers run in it.
fn recorder() -> &'static PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER.get_or_init(|| {
        // One without buckets would be a summary, which cannot be added up over nodes.
        let builder = PrometheusBuilder::new()
            .set_buckets(COUNTS)
            .and_then(|builder| {
                builder.set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), SECONDS)
            });
        let recorder = builder
            .unwrap_or_else(|_| PrometheusBuilder::new())
            .build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another metrics recorder is in use: /metrics stays empty");
        }
        catalog::describe();
        handle
    })
}

/// Records from now on.
pub(crate) fn record() {
    recorder();
}

/// Records from now on, and folds now and then; ends when the returned handle is aborted.
pub(crate) fn start() -> tokio::task::JoinHandle<()> {
    let recorder = recorder();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(UPKEEP);
        loop {
            ticks.tick().await;
            recorder.run_upkeep();
        }
    })
}

/// Who may read the figures.
#[derive(Clone)]
pub(crate) struct Readers {
    pub(crate) access: Access,
    /// Whether a proxy passes requests on, as far as the configuration tells.
    pub(crate) behind_proxy: bool,
}

pub(crate) fn router(readers: Readers) -> Router {
    Router::new()
        .route("/metrics", get(show))
        .with_state(readers)
}

async fn show(State(readers): State<Readers>, request: Request) -> Result<Response, ApiError> {
    let (parts, _) = request.into_parts();
    match bearer(&parts) {
        Some(token) => match readers.access.identify(token).await? {
            Identity::Admin => {}
            Identity::Guest { .. } => {
                return Err(ApiError::forbidden(
                    "The figures are for the administrator.",
                ));
            }
        },
        None if !readers.behind_proxy && asked_from_here(&parts) => {}
        None => return Err(ApiError::no_token()),
    }
    let kind = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    Ok((kind, recorder().render()).into_response())
}

/// Whether the request comes from this machine and means this machine. A page on the internet that
/// makes a browser here ask under a name of its own does not.
fn asked_from_here(parts: &Parts) -> bool {
    let local_peer = parts
        .extensions
        .get::<ConnectInfo<SocketAddr>>()
        .is_some_and(|ConnectInfo(peer)| peer.ip().to_canonical().is_loopback());
    let host = parts
        .headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let address = name.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    local_peer && (name == "localhost" || address.is_ok_and(|address| address.is_loopback()))
}

/// Counts a request by its route, not by its path: paths hold project ids.
pub(crate) async fn count(request: Request, next: Next) -> Response {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned());
    let route = route.unwrap_or_else(|| "other".to_owned());
    let method = match request.method().as_str() {
        known @ ("GET" | "HEAD" | "POST" | "DELETE") => known.to_owned(),
        _ => "other".to_owned(),
    };
    let began = Instant::now();
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    metrics::histogram!("tutti_http_request_seconds", "route" => route.clone())
        .record(began.elapsed().as_secs_f64());
    metrics::counter!("tutti_http_requests_total", "method" => method, "route" => route, "status" => status)
        .increment(1);
    response
}

#[cfg(test)]
mod tests {
    use super::catalog::{CATALOG, Kind};
    use super::*;

    #[test]
    fn what_the_catalog_calls_a_histogram_is_served_as_one() {
        let handle = recorder();
        let histograms = || {
            CATALOG
                .iter()
                .filter(|figure| figure.kind == Kind::Histogram)
        };
        for figure in histograms() {
            metrics::histogram!(figure.name).record(3.0);
        }
        let served = handle.render();
        for figure in histograms() {
            let line = format!("# TYPE {} histogram", figure.name);
            assert!(served.contains(&line), "{}", figure.name);
        }
        assert!(served.contains("tutti_store_group_updates_bucket{le=\"5\"}"));
    }
}
