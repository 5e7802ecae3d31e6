//! What only the Windows executable does, as far as Wine has it: drive letters, the volumes of the machine, the running system and its loaded
//! hives, disk images, the guide on a console. What Wine can't show is listed in docs/testing.md.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use coldmend_fixtures::{Damage, Version};
use common::wine::Wine;
use common::{broken, copied, find, tree, Run};

/// Wine looks at the letters when its server starts, and all tests share the server: one test at a time, with a server of its own.
fn alone(test: &str) -> Option<(&'static Wine, MutexGuard<'static, ()>)> {
    static ONE: Mutex<()> = Mutex::new(());
    let wine = Wine::present(test)?;
    let guard = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    wine.stop();
    Some((wine, guard))
}

/// A letter that stands for a folder, until it is dropped. Each test takes its own.
struct Letter(std::path::PathBuf);

impl Letter {
    fn new(wine: &Wine, letter: char, folder: &Path) -> Self {
        let link = wine.drives().join(format!("{letter}:"));
        let _ = fs::remove_file(&link);
        symlink(folder, &link).unwrap();
        Letter(link)
    }
}

impl Drop for Letter {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn finding_ids(run: &Run) -> Vec<String> {
    run.json()["findings"].as_array().unwrap().iter().map(|f| f["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn letters_lead_to_volumes() {
    let Some((wine, _alone)) = alone("letters_lead_to_volumes") else { return };
    let volume = broken(Version::Seven, &[Damage::DisableService("wuauserv".into())]);
    let _letter = Letter::new(wine, 'p', volume.path());
    let before = tree(volume.path());
    for target in ["P:", "p:\\", "P:\\Windows", "P:\\windows\\", "\\\\?\\P:\\"] {
        let run = wine.run(&["diagnose", "--format", "json", target]).expect(1);
        assert_eq!(finding_ids(&run), ["service-start"], "{target}: {run:?}");
    }
    wine.run(&["diagnose", "Q:"]).expect(4);
    wine.run(&["diagnose", "P:", "--partition", "1"]).expect(2);
    assert_eq!(tree(volume.path()), before);
}

#[test]
fn every_volume_is_listed_and_the_running_one_is_never_offered() {
    let Some((wine, _alone)) = alone("every_volume_is_listed") else { return };
    let volume = broken(Version::Ten22H2, &[]);
    let _letter = Letter::new(wine, 'r', volume.path());
    let scan = wine.run(&["scan", "--format", "json"]).expect(0).json();
    let volumes = scan["volumes"].as_array().unwrap();
    let of = |path: &str| volumes.iter().find(|v| v["path"] == path).unwrap_or_else(|| panic!("no {path} in {scan:#}"));
    assert_eq!(of("R:\\")["installations"][0]["windows"]["build"], 19045);
    assert_eq!(of("C:\\")["state"], "running-system");
    assert_eq!(of("C:\\")["installations"], serde_json::json!([]));
    let text = wine.run(&["scan"]).expect(0);
    assert!(text.stdout.contains("coldmend diagnose R:\\"), "{text:?}");
    assert!(text.stdout.is_ascii(), "a console of code page 437 can't show it: {text:?}");
}

#[test]
fn the_running_system_and_its_hives_are_refused() {
    let Some((wine, _alone)) = alone("the_running_system_is_refused") else { return };
    let volume = broken(Version::Ten22H2, &[Damage::DisableService("BITS".into())]);
    let config = wine.drives().join("c:").join("windows/system32/config");
    fs::create_dir_all(&config).unwrap();
    for name in ["SYSTEM", "SOFTWARE"] {
        fs::copy(find(volume.path(), &format!("Windows/System32/config/{name}")), config.join(name)).unwrap();
    }
    let before = tree(&config);
    let system = "C:\\windows\\system32\\config\\SYSTEM";
    for words in [
        &["repair", "--yes", "C:"][..],
        &["repair", "--yes", "C:\\windows"],
        &["undo", "--yes", "C:"],
        &["service", "set", "C:", "BITS", "--start", "demand", "--yes"],
        &["hive", "set", system, "ControlSet001\\Services\\BITS", "Start", "3", "--type", "dword"],
    ] {
        let run = wine.run(words).expect(3);
        assert!(run.stderr.contains("running"), "{words:?}: {run:?}");
    }
    assert_eq!(tree(&config), before);

    // A hive of another volume that somebody has loaded.
    let _letter = Letter::new(wine, 's', volume.path());
    let list = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\hivelist";
    let name = "\\REGISTRY\\MACHINE\\BROKEN";
    let file = "\\??\\S:\\Windows\\System32\\config\\SYSTEM";
    let done = wine.other(&["reg", "add", list, "/v", name, "/d", file, "/f"]).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    let before = tree(volume.path());
    let hive = "S:\\windows\\system32\\CONFIG\\system";
    for words in [&["diagnose", "S:"][..], &["repair", "--yes", "S:"], &["hive", "ls", hive]] {
        let run = wine.run(words).expect(3);
        assert!(run.stderr.contains("HKEY_LOCAL_MACHINE\\BROKEN"), "{words:?}: {run:?}");
    }
    assert_eq!(tree(volume.path()), before);
    assert!(wine.other(&["reg", "delete", list, "/v", name, "/f"]).output().unwrap().status.success());
    wine.run(&["diagnose", "S:"]).expect(1);
}

#[test]
fn an_image_that_can_not_be_attached_says_so() {
    let Some((wine, _alone)) = alone("an_image_that_can_not_be_attached_says_so") else { return };
    let folder = common::scratch();
    let vhdx = folder.path().join("disk.img");
    let mut bytes = b"vhdxfile".to_vec();
    bytes.resize(1 << 20, 0);
    fs::write(&vhdx, &bytes).unwrap();
    let plain = folder.path().join("disk.vhdx");
    fs::write(&plain, vec![0; 1 << 20]).unwrap();
    // Told by content, never by the name. Wine's virtdisk attaches nothing.
    let run = wine.coldmend("diagnose", &vhdx).expect(4);
    assert!(run.stderr.contains("attach"), "{run:?}");
    wine.coldmend("diagnose", &plain).expect(2);
    assert_eq!(fs::read(&vhdx).unwrap(), bytes);
}

/// What a terminal shows, without the sequences that move the cursor.
fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |all, part| all + part.split_once(|c: char| c.is_ascii_alphabetic()).map_or("", |(_, rest)| rest))
}

/// Runs `coldmend.exe` on a console of 80 by 25 and answers each question when it is asked; what was shown and how it ended. `None` without
/// the program `script`.
fn console(wine: &Wine, words: &str, answers: &[(&str, &[u8])]) -> Option<(String, i32)> {
    let line = format!("stty cols 80 rows 25; exec timeout --foreground 120 {} {words}", wine.shell());
    let mut script = Command::new("script")
        .args(["-q", "-e", "-f", "-c", &line, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .envs(wine.environment())
        .spawn()
        .ok()?;
    let (mut input, mut output) = (script.stdin.take().unwrap(), script.stdout.take().unwrap());
    let mut answers = answers.iter().peekable();
    let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = output.read(&mut buffer) {
        seen.extend_from_slice(&buffer[..count]);
        let text = plain(&seen);
        if answers.peek().is_some_and(|(question, _)| text.contains(question) && text.trim_end().ends_with(['>', ':']))
        {
            // Until Wine's console reads, the terminal makes another key of Enter.
            std::thread::sleep(std::time::Duration::from_secs(2));
            input.write_all(answers.next().unwrap().1).unwrap();
        }
    }
    let status = script.wait().unwrap().code().unwrap();
    let seen = plain(&seen);
    assert!(answers.peek().is_none(), "not asked: {answers:?}: {seen}");
    Some((seen, status))
}

/// `coldmend.exe` as a guide: from the search to the mended Windows.
#[test]
fn the_guide_leads_through_it() {
    let Some((wine, _alone)) = alone("the_guide_leads_through_it") else { return };
    let volume = broken(Version::Ten22H2, &[Damage::DisableService("wuauserv".into())]);
    let root = volume.path();
    let untouched = copied(root);
    let words = format!("guide '{}'", root.display());
    let first: (&str, &[u8]) = ("Press Enter to see", b"\r");
    let skip = || common::skip("the_guide_leads_through_it", "there is no `script`");

    let Some((seen, status)) = console(wine, &words, &[first, ("Type yes to make", b"\r")]) else { return skip() };
    assert!(status == 130 && seen.contains("Nothing was changed"), "{status}: {seen}");
    assert_eq!(common::files(root), common::files(untouched.path()));
    assert_eq!(common::hive::values(root, true), common::hive::values(untouched.path(), true));

    // The key by which WinPE is known.
    let mini = "HKLM\\SYSTEM\\CurrentControlSet\\Control\\MiniNT";
    assert!(wine.other(&["reg", "add", mini, "/f"]).output().unwrap().status.success());
    let Some((seen, status)) = console(wine, &words, &[first, ("Type yes to make", b"yes\r")]) else { return skip() };
    assert!(wine.other(&["reg", "delete", mini, "/f"]).output().unwrap().status.success());
    assert_eq!(status, 0, "{seen}");
    assert!(seen.contains("Remove the stick") && seen.contains("wpeutil reboot"), "{seen}");
    assert_ne!(common::hive::values(root, false), common::hive::values(untouched.path(), false));
    wine.coldmend("diagnose", root).expect(0);
}

/// Ctrl-C at the question: nothing was written, and that is said.
#[test]
fn ctrl_c_at_the_question() {
    let Some((wine, _alone)) = alone("ctrl_c_at_the_question") else { return };
    let volume = broken(Version::Ten22H2, &[Damage::DisableService("wuauserv".into())]);
    let before = tree(volume.path());
    let words = format!("repair '{}'", volume.path().display());
    let Some((seen, status)) = console(wine, &words, &[("Type yes to go on", b"\x03")]) else {
        return common::skip("ctrl_c_at_the_question", "there is no `script`");
    };
    assert!(status == 130 && seen.contains("nothing was written"), "{status}: {seen}");
    assert_eq!(tree(volume.path()), before);
}

/// A hive that another program has open gets its own message.
#[test]
fn a_hive_that_is_held() {
    let Some((wine, _alone)) = alone("a_hive_that_is_held") else { return };
    let volume = broken(Version::Ten22H2, &[Damage::DisableService("wuauserv".into())]);
    let _letter = Letter::new(wine, 't', volume.path());
    let before = tree(volume.path());
    // A program whose input is the hive: open for reading, shared for reading only.
    let hold = "ping -n 60 127.0.0.1 < T:\\Windows\\System32\\config\\SYSTEM";
    let mut holder = wine.other(&["cmd", "/c", hold]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_secs(4));
    let run = wine.run(&["repair", "--yes", "T:"]);
    let _ = holder.kill();
    holder.wait().unwrap();
    assert_eq!(run.status, Some(3), "{run:?}");
    assert!(run.stderr.contains("in use by another program") && run.stderr.contains("reg unload"), "{run:?}");
    assert_eq!(tree(volume.path()), before);
}
