//! The guide as somebody uses it: on a console of 80 columns and 25 lines that knows ASCII, from the broken volume to the
//! mended one and back, and out of it at every question with nothing changed.
#![allow(clippy::unwrap_used)]
#![cfg(unix)]

mod common;

use std::fs;
use std::path::Path;

use coldmend_fixtures::{Damage, Version};
use common::terminal::{assert_readable, lines, Terminal};
use common::{broken, broken_ten, coldmend, files, run, tree};

const WRONG: &str = "or q to leave.\n> ";
const AGREE: &str = "as it is.\n> ";

fn guide(root: &Path) -> Option<Terminal> {
    let terminal = Terminal::start(&["guide", root.to_str().unwrap()]);
    if terminal.is_none() {
        common::skip("the guide", "there is no `script`");
    }
    terminal
}

#[test]
fn from_broken_to_mended_and_back() {
    let volume = broken_ten();
    let root = volume.path();
    let before = files(root);
    let Some(mut terminal) = guide(root) else { return };
    terminal.answer(WRONG, "more");
    terminal.answer("type q to stop reading: ", "");
    terminal.answer("type q to stop reading: ", "q");
    terminal.answer("> ", "");
    terminal.answer(AGREE, "more");
    terminal.answer("type q to stop reading: ", "q");
    terminal.answer("> ", "yes");
    let (status, shown) = terminal.end();
    assert_eq!(status, 0, "{shown}");
    assert_readable(&shown, &[root.to_str().unwrap()]);
    let order = [
        "Looking changes nothing",
        "Found: Windows 10 Pro (build 19045",
        "What is wrong",
        "1. The services that update Windows are not as Windows sets them up",
        "- wuauserv: the service is disabled",
        "found     4 (disabled)",
        "What would be changed",
        "service wuauserv: how it starts",
        "SoftwareDistribution becomes SoftwareDistribution.old",
        "\"coldmend\" on that volume",
        "Type yes",
        "Done",
        "finds nothing wrong any more",
        "Remove the stick and restart.",
        "coldmend undo",
    ];
    let plain = lines(&shown).join("\n");
    let mut rest = plain.as_str();
    for text in order {
        let at = rest.find(text).unwrap_or_else(|| panic!("no {text:?} from here on: {rest}"));
        rest = &rest[at..];
    }
    coldmend("diagnose", root).expect(0);

    let mut terminal = guide(root).unwrap();
    terminal.answer("Enter to", "undo");
    terminal.answer(AGREE, "yes");
    let (status, shown) = terminal.end();
    assert_eq!(status, 0, "{shown}");
    assert_readable(&shown, &[root.to_str().unwrap()]);
    assert!(shown.contains("0001-repair has been taken back"), "{shown}");
    coldmend("diagnose", root).expect(1);
    assert_eq!(files(root), before);
}

/// Ways to leave, or to say nothing that is understood.
const NO: [&[u8]; 6] = [b"\x03", b"\x04", b"\n", b"no\n", b"q\n", b"y\nwhat?\nyes please\nYES!\n"];

#[test]
fn out_of_it_at_every_question_nothing_is_changed() {
    let volume = broken_ten();
    let root = volume.path();
    let before = tree(root);
    for no in NO {
        let Some(mut terminal) = guide(root) else { return };
        terminal.wait(WRONG);
        // Enter alone goes on here; the end comes at the next question.
        terminal.keys(no);
        if no == b"\n" {
            terminal.wait(AGREE);
            terminal.keys(b"\x04");
        }
        left(terminal, root, 130);
        assert_eq!(tree(root), before, "{no:?}");

        let mut terminal = guide(root).unwrap();
        terminal.answer(WRONG, "");
        terminal.wait(AGREE);
        terminal.keys(no);
        left(terminal, root, 130);
        assert_eq!(tree(root), before, "{no:?}");
    }
}

fn left(terminal: Terminal, root: &Path, expected: i32) {
    let (status, shown) = terminal.end();
    assert_eq!(status, expected, "{shown}");
    assert!(shown.contains("Nothing was changed") || shown.contains("nothing was written"), "{shown}");
    assert_readable(&shown, &[root.to_str().unwrap()]);
}

#[test]
fn nothing_wrong_and_the_reset() {
    let volume = broken(Version::Ten22H2, &[]);
    let root = volume.path();
    let before = tree(root);
    for no in NO {
        let Some(mut terminal) = guide(root) else { return };
        terminal.wait("Enter to");
        terminal.keys(no);
        left(terminal, root, if no == b"\x03" { 130 } else { 0 });
        let mut terminal = guide(root).unwrap();
        terminal.answer("Enter to", "reset");
        terminal.wait(AGREE);
        terminal.keys(no);
        left(terminal, root, 130);
        assert_eq!(tree(root), before, "{no:?}");
    }
    let mut terminal = guide(root).unwrap();
    terminal.answer("Enter to", "reset");
    terminal.answer(AGREE, "yes");
    let (status, shown) = terminal.end();
    assert_eq!(status, 0, "{shown}");
    assert!(shown.contains("Nothing wrong was found") && shown.contains("Done"), "{shown}");
    assert!(root.join("Windows/SoftwareDistribution.old").is_dir());
}

