//! A server in this process, and people who ask it things.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tutti_protocol::link::ShareLink;
use tutti_server::app::{self, Running};
use tutti_server::config::Settings;
use ureq::http::{HeaderMap, Request};

/// A server on a free port with a data directory of its own.
pub(crate) struct Server {
    running: Option<Running>,
    pub(crate) runtime: Runtime,
    pub(crate) dir: TempDir,
    pub(crate) base: String,
    pub(crate) admin: String,
}

/// Settings for a free port and this data directory.
pub(crate) fn settings(data: &Path) -> Settings {
    Settings {
        listen: ([127, 0, 0, 1], 0).into(),
        data: Some(data.to_owned()),
        ..Settings::default()
    }
}

impl Server {
    pub(crate) fn start() -> Server {
        Server::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Server {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = settings(&dir.path().join("data"));
        change(&mut settings);
        Server::on(dir, settings)
    }

    fn on(dir: TempDir, settings: Settings) -> Server {
        let runtime = Runtime::new().unwrap();
        let running = runtime.block_on(app::start(settings)).unwrap();
        let base = format!("http://{}", running.addr());
        let admin = std::fs::read_to_string(running.admin_token_path())
            .unwrap()
            .trim()
            .to_owned();
        Server {
            running: Some(running),
            runtime,
            dir,
            base,
            admin,
        }
    }

    /// Stops and starts again on the same data directory, on another port.
    pub(crate) fn restart(mut self) -> Server {
        self.stop();
        let settings = settings(&self.dir.path().join("data"));
        Server::on(
            std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap()),
            settings,
        )
    }

    pub(crate) fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            self.runtime.block_on(running.shutdown()).unwrap();
        }
    }

    pub(crate) fn get(&self, path: &str, token: &str) -> Reply {
        self.ask("GET", path, token, None)
    }

    pub(crate) fn post(&self, path: &str, token: &str, body: Value) -> Reply {
        self.ask("POST", path, token, Some(body.to_string()))
    }

    pub(crate) fn delete(&self, path: &str, token: &str) -> Reply {
        self.ask("DELETE", path, token, None)
    }

    /// Asks, with a token unless it is empty.
    pub(crate) fn ask(&self, method: &str, path: &str, token: &str, body: Option<String>) -> Reply {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        self.send(request.body(body.unwrap_or_default()).unwrap())
    }

    pub(crate) fn send(&self, request: Request<String>) -> Reply {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .accept_encoding("identity")
            .timeout_global(Some(Duration::from_secs(20)))
            .max_redirects(0);
        let agent: ureq::Agent = config.build().into();
        let mut response = match request.body().is_empty() {
            true => agent.run(request.map(|_| ())),
            false => agent.run(request),
        }
        .unwrap();
        Reply {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.body_mut().read_to_string().unwrap(),
        }
    }

    /// Sends these bytes and reads until the server closes.
    pub(crate) fn send_raw(&self, request: &str) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.base.trim_start_matches("http://")).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).unwrap();
        reply
    }

    /// Makes a project.
    pub(crate) fn project(&self, name: &str) -> Shared {
        let reply = self.post(
            "/api/projects",
            &self.admin,
            serde_json::json!({ "name": name }),
        );
        assert_eq!(reply.status, 201, "{}", reply.body);
        let created = reply.json();
        Shared {
            id: created["project"].as_str().unwrap().to_owned(),
            editor: token_of(&created["editor_link"]),
            viewer: token_of(&created["viewer_link"]),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A project with the tokens of its first two links.
pub(crate) struct Shared {
    pub(crate) id: String,
    pub(crate) editor: String,
    pub(crate) viewer: String,
}

impl Shared {
    /// A path below the project's own.
    pub(crate) fn path(&self, rest: &str) -> String {
        format!("/api/projects/{}{rest}", self.id)
    }
}

/// The token in a link.
pub(crate) fn token_of(link: &Value) -> String {
    link.as_str().unwrap().parse::<ShareLink>().unwrap().token
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|err| panic!("{err}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Checks that this is a problem document with this status, and returns its sentence.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], "about:blank");
        assert!(!problem["title"].as_str().unwrap().is_empty());
        let detail = problem["detail"].as_str().unwrap().to_owned();
        assert!(!detail.is_empty());
        detail
    }
}
