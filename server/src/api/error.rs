//! Every error of the REST interface: problem details (RFC 9457).

use std::borrow::Cow;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tutti_protocol::rest::{self, Problem};

use crate::auth::{DirectoryError, Refusal};
use crate::rooms::RoomError;
use crate::store::StoreError;

/// What went wrong, in one sentence for the person who asked.
#[derive(Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    /// [`Problem::kind`].
    kind: &'static str,
    detail: Cow<'static, str>,
    /// Logged, never sent.
    cause: Option<anyhow::Error>,
}

/// The kind of most problems.
const STATUS_SAYS_IT: &str = "about:blank";

/// What handlers return.
pub(crate) type ApiResult<T> = Result<T, ApiError>;

impl ApiError {
    pub(crate) fn new(status: StatusCode, detail: impl Into<Cow<'static, str>>) -> ApiError {
        ApiError {
            status,
            kind: STATUS_SAYS_IT,
            detail: detail.into(),
            cause: None,
        }
    }

    pub(crate) fn bad_request(detail: impl Into<Cow<'static, str>>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, detail)
    }

    pub(crate) fn not_found(detail: &'static str) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, detail)
    }

    pub(crate) fn forbidden(detail: &'static str) -> ApiError {
        ApiError::new(StatusCode::FORBIDDEN, detail)
    }

    pub(crate) fn no_token() -> ApiError {
        ApiError::new(
            StatusCode::UNAUTHORIZED,
            "This needs a token: send the part of your link after # as `Authorization: Bearer TOKEN`.",
        )
    }

    /// There is no room for what was to be written.
    fn full(cause: impl Into<anyhow::Error>) -> ApiError {
        ApiError {
            status: StatusCode::INSUFFICIENT_STORAGE,
            kind: STATUS_SAYS_IT,
            detail: "The server's disk is full: its administrator has to make room on it.".into(),
            cause: Some(cause.into()),
        }
    }

    /// The store or the directory gave no answer.
    pub(crate) fn unavailable(cause: impl Into<anyhow::Error>) -> ApiError {
        ApiError {
            status: StatusCode::SERVICE_UNAVAILABLE,
            kind: STATUS_SAYS_IT,
            detail: "The server cannot reach its data at the moment: try again soon.".into(),
            cause: Some(cause.into()),
        }
    }

    /// It is there and cannot be read. No 503: to ask again is of no use.
    fn damaged(cause: impl Into<anyhow::Error>) -> ApiError {
        ApiError {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            kind: rest::DAMAGED,
            detail: "The server cannot read what it has stored of this, as it is damaged: its administrator has to restore a backup.".into(),
            cause: Some(cause.into()),
        }
    }

    pub(crate) fn internal(cause: impl Into<anyhow::Error>) -> ApiError {
        ApiError {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            kind: STATUS_SAYS_IT,
            detail: "The server failed: its log says why.".into(),
            cause: Some(cause.into()),
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> ApiError {
        if let Refusal::Unavailable(err @ DirectoryError::Full) = refusal {
            return ApiError::full(err);
        }
        let status = match &refusal {
            Refusal::Invalid => StatusCode::UNAUTHORIZED,
            Refusal::OtherProject | Refusal::JoinFirst | Refusal::UsedUp => StatusCode::FORBIDDEN,
            Refusal::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        let detail = refusal.to_string().into();
        let cause = match refusal {
            Refusal::Unavailable(err) => Some(err.into()),
            _ => None,
        };
        ApiError {
            status,
            kind: STATUS_SAYS_IT,
            detail,
            cause,
        }
    }
}

impl From<DirectoryError> for ApiError {
    fn from(err: DirectoryError) -> ApiError {
        match err {
            DirectoryError::Full => ApiError::full(err),
            err => ApiError::unavailable(err),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(err: StoreError) -> ApiError {
        match err {
            StoreError::Full(_) => ApiError::full(err),
            err if err.is_damage() => ApiError::damaged(err),
            err => ApiError::unavailable(err),
        }
    }
}

impl From<RoomError> for ApiError {
    fn from(err: RoomError) -> ApiError {
        match err {
            RoomError::Store(err) => err.into(),
            RoomError::Deleted => ApiError::not_found("There is no such project."),
            RoomError::ShuttingDown | RoomError::Limit(_) => ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("This cannot be done now: {err}."),
            ),
            RoomError::BadUpdate(_) => ApiError::internal(err),
        }
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> ApiError {
        let text = rejection.body_text();
        // What follows names the field and the place; what comes before speaks of our own types.
        let what = text
            .split_once(": ")
            .map_or(text.as_str(), |(_, what)| what);
        let detail = match rejection {
            JsonRejection::JsonDataError(_) => {
                format!("The body does not say what is asked for here: {what}.")
            }
            JsonRejection::JsonSyntaxError(_) => format!("The body is no JSON: {what}."),
            JsonRejection::MissingJsonContentType(_) => {
                "The body must be JSON, and the header Content-Type say so: application/json."
                    .to_owned()
            }
            _ => text,
        };
        ApiError::new(rejection.status(), detail)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if let Some(cause) = self.cause {
            tracing::error!(status = self.status.as_u16(), "request failed: {cause:#}");
        }
        let problem = Problem {
            kind: self.kind.to_owned(),
            title: self
                .status
                .canonical_reason()
                .unwrap_or_default()
                .to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.into_owned(),
        };
        let mut response = (self.status, Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_called_so() {
        let full = || DirectoryError::Full;
        let errors = [
            ApiError::from(full()),
            ApiError::from(Refusal::Unavailable(full())),
            ApiError::from(RoomError::Store(StoreError::Full("13".into()))),
        ];
        for error in errors {
            assert_eq!(error.status, StatusCode::INSUFFICIENT_STORAGE);
            assert!(error.detail.contains("disk is full"), "{}", error.detail);
        }
        let other = ApiError::from(DirectoryError::Failed("locked".into()));
        assert_eq!(other.status, StatusCode::SERVICE_UNAVAILABLE);
    }
}
