//! Text for people on a console of 80 columns that knows nothing beyond ASCII: every command, help and errors included.
#![allow(clippy::unwrap_used)]
#![cfg(unix)]

mod common;

use coldmend_fixtures::{build_volume, Damage, Version, VolumeSpec};
use common::terminal::{assert_readable, lines, Terminal};
use common::{broken_ten, command, Run};

fn shown(arguments: &[&str], status: i32) -> Option<String> {
    let Some(terminal) = Terminal::start(arguments) else {
        common::skip("the console", "there is no `script`");
        return None;
    };
    let (got, shown) = terminal.end();
    assert_eq!(got, status, "{arguments:?}: {shown}");
    Some(shown)
}

#[test]
fn every_command_is_readable_on_80_columns() {
    let volume = broken_ten();
    let root = volume.path().to_str().unwrap();
    let runs: &[(&[&str], i32)] = &[
        (&["scan", root, "/nowhere/at/all"], 0),
        (&["diagnose", root], 1),
        (&["repair", "--dry-run", root], 0),
        (&["history", root], 0),
        (&["service", "list", root], 0),
        (&["service", "show", root, "wuauserv"], 0),
        (&["explain"], 0),
        (&["explain", "services-security"], 0),
        (&["diagnose", "/nowhere/at/all"], 4),
        (&["undo", root], 2),
        (&["--help"], 0),
        (&["repair", "--help"], 0),
        (&["hive", "set", "--help"], 0),
        (&["repair", root, "--no-such-flag"], 2),
    ];
    for (arguments, status) in runs {
        let Some(shown) = shown(arguments, *status) else { return };
        // What is one piece: paths on the volume and in the registry, and descriptors.
        assert_readable(&shown, &[root, "SYSTEM\\", "SOFTWARE\\", "Windows\\", "ProgramData\\", "D:("]);
    }
}

#[test]
fn paths_and_commands_are_never_broken() {
    let parent = common::scratch();
    let root =
        parent.path().join("a folder with a name that has spaces and is longer than the eighty columns of a console");
    let spec = VolumeSpec::new(Version::Ten22H2).damaged(Damage::DropFromSvchostGroup("BITS".into()));
    build_volume(&root, &spec).unwrap();
    let root = root.to_str().unwrap();
    let Some(diagnosis) = shown(&["diagnose", root], 1) else { return };
    let seen = lines(&diagnosis);
    assert!(seen.iter().any(|l| l.contains(&format!("`coldmend repair '{root}'`"))), "{diagnosis}");
    assert!(
        seen.iter().any(|l| l.trim() == "SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Svchost\\netsvcs"),
        "{diagnosis}"
    );
    let scan = shown(&["scan", root], 0).unwrap();
    assert!(lines(&scan).iter().any(|l| l.ends_with(&format!("coldmend diagnose '{root}'"))), "{scan}");
}

#[test]
fn pipes_get_whole_lines_in_the_characters_of_the_locale() {
    let volume = broken_ten();
    let root = volume.path().to_str().unwrap();
    let in_locale =
        |locale: &str, arguments: &[&str]| Run::of(command(arguments).env("LC_ALL", locale).output().unwrap());
    let utf8 = in_locale("en_US.UTF-8", &["repair", "--dry-run", root]).expect(0).stdout;
    let ascii = in_locale("C", &["repair", "--dry-run", root]).expect(0).stdout;
    assert!(utf8.contains(" → "), "{utf8}");
    assert!(ascii.is_ascii() && ascii.contains(" -> "), "{ascii}");
    assert_eq!(utf8.lines().count(), ascii.lines().count());
    assert!(ascii.lines().any(|l| l.len() > 200), "a line of a pipe was broken");
    for arguments in
        [&["--help"][..], &["repair", "--help"], &["repair", root, "--color", "sömetimes"], &["diagnose", "/nöwhere"]]
    {
        let run = in_locale("C", arguments);
        assert!(run.stdout.is_ascii() && run.stderr.is_ascii(), "{run:?}");
    }
    let json = in_locale("C", &["--format", "json", "diagnose", "/nöwhere"]).expect(4);
    assert!(json.stdout.contains("/nöwhere"), "JSON is UTF-8 everywhere: {json:?}");
}
