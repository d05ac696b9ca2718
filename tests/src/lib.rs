//! Tutti end to end: real editors, a real browser, real processes.
//!
//! This library is the harness; the tests are in `tests/tests/`. Everything runs on this machine and on free ports,
//! in temporary directories, and is stopped when its handle is dropped. Nothing here waits for a fixed time: a test
//! waits for what it expects ([`wait::until`]), with a limit generous enough for a slow machine.
//!
//! | module | stands for |
//! | --- | --- |
//! | [`server`] | a `tutti-server` process, to be killed and started again |
//! | [`redis`] | a `redis-server` process, likewise |
//! | [`wire`] | the way from a node to Redis or to the database, which can be held, cut and made to lose messages |
//! | [`cable`] | the way to the server, which can be cut |
//! | [`cli`] | `tutti share`, `join`, `status` … |
//! | [`rest`] | the server's REST interface |
//! | [`terminal`], [`editor`] | a terminal program under real keys; Neovim, Helix, Emacs in one |
//! | [`scene`] | a shared file, open in an editor, and someone else in it |
//! | [`vscode`] | VS Code |
//! | [`browser`] | Chromium |
//! | [`seat`] | a person at any of these |
//! | [`stock`] | unmodified `y-websocket` and `@hocuspocus/provider` clients |
//! | [`collab`] | a client of our own that sees every frame |
//! | [`bridge`] | `tutti lsp` driven as an editor drives it |
//! | [`witness`] | two people whose work goes on whatever others do |
// What the processes wrote is printed when they end: the test runner shows it for tests that fail.
#![allow(clippy::print_stderr)]

pub mod bridge;
pub mod browser;
pub mod cable;
pub mod cli;
pub mod collab;
pub mod editor;
pub mod node;
pub mod project;
pub mod readme;
pub mod redis;
pub mod rest;
pub mod scene;
pub mod seat;
pub mod server;
pub mod stock;
pub mod terminal;
pub mod tools;

pub mod vscode;
pub mod wait;
pub mod wire;
pub mod witness;
