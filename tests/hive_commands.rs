//! `coldmend hive …` on every hive of the corpus (clean, dirty with logs, damaged): statuses, nothing written by what only reads, JSON by
//! its schemas, and `.reg` text that makes the same tree again; judged by readers that are not ours.
#![allow(clippy::unwrap_used)]
#![cfg(unix)]

mod common;
#[path = "common/judges.rs"]
mod judges;

use std::fs;
use std::path::{Path, PathBuf};

use common::{run, scratch, tree, Run};
use judges::{Judge, KEY};
use serde_json::Value;
use tempfile::TempDir;

/// Every hive of the corpus with its logs, in a folder of its own; files that are no hives (logs, images) left out.
fn hives() -> Vec<PathBuf> {
    let Some(corpus) = std::env::var_os("COLDMEND_CORPUS") else {
        judges::skipped("COLDMEND_CORPUS is not set, so no real hive is looked at");
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(corpus).join("hives")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().to_uppercase();
            if path.is_dir() {
                folders.push(path);
            } else if ![".LOG", ".LOG1", ".LOG2"].iter().any(|log| name.ends_with(log)) {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(found.len() > 10, "{found:?}");
    found
}

/// A copy of a hive with its logs, called `H`.
fn copied(hive: &Path) -> (TempDir, PathBuf) {
    let folder = scratch();
    for ending in ["", ".LOG", ".LOG1", ".LOG2"] {
        let from = PathBuf::from(format!("{}{ending}", hive.display()));
        if from.is_file() {
            fs::write(folder.path().join(format!("H{ending}")), fs::read(&from).unwrap()).unwrap();
        }
    }
    let copy = folder.path().join("H");
    (folder, copy)
}

fn hive(words: &[&str]) -> Run {
    run(&[&["hive"], words].concat())
}

fn schema_fits(document: &Value) {
    let name = document["schema"].as_str().unwrap().strip_prefix("coldmend.").unwrap().strip_suffix("/1").unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/schemas/{name}.schema.json"));
    let schema: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let faults: Vec<String> = validator.iter_errors(document).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(faults.is_empty(), "{name}: {faults:#?}");
}

#[test]
fn reading_any_hive_ends_well_and_writes_nothing() {
    let mut seen = std::collections::BTreeMap::new();
    for path in hives() {
        let (folder, copy) = copied(&path);
        let before = tree(folder.path());
        let file = copy.to_str().unwrap();
        for (words, allowed) in [
            (&["info", file][..], &[0, 4][..]),
            (&["check", file], &[0, 1, 4]),
            (&["check", file, "--no-replay"], &[0, 1, 4]),
            (&["ls", file], &[0, 4]),
            (&["export", file], &[0, 4]),
            (&["diff", file, file], &[0, 4]),
        ] {
            let text = hive(words);
            let what = format!("{} {}: {}", path.display(), words[0], text.stderr);
            let status = text.status.unwrap_or_else(|| panic!("{what}: died"));
            assert!(allowed.contains(&status), "{what}: status {status}");
            assert!(!text.stderr.contains("panicked"), "{what}");
            let json = run(&[&["--format", "json", "hive"], words].concat()).expect(status);
            let document = json.json();
            schema_fits(&document);
            if status == 4 {
                assert!(text.stdout.is_empty() || words[0] == "export", "{what}");
                assert!(text.stderr.contains("coldmend: error: ") && text.stderr.contains("what to do"), "{what}");
            }
            if words[0] == "check" {
                assert_eq!(status == 1, document["fault_count"].as_u64().unwrap_or(0) > 0, "{what}");
                assert_eq!(
                    text.stdout.lines().filter(|l| l.starts_with("fault  offset 0x")).count() > 0,
                    status == 1,
                    "{what}"
                );
            }
            if words[0] == "diff" && status == 0 {
                assert_eq!(text.stdout, "", "{what}");
            }
            *seen.entry((words[0].to_string(), status)).or_insert(0) += 1;
        }
        // What the check passes can be read, and only that.
        let checked = hive(&["check", file]).status == Some(0);
        assert_eq!(hive(&["ls", file]).status == Some(0), checked, "{}", path.display());
        assert_eq!(tree(folder.path()), before, "{} was written to", path.display());
    }
    println!("statuses seen: {seen:?}");
}

/// Names that come twice are shown by readers in their own ways, and so are hives that Windows would not load.
fn sound() -> Vec<PathBuf> {
    let sound = |path: &PathBuf| hive(&["check", path.to_str().unwrap()]).status == Some(0);
    hives().into_iter().filter(|path| fs::metadata(path).unwrap().len() <= 512 << 10).filter(sound).collect()
}

/// Where hivex and libregf show what is not in the value: data above 16,344 bytes lies in segments, and both take the spare bytes at
/// the end of each of Windows' segments for data (4 too many per segment); and libregf reads past the end of a string that has no
/// NUL. The crate regf, which does neither, judges these.
fn is_their_own(judge: Judge, before: &Option<String>, after: &Option<String>) -> bool {
    let (Some(before), Some(after)) = (before, after) else { return false };
    let number = |what: &str, mark: &str| what.split(mark).nth(1)?.split([' ', '\n']).next()?.parse::<usize>().ok();
    match judge {
        Judge::Regf => false,
        Judge::Hivexml => number(before, "… ").is_some_and(|length| length > 8_000),
        Judge::Regfexport => match (number(before, "Data size: "), number(after, "Data size: ")) {
            (Some(long), Some(_)) if long > 16_344 => true,
            (Some(long), Some(short)) => {
                // Ours has zeros in the rest of the cell, where the string ends for it.
                let text = |what: &str| Some(what.split_once("Data: ")?.1.trim_end_matches(['\n', '\0']).to_owned());
                let read_on = text(before).zip(text(after)).is_some_and(|(long, short)| long.starts_with(&short));
                before.contains("string") && long >= short && read_on
            }
            _ => false,
        },
    }
}

/// What a judge sees but for what `.reg` can't tell: names' case, classes, descriptors, flags, times.
fn contents(judge: Judge, hive: &[u8]) -> Result<judges::Seen, String> {
    let mut seen = judge.look(hive)?;
    for items in seen.values_mut() {
        items.insert(KEY.into(), String::new());
    }
    Ok(seen)
}

/// Exported, everything deleted, set again: the same tree, as the judges see it.
#[test]
fn what_is_exported_makes_the_same_tree_again() {
    let mut judged = 0;
    for path in sound() {
        let (folder, copy) = copied(&path);
        let file = copy.to_str().unwrap();
        hive(&["recover", file]).expect(0);
        let original = folder.path().join("original");
        fs::copy(&copy, &original).unwrap();
        let reg = folder.path().join("all.reg");
        let exported = hive(&["export", file, "--output", reg.to_str().unwrap()]).expect(0);
        if exported.stderr.contains("left out") {
            println!("{}: {}", path.display(), exported.stderr.trim());
            continue;
        }
        let listed = run(&["--format", "json", "hive", "ls", file]).expect(0).json();
        let mut wiped = "Windows Registry Editor Version 5.00\n\n".to_string();
        for key in listed["subkeys"].as_array().unwrap() {
            wiped += &format!("[-\\{}]\n", key.as_str().unwrap());
        }
        let none = folder.path().join("none.reg");
        fs::write(&none, wiped).unwrap();
        let wiped = hive(&["set", file, "--reg", none.to_str().unwrap()]);
        if wiped.status == Some(3) || wiped.stderr.contains("not edited") || wiped.stderr.contains("can not be a name")
        {
            println!("{}: {}", path.display(), wiped.stderr.lines().next().unwrap_or_default());
            continue;
        }
        wiped.expect(0);
        let set = hive(&["set", file, "--reg", reg.to_str().unwrap()]);
        // Some names of real hives are read, but never created (documented in the engine).
        if set.status == Some(2) && set.stderr.contains("can not be a name") {
            println!("{}: {}", path.display(), set.stderr.lines().last().unwrap_or_default());
            continue;
        }
        set.expect(0);
        let same = hive(&["diff", original.to_str().unwrap(), file]);
        assert_eq!((same.status, same.stdout.as_str()), (Some(0), ""), "{}", path.display());
        let (before, after) = (fs::read(&original).unwrap(), fs::read(&copy).unwrap());
        for judge in Judge::present() {
            // What a judge could not read before is not for it to judge.
            if let Ok(before) = contents(judge, &before) {
                let after = contents(judge, &after).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                let mut difference = judges::difference(&before, &after);
                difference.retain(|_, [before, after]| !is_their_own(judge, before, after));
                assert!(difference.is_empty(), "{} {judge:?}: {difference:?}", path.display());
                judged += 1;
            }
        }
    }
    println!("{judged} judgements");
}

/// `diff A B`, set on A, gives B; as the judges see it.
#[test]
fn a_difference_makes_the_second_of_the_first() {
    let pairs = [
        (
            "janstarke+dfir-toolkit/hivescan__NewDirtyHive1__NewDirtyHive",
            "janstarke+dfir-toolkit/hivescan__NewDirtyHive1__RecoveredHive_Windows10",
        ),
        ("mkorman90+regipy/NTUSER.DAT", "mkorman90+regipy/NTUSER_modified.DAT"),
        ("mkorman90+regipy/NTUSER.DAT", "strozfriedberg+notatin/win7_ntuser.dat"),
        ("log2timeline+dfwinreg/NTUSER.DAT", "osquery+osquery/registry__NTUSER.DAT"),
        ("fox-it+dissect.regf/SYSTEM", "mkorman90+regipy/SYSTEM"),
        ("BitCurator+bcc-dfa-sample-data/registry__SYSTEM", "pypi+dfwinreg/SYSTEM"),
    ];
    let all = hives();
    for (one, two) in pairs {
        let find = |end: &str| all.iter().find(|path| path.ends_with(end));
        let (Some(one), Some(two)) = (find(one), find(two)) else { continue };
        let (folder, copy) = copied(one);
        let file = copy.to_str().unwrap();
        hive(&["recover", file]).expect(0);
        let reg = folder.path().join("diff.reg");
        let reg = reg.to_str().unwrap();
        let diff = hive(&["diff", file, two.to_str().unwrap(), "--output", reg]);
        if diff.status == Some(0) {
            continue;
        }
        diff.expect(1);
        hive(&["set", file, "--reg", reg]).expect(0);
        let left = hive(&["diff", file, two.to_str().unwrap()]);
        assert_eq!((left.status, left.stdout.as_str()), (Some(0), ""), "{}", one.display());
        hive(&["set", file, "--reg", reg]).expect(0);
        let (made, wanted) = (fs::read(&copy).unwrap(), fs::read(two).unwrap());
        let fold = |seen: judges::Seen| -> judges::Seen {
            let items = |items: std::collections::BTreeMap<String, String>| {
                items.into_iter().map(|(name, what)| (name.to_uppercase(), what)).collect()
            };
            seen.into_iter().map(|(path, seen)| (path.to_uppercase(), items(seen))).collect()
        };
        let judge = Judge::Regf;
        if let (Ok(made), Ok(wanted)) = (contents(judge, &made), contents(judge, &wanted)) {
            let difference = judges::difference(&fold(made), &fold(wanted));
            assert!(difference.is_empty(), "{} {judge:?}: {difference:?}", one.display());
        }
    }
}

/// Recovered in place and into a file: the same, and what yarp made of it.
#[test]
fn recovery_is_what_yarp_makes_of_it() {
    let mut compared = 0;
    for path in hives() {
        let (folder, copy) = copied(&path);
        let file = copy.to_str().unwrap();
        let info = run(&["--format", "json", "hive", "info", file]);
        if info.status != Some(0) || info.json()["clean"] == true {
            continue;
        }
        let output = folder.path().join("out");
        let before = tree(folder.path());
        let out = hive(&["recover", file, "--output", output.to_str().unwrap()]);
        if out.status == Some(4) {
            assert_eq!(tree(folder.path()), before);
            assert!(out.stderr.contains("what to do"), "{out:?}");
            hive(&["recover", file]).expect(4);
            hive(&["set", file, "X", "x", "1", "--type", "dword"]).expect(4);
            assert_eq!(tree(folder.path()), before);
            continue;
        }
        out.expect(0);
        let mut after = tree(folder.path());
        after.remove(Path::new("out"));
        after.remove(Path::new(""));
        let mut only_hive = before;
        only_hive.remove(Path::new(""));
        assert_eq!(after, only_hive, "{}: --output wrote to the hive", path.display());
        let exists = hive(&["recover", file, "--output", output.to_str().unwrap()]).expect(3);
        assert!(exists.stderr.contains("not there yet"), "{exists:?}");

        hive(&["recover", file]).expect(0);
        let [one, two] = [&output, &copy].map(|path| fs::read(path).unwrap());
        // A number that no log has is only needed in place.
        assert!(one[512..] == two[512..], "{}: in place and into a file differ", path.display());
        let again = hive(&["recover", file]).expect(0);
        assert!(again.stdout.contains("clean already"), "{again:?}");
        assert_eq!(fs::read(&copy).unwrap(), two);

        let corpus = PathBuf::from(std::env::var_os("COLDMEND_CORPUS").unwrap());
        let below = path.strip_prefix(corpus.join("hives")).unwrap().display().to_string().replace('/', "__");
        let reference = corpus.join(format!("reference/{below}.yarp-recovered"));
        if let Ok(reference) = fs::read(&reference) {
            let sees = Judge::Regf.look(&two).unwrap();
            let difference = judges::difference(&sees, &Judge::Regf.look(&reference).unwrap());
            assert!(difference.is_empty(), "{below}: {difference:?}");
            compared += 1;
        }
    }
    println!("{compared} recoveries are as the reference");
}
