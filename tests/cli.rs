//! The command line as such: help that fits the terminal and documents every flag, and usage errors that say so in text
//! and in JSON.
#![allow(clippy::unwrap_used)]

mod common;

use common::{broken_ten, coldmend, run};

/// Every command line that prints a help page.
const COMMANDS: &[&[&str]] = &[
    &[],
    &["guide"],
    &["scan"],
    &["diagnose"],
    &["repair"],
    &["undo"],
    &["history"],
    &["updates"],
    &["service"],
    &["service", "list"],
    &["service", "show"],
    &["service", "set"],
    &["explain"],
    &["demo"],
    &["hive"],
    &["hive", "info"],
    &["hive", "check"],
    &["hive", "recover"],
    &["hive", "ls"],
    &["hive", "get"],
    &["hive", "set"],
    &["hive", "delete"],
    &["hive", "export"],
    &["hive", "diff"],
];

#[test]
fn every_command_is_in_the_list_above() {
    for command in [&[][..], &["service"], &["hive"]] {
        let help = run(&[command, &["--help"]].concat()).expect(0).stdout;
        let named = help
            .lines()
            .skip_while(|line| *line != "Commands:")
            .skip(1)
            .take_while(|line| !line.is_empty())
            .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
            .filter_map(|line| line.split_whitespace().next())
            .filter(|name| *name != "help");
        let mut seen = 0;
        for name in named {
            seen += 1;
            let whole = [command, &[name]].concat();
            assert!(COMMANDS.contains(&whole.as_slice()), "{whole:?} is not in this test's list");
        }
        assert!(seen >= 3, "no commands were read from {help}");
    }
}

#[test]
fn help_fits_and_documents_every_flag() {
    for command in COMMANDS {
        for flag in ["--help", "-h"] {
            let help = run(&[*command, &[flag]].concat()).expect(0);
            assert_eq!(help.stderr, "", "{command:?}");
            for line in help.stdout.lines() {
                assert!(line.chars().count() <= 100, "{command:?} {flag}: {} columns: {line}", line.chars().count());
                assert!(!line.ends_with(' ') || line.trim().is_empty(), "{command:?} {flag}: {line:?}");
            }
            assert!(help.stdout.contains("Usage: coldmend"), "{command:?}");
            assert_flags_are_described(&help.stdout);
        }
    }
}

/// After an option's names, on the same line or the next, there is a sentence.
fn assert_flags_are_described(help: &str) {
    let lines: Vec<&str> = help.lines().collect();
    for (place, line) in lines.iter().enumerate() {
        let trimmed = line.trim_start();
        let indented = line.len() - trimmed.len();
        if !trimmed.starts_with('-') || indented > 6 || trimmed.starts_with("- ") {
            continue;
        }
        let here = trimmed.split_once("  ").map_or("", |(_, text)| text.trim());
        let next = lines.get(place + 1).map_or("", |line| line.trim());
        let next = if next.starts_with('-') { "" } else { next };
        assert!(!here.is_empty() || !next.is_empty(), "{trimmed} is not described in:\n{help}");
    }
}

#[test]
fn version_and_help_go_to_stdout() {
    let version = run(&["--version"]).expect(0);
    assert_eq!(version.stdout.trim(), format!("coldmend {}", env!("CARGO_PKG_VERSION")));
    assert_eq!(version.stderr, "");
}

