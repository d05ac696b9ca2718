//! The server's REST interface, as any program would call it.

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tutti_protocol::rest::{CreatedProject, File};
use ureq::Agent;
use ureq::http::Response;

/// One user of the interface.
#[derive(Clone)]
pub struct Rest {
    agent: Agent,
    url: String,
    token: String,
}

/// An answer of any status.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The media type, without parameters.
    pub media_type: String,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.body).with_context(|| format!("no JSON: {}", self.body))
    }

    fn expect(self, status: u16) -> Result<Self> {
        if self.status != status {
            bail!("HTTP {} instead of {status}: {}", self.status, self.body);
        }
        Ok(self)
    }
}

/// A project that was just made, by `POST /api/projects` or by `tutti share --json`.
#[derive(Clone, Debug)]
pub struct Project {
    /// Its id.
    pub id: String,
    /// The link that may write.
    pub editor_link: String,
    /// The link that may only read.
    pub viewer_link: String,
}

impl Project {
    /// From what either prints, which is the same.
    ///
    /// # Errors
    /// When it is something else.
    pub fn from_json(json: &str) -> Result<Self> {
        let made: CreatedProject =
            serde_json::from_str(json).with_context(|| format!("no project: {json}"))?;
        Ok(Self {
            id: made.project,
            editor_link: made.editor_link,
            viewer_link: made.viewer_link,
        })
    }

    /// The token of the link that may write.
    #[must_use]
    pub fn editor_token(&self) -> &str {
        token(&self.editor_link)
    }

    /// The token of the link that may only read.
    #[must_use]
    pub fn viewer_token(&self) -> &str {
        token(&self.viewer_link)
    }
}

fn token(link: &str) -> &str {
    link.split_once('#').map_or("", |(_, token)| token)
}

impl Rest {
    /// The interface of the server at `url`, for the holder of `token`.
    #[must_use]
    pub fn new(url: String, token: String) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(crate::wait::LONG))
            .build();
        Self {
            agent: config.into(),
            url,
            token,
        }
    }

    /// The same server, for someone else.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self {
            token: token.to_owned(),
            ..self.clone()
        }
    }

    /// GET of a path such as `/api/projects`.
    ///
    /// # Errors
    /// When no answer comes; an answer of any status is none.
    pub fn get(&self, path: &str) -> Result<Answer> {
        let request = self
            .agent
            .get(format!("{}{path}", self.url))
            .header("Authorization", format!("Bearer {}", self.token));
        answer(request.call()?)
    }

    /// POST of a JSON body.
    ///
    /// # Errors
    /// When no answer comes; an answer of any status is none.
    pub fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        let request = self
            .agent
            .post(format!("{}{path}", self.url))
            .header("Authorization", format!("Bearer {}", self.token));
        answer(request.send_json(body)?)
    }

    /// DELETE of a path.
    ///
    /// # Errors
    /// When no answer comes; an answer of any status is none.
    pub fn delete(&self, path: &str) -> Result<Answer> {
        let request = self
            .agent
            .delete(format!("{}{path}", self.url))
            .header("Authorization", format!("Bearer {}", self.token));
        answer(request.call()?)
    }

    /// Makes a project.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn make_project(&self, name: &str) -> Result<Project> {
        let answer = self.post("/api/projects", &json!({ "name": name }))?;
        Project::from_json(&answer.expect(201)?.body)
    }

    /// The files of a project: id and path.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn files(&self, project: &str) -> Result<Vec<(String, String)>> {
        let answer = self.get(&format!("/api/projects/{project}/files"))?;
        let files: Vec<File> = serde_json::from_str(&answer.expect(200)?.body)?;
        Ok(files.into_iter().map(|file| (file.id, file.path)).collect())
    }

    /// The id of the file with this path.
    ///
    /// # Errors
    /// When there is none.
    pub fn file_id(&self, project: &str, path: &str) -> Result<String> {
        let files = self.files(project)?;
        files
            .iter()
            .find(|(_, found)| found == path)
            .map(|(id, _)| id.clone())
            .with_context(|| format!("no file {path} in {files:?}"))
    }

    /// The text of a document, with `\n` as its line end.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn text(&self, project: &str, document: &str) -> Result<String> {
        let path = format!("/api/projects/{project}/files/{document}/text");
        Ok(self.get(&path)?.expect(200)?.body)
    }
}

fn answer(mut response: Response<ureq::Body>) -> Result<Answer> {
    let media_type = response
        .headers()
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .to_owned();
    Ok(Answer {
        status: response.status().as_u16(),
        media_type,
        body: response.body_mut().read_to_string()?,
    })
}
