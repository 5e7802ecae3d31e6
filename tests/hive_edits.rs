//! `coldmend hive set` and `delete`: every type, judged by other readers; odd names; what is refused; interruptions, and disks that are
//! full. Needs no corpus.
#![allow(clippy::unwrap_used)]
#![cfg(unix)]

mod common;
#[path = "common/judges.rs"]
mod judges;

use std::fs;
use std::os::unix::fs::{symlink, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use coldmend_fixtures::{system_hive, Version, VolumeSpec};
use common::{command, run, scratch, trace, tree, Run};
use judges::Judge;
use tempfile::TempDir;

const BITS: &str = "ControlSet001\\Services\\BITS";

/// A hive with the logs named, empty.
fn made(logs: &[&str]) -> (TempDir, PathBuf) {
    let folder = scratch();
    let hive = folder.path().join("SYSTEM");
    let spec = VolumeSpec { ballast_keys: 20, ..VolumeSpec::new(Version::Ten22H2) };
    fs::write(&hive, system_hive(&spec).unwrap()).unwrap();
    for log in logs {
        fs::write(folder.path().join(format!("SYSTEM.{log}")), []).unwrap();
    }
    (folder, hive)
}

fn hive(command: &str, file: &Path, more: &[&str]) -> Run {
    let words = [&["hive", command, file.to_str().unwrap()], more].concat();
    run(&words)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn every_type_is_set_read_back_and_seen_by_others() {
    for logs in [&[][..], &["LOG"], &["LOG1", "LOG2"]] {
        let (folder, file) = made(logs);
        let before = names(folder.path());
        for (kind, data, shown, in_hivexml) in [
            ("dword", &["0x10"][..], "16 (0x10)", r#"type="int32" key="coldmend" value="16""#),
            ("qword", &["4294967296"], "4294967296 (0x100000000)", r#"type="int64" key="coldmend" value="4294967296""#),
            ("string", &["Ein \"Text\" €"], "\"Ein \"Text\" €\"", "Text"),
            ("string", &[""], "\"\"", r#"type="string""#),
            ("expand-string", &["%SystemRoot%\\x"], "\"%SystemRoot%\\x\"", "%SystemRoot%\\x"),
            ("multi-string", &["a", "b c"], "\"a\" \"b c\"", "<string>a</string><string>b c</string>"),
            ("binary", &["de ad,be ef"], "deadbeef", "3q2+7w=="),
            ("binary", &[""], "(no data)", r#"type="binary""#),
        ] {
            let more = [&[BITS, "coldmend"], data, &["--type", kind]].concat();
            hive("set", &file, &more).expect(0);
            assert_eq!(hive("get", &file, &[BITS, "COLDMEND"]).expect(0).stdout.trim_end(), shown, "{kind}");
            assert_eq!(hive("set", &file, &more).expect(0).stdout, "Nothing to do; nothing was written.\n", "{kind}");
            assert_eq!(names(folder.path()), before, "{kind}: something is left over");
            let bytes = fs::read(&file).unwrap();
            for judge in Judge::present() {
                let seen = judge.look(&bytes).unwrap();
                let value = &seen[BITS]["coldmend"];
                if judge == Judge::Hivexml {
                    assert!(value.replace("&quot;", "\"").contains(in_hivexml), "{kind}: {value}");
                }
            }
            assert_eq!(hive("check", &file, &[]).status, Some(0));
        }
        hive("delete", &file, &[BITS, "coldmend"]).expect(0);
        hive("delete", &file, &[BITS, "coldmend"]).expect(2);
        hive("delete", &file, &[BITS]).expect(0);
        hive("delete", &file, &[BITS]).expect(2);
        hive("delete", &file, &[""]).expect(2);
        for judge in Judge::present() {
            assert!(!judge.look(&fs::read(&file).unwrap()).unwrap().contains_key(BITS), "{judge:?}");
        }
    }
}

#[test]
fn the_current_control_set_is_the_one_that_select_names() {
    let (_folder, file) = made(&["LOG1", "LOG2"]);
    let current = "\\CurrentControlSet\\Services\\BITS";
    hive("set", &file, &[current, "coldmend", "7", "--type", "dword"]).expect(0);
    for key in [current, "currentcontrolset\\services\\bits", BITS, "ControlSet001\\Services\\BITS\\"] {
        assert_eq!(hive("get", &file, &[key, "coldmend"]).expect(0).stdout, "7 (0x7)\n", "{key}");
    }
    let export = hive("export", &file, &[current]).expect(0).stdout;
    assert!(export.contains("[\\ControlSet001\\Services\\BITS]"), "{export}");
    hive("delete", &file, &[current, "coldmend"]).expect(0);
    hive("get", &file, &[current, "coldmend"]).expect(2);
    hive("ls", &file, &["CurrentControlSet\\Nothing"]).expect(2);
    // A set that is not there is not made.
    let before = fs::read(&file).unwrap();
    for number in ["0", "7"] {
        hive("set", &file, &["Select", "Default", number, "--type", "dword"]).expect(0);
        let chosen = fs::read(&file).unwrap();
        for (word, more) in
            [("set", &["coldmend", "7", "--type", "dword"][..]), ("get", &["coldmend"]), ("delete", &[])]
        {
            let run = hive(word, &file, &[&[current], more].concat()).expect(4);
            assert!(run.stderr.contains(&format!("ControlSet00{number}")), "{run:?}");
        }
        assert_eq!(fs::read(&file).unwrap(), chosen);
        fs::write(&file, &before).unwrap();
    }
}

/// Odd names and data through `.reg` and back, exactly.
#[test]
fn odd_values_survive_reg() {
    let (folder, file) = made(&[]);
    let names = ["plain", "q\"b\\s", "line\r\nend", "]", "[x]", "@", "=hex:", " ", "ü€😀", "\u{1b}[31m"];
    let mut reg = "Windows Registry Editor Version 5.00\r\n".to_string();
    let data = [
        "\"te\\\"xt\\\\\"",
        "dword:00000001",
        "hex:",
        "hex:01,02",
        "hex(0):",
        "hex(0):01",
        "hex(1):",
        "hex(1):41,00",
        "hex(1):41",
        "hex(1):41,00,00",
        "hex(2):25,00,00,00",
        "hex(4):01",
        "hex(7):41,00,00,00,00,00",
        "hex(b):01,00,00,00,00,00,00,00",
        "hex(80000001):01,02,03",
        "hex(ffffffff):00",
    ];
    for name in names {
        let section = if name.contains('\\') { "bs" } else { name };
        reg += &format!("\r\n[\\Odd\\{section}]\r\n@=\"\"\r\n");
        for (number, data) in data.iter().enumerate() {
            let name = format!("{name}{number}").replace('\\', "\\\\").replace('"', "\\\"");
            reg += &format!("\"{name}\"={data}\r\n");
        }
    }
    let huge: Vec<String> = (0..300_000u32).map(|n| format!("{:02x}", n % 251)).collect();
    reg += &format!("\r\n[\\Odd\\huge]\r\n\"huge\"=hex:{}\r\n", huge.join(","));
    let source = folder.path().join("source.reg");
    fs::write(&source, reg).unwrap();
    hive("set", &file, &["--reg", source.to_str().unwrap()]).expect(0);
    assert_eq!(hive("check", &file, &[]).status, Some(0));
    for judge in Judge::present() {
        judge.look(&fs::read(&file).unwrap()).unwrap();
    }
    let first = folder.path().join("first.reg");
    hive("export", &file, &["Odd", "--output", first.to_str().unwrap()]).expect(0);
    let (other_folder, other) = made(&[]);
    hive("set", &other, &["--reg", first.to_str().unwrap()]).expect(0);
    let same = hive("diff", &file, &[other.to_str().unwrap()]);
    assert_eq!((same.status, same.stdout.as_str()), (Some(0), ""));
    let second = other_folder.path().join("second.reg");
    hive("export", &other, &["odd", "--output", second.to_str().unwrap()]).expect(0);
    assert_eq!(fs::read(&first).unwrap(), fs::read(&second).unwrap());
    // Nothing of it reaches a terminal, and no name forges a line.
    let listed = hive("ls", &file, &["Odd"]).expect(0).stdout;
    assert!(!listed.contains('\u{1b}') && listed.lines().count() == names.len() + 1, "{listed}");
}

#[test]
fn files_that_are_no_hives() {
    let folder = scratch();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("empty"), []).unwrap();
    fs::write(path("text"), "This is a text.\n".repeat(600)).unwrap();
    fs::create_dir(path("folder")).unwrap();
    symlink(path("nowhere"), path("dangling")).unwrap();
    symlink("/dev/zero", path("zero")).unwrap();
    let fifo = Command::new("mkfifo").arg(path("fifo")).status();
    assert!(fifo.is_ok_and(|status| status.success()));
    let before = tree(folder.path());
    for name in ["empty", "text", "folder", "dangling", "zero", "fifo", "missing"] {
        for (words, more) in [
            ("info", &[][..]),
            ("check", &[]),
            ("recover", &[]),
            ("ls", &[]),
            ("get", &["X"]),
            ("export", &[]),
            ("set", &["X", "x", "1", "--type", "dword"]),
            ("delete", &["X"]),
        ] {
            let start = Instant::now();
            let run = hive(words, &path(name), more);
            assert_eq!(run.status, Some(4), "{words} {name}: {run:?}");
            assert!(run.stderr.contains("what to do") && run.stderr.contains(name), "{words} {name}: {run:?}");
            assert!(start.elapsed() < Duration::from_secs(20), "{words} {name}");
        }
    }
    assert_eq!(tree(folder.path()), before);
}

#[test]
fn reg_files_that_are_none() {
    let (folder, file) = made(&[]);
    let before = fs::read(&file).unwrap();
    let head = "Windows Registry Editor Version 5.00\r\n\r\n[\\A]\r\n";
    let wide: Vec<u8> = format!("\u{feff}{head}\"x\"=dword:1\r\n").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let line = format!("{head}\"x\"=\"{}", "x".repeat(64 << 20)).into_bytes();
    let reg = folder.path().join("x.reg");
    for (what, bytes, status, said) in [
        ("empty", Vec::new(), 2, "Windows Registry Editor"),
        ("garbage", (0..5000u32).map(|n| ((n * 7919) >> 3) as u8).collect(), 2, "line 1"),
        ("zeros", vec![0; 5000], 2, "zeros"),
        ("cut UTF-16", wide[..wide.len() - 3].to_vec(), 2, "cut"),
        ("old", b"REGEDIT4\r\n[\\A]\r\n".to_vec(), 2, "version 5"),
        ("hex", format!("{head}\"x\"=hex:0g\r\n").into_bytes(), 2, "line 4"),
        ("a line without end", line, 2, "line 4"),
        ("the root deleted", b"Windows Registry Editor Version 5.00\r\n[-\\]\r\n".to_vec(), 2, "root"),
    ] {
        fs::write(&reg, bytes).unwrap();
        let run = hive("set", &file, &["--reg", reg.to_str().unwrap()]);
        assert_eq!(run.status, Some(status), "{what}: {run:?}");
        assert!(run.stderr.contains(said) && run.stderr.len() < 2000, "{what}: {run:?}");
    }
    for nothing in ["/dev/zero", "/nowhere/x.reg", folder.path().to_str().unwrap()] {
        let run = hive("set", &file, &["--reg", nothing]);
        assert!(matches!(run.status, Some(2 | 4)), "{nothing}: {run:?}");
    }
    assert_eq!(fs::read(&file).unwrap(), before);
    assert_eq!(names(folder.path()), ["SYSTEM", "x.reg"]);
}

#[test]
fn a_hive_that_is_in_use_or_may_not_be_written() {
    let set = ["A", "x", "1", "--type", "dword"];
    let (folder, file) = made(&["LOG1"]);
    let before = tree(folder.path());
    for locked in ["SYSTEM", "SYSTEM.LOG1"] {
        let path = folder.path().join(locked);
        let Some(mut holder) = common::hold(&path) else {
            return common::skip("a_hive_that_is_in_use", "there is no `flock`");
        };
        let run = hive("set", &file, &set).expect(3);
        assert!(run.stderr.contains("use") && run.stderr.contains("what to do"), "{run:?}");
        hive("ls", &file, &[]).expect(0);
        drop(holder.stdin.take());
        holder.wait().unwrap();
    }
    assert_eq!(tree(folder.path()), before);
    // A second name of the file would change along.
    fs::hard_link(&file, folder.path().join("other")).unwrap();
    hive("set", &file, &set).expect(3);
    fs::remove_file(folder.path().join("other")).unwrap();
    // A log that is something else is not passed over.
    fs::remove_file(folder.path().join("SYSTEM.LOG1")).unwrap();
    symlink("elsewhere", folder.path().join("SYSTEM.LOG1")).unwrap();
    let run = hive("set", &file, &set).expect(4);
    assert!(run.stderr.contains("LOG1"), "{run:?}");
    fs::remove_file(folder.path().join("SYSTEM.LOG1")).unwrap();
    if !common::is_root() {
        fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
        hive("set", &file, &set).expect(3);
        hive("ls", &file, &[]).expect(0);
        hive("recover", &file, &[]).expect(0);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
        hive("ls", &file, &[]).expect(3);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    }
    // The hive may be named through a link; it is the file that is written.
    let link = folder.path().join("link");
    symlink("SYSTEM", &link).unwrap();
    hive("set", &link, &set).expect(0);
    assert_eq!(hive("get", &file, &["A", "x"]).expect(0).stdout, "1 (0x1)\n");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
}

/// What a hive holds, as an independent reader sees it.
fn seen(file: &Path) -> judges::Seen {
    Judge::Regf.look(&fs::read(file).unwrap()).unwrap()
}

/// Killed as it enters any call that writes: `hive recover` makes it before or after, and leaves nothing behind.
#[test]
fn killed_at_any_write() {
    if let Err(why) = trace::available() {
        return common::skip("killed_at_any_write", &why);
    }
    for logs in [&[][..], &["LOG"], &["LOG1", "LOG2"]] {
        let (folder, file) = made(logs);
        let whole = fs::read(&file).unwrap();
        let reg = folder.path().join("edit.reg");
        let bytes = ["ab"; 60_000].join(",");
        let text = format!(
            "Windows Registry Editor Version 5.00\n[\\{BITS}]\n\"Start\"=dword:4\n\"big\"=hex:{bytes}\n[\\New\\Key]\n[-\\ControlSet001\\Control\\Lsa]\n"
        );
        fs::write(&reg, text).unwrap();
        let arguments = |file: &Path| -> Vec<PathBuf> {
            let (set, file, reg) = ("set".into(), file.to_path_buf(), reg.clone());
            vec!["hive".into(), set, file, "--reg".into(), reg]
        };
        let fresh = |target: &Path| {
            fs::write(target.join("SYSTEM"), &whole).unwrap();
            for log in logs {
                fs::write(target.join(format!("SYSTEM.{log}")), []).unwrap();
            }
            target.join("SYSTEM")
        };
        let done = scratch();
        let target = fresh(done.path());
        let (run, calls) = trace::writing(done.path(), &arguments(&target));
        run.expect(0);
        let (before, after) = (seen(&file), seen(&target));
        assert_ne!(before, after);
        let (mut as_before, mut as_after) = (0, 0);
        for call in calls.iter().filter(|call| !call.opens()) {
            let work = scratch();
            let target = fresh(work.path());
            trace::killed_at(call, &arguments(&target));
            // Looking is possible at once, and does not write.
            let picture = tree(work.path());
            hive("ls", &target, &[]).expect(0);
            assert_eq!(tree(work.path()), picture);
            hive("recover", &target, &[]).expect(0);
            assert_eq!(hive("check", &target, &[]).status, Some(0), "{call:?}");
            let found = seen(&target);
            match (found == before, found == after) {
                (true, _) => as_before += 1,
                (_, true) => as_after += 1,
                _ => panic!("{call:?}: neither before nor after: {:?}", judges::difference(&before, &found)),
            }
            hive("set", &target, &["--reg", reg.to_str().unwrap()]).expect(0);
            assert_eq!(seen(&target), after, "{call:?}");
            assert!(!target.with_file_name("SYSTEM.coldmend-before").exists(), "{call:?}");
        }
        println!("{logs:?}: {} cuts, {as_before} before, {as_after} after", as_before + as_after);
        assert!(as_before > 0 && as_after > 0);
    }
}

/// A call that fails, once: taken back at once, or not begun.
#[test]
fn a_write_that_fails() {
    if let Err(why) = trace::available() {
        return common::skip("a_write_that_fails", &why);
    }
    for logs in [&[][..], &["LOG1", "LOG2"]] {
        let (folder, file) = made(logs);
        let before = seen(&file);
        let whole = fs::read(&file).unwrap();
        let arguments: Vec<PathBuf> =
            ["hive", "set", file.to_str().unwrap(), BITS, "Start", "4", "--type", "dword"].map(PathBuf::from).into();
        let (run, calls) = trace::writing(folder.path(), &arguments);
        run.expect(0);
        let left = names(folder.path());
        for call in calls.iter().filter(|call| !call.opens()) {
            fs::write(&file, &whole).unwrap();
            let run = trace::injected(&call.name, &call.number.to_string(), "error=ENOSPC", &arguments);
            // A left-over that can't be removed is the only thing that may go wrong after the edit.
            assert!(matches!(run.status, Some(3..=5)), "{call:?}: {run:?}");
            assert!(run.stderr.contains("what to do"), "{call:?}: {run:?}");
            if !call.name.contains("unlink") {
                assert_eq!(hive("check", &file, &["--no-replay"]).status, Some(0), "{call:?}: {run:?}");
                let found = seen(&file);
                assert!(found == before || call.name.contains("sync"), "{call:?}: {run:?}");
                assert_eq!(names(folder.path()), left, "{call:?}: {run:?}");
            }
            let _ = fs::remove_file(file.with_file_name("SYSTEM.coldmend-before"));
        }
    }
}

/// Ctrl-C and SIGTERM at any write: 130 and before, or 0 and after.
#[test]
fn interrupted_at_any_write() {
    if let Err(why) = trace::available() {
        return common::skip("interrupted_at_any_write", &why);
    }
    let (folder, file) = made(&[]);
    let (before, whole) = (seen(&file), fs::read(&file).unwrap());
    let arguments: Vec<PathBuf> =
        ["hive", "set", file.to_str().unwrap(), BITS, "Start", "4", "--type", "dword"].map(PathBuf::from).into();
    let (_, calls) = trace::writing(folder.path(), &arguments);
    let after = seen(&file);
    for signal in ["SIGINT", "SIGTERM"] {
        for call in calls.iter().filter(|call| !call.opens()) {
            fs::write(&file, &whole).unwrap();
            let what = format!("signal={signal}:delay_exit=40000");
            let run = trace::injected(&call.name, &call.number.to_string(), &what, &arguments);
            let wanted = if run.status == Some(0) { &after } else { &before };
            assert!(matches!(run.status, Some(0 | 130)), "{call:?}: {run:?}");
            assert_eq!(&seen(&file), wanted, "{call:?}: {run:?}");
            assert_eq!(names(folder.path()), ["SYSTEM"], "{call:?}: {run:?}");
        }
    }
}

/// A file system without room is seen before anything is written.
#[test]
fn a_full_disk_is_refused() {
    let mount = scratch();
    let mounted = common::is_root()
        && Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"])
            .arg(mount.path())
            .status()
            .is_ok_and(|s| s.success());
    if !mounted {
        return common::leave_out("a_full_disk_is_refused", "only root can mount");
    }
    let outcome = std::panic::catch_unwind(|| {
        let (_folder, source) = made(&[]);
        let file = mount.path().join("SYSTEM");
        fs::copy(&source, &file).unwrap();
        let _ = fs::write(mount.path().join("filler"), vec![1; 4 << 20]);
        let before = fs::read(&file).unwrap();
        for (what, words) in [
            ("set", &[BITS, "Start", "4", "--type", "dword"][..]),
            ("export", &["--output", "OUT"]),
            ("recover", &["--output", "OUT"]),
        ] {
            let out = mount.path().join("out");
            let words: Vec<&str> = words.iter().map(|w| if *w == "OUT" { out.to_str().unwrap() } else { w }).collect();
            let run = hive(what, &file, &words);
            assert!(matches!(run.status, Some(3 | 5)), "{what}: {run:?}");
            assert!(run.stderr.contains("what to do"), "{what}: {run:?}");
            assert_eq!(fs::read(&file).unwrap(), before);
            assert_eq!(names(mount.path()), ["SYSTEM", "filler"], "{what}: {run:?}");
        }
        // Text that a full disk cuts is not said to be done.
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let status = command(&["hive", "export", source.to_str().unwrap()]).stdout(full).stderr(Stdio::null()).status();
        assert_eq!(status.unwrap().code(), Some(5));
    });
    let _ = Command::new("umount").arg("-l").arg(mount.path()).status();
    outcome.unwrap();
}

/// A dirty hive whose logs are lost: refused, and taken as it is only when asked.
#[test]
fn dirty_without_logs() {
    let (folder, file) = made(&[]);
    let mut bytes = fs::read(&file).unwrap();
    let sequence = u32::from_le_bytes(bytes[4..8].try_into().unwrap()) + 1;
    bytes[4..8].copy_from_slice(&sequence.to_le_bytes());
    let sum = bytes[..508].chunks(4).fold(0, |sum, b| sum ^ u32::from_le_bytes(b.try_into().unwrap()));
    bytes[508..512].copy_from_slice(&u32::to_le_bytes(sum));
    fs::write(&file, &bytes).unwrap();
    let set = [BITS, "Start", "4", "--type", "dword"];
    for (words, more) in [("recover", &[][..]), ("set", &set), ("ls", &[]), ("export", &[]), ("delete", &[BITS])] {
        let run = hive(words, &file, more).expect(4);
        assert!(run.stderr.contains("--force-dirty-hive"), "{run:?}");
    }
    let check = hive("check", &file, &[]).expect(1);
    assert!(check.stdout.contains("offset 0x4: found"), "{check:?}");
    assert_eq!(fs::read(&file).unwrap(), bytes);
    // An edit that can't be made leaves it dirty.
    hive("delete", &file, &["Nothing", "--force-dirty-hive"]).expect(2);
    assert_eq!(fs::read(&file).unwrap(), bytes);
    hive("set", &file, &[&set[..], &["--force-dirty-hive"]].concat()).expect(0);
    assert_eq!(hive("get", &file, &[BITS, "Start"]).expect(0).stdout, "4 (0x4)\n");
    fs::write(&file, &bytes).unwrap();
    hive("recover", &file, &["--force-dirty-hive"]).expect(0);
    assert_eq!(hive("check", &file, &["--no-replay"]).status, Some(0));
    assert_eq!(names(folder.path()), ["SYSTEM"]);
}

/// Hives that differ only in what `.reg` can't tell are different, and those that don't are not.
#[test]
fn a_difference_that_reg_cannot_tell() {
    let (folder, file) = made(&[]);
    let second = folder.path().join("second");
    for (file, data) in [(&file, "1"), (&second, "2")] {
        if file == &second {
            fs::copy(folder.path().join("SYSTEM"), &second).unwrap();
        }
        hive("set", file, &["A", "\u{4e00}name", data, "--type", "dword"]).expect(0);
    }
    for file in [&file, &second] {
        let mut bytes = fs::read(file).unwrap();
        let name = [0x00, 0x4e, b'n', 0, b'a', 0];
        let at = bytes.windows(name.len()).position(|window| window == name).unwrap();
        bytes[at..at + 2].copy_from_slice(&[0x00, 0xd8]);
        fs::write(file, bytes).unwrap();
        assert_eq!(hive("check", file, &[]).status, Some(0));
    }
    let run = hive("diff", &file, &[second.to_str().unwrap()]).expect(1);
    assert!(run.stdout.is_empty() && run.stderr.contains("1 keys or values differ"), "{run:?}");
    let run = hive("diff", &file, &[file.to_str().unwrap()]).expect(0);
    assert!(run.stdout.is_empty() && run.stderr.is_empty(), "{run:?}");
}

/// Letters that nt-hive takes for the same and Windows keeps apart, and keys in two spellings.
#[test]
fn edits_that_are_right_are_read_back_as_such() {
    let (folder, file) = made(&[]);
    let reg = folder.path().join("edit.reg");
    let apply = |body: &str| {
        fs::write(&reg, format!("Windows Registry Editor Version 5.00\n{body}")).unwrap();
        hive("set", &file, &["--reg", reg.to_str().unwrap()]).expect(0);
    };
    for (one, other) in [("µ", "\u{39c}"), ("ſ", "S"), ("ı", "I")] {
        apply(&format!("[\\Odd\\{one}]\n\"x\"=dword:1\n[\\Odd\\{other}]\n\"x\"=dword:2\n"));
        assert_eq!(hive("get", &file, &[&format!("Odd\\{one}"), "x"]).expect(0).stdout, "1 (0x1)\n");
        assert_eq!(hive("get", &file, &[&format!("Odd\\{other}"), "x"]).expect(0).stdout, "2 (0x2)\n");
        apply(&format!("[-\\Odd\\{other}]\n[\\Odd\\{one}\\below]\n"));
        hive("get", &file, &[&format!("Odd\\{one}"), "x"]).expect(0);
    }
    apply("[\\A\\\\B]\n\"x\"=dword:1\n[-\\A\\B]\n");
    hive("ls", &file, &["A\\B"]).expect(2);
    apply("[-\\A\\B]\n[\\\\A\\\\B\\\\]\n\"x\"=dword:1\n");
    assert_eq!(hive("get", &file, &["\\A\\\\B", "x"]).expect(0).stdout, "1 (0x1)\n");
}

/// regedit's own names would become keys inside the hive.
#[test]
fn sections_of_another_hive_are_refused() {
    let (folder, file) = made(&[]);
    let before = fs::read(&file).unwrap();
    let reg = folder.path().join("edit.reg");
    let reg_path = reg.to_str().unwrap();
    fs::write(&reg, "Windows Registry Editor Version 5.00\n[HKEY_LOCAL_MACHINE\\SYSTEM\\K]\n\"x\"=dword:1\n").unwrap();
    for prefix in [&[][..], &["--prefix", "HKEY_LOCAL_MACHINE\\SOFTWARE"]] {
        let run = hive("set", &file, &[&["--reg", reg_path], prefix].concat()).expect(2);
        assert!(run.stderr.contains("line 2") && run.stderr.contains("--prefix 'HKEY_"), "{run:?}");
    }
    assert_eq!(fs::read(&file).unwrap(), before);
    hive("set", &file, &["--reg", reg_path, "--prefix", "HKEY_LOCAL_MACHINE\\SYSTEM"]).expect(0);
    assert_eq!(hive("get", &file, &["K", "x"]).expect(0).stdout, "1 (0x1)\n");
}