#[test]
fn usage_errors_are_status_2_in_text_and_in_json() {
    let volume = broken_ten();
    let root = volume.path().to_str().unwrap();
    let wrong: &[&[&str]] = &[
        &["no-such-command"],
        &["diagnose"],
        &["diagnose", root, "more"],
        &["diagnose", root, "--no-such-flag"],
        &["repair"],
        &["repair", root, "--plan"],
        &["repair", root, "--plan", "x.json", "--only", "services-start"],
        &["repair", root, "--dry-run", "--save-plan", "x.json"],
        &["repair", root, "--color", "sometimes"],
        &["diagnose", root, "--partition", "0"],
        &["diagnose", root, "--partition", "2"],
        &["repair", root, "--yes", "--partition", "1"],
        &["repair", root, "--yes", "--only", "nothing"],
        &["undo", root, "no-such-id", "--yes"],
        &["service"],
        &["service", "set", root, "wuauserv"],
        &["service", "set", root, "wuauserv", "--start", "4"],
        &["service", "show", root, "NoSuchService"],
        &["service", "set", root, "NoSuchService", "--start", "demand", "--yes"],
        &["service", "set", root, "wuauserv", "--sddl", "D:(", "--yes"],
        &["explain", "no-such-check"],
    ];
    let before = common::tree(volume.path());
    for arguments in wrong {
        let text = run(arguments).expect(2);
        assert!(!text.stderr.is_empty() && text.stdout.is_empty(), "{arguments:?}: {text:?}");
        for spelled in [&["--format", "json"][..], &["--format=json"]] {
            let json = run(&[arguments, spelled].concat()).expect(2);
            let document = json.json();
            assert_eq!(document["schema"], "coldmend.error/1", "{arguments:?}");
            assert_eq!(document["error"]["kind"], "usage", "{arguments:?}");
            assert!(document["error"]["message"].as_str().unwrap().len() > 10, "{arguments:?}: {document}");
        }
    }
    assert_eq!(common::tree(volume.path()), before);
    // Without any argument there is help, and nothing is done.
    assert_eq!(run::<&str>(&[]).status, Some(2));
    assert_eq!(run(&["--format", "xml", "diagnose", root]).status, Some(2));
}

#[test]
fn results_go_to_stdout_and_json_is_one_document() {
    let volume = broken_ten();
    for (words, status, schema) in [
        ("scan", 0, "coldmend.scan/1"),
        ("diagnose", 1, "coldmend.diagnosis/1"),
        ("history", 0, "coldmend.history/1"),
        ("updates", 0, "coldmend.updates/1"),
        ("repair --dry-run", 0, "coldmend.repair/1"),
        ("service list", 0, "coldmend.services/1"),
        ("repair --yes", 0, "coldmend.repair/1"),
        ("repair --yes --reset", 0, "coldmend.repair/1"),
        ("undo --yes", 0, "coldmend.repair/1"),
    ] {
        let json = coldmend(&format!("--format json {words}"), volume.path()).expect(status);
        assert_eq!(json.json()["schema"], schema, "{words}");
        assert_eq!(json.stderr, "", "{words}: with nothing to say, nothing is said");
    }
}

#[test]
fn colour_only_where_it_is_asked_for() {
    let volume = broken_ten();
    assert!(!coldmend("diagnose", volume.path()).expect(1).stdout.contains('\u{1b}'));
    assert!(coldmend("--color always diagnose", volume.path()).expect(1).stdout.contains('\u{1b}'));
    assert!(!coldmend("--color never diagnose", volume.path()).expect(1).stdout.contains('\u{1b}'));
}

#[test]
fn explain_knows_every_check_and_remedy_that_a_diagnosis_names() {
    let volume = broken_ten();
    let diagnosis = coldmend("diagnose --format json", volume.path()).expect(1).json();
    let findings = diagnosis["findings"].as_array().unwrap();
    assert!(findings.len() > 5);
    for finding in findings {
        for id in [finding["id"].as_str(), finding["remedy"].as_str()].into_iter().flatten() {
            let page = run(&["explain", id]).expect(0);
            assert!(page.stdout.contains(id), "{id}: {page:?}");
        }
    }
}

#[test]
fn explain_knows_errors_in_every_form_that_people_type() {
    for code in ["0x80070002", "80070002", "-2147024894", "2", "ERROR_FILE_NOT_FOUND", "error_file_not_found"] {
        let page = run(&["explain", code]).expect(0).stdout;
        assert!(page.contains("0x80070002") && page.contains("service-file"), "{code}: {page}");
    }
}
