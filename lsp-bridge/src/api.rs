//! The server's REST interface, for the command line. Blocking: no async code calls it.

mod blobs;
mod versions;

use std::io;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tutti_protocol::bulk;
use tutti_protocol::ids::ProjectId;
use tutti_protocol::rest::{
    self, CreatedLink, CreatedProject, Joined, NewLink, NewProject, Problem, Project,
};
use ureq::http::{Response, StatusCode};
use ureq::{Agent, Body, Timeout};
use url::Url;

use crate::link::Token;

pub use blobs::Put;

/// A server that has not accepted the connection after this is not there.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A server that has not said that it is there after this is silent.
const REACH_TIMEOUT: Duration = Duration::from_secs(5);
/// No request takes longer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// What a small document more may add to an answer that is full.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// Little, and quick.
const COMPRESSION_LEVEL: i32 = 1;

/// What the system said, in its own words where they say something.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match error.kind().to_string() {
        _ if text.starts_with("failed to lookup address") => "its name is not known".to_owned(),
        kind if kind.starts_with("uncategorized") => text,
        kind => kind,
    }
}

/// Why a request failed, as one sentence for the person.
#[derive(Debug, Error)]
pub enum ApiError {
    /// Nobody answers.
    #[error(
        "no Tutti server answers at {server} ({reason}): see that `tutti-server` runs there, or try again later"
    )]
    NoServer {
        /// The address.
        server: String,
        /// What the system said.
        reason: String,
    },
    /// Whoever answers is no Tutti server.
    #[error("{server} is no Tutti server, or one of another version: {reason}")]
    NoTutti {
        /// The address.
        server: String,
        /// What was wrong with the answer.
        reason: String,
    },
    /// No token, or one that is not valid (any more).
    #[error("{0}")]
    Unauthorized(String),
    /// A token that does not allow this.
    #[error("{0}")]
    Forbidden(String),
    /// No such project or link.
    #[error("{0}")]
    NotFound(String),
    /// The server has another reason.
    #[error("the server refuses: {0}")]
    Refused(String),
    /// What the server has stored of this is damaged; nothing that passes by itself.
    #[error("{0}")]
    Damaged(String),
    /// The server has failed.
    #[error("the server has failed ({0}): try again, or look into its log")]
    Failed(String),
}

/// What a server shows to everyone.
#[derive(Debug)]
pub struct Probe {
    /// How long it took to answer.
    pub took: Duration,
    /// What its clock said, to the second, and what ours said then; `None` if it does not tell.
    pub clock: Option<(SystemTime, SystemTime)>,
    /// Its version.
    pub version: String,
    /// Why it cannot keep what people write now; empty if it can.
    pub not_ready: String,
}

/// The part of `/api/openapi.json` that says whose interface it is.
#[derive(Deserialize)]
struct Description {
    info: Info,
}

#[derive(Deserialize)]
struct Info {
    title: String,
    version: String,
}

/// The part of `/readyz` that is shown.
#[derive(Deserialize)]
struct Readiness {
    reasons: Vec<String>,
}

/// A client of one server, with one token.
pub struct Api {
    agent: Agent,
    way: RwLock<Way>,
}

/// Where requests go, and in whose name.
#[derive(Clone)]
struct Way {
    server: Url,
    token: String,
}

