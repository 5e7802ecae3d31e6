//! Runs one operation of one engine as a whole process, so that its time and peak memory can be measured from outside:
//!
//! `rivals coldmend|nt-hive|regf|notatin walk HIVE`, `rivals coldmend check HIVE`, `rivals coldmend recover HIVE` (its logs
//! beside it; written and flushed), `rivals notatin recover HIVE LOG…` (in memory only; `walk` counts what came of it).

use std::path::Path;
use std::process::ExitCode;

use rivals::{by_notatin, by_nt_hive, by_regf, ours, Failure};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(Some(text)) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Ok(None) => {
            eprintln!("usage: rivals coldmend|nt-hive|regf|notatin walk HIVE [LOG…]");
            eprintln!("       rivals coldmend check|recover HIVE");
            eprintln!("       rivals notatin recover HIVE LOG…");
            ExitCode::from(2)
        }
        Err(error) => {
            eprintln!("{}: {error}", words.join(" "));
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Result<Option<String>, Failure> {
    let read = |hive: &str| std::fs::read(hive);
    Ok(Some(match *words {
        ["coldmend", "walk", hive] => ours::walk(read(hive)?)?.to_string(),
        ["coldmend", "check", hive] => {
            let report = ours::check(read(hive)?)?;
            format!("{} faults", report.faults.len())
        }
        ["coldmend", "recover", hive] => format!("{} pages written", ours::recover(Path::new(hive))?),
        ["nt-hive", "walk", hive] => by_nt_hive::walk(&read(hive)?)?.to_string(),
        ["regf", "walk", hive] => by_regf::walk(read(hive)?)?.to_string(),
        ["notatin", operation, hive, ref logs @ ..] => {
            let parser = by_notatin::open(hive.into(), logs.iter().map(Into::into).collect())?;
            match operation {
                "walk" => by_notatin::walk(&parser).to_string(),
                "recover" => format!("{:?}", parser.get_parse_logs()),
                _ => return Ok(None),
            }
        }
        _ => return Ok(None),
    }))
}
