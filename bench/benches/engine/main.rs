//! What a keystroke costs the engine. It is driven through [`tutti_engine::Document`] as the bridge
//! drives it; what the editor and the other side do in between is not counted.
//!
//! `TUTTI_TRACE` names an editing trace to replay; without it one of the same shape is made.
#![allow(clippy::print_stdout)] // What it prints is what it is for.

mod edits;
mod measure;
mod whole;

use anyhow::Result;

use measure::Bench;

fn main() -> Result<()> {
    let mut bench = Bench::new();
    edits::typed(&mut bench);
    edits::remote(&mut bench);
    edits::scattered(&mut bench);
    whole::file(&mut bench);
    let trace = whole::trace(&mut bench)?;
    let mut table = bench.table()?;
    table.per_edit(whole::TRACE, trace.edits.len());
    println!("\n{table}");
    Ok(())
}
