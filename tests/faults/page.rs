//! The table as docs/checks.md has it, with what was seen; compared with the page, or written into it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use coldmend_fixtures::Version;

use crate::run::Outcome;
use crate::table::Row;

const BEGIN: &str = "<!-- faults: made by scripts/generate-docs -->\n";
const END: &str = "<!-- end of faults -->\n";

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/checks.md")
}

/// How people call a version.
fn name(version: Version) -> &'static str {
    match version {
        Version::Xp => "XP",
        Version::Xp64 => "XP x64",
        Version::Server2003 => "Server 2003",
        Version::Vista => "Vista",
        Version::Seven => "7",
        Version::Server2008R2 => "Server 2008 R2",
        Version::Eight => "8",
        Version::EightOne => "8.1",
        Version::Server2012R2 => "Server 2012 R2",
        Version::Ten1507 => "10 1507",
        Version::Ten1607 => "10 1607",
        Version::Server2016 => "Server 2016",
        Version::Ten1709 => "10 1709",
        Version::Ten1809 => "10 1809",
        Version::Server2019 => "Server 2019",
        Version::Ten1909 => "10 1909",
        Version::Ten22H2 => "10 22H2",
        Version::Server2022 => "Server 2022",
        Version::Eleven21H2 => "11 21H2",
        Version::Eleven23H2 => "11 23H2",
        Version::Eleven24H2 => "11 24H2",
        Version::Server2025 => "Server 2025",
    }
}

/// Text in a cell: what Markdown would take for its own is shielded.
fn cell(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if matches!(c, '\\' | '*' | '_' | '<' | '>' | '[' | ']' | '|' | '`' | '#' | '~') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// The cells of a row that say what was done.
fn done(row: &Row) -> String {
    let tools: Vec<&str> = row.tools.iter().map(|tool| tool.name()).collect();
    let all = Version::ALL.into_iter().filter(|version| row.versions.contains(version));
    let versions: Vec<&str> = all.map(name).collect();
    format!("| [{0}](#{0}) | {1} | {2} | {3} |", row.check, cell(&row.fault), tools.join(", "), versions.join(", "))
}

/// The cells of a row that say what was seen on its versions; only for rows that were tried.
fn seen(number: usize, row: &Row, outcome: &Outcome) -> String {
    let runs = &outcome.seen[&number];
    let good: Vec<_> = runs.values().flatten().collect();
    let (mut found, mut remedies) = (Vec::new(), BTreeSet::new());
    for (at, wanted) in row.found.iter().enumerate() {
        // The subject may differ between versions: then the table says what it is.
        let all: BTreeSet<&str> = good.iter().filter_map(|seen| seen.get(at)).map(|f| f.subject.as_str()).collect();
        let subject =
            if wanted.subject == "{stack}" && all.len() > 1 { "the stack's version" } else { &wanted.subject };
        let by = if wanted.id == row.check { String::new() } else { format!(" ({})", wanted.id) };
        found.push(format!("{}: {}{by}", wanted.severity, cell(subject)));
        remedies.insert(wanted.remedy.as_ref().map_or("none".to_owned(), |id| format!("[{id}](remedies/{id}.md)")));
    }
    if row.refused {
        found.push("refused: exit status 4".into());
        remedies.insert("none".into());
    }
    found.extend(row.unchecked.iter().map(|id| format!("could not check ({id})")));
    let remedies: Vec<String> = remedies.into_iter().collect();
    let remedies = if remedies.is_empty() { "none".to_owned() } else { remedies.join(", ") };
    let what = if row.refused {
        "refused"
    } else if row.found.is_empty() {
        "said"
    } else {
        "found"
    };
    format!(" {} | {remedies} | {what} on {} of {} |", found.join("; "), good.len(), row.versions.len())
}

/// The part of docs/checks.md between the marks.
fn written() -> Option<(String, String, String)> {
    let page = std::fs::read_to_string(path()).unwrap_or_default().replace("\r\n", "\n");
    let (head, rest) = page.split_once(BEGIN)?;
    let (part, tail) = rest.split_once(END)?;
    Some((head.to_owned(), part.to_owned(), tail.to_owned()))
}

/// The part as it should be. The line of a row that was not tried is kept as it is written, if it is written for this fault.
fn part(rows: &[Row], outcome: &Outcome, old: &str) -> Result<String, String> {
    let (faults, runs) = (rows.len(), rows.iter().map(|row| row.versions.len()).sum::<usize>());
    let mut out = format!(
        "\n# Faults that were injected\n\nEach fault is made on a healthy volume with tools that are not ours, on each of these versions; what is then found must be exactly\n\
         this, with this remedy, and nothing else (`tests/faults`): {faults} faults, {runs} volumes. \"Could not check\" and \"refused\" are what must be\n\
         said there.\n\n| check | fault | made with | versions | found as | remedy | result |\n|---|---|---|---|---|---|---|\n"
    );
    for (number, row) in rows.iter().enumerate() {
        let begin = done(row);
        let line = match outcome.skipped.get(&number) {
            None => format!("{begin}{}", seen(number, row, outcome)),
            Some(why) => old
                .lines()
                .find(|line| line.starts_with(&begin))
                .ok_or_else(|| format!("{} ({}): {why}", row.fault, row.check))?
                .to_owned(),
        };
        out.push_str(&line);
        out.push('\n');
    }
    Ok(out)
}

/// Prints the table, and writes it or compares it with what is written.
pub fn publish(rows: &[Row], outcome: &Outcome) {
    for (number, row) in rows.iter().enumerate() {
        match outcome.skipped.get(&number) {
            None => println!("{}{}", done(row), seen(number, row, outcome)),
            Some(why) => println!("{} not tried: {why} |", done(row)),
        }
    }
    let Some((head, old, tail)) = written() else {
        panic!("docs/checks.md has no marks for the table: run scripts/generate-docs");
    };
    let writing = std::env::var_os("COLDMEND_WRITE_DOCS").is_some();
    match part(rows, outcome, &old) {
        Ok(part) if writing => std::fs::write(path(), format!("{head}{BEGIN}{part}{END}{tail}")).unwrap(),
        Ok(part) => assert!(part == old, "docs/checks.md is not what was seen: run scripts/generate-docs"),
        Err(row) if writing => panic!("only what was seen is written, and this could not be tried: {row}"),
        Err(row) => println!("docs/checks.md was not compared: it does not have {row}"),
    }
}
