//! What only the Windows executable does, as far as Wine has it: drive letters, the volumes of the machine, the running system and its loaded
//! hives, disk images, the guide on a console. What Wine can't show is listed in docs/testing.md.
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use coldmend_fixtures::{Damage, Version};
use common::wine::Wine;
use common::{broken, copied, find, tree, Run};

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
    let Some(wine) = Wine::present("letters_lead_to_volumes") else { return };
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
    let Some(wine) = Wine::present("every_volume_is_listed") else { return };
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
    let Some(wine) = Wine::present("the_running_system_is_refused") else { return };
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
    let Some(wine) = Wine::present("an_image_that_can_not_be_attached_says_so") else { return };
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

/// `coldmend.exe` alone on a console of 80 by 25: from the search to the mended Windows.
#[test]
fn the_guide_leads_through_it() {
    let Some(wine) = Wine::present("the_guide_leads_through_it") else { return };
    let volume = broken(Version::Ten22H2, &[Damage::DisableService("wuauserv".into())]);
    let root = volume.path();
    let untouched = copied(root);
    for agree in [false, true] {
        let line =
            format!("stty cols 80 rows 25; timeout --foreground 120 {} guide '{}'", wine.shell(), root.display());
        let script = Command::new("script")
            .args(["-q", "-e", "-f", "-c", &line, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .envs(wine.environment())
            .spawn();
        let Ok(mut script) = script else { return common::skip("the_guide_leads_through_it", "there is no `script`") };
        let (mut input, mut output) = (script.stdin.take().unwrap(), script.stdout.take().unwrap());
        let answers: [(&str, &[u8]); 2] =
            [("Press Enter to see", b"\r"), ("Type yes to make", if agree { b"yes\r" } else { b"\r" })];
        let mut answers = answers.iter().peekable();
        let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
        while let Ok(count @ 1..) = output.read(&mut buffer) {
            seen.extend_from_slice(&buffer[..count]);
            let text = plain(&seen);
            if answers.peek().is_some_and(|(question, _)| text.contains(question) && text.trim_end().ends_with('>')) {
                // Until Wine's console reads, the terminal makes another key of Enter.
                std::thread::sleep(std::time::Duration::from_secs(2));
                input.write_all(answers.next().unwrap().1).unwrap();
            }
        }
        script.wait().unwrap();
        let seen = plain(&seen);
        if agree {
            assert!(seen.contains("Remove the stick"), "{seen}");
            common::coldmend("diagnose", root).status.unwrap();
            assert_ne!(common::hive::values(root, false), common::hive::values(untouched.path(), false));
        } else {
            assert!(seen.contains("Nothing was changed"), "{seen}");
            assert_eq!(common::files(root), common::files(untouched.path()));
            assert_eq!(common::hive::values(root, true), common::hive::values(untouched.path(), true));
        }
    }
    wine.coldmend("diagnose", root).expect(0);
}
