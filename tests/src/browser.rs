//! Chromium, driven by `tests/node/browser.mjs`: one page of one person.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::node::Node;
use crate::project::difference;
use crate::tools::chromium;
use crate::wait::until_or;

/// A browser with one page; dropped, it is closed.
pub struct Browser {
    node: Node,
}

impl Browser {
    /// Opens a page in a fresh browser.
    ///
    /// # Errors
    /// When it does not load.
    pub fn open(url: &str) -> Result<Self> {
        let mut browser = Self {
            node: Node::start("browser.mjs")?,
        };
        browser.ask(json!({ "do": "open", "url": url, "chromium": chromium()? }))?;
        Ok(browser)
    }

    /// Opens another page, or the same one again.
    ///
    /// # Errors
    /// When it does not load.
    pub fn go(&mut self, url: &str) -> Result<()> {
        self.ask(json!({ "do": "go", "url": url })).map(drop)
    }

    /// Tells the page the person's name, for which it asks at first.
    ///
    /// # Errors
    /// When it does not ask.
    pub fn introduce(&mut self, name: &str) -> Result<()> {
        self.ask(json!({ "do": "introduce", "name": name }))
            .map(drop)
    }

    /// Opens a file in the tree by its path.
    ///
    /// # Errors
    /// When the tree does not come to show it.
    pub fn open_file(&mut self, path: &str) -> Result<()> {
        self.ask(json!({ "do": "openFile", "path": path }))
            .map(drop)
    }

    /// Deletes a file in the tree by its path, for everyone.
    ///
    /// # Errors
    /// When it stays there.
    pub fn delete_file(&mut self, path: &str) -> Result<()> {
        self.ask(json!({ "do": "deleteFile", "path": path }))
            .map(drop)
    }

    /// Opens a picture in the tree by its path: its width and height as drawn, and what the page says of it.
    ///
    /// # Errors
    /// When it is not drawn.
    pub fn picture(&mut self, path: &str) -> Result<(Value, String)> {
        let mut drawn = self.ask(json!({ "do": "picture", "path": path }))?;
        let says = drawn["says"].as_str().context("a text")?.to_owned();
        Ok((drawn["size"].take(), says))
    }

    /// Downloads a file in the tree by its path: the name that it gets, its bytes, and what the page says of it.
    ///
    /// # Errors
    /// When it does not come.
    pub fn download(&mut self, path: &str) -> Result<(String, Vec<u8>, String)> {
        let came = self.ask(json!({ "do": "download", "path": path }))?;
        let text = |key: &str| came[key].as_str().map(str::to_owned).context("a text");
        let hex = text("hex")?;
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16);
        let bytes: Result<Vec<u8>, _> = (0..hex.len()).step_by(2).map(byte).collect();
        Ok((text("name")?, bytes?, text("says")?))
    }

    /// Waits until the page says that the person's edits are `saved`, `saving` or `offline`.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn status(&mut self, state: &str) -> Result<()> {
        self.ask(json!({ "do": "status", "state": state }))
            .map(drop)
    }

    /// What the page says instead of showing a project: why the link does not open one.
    ///
    /// # Errors
    /// When it says nothing in time.
    pub fn message(&mut self) -> Result<String> {
        let text = self.ask(json!({ "do": "message" }))?;
        text.as_str().map(str::to_owned).context("a text")
    }

    /// Waits until the page shows a text.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn shows(&mut self, text: &str) -> Result<()> {
        self.ask(json!({ "do": "shows", "text": text })).map(drop)
    }

    /// Puts the caret behind the last character of the first line that holds `text`, as a person does: with a click
    /// and the End key.
    ///
    /// # Errors
    /// When the line is not on the screen.
    pub fn type_behind(&mut self, text: &str) -> Result<()> {
        self.ask(json!({ "do": "typeBehind", "text": text }))
            .map(drop)
    }

    /// Presses one key after the other, one every `pace`.
    ///
    /// # Errors
    /// When the page is gone.
    pub fn type_text(&mut self, text: &str, pace: Duration) -> Result<()> {
        let pace_ms = u64::try_from(pace.as_millis())?;
        self.ask(json!({ "do": "type", "text": text, "paceMs": pace_ms }))
            .map(drop)
    }

    /// The whole text of the open file: all of it selected and copied.
    ///
    /// # Errors
    /// When the page is gone.
    pub fn text(&mut self) -> Result<String> {
        let text = self.ask(json!({ "do": "text" }))?;
        text.as_str().map(str::to_owned).context("a text")
    }

    /// Waits until the open file's text is this one.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn holds(&mut self, text: &str) -> Result<()> {
        let mut last = String::new();
        until_or(
            "the browser to hold the text",
            || {
                last = self.text().unwrap_or_else(|error| format!("{error:#}"));
                (last == text).then_some(())
            },
            String::new,
        )
        .with_context(|| difference(text, &last))
    }

    /// How much the page has loaded by now, in bytes as they were sent: compressed.
    ///
    /// # Errors
    /// When the page is gone.
    pub fn loaded_bytes(&mut self) -> Result<u64> {
        let bytes = self.ask(json!({ "do": "loadedBytes" }))?;
        bytes.as_u64().context("a number")
    }

    /// What the page shows, as text, for a message.
    ///
    /// # Errors
    /// When the page is gone.
    pub fn page(&mut self) -> Result<String> {
        let text = self.ask(json!({ "do": "page" }))?;
        text.as_str().map(str::to_owned).context("a text")
    }

    fn ask(&mut self, request: Value) -> Result<Value> {
        self.node.ask(request)
    }
}
