//! Ctrl-C, at the question and at any time after it: status 130 and nothing written, or 5 and everything taken back, or the
//! repair had been done already; never in between.
#![allow(clippy::unwrap_used)]

mod common;

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use common::trace::{self, words};
use common::{broken_ten, coldmend, copied, files, hive, tree, BINARY};

/// Runs `coldmend WORDS PATH` on a terminal of its own (`script`), waits for the question, and types `answer`.
fn asked(words: &str, path: &Path, answer: &[u8]) -> Option<(i32, String)> {
    let line = format!("'{BINARY}' {words} '{}'", path.display());
    let mut script = Command::new("script")
        .args(["-q", "-e", "-f", "-c", &line, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let (mut input, mut output) = (script.stdin.take().unwrap(), script.stdout.take().unwrap());
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    let mut answered = false;
    loop {
        let count = output.read(&mut buffer).unwrap();
        if count == 0 {
            break;
        }
        seen.extend_from_slice(&buffer[..count]);
        if !answered && String::from_utf8_lossy(&seen).contains("Type yes to go on") {
            input.write_all(answer).unwrap();
            input.flush().unwrap();
            answered = true;
        }
    }
    assert!(answered, "nothing was asked: {}", String::from_utf8_lossy(&seen));
    Some((script.wait().unwrap().code().unwrap(), String::from_utf8_lossy(&seen).into_owned()))
}

#[test]
fn the_question_is_obeyed() {
    let volume = broken_ten();
    let root = volume.path();
    let before = tree(root);
    for answer in [&b"\x03"[..], b"no\n", b"y\n", b"\n", b"\x04"] {
        let Some((status, seen)) = asked("repair", root, answer) else {
            return common::skip("the_question_is_obeyed", "there is no `script`");
        };
        assert_eq!(status, 130, "{answer:?}: {seen}");
        assert!(seen.contains("nothing was written"), "{answer:?}: {seen}");
        assert_eq!(tree(root), before, "{answer:?}: the volume was written to");
    }
    let (status, seen) = asked("repair", root, b"yes\n").unwrap();
    assert_eq!(status, 0, "{seen}");
    coldmend("diagnose", root).expect(0);
    let repaired = tree(root);
    let (status, seen) = asked("undo", root, b"\x03").unwrap();
    assert_eq!((status, tree(root) == repaired), (130, true), "{seen}");
    let (status, seen) = asked("undo", root, b"yes\n").unwrap();
    assert_eq!(status, 0, "{seen}");
    coldmend("diagnose", root).expect(1);
}

/// Interrupts at a call, and gives the signal's handler time before the program goes on.
fn interrupted(words: &[&str], broken: &Path, name: &str, number: usize) -> i32 {
    let volume = copied(broken);
    let root = volume.path();
    let (before, values) = (tree(root), hive::values(root, false));
    let what = "signal=SIGINT:delay_exit=60000";
    let run = trace::injected(name, &number.to_string(), what, &trace::words(words, root));
    let status = run.status.unwrap_or_else(|| panic!("died at {name} {number}: {run:?}"));
    let names = |tree: &common::Tree| tree.iter().map(|(p, e)| (p.clone(), e.what.clone())).collect::<Vec<_>>();
    match status {
        130 => {
            assert!(run.stderr.contains("interrupted"), "{run:?}");
            assert_eq!(names(&tree(root)), names(&before), "at {name} {number}: {run:?}");
        }
        5 => {
            assert!(run.stderr.contains("taken back"), "{run:?}");
            assert_eq!(hive::values(root, false), values, "at {name} {number}: {run:?}");
            assert_eq!(files(root), files(broken), "at {name} {number}: {run:?}");
            let history = coldmend("history", root).expect(0).stdout;
            assert!(history.contains("rolled-back") && !history.contains("unfinished"), "{history}");
        }
        0 => {}
        other => panic!("status {other} at {name} {number}: {run:?}"),
    }
    let left = coldmend("diagnose --format json", root).json();
    let unfinished = left["findings"].as_array().unwrap().iter().any(|f| f["id"] == "unfinished-repair");
    assert!(!unfinished, "unfinished at {name} {number}: {run:?}");
    assert_eq!(coldmend("diagnose", root).status, Some(i32::from(status != 0)), "at {name} {number}: {run:?}");
    status
}

#[test]
fn ctrl_c_at_any_time() {
    if let Err(why) = trace::available() {
        return common::skip("ctrl_c_at_any_time", &why);
    }
    let broken = broken_ten();
    let whole = copied(broken.path());
    let (_, calls) = trace::writing(whole.path(), &words(&["repair", "--yes"], whole.path()));
    let mut seen = std::collections::BTreeMap::new();
    for call in calls.iter().step_by(6) {
        *seen.entry(interrupted(&["repair", "--yes"], broken.path(), &call.name, call.number)).or_insert(0) += 1;
    }
    // Before anything is written: while the hives are read.
    let (_, reads) = trace::calls("openat2", &words(&["diagnose"], broken.path()));
    for number in [1, reads.len() / 3, reads.len() / 2] {
        assert_eq!(interrupted(&["repair", "--yes"], broken.path(), "openat2", number.max(1)), 130);
    }
    println!("exit statuses seen: {seen:?}");
    assert!(seen.contains_key(&130) && seen.contains_key(&5), "{seen:?}");
}
