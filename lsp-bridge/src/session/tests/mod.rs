//! Whole bridges against a small server, driven as an editor drives them.

mod closed_files;
mod connection;
mod editor;
mod flush;
mod hub;
mod killed;
mod lsp;
mod open_files;
mod order;
mod people;
mod reload;
mod renamed;
mod reopened;
mod two_in_one_place;
mod undo;
mod written_over;
