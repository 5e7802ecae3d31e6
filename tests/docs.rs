//! The pages in `docs/` that are made by the program itself, and the promises that every page must keep.
//!
//! `docs/cli.md` comes from `--help`, `docs/checks.md` and `docs/remedies/` from `coldmend explain`. These tests fail when
//! a page is not what the program says; `scripts/generate-docs` runs them with `COLDMEND_WRITE_DOCS=1`, which writes the pages.
//! The table of injected faults in `docs/checks.md` is `tests/faults`' to write and compare: here it is kept as it is.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// Around the table of faults in `docs/checks.md`.
const FAULTS: [&str; 2] = ["<!-- faults: made by scripts/generate-docs -->\n", "<!-- end of faults -->\n"];
const MARK: &str = "<!-- Made by scripts/generate-docs; do not edit. -->";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What the program writes to stdout; nothing of the terminal around the test gets in.
fn coldmend(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_coldmend"))
        .args(arguments)
        .env_clear()
        .env("COLUMNS", "100")
        .env("LC_ALL", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "coldmend {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Help of a command and, below it, of its subcommands.
fn cli_section(out: &mut String, words: &[&str]) {
    let mut arguments = words.to_vec();
    arguments.push("--help");
    let help = coldmend(&arguments);
    let name = [&["coldmend"], words].concat().join(" ");
    writeln!(out, "\n## {name}\n\n```text\n{}\n```", tidy(&help)).unwrap();
    let commands = help.lines().skip_while(|l| *l != "Commands:").skip(1).take_while(|l| !l.is_empty());
    for command in commands.filter_map(|l| l.strip_prefix("  ")?.split(' ').next().filter(|w| !w.is_empty())) {
        if command != "help" {
            cli_section(out, &[words, &[command]].concat());
        }
    }
}

fn tidy(text: &str) -> String {
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim().to_string()
}

fn cli_page() -> String {
    let mut out =
        format!("{MARK}\n# Every command\n\nWhat `--help` says. The [guide](guide.md) shows how they go together.\n");
    cli_section(&mut out, &[]);
    out
}

/// A text field of an explanation.
fn text<'a>(explanation: &'a Value, field: &str) -> &'a str {
    explanation[field].as_str().unwrap()
}

