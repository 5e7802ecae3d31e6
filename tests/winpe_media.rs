//! `scripts/make-winpe-media`, run on images that wimlib and xorriso make here, and looked at with them afterwards. No image of
//! Microsoft's takes part, and nothing is booted.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

const ORIGINAL: &[u8] = b"wpeinit\r\nnet start dnscache\r\n";
const KEPT: &str = "startnet.coldmend-original.cmd";

/// A folder with what there is to work on, and the tools.
struct Bench {
    dir: TempDir,
}

impl Bench {
    /// Nothing, and a line that says so, where a tool is missing.
    fn new(test: &str, tools: &[&str]) -> Option<Self> {
        for tool in tools {
            let there = Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
            if there.is_err() {
                println!("skipped: {test} needs {tool}: scripts/setup windows-tests");
                return None;
            }
        }
        let bench = Self { dir: tempfile::tempdir().unwrap() };
        // The first bytes of a program for x86-64 are all that is looked at.
        let mut program = vec![0; 200_000];
        program[..2].copy_from_slice(b"MZ");
        program[60] = 0x80;
        program[0x80..0x86].copy_from_slice(b"PE\0\0\x64\x86");
        program.extend(b"the rest of coldmend.exe");
        fs::write(bench.path("new.exe"), program).unwrap();
        Some(bench)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A wim named `wim` of one image that boots, with this startnet.cmd; its folder is called as `system` says.
    fn wim(&self, wim: &str, system: &str, startnet: Option<&[u8]>) -> PathBuf {
        self.capture(wim, system, startnet, &["--boot", "--compress=LZX"])
    }

    fn capture(&self, wim: &str, system: &str, startnet: Option<&[u8]>, options: &[&str]) -> PathBuf {
        let tree = self.path("tree");
        let folder = tree.join(system);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("wpeinit.exe"), [7; 3000]).unwrap();
        if let Some(startnet) = startnet {
            fs::write(folder.join("startnet.cmd"), startnet).unwrap();
        }
        let path = self.path(wim);
        succeed(Command::new("wimlib-imagex").arg("capture").arg(&tree).arg(&path).arg("WinPE").args(options));
        fs::remove_dir_all(tree).unwrap();
        path
    }

