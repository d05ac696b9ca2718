//! Headers that every answer carries, and what is believed of a request's.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HeaderName, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

/// Everything from this server only. Styles alone may stand in the page: CodeMirror puts its
/// themes into style elements.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const ON_EVERY_ANSWER: [(HeaderName, &str); 6] = [
    (CONTENT_SECURITY_POLICY, CONTENT_POLICY),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Adds the security headers; and what does not say otherwise is not to be kept by anyone, since
/// answers hold people's texts and links.
pub(crate) async fn secure(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in ON_EVERY_ANSWER {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Puts the client's address from the trusted proxy's header in the place of the proxy's own.
pub(crate) async fn client_address(
    State(header): State<HeaderName>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Some(address) = last_address(request.headers(), &header) {
        request
            .extensions_mut()
            .insert(ConnectInfo(SocketAddr::from((address, 0))));
    }
    next.run(request).await
}

/// The last address in the header: the one that the proxy itself added. Those before it are the
/// client's word.
fn last_address(headers: &HeaderMap, name: &HeaderName) -> Option<IpAddr> {
    let last = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    let last = last.rsplit(',').next()?.trim();
    let with_port = || last.parse::<SocketAddr>().map(|address| address.ip());
    last.parse().or_else(|_| with_port()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_proxys_own_word_counts() {
        let name = HeaderName::from_static("x-forwarded-for");
        let address = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(&name, HeaderValue::from_static(value));
            }
            last_address(&headers, &name).map(|address| address.to_string())
        };
        assert_eq!(address(&["10.0.0.1"]).as_deref(), Some("10.0.0.1"));
        assert_eq!(address(&["6.6.6.6, 10.0.0.1"]).as_deref(), Some("10.0.0.1"));
        assert_eq!(
            address(&["6.6.6.6", "10.0.0.2"]).as_deref(),
            Some("10.0.0.2")
        );
        assert_eq!(
            address(&["[2001:db8::1]:4711"]).as_deref(),
            Some("2001:db8::1")
        );
        assert_eq!(address(&["unknown"]), None);
        assert_eq!(address(&[]), None);
    }
}