#[test]
fn an_interrupted_repair_is_finished_or_taken_back() {
    let volume = broken_ten();
    let root = volume.path();
    let original = files(root);
    coldmend("repair --yes", root).expect(0);
    let journal = root.join("coldmend/0001-repair/journal.jsonl");
    let text = fs::read_to_string(&journal).unwrap();
    fs::write(&journal, text.split_once("{\"step\":\"verified\"").unwrap().0).unwrap();
    let before = tree(root);
    for no in NO {
        let Some(mut terminal) = guide(root) else { return };
        terminal.wait("Enter to leave.\n> ");
        terminal.keys(no);
        left(terminal, root, 130);
        assert_eq!(tree(root), before, "{no:?}");
    }
    let cut = common::copied(root);
    for (answer, status) in [("finish", 0), ("undo", 1)] {
        let copy = common::copied(cut.path());
        let mut terminal = guide(copy.path()).unwrap();
        terminal.answer("Enter to leave.\n> ", answer);
        terminal.answer(AGREE, "yes");
        let (done, shown) = terminal.end();
        assert_eq!(done, 0, "{answer}: {shown}");
        assert!(shown.contains("was begun and did not come to its end"), "{shown}");
        assert_readable(&shown, &[copy.path().to_str().unwrap()]);
        coldmend("diagnose", copy.path()).expect(status);
        if status == 1 {
            assert_eq!(files(copy.path()), original);
        }
    }
}

#[test]
fn several_to_choose_from() {
    let volume = broken(Version::Ten22H2, &[]);
    let root = volume.path();
    let second = broken(Version::Seven, &[Damage::DisableService("wuauserv".into())]);
    common::copy(&second.path().join("Windows"), &root.join("Windows.other"));
    let before = tree(root);
    for no in NO {
        let Some(mut terminal) = guide(root) else { return };
        terminal.wait("nothing.\n> ");
        terminal.keys(no);
        left(terminal, root, 130);
        assert_eq!(tree(root), before, "{no:?}");
    }
    let mut terminal = guide(root).unwrap();
    terminal.answer("nothing.\n> ", "3");
    terminal.answer("not understood. Type \"1\" or \"2\"", "2");
    terminal.answer(WRONG, "");
    terminal.answer(AGREE, "yes");
    let (status, shown) = terminal.end();
    assert_eq!(status, 0, "{shown}");
    assert_readable(&shown, &[root.to_str().unwrap()]);
    assert!(shown.contains("There are 2 Windows installations"), "{shown}");
    assert!(shown.contains("coldmend undo --windows Windows.other"), "{shown}");
    run(&["diagnose", root.to_str().unwrap(), "--windows", "Windows.other"]).expect(0);
}

#[test]
fn no_windows_and_what_to_do() {
    let empty = common::scratch();
    let Some(terminal) = guide(empty.path()) else { return };
    let (status, shown) = terminal.end();
    assert_eq!(status, 4, "{shown}");
    assert!(shown.contains("No Windows was found") && shown.contains("What you can do"), "{shown}");
    assert_readable(&shown, &[empty.path().to_str().unwrap()]);
}

#[test]
fn the_way_out_of_what_is_refused() {
    let disabled = Damage::DisableService("BITS".into());
    for (damage, says) in [(Damage::Hibernated, "hold Shift"), (Damage::SetupInProgress, "Let setup finish")] {
        let volume = broken(Version::Ten22H2, &[damage, disabled.clone()]);
        let before = tree(volume.path());
        let Some(terminal) = guide(volume.path()) else { return };
        let (status, shown) = terminal.end();
        assert_eq!(status, 3, "{shown}");
        assert!(shown.contains("the service is disabled"), "{shown}");
        assert!(lines(&shown).join(" ").contains(says), "{shown}");
        assert!(shown.contains("Nothing was changed"), "{shown}");
        assert_readable(&shown, &[volume.path().to_str().unwrap()]);
        assert_eq!(tree(volume.path()), before);
    }
    // Refused only when something is to be written.
    let volume = broken(Version::Ten22H2, &[Damage::Hibernated]);
    let mut terminal = guide(volume.path()).unwrap();
    terminal.answer("Enter to", "reset");
    let (status, shown) = terminal.end();
    assert_eq!(status, 3, "{shown}");
    assert!(shown.contains("hold Shift"), "{shown}");
}

#[test]
fn without_a_terminal_or_with_json() {
    let volume = broken_ten();
    let root = volume.path().to_str().unwrap();
    let before = tree(volume.path());
    let refused = run(&["guide", root]).expect(3);
    assert!(refused.stderr.contains("no terminal to ask on") && refused.stdout.is_empty(), "{refused:?}");
    let json = run(&["guide", root, "--format", "json"]).expect(2).json();
    assert_eq!(json["error"]["kind"], "usage");
    let help = run::<&str>(&[]).expect(2);
    assert!(help.stderr.contains("Usage: coldmend") && help.stdout.is_empty(), "{help:?}");
    assert_eq!(run(&["--format", "json"]).expect(2).json()["error"]["kind"], "usage");
    assert_eq!(tree(volume.path()), before);
}

/// Alone on a terminal it is the guide. What is attached to the machine that runs the test is not known; `q` leaves.
#[test]
fn alone_on_a_terminal() {
    let Some(mut terminal) = Terminal::start(&[]) else { return common::skip("alone", "there is no `script`") };
    terminal.wait("This looks for your Windows");
    terminal.keys(b"q\nq\nq\n");
    let (status, shown) = terminal.end();
    assert!([0, 4, 130].contains(&status), "{status}: {shown}");
}