    fn make(&self, arguments: &[&str]) -> Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/make-winpe-media");
        let mut command = Command::new(script);
        command.current_dir(self.dir.path()).args(arguments).stdin(Stdio::null()).output().unwrap()
    }

    fn names(&self) -> BTreeSet<String> {
        let entries = fs::read_dir(self.dir.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// An ISO with this wim in it, which boots from a file of its own, by BIOS and by UEFI.
    fn iso(&self, iso: &str, wim: &Path) -> PathBuf {
        let tree = self.path("tree");
        let files = [
            ("boot/etfsboot.com", vec![1; 4096]),
            ("efi/efisys.bin", vec![2; 65536]),
            ("bootmgr", vec![3; 9]),
            ("others", [vec![0; 2048], vec![4; 4096], vec![5; 65536]].concat()),
        ];
        for (name, bytes) in files {
            fs::create_dir_all(tree.join(name).parent().unwrap()).unwrap();
            fs::write(tree.join(name), bytes).unwrap();
        }
        fs::create_dir(tree.join("sources")).unwrap();
        fs::copy(wim, tree.join("sources/boot.wim")).unwrap();
        let path = self.path(iso);
        let mut command = Command::new("xorriso");
        command.args(["-as", "mkisofs", "-quiet", "-J", "-o"]).arg(&path);
        command.args(["-b", "boot/etfsboot.com", "-no-emul-boot", "-boot-load-size", "8"]);
        command.args(["-eltorito-alt-boot", "-e", "efi/efisys.bin", "-no-emul-boot"]).arg(&tree);
        succeed(&mut command);
        fs::remove_dir_all(tree).unwrap();
        path
    }
}

fn succeed(command: &mut Command) -> Vec<u8> {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// All names in an image.
fn dir(wim: &Path, image: &str) -> Vec<String> {
    let out = succeed(Command::new("wimlib-imagex").arg("dir").arg(wim).arg(image));
    String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
}

fn file_in(wim: &Path, image: &str, path: &str) -> Vec<u8> {
    succeed(Command::new("wimlib-imagex").args(["extract", "--to-stdout"]).arg(wim).arg(image).arg(path))
}

fn text_in(wim: &Path, path: &str) -> String {
    String::from_utf8(file_in(wim, "1", path)).unwrap()
}

fn out(output: &Output) -> String {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    text
}

#[test]
fn the_program_comes_into_the_image_and_startnet_stays() {
    let Some(bench) = Bench::new("the_program_comes_into_the_image_and_startnet_stays", &["wimlib-imagex"]) else {
        return;
    };
    let wim = bench.wim("boot.wim", "Windows/System32", Some(ORIGINAL));
    let before = fs::read(&wim).unwrap();
    let said = out(&bench.make(&["--exe", "new.exe", "--output", "new.wim", "boot.wim"]));
    assert!(said.contains("\\Windows\\System32\\coldmend.exe"), "{said}");

    let new = bench.path("new.wim");
    let program = fs::read(bench.path("new.exe")).unwrap();
    assert_eq!(file_in(&new, "1", "/Windows/System32/coldmend.exe"), program);
    assert_eq!(file_in(&new, "1", "/Windows/System32/startnet.cmd"), ORIGINAL);
    assert_eq!(file_in(&new, "1", "/Windows/System32/wpeinit.exe"), [7; 3000]);
    assert_eq!(dir(&new, "1").len(), dir(&wim, "1").len() + 1);
    assert_eq!(fs::read(&wim).unwrap(), before, "the given file has changed");
    assert_eq!(bench.names(), ["boot.wim", "new.exe", "new.wim"].map(str::to_owned).into());
}

#[test]
fn startnet_calls_what_it_was_and_then_the_program() {
    let Some(bench) = Bench::new("startnet_calls_what_it_was_and_then_the_program", &["wimlib-imagex"]) else { return };
    let wim = bench.wim("boot.wim", "Windows/System32", Some(ORIGINAL));
    out(&bench.make(&["--start", "--exe", "new.exe", "--in-place", "boot.wim"]));
    let startnet = text_in(&wim, "/Windows/System32/startnet.cmd");
    let place = |what: &str| startnet.find(what).unwrap_or_else(|| panic!("no {what} in {startnet}"));
    assert!(
        place(&format!("call %SystemRoot%\\System32\\{KEPT}\r\n")) < place("%SystemRoot%\\System32\\coldmend.exe\r\n")
    );
    assert!(startnet.lines().count() > 4 && startnet.matches('\n').count() == startnet.matches("\r\n").count());
    assert!(startnet.is_ascii());
    assert_eq!(file_in(&wim, "1", &format!("/Windows/System32/{KEPT}")), ORIGINAL);
    assert_eq!(bench.names(), ["boot.wim", "new.exe"].map(str::to_owned).into());

    // Once more: the original is still the original.
    let names = dir(&wim, "1");
    out(&bench.make(&["--start", "--exe", "new.exe", "--in-place", "boot.wim"]));
    assert_eq!(dir(&wim, "1"), names);
    assert_eq!(text_in(&wim, "/Windows/System32/startnet.cmd"), startnet);
    assert_eq!(file_in(&wim, "1", &format!("/Windows/System32/{KEPT}")), ORIGINAL);
}

#[test]
fn without_a_startnet_one_is_made() {
    let Some(bench) = Bench::new("without_a_startnet_one_is_made", &["wimlib-imagex"]) else { return };
    // Windows takes names in any case.
    let wim = bench.wim("boot.wim", "WINDOWS/system32", None);
    for _ in 0..2 {
        out(&bench.make(&["--start", "--exe", "new.exe", "--in-place", "boot.wim"]));
        let startnet = text_in(&wim, "/WINDOWS/system32/startnet.cmd");
        assert!(startnet.find("wpeinit\r\n").unwrap() < startnet.find("coldmend.exe\r\n").unwrap(), "{startnet}");
        assert!(!startnet.contains(KEPT));
        assert_eq!(dir(&wim, "1").len(), 6, "{:#?}", dir(&wim, "1"));
    }
}

#[test]
fn the_image_that_boots_is_taken_or_the_one_that_is_named() {
    let Some(bench) = Bench::new("the_image_that_boots_is_taken_or_the_one_that_is_named", &["wimlib-imagex"]) else {
        return;
    };
    let two = bench.wim("boot.wim", "Windows/System32", Some(ORIGINAL));
    let other = bench.capture("other.wim", "Windows/System32", None, &["--compress=LZX"]);
    succeed(Command::new("wimlib-imagex").arg("export").arg(&other).arg("1").arg(&two).arg("Setup").arg("--boot"));

    out(&bench.make(&["--exe", "new.exe", "--output", "second.wim", "boot.wim"]));
    let has =
        |wim: &str, image: &str| dir(&bench.path(wim), image).contains(&"/Windows/System32/coldmend.exe".to_owned());
    assert!(has("second.wim", "2") && !has("second.wim", "1"));
    out(&bench.make(&["--exe", "new.exe", "--image", "1", "--output", "first.wim", "boot.wim"]));
    assert!(has("first.wim", "1") && !has("first.wim", "2"));
}

#[test]
fn the_wim_in_an_iso_is_changed_and_it_boots_as_before() {
    let test = "the_wim_in_an_iso_is_changed_and_it_boots_as_before";
    let Some(bench) = Bench::new(test, &["wimlib-imagex", "xorriso"]) else { return };
    let wim = bench.wim("boot.wim", "Windows/System32", Some(ORIGINAL));
    bench.iso("pe.iso", &wim);
    out(&bench.make(&["--start", "--exe", "new.exe", "--output", "new.iso", "pe.iso"]));

    let extract = |iso: &str, inside: &str, to: &str| {
        let to = bench.path(to);
        let mut command = Command::new("xorriso");
        command.arg("-indev").arg(bench.path(iso)).args(["-osirrox", "on", "-extract", inside]).arg(&to);
        succeed(&mut command);
        to
    };
    let inner = extract("new.iso", "/sources/boot.wim", "inner.wim");
    assert_eq!(file_in(&inner, "1", "/Windows/System32/coldmend.exe"), fs::read(bench.path("new.exe")).unwrap());
    assert!(text_in(&inner, "/Windows/System32/startnet.cmd").contains("coldmend.exe\r\n"));
    let bootmgr = extract("new.iso", "/bootmgr", "bootmgr");
    assert_eq!(fs::read(bootmgr).unwrap(), [3; 9]);

    let records = |iso: &str| {
        let report =
            succeed(Command::new("xorriso").arg("-indev").arg(bench.path(iso)).args(["-report_el_torito", "plain"]));
        let report = String::from_utf8(report).unwrap();
        // All but where on the disc it lies.
        let lines = report.lines().filter(|line| line.starts_with("El Torito boot img :"));
        lines.map(|line| line.split_whitespace().take(12).collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    assert_eq!(records("new.iso").len(), 2);
    assert_eq!(records("new.iso"), records("pe.iso"));
}

/// Microsoft's ISOs boot from places that no file shows.
#[test]
fn an_iso_that_boots_from_no_file_boots_as_before() {
    let test = "an_iso_that_boots_from_no_file_boots_as_before";
    let Some(bench) = Bench::new(test, &["wimlib-imagex", "xorriso"]) else { return };
    let wim = bench.wim("boot.wim", "Windows/System32", Some(ORIGINAL));
    let iso = bench.iso("pe.iso", &wim);
    // The boot catalog, whose place is in the boot record, comes to name the middle of a file in place of two files.
    let mut bytes = fs::read(&iso).unwrap();
    let at = |bytes: &[u8], place: usize| u32::from_le_bytes(bytes[place..place + 4].try_into().unwrap());
    let catalog = at(&bytes, 17 * 2048 + 0x47) as usize * 2048;
    let inside = bytes.chunks(2048).position(|sector| sector == [4; 2048]).unwrap() as u32;
    for (entry, sector) in [(0x20, inside), (0x60, inside + 2)] {
        bytes[catalog + entry + 8..catalog + entry + 12].copy_from_slice(&sector.to_le_bytes());
    }
    fs::write(&iso, bytes).unwrap();
    out(&bench.make(&["--exe", "new.exe", "--output", "new.iso", "pe.iso"]));
    let new = fs::read(bench.path("new.iso")).unwrap();
    let report =
        succeed(Command::new("xorriso").arg("-indev").arg(bench.path("new.iso")).args(["-report_el_torito", "plain"]));
    let report = String::from_utf8(report).unwrap();
    let mut seen = Vec::new();
    for line in report.lines().filter(|line| line.starts_with("El Torito boot img :")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let at = words.last().unwrap().parse::<usize>().unwrap() * 2048;
        seen.push((words[6].to_owned(), new[at], new[at + 4095]));
    }
    assert_eq!(seen, [("BIOS".to_owned(), 4, 4), ("UEFI".to_owned(), 5, 5)]);
}

#[test]
fn bad_input_is_named_and_leaves_nothing_behind() {
    let test = "bad_input_is_named_and_leaves_nothing_behind";
    let Some(bench) = Bench::new(test, &["wimlib-imagex", "xorriso"]) else { return };
    let wim = bench.wim("boot.wim", "Windows/System32", Some(ORIGINAL));
    bench.capture("data.wim", "Users/anna", None, &["--boot"]);
    bench.capture("solid.esd", "Windows/System32", None, &["--solid"]);
    bench.capture("pipe.wim", "Windows/System32", None, &["--pipable"]);
    bench.capture("two.wim", "Windows/System32", None, &["--compress=LZX"]);
    succeed(Command::new("wimlib-imagex").arg("export").arg(&wim).arg("1").arg(bench.path("two.wim")).arg("Two"));
    let x86 = bench.capture("x86.wim", "Windows/System32", None, &["--boot"]);
    succeed(Command::new("wimlib-imagex").arg("info").arg(x86).args(["1", "--image-property", "WINDOWS/ARCH=0"]));
    let whole = fs::read(&wim).unwrap();
    fs::write(bench.path("cut.wim"), &whole[..whole.len() / 2]).unwrap();
    fs::write(bench.path("empty"), b"").unwrap();
    fs::write(bench.path("text.iso"), b"no ISO at all\n".repeat(9000)).unwrap();
    let mut udf = vec![0; 80_000];
    udf[32769..32774].copy_from_slice(b"BEA01");
    fs::write(bench.path("udf.iso"), udf).unwrap();
    bench.iso("data.iso", &bench.path("data.wim"));
    let tree = bench.path("stub");
    fs::create_dir(&tree).unwrap();
    fs::write(tree.join("README.TXT"), b"this disc needs UDF").unwrap();
    succeed(Command::new("xorriso").args(["-as", "mkisofs", "-quiet", "-o"]).arg(bench.path("stub.iso")).arg(&tree));
    let mut script = fs::read(bench.path("new.exe")).unwrap();
    script[..2].copy_from_slice(b"#!");
    fs::write(bench.path("script"), script).unwrap();
    fs::write(bench.path("there.wim"), b"somebody's").unwrap();

    let (names, exe) = (bench.names(), ["--exe", "new.exe", "--output", "out"]);
    let cases: &[(&[&str], &str, i32)] = &[
        (&[], "which boot.wim or ISO?", 2),
        (&["boot.wim"], "--output FILE, or --in-place?", 2),
        (&["--output", "out", "--in-place", "boot.wim"], "exclude each other", 2),
        (&["--output", "out", "--image", "one", "boot.wim"], "takes the number", 2),
        (&["--output", "out", "boot.wim", "data.wim"], "one wim or ISO at a time", 2),
        (&["--output", "out", "--fast", "boot.wim"], "there is no --fast", 2),
        (&[&exe[..], &["none.wim"]].concat(), "there is no none.wim", 1),
        (&[&exe[..], &["stub"]].concat(), "is no file", 1),
        (&[&exe[..], &["empty"]].concat(), "neither a wim nor an ISO", 1),
        (&[&exe[..], &["text.iso"]].concat(), "neither a wim nor an ISO", 1),
        (&[&exe[..], &["udf.iso"]].concat(), "UDF", 1),
        (&[&exe[..], &["stub.iso"]].concat(), "no sources/boot.wim", 1),
        (&[&exe[..], &["data.iso"]].concat(), "it is no WinPE", 1),
        (&[&exe[..], &["data.wim"]].concat(), "it is no WinPE", 1),
        (&[&exe[..], &["cut.wim"]].concat(), "wimlib cannot read", 1),
        (&[&exe[..], &["solid.esd"]].concat(), "is an ESD", 1),
        (&[&exe[..], &["pipe.wim"]].concat(), "made for pipes", 1),
        (&[&exe[..], &["two.wim"]].concat(), "Choose one with --image", 1),
        (&[&exe[..], &["--image", "3", "two.wim"]].concat(), "there is no image 3", 1),
        (&[&exe[..], &["x86.wim"]].concat(), "is for x86_64, and image 1 is for x86", 1),
        (&["--exe", "none.exe", "--output", "out", "boot.wim"], "there is no program none.exe", 1),
        (&["--exe", "script", "--output", "out", "boot.wim"], "is no Windows program", 1),
        (&["--exe", "new.exe", "--output", "there.wim", "boot.wim"], "is there already", 1),
        (&["--exe", "new.exe", "--output", "nowhere/out", "boot.wim"], "there is no folder nowhere", 1),
        (&["--exe", "new.exe", "--in-place", "data.wim"], "it is no WinPE", 1),
    ];
    let before: Vec<_> =
        names.iter().filter(|name| *name != "stub").map(|name| fs::read(bench.path(name)).unwrap()).collect();
    for (arguments, expected, status) in cases {
        let output = bench.make(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(expected), "{arguments:?} said: {said}");
        assert_eq!(output.status.code(), Some(*status), "{arguments:?}: {said}");
        assert!(*status == 2 || said.ends_with("Nothing was written.\n"), "{arguments:?}: {said}");
        assert_eq!(bench.names(), names, "{arguments:?} left something behind");
    }
    let after: Vec<_> =
        names.iter().filter(|name| *name != "stub").map(|name| fs::read(bench.path(name)).unwrap()).collect();
    assert!(before == after, "a file has changed");
}

#[test]
fn without_wimlib_the_package_is_named() {
    let Some(bench) = Bench::new("without_wimlib_the_package_is_named", &[]) else { return };
    fs::write(bench.path("boot.wim"), b"MSWIM\0\0\0").unwrap();
    // A path with what the script itself uses, and no wimlib. The script adds /usr/sbin and /sbin, where it is not either.
    let tools = bench.path("tools");
    fs::create_dir(&tools).unwrap();
    for tool in ["bash", "dirname", "env", "sed"] {
        let found = ["/usr/bin", "/bin"].iter().map(|dir| Path::new(dir).join(tool)).find(|path| path.exists());
        std::os::unix::fs::symlink(found.unwrap(), tools.join(tool)).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/make-winpe-media");
    let mut command = Command::new(script);
    command.current_dir(bench.dir.path()).env("PATH", &tools).args(["--output", "out", "boot.wim"]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("wimtools") && said.contains("Nothing was written"), "{said}");
}