impl Api {
    /// A client that has not connected yet.
    pub fn new(server: &Url, token: &str) -> Self {
        let config = Agent::config_builder()
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(REQUEST_TIMEOUT))
            // The body of an error says what to do.
            .http_status_as_error(false)
            // A token goes where its owner sent it, and nowhere else.
            .max_redirects(0)
            .user_agent(concat!("tutti/", env!("CARGO_PKG_VERSION")))
            .build();
        Self {
            agent: config.new_agent(),
            way: RwLock::new(Way {
                server: server.clone(),
                token: token.to_owned(),
            }),
        }
    }

    /// Another server, or another token, from now on.
    pub fn renew(&self, server: &Url, token: &Token) {
        *self.way.write().unwrap_or_else(PoisonError::into_inner) = Way {
            server: server.clone(),
            token: token.0.clone(),
        };
    }

    fn way(&self) -> Way {
        let way = self.way.read().unwrap_or_else(PoisonError::into_inner);
        way.clone()
    }

    /// Makes a project. Needs the administrator's token.
    pub fn create_project(&self, name: &str) -> Result<CreatedProject, ApiError> {
        let name = name.to_owned();
        self.post("api/projects", Some(&NewProject { name }))
    }

    /// A project, as far as this token may see it.
    pub fn project(&self, id: &ProjectId) -> Result<Project, ApiError> {
        self.get(&format!("api/projects/{id}"))
    }

    /// Why the server does not keep what is written at present, in its words; empty while it does.
    pub fn not_ready(&self) -> Result<String, ApiError> {
        let ready = self.agent.get(self.url("readyz")).call();
        let mut ready = ready.map_err(|error| self.no_answer(&error))?;
        Ok(match ready.status().is_success() {
            true => String::new(),
            false => match ready.body_mut().read_json::<Readiness>() {
                Ok(Readiness { reasons }) => reasons.join(", "),
                Err(_) => format!("it answers {}", ready.status()),
            },
        })
    }

    /// Enters with a link: it counts as one use of it.
    pub fn join(&self, id: &ProjectId) -> Result<Joined, ApiError> {
        self.post::<(), _>(&format!("api/projects/{id}/join"), None)
    }

    /// Asks one question of [`tutti_protocol::bulk`] and returns its answer, if that takes no longer than
    /// `patience`.
    pub fn exchange(
        &self,
        id: &ProjectId,
        question: &[u8],
        patience: Duration,
    ) -> Result<Vec<u8>, ApiError> {
        let damaged = |_| self.no_tutti("its answer cannot be understood".to_owned());
        let packed = zstd::bulk::compress(question, COMPRESSION_LEVEL).map_err(damaged)?;
        let request = self
            .agent
            .post(self.url(&format!("api/projects/{id}/exchange")));
        let request = request
            .header("Authorization", self.bearer())
            .header("Content-Type", bulk::CONTENT_TYPE)
            .config()
            .timeout_global(Some(patience))
            .build();
        let mut answer = self.succeeded(request.send(&packed[..]))?;
        let body = answer
            .body_mut()
            .with_config()
            .limit(MAX_ANSWER_BYTES as u64);
        let packed = body.read_to_vec().map_err(|error| self.no_answer(&error))?;
        zstd::bulk::decompress(&packed, MAX_ANSWER_BYTES).map_err(damaged)
    }

    /// Makes a further link.
    pub fn create_link(&self, id: &ProjectId, link: &NewLink) -> Result<CreatedLink, ApiError> {
        self.post(&format!("api/projects/{id}/links"), Some(link))
    }

    /// Whether a server answers, whatever the token.
    pub fn reach(&self) -> Result<(), ApiError> {
        match self.healthz()?.status() {
            status if status.is_success() => Ok(()),
            status => Err(self.no_tutti(format!("it answers {status}"))),
        }
    }

    /// Whether anybody answers at all: one that is silent is found out sooner than by a question that
    /// may take its time.
    pub fn hears(&self) -> Result<(), ApiError> {
        self.healthz().map(drop)
    }

    fn healthz(&self) -> Result<Response<Body>, ApiError> {
        let request = self.agent.get(self.url("healthz")).config();
        let answer = request.timeout_global(Some(REACH_TIMEOUT)).build().call();
        answer.map_err(|error| self.no_answer(&error))
    }

    /// Looks at the server without a token: what it is, how it does and what time it has.
    pub fn probe(&self) -> Result<Probe, ApiError> {
        let (asked, start) = (SystemTime::now(), Instant::now());
        let answer = self.healthz()?;
        let took = start.elapsed();
        if !answer.status().is_success() {
            return Err(self.no_tutti(format!("it answers {}", answer.status())));
        }
        let date = answer.headers().get("date").and_then(|it| it.to_str().ok());
        let date = date.and_then(|date| httpdate::parse_http_date(date).ok());
        let description: Description = self.get("api/openapi.json")?;
        if description.info.title != "Tutti" {
            return Err(self.no_tutti("it describes itself as another".to_owned()));
        }
        let not_ready = self.not_ready()?;
        Ok(Probe {
            took,
            // It read its clock half-way between the question and the answer.
            clock: date.map(|theirs| (theirs, asked + took / 2)),
            version: description.info.version,
            not_ready,
        })
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        let request = self.agent.get(self.url(path));
        self.read(request.header("Authorization", self.bearer()).call())
    }

    fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: Option<&B>,
    ) -> Result<T, ApiError> {
        let request = self.agent.post(self.url(path));
        let request = request.header("Authorization", self.bearer());
        self.read(match body {
            Some(body) => request.send_json(body),
            None => request.send_empty(),
        })
    }

    fn read<T: DeserializeOwned>(
        &self,
        answer: Result<Response<Body>, ureq::Error>,
    ) -> Result<T, ApiError> {
        let json = self.succeeded(answer)?.body_mut().read_json();
        json.map_err(|_| self.no_tutti("its answer cannot be understood".to_owned()))
    }

    /// An answer that is no error.
    fn succeeded(
        &self,
        answer: Result<Response<Body>, ureq::Error>,
    ) -> Result<Response<Body>, ApiError> {
        let mut answer = answer.map_err(|error| self.no_answer(&error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let problem = answer.body_mut().read_json::<Problem>();
        let Ok(Problem { kind, detail, .. }) = problem else {
            return Err(match status.is_server_error() {
                true => ApiError::Failed(status.to_string()),
                false => self.no_tutti(format!("it answers {status}")),
            });
        };
        Err(match status {
            StatusCode::UNAUTHORIZED => ApiError::Unauthorized(detail),
            StatusCode::FORBIDDEN => ApiError::Forbidden(detail),
            StatusCode::NOT_FOUND => ApiError::NotFound(detail),
            // Nothing that passes by itself.
            StatusCode::INSUFFICIENT_STORAGE => ApiError::Refused(detail),
            _ if kind == rest::DAMAGED => ApiError::Damaged(detail),
            _ if status.is_server_error() => ApiError::Failed(detail),
            _ => ApiError::Refused(detail),
        })
    }

    fn no_answer(&self, error: &ureq::Error) -> ApiError {
        let server = self.way().server.to_string();
        match error {
            ureq::Error::Protocol(_) | ureq::Error::Http(_) => {
                self.no_tutti("it does not speak HTTP".to_owned())
            }
            // It answers, in another language than TLS, or with a certificate that is not good.
            ureq::Error::Io(error) if error.kind() == io::ErrorKind::InvalidData => {
                let error = error.to_string();
                self.no_tutti(match error.contains("corrupt message") {
                    true => "it does not speak HTTPS; if it is meant to be without, write http://"
                        .to_owned(),
                    false => error,
                })
            }
            ureq::Error::Io(error) => ApiError::NoServer {
                server,
                reason: reason(error),
            },
            ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => ApiError::NoServer {
                server,
                reason: "the connection is not accepted".to_owned(),
            },
            ureq::Error::Timeout(_) => ApiError::NoServer {
                server,
                reason: "it takes the connection and says nothing".to_owned(),
            },
            error => ApiError::NoServer {
                server,
                reason: error.to_string(),
            },
        }
    }

    fn no_tutti(&self, reason: String) -> ApiError {
        ApiError::NoTutti {
            server: self.way().server.to_string(),
            reason,
        }
    }

    fn url(&self, path: &str) -> String {
        format!(
            "{}/{path}",
            self.way().server.as_str().trim_end_matches('/')
        )
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.way().token)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    /// Answers one request with these bytes.
    fn server(answer: impl Into<String>) -> Url {
        let answer = answer.into();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            stream.write_all(answer.as_bytes()).unwrap();
        });
        format!("http://{address}").parse().unwrap()
    }

    fn error(server: &Url) -> ApiError {
        let id = "abc".parse().unwrap();
        Api::new(server, "T").project(&id).unwrap_err()
    }

    #[test]
    fn each_failure_says_what_it_is() {
        let nobody = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            format!("http://{}", listener.local_addr().unwrap())
        };
        let told = error(&nobody.parse().unwrap()).to_string();
        assert!(told.contains("connection refused"), "{told}");
        assert!(told.contains("tutti-server"), "{told}");

        let told = error(&server("SSH-2.0-OpenSSH_9.9\r\n\r\n")).to_string();
        assert!(told.contains("is no Tutti server"), "{told}");

        let mut plain = server("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        plain.set_scheme("https").unwrap();
        let told = error(&plain).to_string();
        assert!(told.contains("does not speak HTTPS"), "{told}");
        assert!(!told.contains("tutti-server"), "{told}");

        let told = error(&server(
            "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>",
        ));
        assert!(matches!(told, ApiError::NoTutti { .. }), "{told}");

        let told = error(&server(
            "HTTP/1.1 302 Found\r\nlocation: http://elsewhere/\r\ncontent-length: 0\r\n\r\n",
        ));
        assert!(matches!(told, ApiError::NoTutti { .. }), "{told}");
    }

    #[test]
    fn one_that_is_silent_is_found_out_and_said_to_be() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        let told = Api::new(&server.parse().unwrap(), "T").reach().unwrap_err();
        assert!(told.to_string().contains("says nothing"), "{told}");
    }

    #[test]
    fn a_full_disk_is_no_failure_that_passes() {
        let body = r#"{"type":"about:blank","title":"","status":507,"detail":"The disk is full."}"#;
        let told = error(&server(format!(
            "HTTP/1.1 507 Insufficient Storage\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )));
        assert_eq!(told.to_string(), "the server refuses: The disk is full.");
    }

    #[test]
    fn a_problem_is_told_in_the_servers_words() {
        let problem = Problem {
            kind: "about:blank".to_owned(),
            title: "Forbidden".to_owned(),
            status: 403,
            detail: "Ask for more.".to_owned(),
        };
        let body = serde_json::to_string(&problem).unwrap();
        let told = error(&server(format!(
            "HTTP/1.1 403 Forbidden\r\ncontent-type: application/problem+json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )));
        assert!(matches!(&told, ApiError::Forbidden(_)), "{told}");
        assert_eq!(told.to_string(), "Ask for more.");
    }
}
