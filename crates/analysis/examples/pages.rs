//! Writes a page of every kind into a directory, each beside the JSON that its figures are from: `NAME.html`,
//! `NAME.json`; and one of a stored run, if that is given.
//!
//! ```text
//! cargo run -p reclaim-analysis --features fixtures --example pages -- DIRECTORY [RESULT.JSON]
//! ```

#![allow(clippy::print_stderr, reason = "a program, which says what it does")]

use std::path::Path;
use std::{env, fs, io};

use reclaim_analysis::report::html::{hour, runs, samples};

fn main() -> io::Result<()> {
    let directory = env::args().nth(1).ok_or_else(|| io::Error::other("give a directory to write to"))?;
    let directory = Path::new(&directory);
    fs::create_dir_all(directory)?;
    for sample in samples() {
        fs::write(directory.join(sample.name).with_extension("html"), &sample.html)?;
        fs::write(directory.join(sample.name).with_extension("json"), &sample.json)?;
    }
    if let Some(file) = env::args().nth(2) {
        let text = fs::read_to_string(file)?;
        fs::write(directory.join("stored.html"), runs(&[&serde_json::from_str(&text)?]))?;
        fs::write(directory.join("stored.json"), text)?;
    }
    let result = hour();
    let begun = std::time::Instant::now();
    let page = runs(&[&result]);
    let took = begun.elapsed();
    eprintln!("ten million claims in an hour: {} kB in {} ms", page.len() / 1_000, took.as_millis());
    fs::write(directory.join("hour.html"), page)?;
    fs::write(directory.join("hour.json"), serde_json::to_string(&result)?)
}