/// Prose as Markdown: what Markdown or HTML would take for its own is shielded.
fn prose(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if matches!(c, '\\' | '*' | '_' | '<' | '>' | '[' | ']' | '|' | '`' | '#') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn checks_page(checks: &[&Value]) -> String {
    let mut out = format!(
        "{MARK}\n# The checks\n\nWhat `coldmend diagnose` looks at; none of it writes. A finding is a *problem* (it breaks updating), a\n\
         *suspect* (it may), or a *note* (worth knowing, normal in itself). `coldmend explain ID` says the same.\n"
    );
    for check in checks {
        let remedy = match check["remedy"].as_str() {
            Some(id) => format!("[{id}](remedies/{id}.md)"),
            None => "none; reported".into(),
        };
        write!(
            out,
            "\n## {}\n\n**{}**\n\n{}\n\n- Why: {}\n- Windows: {}\n- Remedy: {remedy}\n- Source: {}\n",
            text(check, "id"),
            prose(text(check, "title")),
            prose(text(check, "what")),
            prose(text(check, "why")),
            prose(text(check, "windows")),
            prose(text(check, "source")),
        )
        .unwrap();
    }
    write!(out, "\n{}{}{}", FAULTS[0], faults_on_disk(), FAULTS[1]).unwrap();
    out
}

fn errors_page(errors: &[Value]) -> String {
    let mut out = format!(
        "{MARK}\n# The error codes\n\nWhat `coldmend diagnose --error CODE` looks at first; `coldmend explain CODE` says the same. Every check is made in any \
         case: the code decides what is told first.\n\n| code | name | says | checks, most telling first | source |\n|---|---|---|---|---|\n"
    );
    for error in errors {
        let list = |field: &str, show: &dyn Fn(&str) -> String| {
            error[field].as_array().unwrap().iter().map(|v| show(v.as_str().unwrap())).collect::<Vec<_>>().join(", ")
        };
        let same = match list("same", &str::to_owned) {
            same if same.is_empty() => same,
            same => format!(" ({same})"),
        };
        writeln!(
            out,
            "| {}{same} | {} | {} | {} | {} |",
            text(error, "code"),
            prose(text(error, "name")),
            prose(text(error, "meaning")),
            list("checks", &|id| format!("[{id}](checks.md#{id})")),
            prose(text(error, "source")),
        )
        .unwrap();
    }
    out
}

/// What stands between the marks now.
fn faults_on_disk() -> String {
    let page = std::fs::read_to_string(root().join("docs/checks.md")).unwrap_or_default().replace("\r\n", "\n");
    let after = page.split_once(FAULTS[0]).map_or("", |(_, after)| after);
    after.split_once(FAULTS[1]).map_or(String::new(), |(part, _)| part.to_owned())
}

fn remedy_page(remedy: &Value, checks: &[&Value]) -> String {
    let id = text(remedy, "id");
    let asking: Vec<String> = checks
        .iter()
        .filter(|c| c["remedy"].as_str() == Some(id))
        .map(|c| format!("[{0}](../checks.md#{0})", text(c, "id")))
        .collect();
    let (default, how) = if remedy["on_by_default"] == Value::Bool(true) {
        (
            "on: it runs when a finding asks for it",
            format!("coldmend repair --dry-run --only {id} TARGET    # only this remedy, only shown\ncoldmend repair --only {id} TARGET              # only this remedy\ncoldmend repair --skip {id} TARGET              # everything but this remedy"),
        )
    } else {
        (
            "off: it runs only when it is asked for",
            format!("coldmend repair --dry-run --with {id} TARGET    # with this remedy, only shown\ncoldmend repair --with {id} TARGET              # with this remedy"),
        )
    };
    let asking = if asking.is_empty() { "none".into() } else { asking.join(", ") };
    format!(
        "{MARK}\n# {id}\n\n**{}**\n\n{}\n\n- Why: {}\n- Windows: {}\n- By default: {default}\n- Checks that ask for it: {asking}\n- Source: {}\n\n\
         ```sh\n{how}\ncoldmend undo TARGET    # take the last repair back\n```\n\nTARGET is the mounted Windows volume; see the [guide](../guide.md).\n",
        prose(text(remedy, "title")),
        prose(text(remedy, "what")),
        prose(text(remedy, "why")),
        prose(text(remedy, "windows")),
        prose(text(remedy, "source")),
    )
}

fn remedies_index(remedies: &[&Value]) -> String {
    let mut out = format!("{MARK}\n# The remedies\n\n| remedy | what it does | by default |\n|---|---|---|\n");
    for remedy in remedies {
        let id = text(remedy, "id");
        let default = if remedy["on_by_default"] == Value::Bool(true) { "on" } else { "off" };
        writeln!(out, "| [{id}]({id}.md) | {} | {default} |", prose(text(remedy, "title"))).unwrap();
    }
    out
}

/// Every generated page, by its path in the repository.
fn generated() -> BTreeMap<PathBuf, String> {
    let document: Value = serde_json::from_str(&coldmend(&["explain", "--format", "json"])).unwrap();
    let all = document["explanations"].as_array().unwrap();
    let of = |kind: &str| all.iter().filter(|e| e["kind"] == *kind).collect::<Vec<_>>();
    let (remedies, checks) = (of("remedy"), of("check"));
    assert!(!remedies.is_empty() && !checks.is_empty(), "{document}");
    let mut pages = BTreeMap::from([
        (PathBuf::from("docs/cli.md"), cli_page()),
        (PathBuf::from("docs/errors.md"), errors_page(document["errors"].as_array().unwrap())),
        (PathBuf::from("docs/checks.md"), checks_page(&checks)),
        (PathBuf::from("docs/remedies/README.md"), remedies_index(&remedies)),
    ]);
    for remedy in remedies {
        pages.insert(format!("docs/remedies/{}.md", text(remedy, "id")).into(), remedy_page(remedy, &checks));
    }
    pages
}

/// The files in `docs/` and below, and those at the top that users read.
fn pages_on_disk() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = ["README.md", "CHANGELOG.md"].map(|n| root().join(n)).into();
    let mut folders = vec![root().join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "md") {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn generated_pages_are_what_the_program_says() {
    let pages = generated();
    let stale: Vec<PathBuf> = pages_on_disk()
        .into_iter()
        .filter(|p| std::fs::read_to_string(p).unwrap().starts_with(MARK))
        .filter(|p| !pages.contains_key(p.strip_prefix(root()).unwrap()))
        .collect();
    if std::env::var_os("COLDMEND_WRITE_DOCS").is_some() {
        for (path, page) in &pages {
            let path = root().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, page).unwrap();
        }
        for path in stale {
            std::fs::remove_file(path).unwrap();
        }
        return;
    }
    let drifted: Vec<&PathBuf> = pages
        .iter()
        // A checkout may have turned line ends around.
        .filter(|(path, page)| {
            std::fs::read_to_string(root().join(path)).unwrap_or_default().replace("\r\n", "\n") != **page
        })
        .map(|(path, _)| path)
        .collect();
    assert!(
        drifted.is_empty() && stale.is_empty(),
        "run scripts/generate-docs: not as the program says: {drifted:?}; of nothing any more: {stale:?}"
    );
}

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    let mut followed = 0;
    for page in pages_on_disk() {
        let text = std::fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { page.clone() } else { page.parent().unwrap().join(path) };
            let there = target.exists() && (anchor.is_empty() || anchors(&target).contains(anchor));
            followed += 1;
            if !there {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
    assert!(followed > 20, "only {followed} links were seen");
}

/// The anchors of a page's headings, as Markdown viewers make them.
fn anchors(page: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(page).unwrap();
    text.lines()
        .filter(|l| l.starts_with('#'))
        .map(|l| {
            let heading = l.trim_start_matches('#').trim().to_lowercase();
            heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect::<String>().replace(' ', "-")
        })
        .collect()
}

/// Commands in the hand-written pages are ones that the program takes: every flag that a page shows is in the help of
/// that command.
#[test]
fn flags_in_the_pages_exist() {
    let mut unknown = Vec::new();
    let mut seen = 0;
    for page in pages_on_disk() {
        if page.ends_with("docs/cli.md") {
            continue;
        }
        let text = std::fs::read_to_string(&page).unwrap();
        // Code only: between backquotes, or a line of a block.
        let mut inside = false;
        for line in text.lines() {
            if line.starts_with("```") {
                inside = !inside;
                continue;
            }
            let spans: Vec<&str> = if inside { vec![line] } else { line.split('`').skip(1).step_by(2).collect() };
            for span in spans {
                for command in span.split("coldmend ").skip(1) {
                    seen += usize::from(check_command(command, &mut unknown, &page));
                }
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
    assert!(seen > 10, "only {seen} commands were seen");
}

fn check_command(line: &str, unknown: &mut Vec<String>, page: &Path) -> bool {
    let line = line.split(" #").next().unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    let Some(first) = words.first().filter(|w| w.bytes().all(|b| b.is_ascii_lowercase())) else { return false };
    let mut arguments = vec![*first];
    if matches!(*first, "service" | "hive") {
        arguments.extend(words.get(1).filter(|w| w.bytes().all(|b| b.is_ascii_lowercase())));
    }
    arguments.push("--help");
    let output = Command::new(env!("CARGO_BIN_EXE_coldmend")).args(&arguments).stdin(Stdio::null()).output().unwrap();
    if !output.status.success() {
        unknown.push(format!("{}: coldmend {line}", page.display()));
        return true;
    }
    let help = String::from_utf8(output.stdout).unwrap();
    for flag in words.iter().filter(|w| w.starts_with("--") && w.len() > 2) {
        let flag = flag.split('=').next().unwrap().trim_end_matches([',', '.', ';', ')']);
        if !help.split([' ', '\n', ',']).any(|w| w == flag) {
            unknown.push(format!("{}: {flag} in coldmend {line}", page.display()));
        }
    }
    true
}

#[test]
fn the_changelog_knows_this_version() {
    let changelog = std::fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    let heading = format!("## {}", env!("CARGO_PKG_VERSION"));
    assert!(changelog.lines().any(|l| l.starts_with(&heading)), "no {heading:?} in CHANGELOG.md");
}
