//! Reads a decompressed `Packages` or `Sources` index and says how long that took:
//! `cargo run --release -p archmill-deb --example parse_index -- Packages`.

use std::error::Error;
use std::time::Instant;

use archmill_deb::control::stanzas;
use archmill_deb::{BinaryRecord, SourceRecord};

fn main() -> Result<(), Box<dyn Error>> {
    for path in std::env::args().skip(1) {
        let text = std::fs::read_to_string(&path)?;
        println!("{path}: {} MB", text.len() / 1_000_000);
        let fields =
            timed("stanzas", || Ok(stanzas(&text).map_while(Result::ok).map(|s| s.fields().count()).sum()))?;
        if text.contains("\nFilename: ") {
            let records = timed("binary records", || {
                read(&text, |stanza| Ok(BinaryRecord::new(stanza)?)).map(|r| r.len())
            })?;
            let relations = timed("and their dependencies", || {
                let records = read(&text, |stanza| Ok(BinaryRecord::new(stanza)?))?;
                records.iter().try_fold(0, |sum, record| {
                    record.version()?;
                    Ok(sum
                        + record.pre_depends()?.0.len()
                        + record.depends()?.0.len()
                        + record.provides()?.0.len())
                })
            })?;
            println!("{records} packages, {fields} fields, {relations} relations");
        } else {
            let sources = timed("source records", || {
                read(&text, |stanza| Ok(SourceRecord::new(&stanza)?)).map(|r| r.len())
            })?;
            println!("{sources} source packages, {fields} fields");
        }
    }
    Ok(())
}

fn read<'a, T>(
    text: &'a str,
    record: impl Fn(archmill_deb::control::Stanza<'a>) -> Result<T, Box<dyn Error>>,
) -> Result<Vec<T>, Box<dyn Error>> {
    stanzas(text).map(|stanza| record(stanza?)).collect()
}

fn timed(what: &str, work: impl Fn() -> Result<usize, Box<dyn Error>>) -> Result<usize, Box<dyn Error>> {
    let start = Instant::now();
    let result = work()?;
    println!("{what}: {} ms", start.elapsed().as_millis());
    Ok(result)
}
