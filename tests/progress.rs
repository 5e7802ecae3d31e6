//! Work that takes long says what it is doing, on a terminal and nowhere else, and Ctrl-C ends it at once with nothing written.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use coldmend_fixtures::Version;
use common::terminal::{lines, Terminal};
use common::{broken, coldmend, command, tree, Run};
use tempfile::TempDir;

/// Megabytes of each of the two logs.
const SIZE: usize = 16;

/// A volume that takes seconds to diagnose: every line of its logs has to be looked at.
fn slow_volume() -> TempDir {
    let volume = broken(Version::Ten22H2, &[]);
    let line = b"2024-05-02 10:00:00, Info                  CBS    Reporting package change completion for package: Package_for_KB5000001~31bf3856ad364e35~amd64~~1.1, current: Staged, original: Staged, target: Staged, status: 0x0\r\n";
    let log = line.repeat((SIZE << 20) / line.len() + 1);
    fs::write(common::find(volume.path(), "Windows/Logs/CBS/CBS.log"), &log).unwrap();
    fs::write(volume.path().join("Windows/Logs/CBS/CbsPersist_20240501101010.log"), &log).unwrap();
    volume
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn long_work_is_shown_on_a_terminal_only() {
    let volume = slow_volume();
    let root = volume.path();
    let Some(mut terminal) = Terminal::start(&["diagnose", text(root)]) else {
        return common::skip("long_work_is_shown_on_a_terminal_only", "there is no `script`");
    };
    terminal.wait(&format!(" of {SIZE} MB)..."));
    let (status, shown) = terminal.end();
    assert_eq!(status, 0, "{shown}");
    assert!(
        shown.contains("reading Windows\\Logs\\CBS\\CBS.log (")
            || shown.contains("reading Windows\\Logs\\CBS\\CbsPersist_"),
        "{shown}"
    );
    // When it is over, nothing of the line is left.
    let left = lines(&shown);
    assert!(!left.iter().any(|line| line.contains("reading") || line.contains("checking")), "{left:#?}");

    let quiet = Terminal::start(&["-q", "diagnose", text(root)]).unwrap().end();
    assert!(quiet.0 == 0 && !quiet.1.contains("MB)"), "{}", quiet.1);
    let piped = coldmend("diagnose", root).expect(0);
    assert!(!piped.stderr.contains("reading") && !piped.stdout.contains("MB)"), "{piped:?}");
}

#[test]
fn short_work_is_not_shown() {
    let volume = broken(Version::Ten22H2, &[]);
    let began = Instant::now();
    let Some(terminal) = Terminal::start(&["diagnose", text(volume.path())]) else {
        return common::skip("short_work_is_not_shown", "there is no `script`");
    };
    let (status, shown) = terminal.end();
    assert_eq!(status, 0, "{shown}");
    // A machine under load may take its time.
    if began.elapsed() < Duration::from_millis(500) {
        assert!(!shown.contains("checking (") && !shown.contains("reading"), "{shown}");
    }
}

#[test]
fn ctrl_c_ends_a_long_diagnosis() {
    let volume = slow_volume();
    let root = volume.path();
    let before = tree(root);
    let Some(mut terminal) = Terminal::start(&["diagnose", text(root)]) else {
        return common::skip("ctrl_c_ends_a_long_diagnosis", "there is no `script`");
    };
    terminal.wait(" MB)...");
    terminal.keys(b"\x03");
    let (status, shown) = terminal.end();
    assert_eq!(status, 130, "{shown}");
    assert!(shown.contains("interrupted; nothing was written"), "{shown}");
    assert!(tree(root) == before, "the volume was written to");

    // The same from another program, as a document.
    let arguments = ["--format", "json", "diagnose", text(root)];
    let child = command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let read = || {
        let counters = fs::read_to_string(format!("/proc/{}/io", child.id())).unwrap_or_default();
        counters.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse::<usize>().ok()).unwrap_or(usize::MAX)
    };
    while read() < 10 << 20 {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let run = Run::of(child.wait_with_output().unwrap()).expect(130);
    assert_eq!(run.json()["error"]["kind"], "interrupted", "{run:?}");
    assert!(run.stderr.contains("nothing was written"), "{run:?}");
    assert!(tree(root) == before, "the volume was written to");
}
