//! What handlers take: who asks, in which project, and a JSON body.

use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tutti_protocol::ids::ProjectId;
use url::Url;

use super::ApiState;
use super::error::{ApiError, ApiResult};
use crate::auth::{Identity, Project, Refusal};

/// Whoever shows a valid token.
pub(crate) struct Caller {
    pub(crate) identity: Identity,
    pub(crate) token: String,
}

impl FromRequestParts<ApiState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> ApiResult<Caller> {
        let token = bearer(parts).ok_or_else(ApiError::no_token)?.to_owned();
        Ok(Caller {
            identity: state.access.identify(&token).await?,
            token,
        })
    }
}

/// The administrator of the server.
pub(crate) struct Admin;

impl FromRequestParts<ApiState> for Admin {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> ApiResult<Admin> {
        let token = bearer(parts).ok_or_else(ApiError::no_token)?;
        match state.access.identify(token).await {
            Ok(Identity::Admin) => Ok(Admin),
            Ok(Identity::Guest { .. }) => Err(ApiError::forbidden(
                "Only the administrator of this server may do this: use the token in its file admin-token.",
            )),
            // No link leads here.
            Err(Refusal::Invalid) => Err(ApiError::new(
                StatusCode::UNAUTHORIZED,
                "This token is not known here: use the one in the server's file admin-token.",
            )),
            Err(refusal) => Err(refusal.into()),
        }
    }
}

/// Someone who may enter the project that the path names.
pub(crate) struct Member {
    pub(crate) identity: Identity,
    pub(crate) project: Project,
}

impl FromRequestParts<ApiState> for Member {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> ApiResult<Member> {
        let Caller { identity, .. } = Caller::from_request_parts(parts, state).await?;
        let id = project_in_path(parts).await;
        match (&identity, &id) {
            (_, Some(id)) => identity.may_enter(id)?,
            // Whether there is such a project is only for those to know who may enter it.
            (Identity::Guest { .. }, None) => return Err(Refusal::OtherProject.into()),
            (Identity::Admin, None) => {}
        }
        Ok(Member {
            project: existing_project(state, id).await?,
            identity,
        })
    }
}

/// Someone who may join the project that the path names.
pub(crate) struct Joiner {
    pub(crate) identity: Identity,
    pub(crate) token: String,
    pub(crate) project: Project,
}

impl FromRequestParts<ApiState> for Joiner {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> ApiResult<Joiner> {
        let Caller { identity, token } = Caller::from_request_parts(parts, state).await?;
        let id = project_in_path(parts).await;
        match (&identity, &id) {
            (_, Some(id)) => identity.may_join(id)?,
            (Identity::Guest { .. }, None) => return Err(Refusal::OtherProject.into()),
            (Identity::Admin, None) => {}
        }
        Ok(Joiner {
            project: existing_project(state, id).await?,
            identity,
            token,
        })
    }
}

/// The project's id in the path, if there is one there that follows the rules.
async fn project_in_path(parts: &mut Parts) -> Option<ProjectId> {
    #[derive(Deserialize)]
    struct InPath {
        project: ProjectId,
    }
    let path = Path::<InPath>::from_request_parts(parts, &()).await;
    path.ok().map(|Path(path)| path.project)
}

async fn existing_project(state: &ApiState, id: Option<ProjectId>) -> ApiResult<Project> {
    let project = match id {
        Some(id) => state.access.directory().project(&id).await?,
        None => None,
    };
    project.ok_or_else(|| ApiError::not_found("There is no such project."))
}

/// The base address of the links made in answer to this request: the configured one, else the one
/// that the request itself was sent to.
pub(crate) struct BaseUrl(pub(crate) Url);

impl FromRequestParts<ApiState> for BaseUrl {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> ApiResult<BaseUrl> {
        if let Some(configured) = &state.public_url {
            return Ok(BaseUrl(configured.clone()));
        }
        // HTTP/2 carries the host in the request's target.
        let host = match parts.uri.authority() {
            Some(authority) => Some(authority.as_str()),
            None => parts
                .headers
                .get(HOST)
                .and_then(|value| value.to_str().ok()),
        };
        let url = host.and_then(from_host);
        url.map(BaseUrl).ok_or_else(|| {
            ApiError::bad_request("The request's Host header is missing or not valid.")
        })
    }
}

/// The address that a Host header stands for; none if it holds more than a host and a port.
fn from_host(host: &str) -> Option<Url> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    if host.is_empty() || !host.bytes().all(plain) {
        return None;
    }
    Url::parse(&format!("http://{host}")).ok()
}

/// A JSON body; what is wrong with it is told as a problem.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<ApiState> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &ApiState) -> ApiResult<Json<T>> {
        let axum::Json(body) = axum::Json::from_request(request, state).await?;
        Ok(Json(body))
    }
}

/// The token of an `Authorization: Bearer` header.
pub(crate) fn bearer(parts: &Parts) -> Option<&str> {
    let (scheme, token) = parts
        .headers
        .get(AUTHORIZATION)?
        .to_str()
        .ok()?
        .split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for (host, url) in [
            ("localhost:4400", "http://localhost:4400/"),
            ("tutti.example.org", "http://tutti.example.org/"),
            ("[::1]:4400", "http://[::1]:4400/"),
        ] {
            assert_eq!(from_host(host).unwrap().as_str(), url);
        }
        for bad in [
            "",
            "a b",
            "a/b",
            "user@host",
            "host?x",
            "host#x",
            "host\\x",
            "a:b:c",
            "a:99999",
            "é",
        ] {
            assert!(from_host(bad).is_none(), "{bad:?}");
        }
    }
}
