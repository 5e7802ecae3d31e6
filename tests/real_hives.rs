//! The main job on real hives: each SYSTEM and SOFTWARE hive of the corpus, in a volume made around it, is diagnosed without an alarm,
//! broken, repaired and given back, and readers that are not ours say what changed.
//!
//! Needs the corpus of real hives at `COLDMEND_CORPUS`, and the programs `hivexml` and `regfexport`. What is missing is said.
#![cfg(unix)]
#![allow(clippy::unwrap_used)]

#[path = "common/judges.rs"]
mod judges;
#[path = "common/real.rs"]
mod real;
#[path = "common/real_volume.rs"]
mod volume;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use coldmend_fixtures::{sddl, Damage, Version, VolumeSpec};
use coldmend_hives::Hive;
use judges::{difference, Judge, Seen};
use real::{clean_hives, understood, Kind, RealHive, Windows, NOW};
use serde_json::Value;
use tempfile::TempDir;
use volume::{build, coldmend, config_file, files_of, hive_on, spec_for, tree};

/// What the documents tell people to set (the seeds' own string).
const SEED_SDDL: &str =
    "D:(A;;CCLCSWRPWPDTLO;;;SY)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;CCLCSWLOCRRC;;;AU)(A;;CCLCSWRPWPDTLO;;;PU)";

/// The volumes hold what their hives name, and that is why no alarm is raised: without those files there are many.
#[test]
fn files_that_real_hives_name_are_missed() {
    each_of_kind(Kind::System, |real| {
        let mut spec = spec_for(real);
        let all = spec.extra_files.len();
        spec.extra_files.retain(|(path, _)| !path.to_lowercase().ends_with(".sys"));
        let drivers = all - spec.extra_files.len();
        let answer = coldmend(&["diagnose"], build(&spec).path()).expect(1, &real.name);
        let missed = answer.alarms().into_iter().filter(|(id, _)| id == "service-file").count();
        assert!(drivers > 50 && missed > 20, "{}: {missed} of {drivers}", real.name);
    });
}

/// What was broken in a real hive.
struct Broken {
    /// The hive file.
    bytes: Vec<u8>,
    /// The alarm that each damage must raise: check and service, in lower case.
    alarms: BTreeSet<(String, String)>,
    /// The values that were broken, in lower case.
    places: BTreeSet<String>,
}

impl Broken {
    fn new() -> Broken {
        Broken { bytes: Vec::new(), alarms: BTreeSet::new(), places: BTreeSet::new() }
    }

    fn set(&mut self, hive: &mut Hive, alarm: (&str, &str), key: &str, name: &str, data: &[u8]) {
        let data_type = hive.find_key(key).unwrap().unwrap().value(name).unwrap().map_or(7, |value| value.data_type());
        hive.set_value(key, name, data_type, data, NOW).unwrap();
        self.alarms.insert((alarm.0.to_owned(), alarm.1.to_lowercase()));
        self.places.insert(format!("{key}\\{name}").to_lowercase());
    }
}

/// Disabled services, another account, a deny entry, a dependency on nothing, privileges cut off.
fn break_system(real: &RealHive) -> Broken {
    let mut hive = Hive::open(real.bytes.clone()).unwrap();
    let set = real::control_set(&hive).unwrap();
    let services = format!("{set}\\Services");
    let mut broken = Broken::new();
    let disabled = 4_u32.to_le_bytes();
    for service in ["wuauserv", "BITS"] {
        broken.set(&mut hive, ("service-start", service), &format!("{services}\\{service}"), "Start", &disabled);
    }
    // XP has no UsoSvc.
    let there = |hive: &Hive, service: &str| hive.find_key(&format!("{services}\\{service}")).unwrap().is_some();
    let victim = ["UsoSvc", "msiserver"].into_iter().find(|service| there(&hive, service)).unwrap();
    let guest = real::string(".\\Guest");
    broken.set(&mut hive, ("service-account", victim), &format!("{services}\\{victim}"), "ObjectName", &guest);

    let key = format!("{services}\\wuauserv\\Security");
    let descriptor =
        hive.find_key(&key).unwrap().unwrap().value("Security").unwrap().unwrap().data().unwrap().into_owned();
    let denied = sddl::with_first_entry(&descriptor, "(D;;DCRPWPSDWDWO;;;SY)");
    broken.set(&mut hive, ("service-descriptor", "wuauserv"), &key, "Security", &denied);

    let key = format!("{services}\\BITS");
    let mut depends = real::list(&hive.find_key(&key).unwrap().unwrap(), "DependOnService").unwrap();
    depends.push("NoSuchBlocker".into());
    broken.set(&mut hive, ("service-dependencies", "BITS"), &key, "DependOnService", &real::multi_string(&depends));

    let key = format!("{services}\\wuauserv");
    match real::list(&hive.find_key(&key).unwrap().unwrap(), "RequiredPrivileges") {
        Some(names) if names.len() > 1 => {
            let cut = real::multi_string(&names[..1]);
            broken.set(&mut hive, ("service-privileges", "wuauserv"), &key, "RequiredPrivileges", &cut);
        }
        // Before Vista there were no such lists.
        _ => assert!(
            matches!(real.windows, Windows::Known(Version::Xp | Version::Xp64 | Version::Server2003)),
            "{}",
            real.name
        ),
    }
    broken.bytes = real::committed(hive);
    broken
}

/// A service out of its svchost group.
fn break_software(real: &RealHive) -> Broken {
    let mut hive = Hive::open(real.bytes.clone()).unwrap();
    let mut broken = Broken::new();
    let key = "Microsoft\\Windows NT\\CurrentVersion\\Svchost";
    let mut names = real::list(&hive.find_key(key).unwrap().unwrap(), "netsvcs").unwrap();
    let all = names.len();
    names.retain(|name| !name.eq_ignore_ascii_case("wuauserv"));
    assert_eq!(names.len(), all - 1, "{}: wuauserv is in netsvcs once", real.name);
    broken.set(&mut hive, ("service-svchost-group", "wuauserv"), key, "netsvcs", &real::multi_string(&names));
    broken.bytes = real::committed(hive);
    broken
}

/// A volume with a broken real hive, broken caches and a poisoned queue.
fn broken_volume(real: &RealHive, broken: &Broken) -> TempDir {
    let mut spec = spec_for(real);
    match real.kind {
        Kind::System => spec.system_hive = Some(broken.bytes.clone()),
        Kind::Software => {
            spec.software_hive = Some(broken.bytes.clone());
            spec.damages.push(Damage::DisableService("BITS".into()));
        }
    }
    spec.damages.extend([Damage::GarbageDataStore, Damage::PoisonedCatroot2, Damage::QmgrGarbage]);
    build(&spec)
}

fn lower(places: BTreeMap<(String, String), [Option<String>; 2]>) -> BTreeSet<String> {
    places.into_keys().map(|(key, item)| format!("{key}\\{item}").to_lowercase()).collect()
}

/// A hive before a change, as each judge sees it.
struct Bench {
    name: String,
    before: Vec<(Judge, Seen)>,
}

impl Bench {
    fn new(name: &str, hive: &[u8]) -> Bench {
        let look = |judge: Judge| (judge, judge.look(hive).unwrap_or_else(|error| panic!("{name}: {error}")));
        Bench { name: name.to_owned(), before: Judge::present().into_iter().map(look).collect() }
    }

    /// Every judge sees these values changed, and nothing else: no key, class, descriptor or value.
    fn sees_only(&self, hive: &[u8], places: &BTreeSet<String>, when: &str) {
        for (judge, before) in &self.before {
            let after = judge.look(hive).unwrap_or_else(|error| panic!("{}, {when}: {error}", self.name));
            let changed = difference(before, &after);
            let shown = format!("{changed:#?}");
            assert_eq!(lower(changed), *places, "{}, {when}, as {judge:?} sees it:\n{shown}", self.name);
        }
    }
}

/// The whole way of one broken real hive.
fn mended_and_given_back(real: &RealHive) {
    let name = &real.name;
    let broken = if real.kind == Kind::System { break_system(real) } else { break_software(real) };
    let volume = broken_volume(real, &broken);
    let root = volume.path();
    let bench = Bench::new(name, &broken.bytes);
    let partner = if real.kind == Kind::System { Kind::Software } else { Kind::System };
    let partner_before = hive_on(root, partner);
    let (all_before, files_before) = (tree(root), files_of(root));

    // Every damage is named, nothing else is, and nothing is written.
    let diagnosis = coldmend(&["diagnose"], root).expect(1, name);
    let mut expected = broken.alarms.clone();
    for (check, subject) in
        [("update-cache", "softwaredistribution"), ("catalog-cache", "catroot2"), ("bits-queue", "downloader")]
    {
        let said = diagnosis.alarms().into_iter().find(|alarm| alarm.0 == check);
        let said = said.unwrap_or_else(|| panic!("{name}: no {check}\n{}", diagnosis.said));
        assert!(said.1.contains(subject), "{name}: {check} is about {}", said.1);
        expected.insert(said);
    }
    if real.kind == Kind::Software {
        expected.insert(("service-start".into(), "bits".into()));
    }
    assert_eq!(diagnosis.alarms(), expected, "{name}\n{}", diagnosis.said);
    assert_eq!(tree(root), all_before, "{name}: diagnose wrote");

    // A dry run does all of it, and writes nothing.
    let dry = coldmend(&["repair", "--dry-run"], root).expect(0, name);
    assert_eq!(dry.state(), "planned");
    assert_eq!(tree(root), all_before, "{name}: the dry run wrote");

    let repair = coldmend(&["repair", "--yes"], root).expect(0, name);
    assert_eq!(repair.state(), "done", "{name}\n{}", repair.said);
    assert!(repair.actions().iter().all(|action| action["state"] == "verified"), "{name}\n{}", repair.said);
    let own = if real.kind == Kind::System { "SYSTEM" } else { "SOFTWARE" };
    assert_eq!(repair.values_in(own), broken.places, "{name}: the plan names what was broken");
    let repaired = hive_on(root, real.kind);
    bench.sees_only(&repaired, &broken.places, "repaired");
    as_before_the_damage(real, &repaired);
    if real.kind == Kind::System {
        assert_eq!(hive_on(root, partner), partner_before, "{name}: SOFTWARE had nothing to mend");
    }
    coldmend(&["diagnose"], root).expect(0, name);

    // Once more: nothing to do, and not a byte is written.
    let after_repair = tree(root);
    let again = coldmend(&["repair", "--yes"], root).expect(0, name);
    assert_eq!((again.state(), again.actions().len()), ("nothing-to-do", 0), "{name}\n{}", again.said);
    assert_eq!(tree(root), after_repair, "{name}: the second repair wrote");

    // And back.
    let undo = coldmend(&["undo", "--yes"], root).expect(0, name);
    assert_eq!(undo.state(), "undone", "{name}\n{}", undo.said);
    bench.sees_only(&hive_on(root, real.kind), &BTreeSet::new(), "undone");
    let partner_after = hive_on(root, partner);
    if partner_after != partner_before {
        Bench::new(name, &partner_before).sees_only(&partner_after, &BTreeSet::new(), "the partner, undone");
    }
    assert_eq!(files_of(root), files_before, "{name}: the files are back");
    assert_eq!(coldmend(&["diagnose"], root).expect(1, name).alarms(), expected, "{name}: diagnosed again");
}

/// A repaired hive holds what it held before it was broken; lists may be in another order, and texts in another case.
fn as_before_the_damage(real: &RealHive, repaired: &[u8]) {
    let (before, after) = (seen_in(real), Judge::Regf.look(repaired).unwrap());
    let (before_hive, after_hive) = (Hive::open(real.bytes.clone()).unwrap(), Hive::open(repaired.to_vec()).unwrap());
    for ((key, item), seen) in difference(&before, &after) {
        let [was, is] = [&before_hive, &after_hive].map(|hive| understood(hive, &key, &item));
        assert!(was.is_some() && was == is, "{}: {key}\\{item} was {was:?} and is {is:?}: {seen:#?}", real.name);
    }
}

/// A hive of the corpus as the crate `regf` sees it; looked at once.
fn seen_in(real: &RealHive) -> Arc<Seen> {
    static SEEN: Mutex<BTreeMap<String, Arc<Seen>>> = Mutex::new(BTreeMap::new());
    let known = SEEN.lock().unwrap().get(&real.name).cloned();
    known.unwrap_or_else(|| {
        let seen = Arc::new(Judge::Regf.look(&real.bytes).unwrap());
        SEEN.lock().unwrap().insert(real.name.clone(), seen.clone());
        seen
    })
}

fn each_of_kind(kind: Kind, what: impl Fn(&RealHive)) {
    let Some(hives) = clean_hives() else { return };
    let mut done = 0;
    for hive in hives.iter().filter(|hive| hive.kind == kind) {
        match hive.windows {
            Windows::Known(_) => {
                what(hive);
                done += 1;
            }
            Windows::Other(build) => {
                eprintln!("{}: build {build} has no tables; left to the test of healthy hives", hive.name)
            }
        }
    }
    eprintln!("{done} {kind:?} hives");
}

#[test]
fn system_hives_are_mended_and_given_back() {
    each_of_kind(Kind::System, mended_and_given_back);
}

#[test]
fn software_hives_are_mended_and_given_back() {
    each_of_kind(Kind::Software, mended_and_given_back);
}

#[test]
fn the_complete_reset_of_a_healthy_volume_leaves_healthy_values_alone() {
    each_of_kind(Kind::System, |real| {
        let name = &real.name;
        let volume = build(&spec_for(real));
        let root = volume.path();
        let before = seen_in(real);
        let files = files_of(root);
        for keep_history in [false, true] {
            let mut arguments = vec!["repair", "--reset", "--yes"];
            arguments.extend(keep_history.then_some("--keep-history"));
            let reset = coldmend(&arguments, root).expect(0, name);
            assert_eq!(reset.state(), "done", "{name}\n{}", reset.said);
            let renamed: BTreeSet<String> = reset
                .actions()
                .iter()
                .filter(|action| action["kind"] == "rename")
                .map(|action| action["where"].as_str().unwrap().rsplit('\\').next().unwrap().to_lowercase())
                .collect();
            let cache = if keep_history { "download" } else { "softwaredistribution" };
            for folder in [cache, "catroot2"] {
                assert!(renamed.contains(folder), "{name}: {folder} in {renamed:?}");
            }
            let after = Judge::Regf.look(&hive_on(root, Kind::System)).unwrap();
            let changed = lower(difference(&before, &after));
            assert_eq!(changed, reset.values_in("SYSTEM"), "{name}: the plan names what changed");
            // What a healthy hive holds is healthy: only start types and what belongs to them may be set to the default.
            for place in &changed {
                let value = place.rsplit('\\').next().unwrap();
                assert!(["start", "delayedautostart"].contains(&value), "{name}: {place}");
            }
            coldmend(&["diagnose"], root).expect(0, name);
            coldmend(&["undo", "--yes"], root).expect(0, name);
            assert_eq!(files_of(root), files, "{name}: the files are back");
            let back = Judge::Regf.look(&hive_on(root, Kind::System)).unwrap();
            assert_eq!(difference(&before, &back), BTreeMap::new(), "{name}: the values are back");
        }
    });
}

#[test]
fn a_descriptor_that_somebody_asks_for_is_written_with_a_warning() {
    each_of_kind(Kind::System, |real| {
        let name = &real.name;
        let volume = build(&spec_for(real));
        let root = volume.path();
        let before = seen_in(real);
        let given: Vec<String> = ["wuauserv", "BITS"].iter().map(|service| format!("{service}={SEED_SDDL}")).collect();
        let repair = coldmend(&["repair", "--yes", "--sddl", &given[0], "--sddl", &given[1]], root).expect(0, name);
        assert_eq!(repair.state(), "done", "{name}\n{}", repair.said);
        let warnings = repair.json["warnings"].as_array().unwrap();
        for service in ["wuauserv", "BITS"] {
            let warned =
                warnings.iter().filter_map(Value::as_str).any(|text| text.contains(service) && text.contains("wrong"));
            assert!(warned, "{name}: no warning about {service}: {warnings:?}");
        }
        let hive = Hive::open(real.bytes.clone()).unwrap();
        let set = real::control_set(&hive).unwrap().to_lowercase();
        let after = Judge::Regf.look(&hive_on(root, Kind::System)).unwrap();
        let wanted: BTreeSet<String> = ["wuauserv", "bits"]
            .iter()
            .map(|service| format!("{set}\\services\\{service}\\security\\security"))
            .collect();
        let changed = difference(&before, &after);
        // The DACL as compiled by the fixtures, which share no code with the tool; owner, group and SACL stay.
        let dacl = |bytes: &[u8]| {
            let at = u32::from_le_bytes(bytes[16..20].try_into().unwrap()) as usize;
            let size = usize::from(u16::from_le_bytes(bytes[at + 2..at + 4].try_into().unwrap()));
            bytes[at..at + size].to_vec()
        };
        let repaired = Hive::open(hive_on(root, Kind::System)).unwrap();
        for (key, item) in changed.keys() {
            if item == judges::KEY {
                // A service without a descriptor gets the key for one.
                assert!(!before.contains_key(key), "{name}: the key {key} is another");
                continue;
            }
            let data =
                repaired.find_key(key).unwrap().unwrap().value(item).unwrap().unwrap().data().unwrap().into_owned();
            assert_eq!(dacl(&data), dacl(&sddl::compile(SEED_SDDL)), "{name}: {key}");
        }
        let mut changed = lower(changed);
        changed.retain(|place| !place.ends_with(judges::KEY));
        assert_eq!(changed, wanted, "{name}");
        coldmend(&["undo", "--yes"], root).expect(0, name);
        let back = Judge::Regf.look(&hive_on(root, Kind::System)).unwrap();
        assert_eq!(difference(&before, &back), BTreeMap::new(), "{name}: undone");
    });
}

#[test]
fn a_start_type_is_set_and_given_back() {
    each_of_kind(Kind::System, |real| {
        let name = &real.name;
        let volume = build(&spec_for(real));
        let root = volume.path();
        let before = seen_in(real);
        let hive = Hive::open(real.bytes.clone()).unwrap();
        let set = real::control_set(&hive).unwrap();
        let place = format!("{set}\\Services\\wuauserv\\Start").to_lowercase();
        let output = Command::new(env!("CARGO_BIN_EXE_coldmend"))
            .args(["--format", "json", "service", "set"])
            .arg(root)
            .args(["wuauserv", "--start", "disabled", "--yes"])
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let after_bytes = hive_on(root, Kind::System);
        let after = Judge::Regf.look(&after_bytes).unwrap();
        assert_eq!(lower(difference(&before, &after)), BTreeSet::from([place]), "{name}");
        let after_hive = Hive::open(after_bytes).unwrap();
        let key = after_hive.find_key(&format!("{set}\\Services\\wuauserv")).unwrap().unwrap();
        assert_eq!(*key.value("Start").unwrap().unwrap().data().unwrap(), 4_u32.to_le_bytes());
        let alarms = coldmend(&["diagnose"], root).expect(1, name).alarms();
        assert!(alarms.contains(&("service-start".into(), "wuauserv".into())), "{name}: {alarms:?}");
        coldmend(&["undo", "--yes"], root).expect(0, name);
        let back = Judge::Regf.look(&hive_on(root, Kind::System)).unwrap();
        assert_eq!(difference(&before, &back), BTreeMap::new(), "{name}: undone");
    });
}

#[test]
fn dirty_hives_are_recovered_or_refused_as_they_are() {
    let Some(corpus) = real::corpus() else { return };
    let dirty: Vec<RealHive> = real::hives(&corpus).into_iter().filter(|hive| !hive.clean).collect();
    if dirty.is_empty() {
        judges::skipped("the corpus has no dirty SYSTEM or SOFTWARE hive");
    }
    for hive in dirty {
        let volume = build(&spec_for(&hive));
        let root = volume.path();
        let file = config_file(root, if hive.kind == Kind::System { "SYSTEM" } else { "SOFTWARE" });
        for (suffix, log) in [("LOG", &hive.logs.log), ("LOG1", &hive.logs.log1), ("LOG2", &hive.logs.log2)] {
            if let Some(bytes) = log {
                fs::write(PathBuf::from(format!("{}.{suffix}", file.display())), bytes).unwrap();
            }
        }
        let before = tree(root);
        let recoverable = Hive::recover(hive.bytes.clone(), &hive.logs).is_ok();
        let answer = coldmend(&["diagnose"], root);
        assert_eq!(tree(root), before, "{}: diagnose wrote", hive.name);
        if recoverable {
            assert!([0, 1].contains(&answer.status), "{}\n{}", hive.name, answer.said);
            eprintln!("{}: recovered in memory; alarms: {:?}", hive.name, answer.alarms());
        } else {
            let answer = answer.expect(4, &hive.name);
            assert_eq!(answer.json["error"]["kind"], "unreadable", "{}\n{}", hive.name, answer.said);
        }
    }
}

/// The judges are no yes-men: one changed value, class or descriptor of a key is seen, and where.
#[test]
fn judges_see_a_single_change() {
    let before = coldmend_fixtures::system_hive(&VolumeSpec::new(Version::Ten22H2)).unwrap();
    let bench = Bench::new("a generated SYSTEM", &before);
    let key = "ControlSet001\\Services\\BITS";
    let changed = |edit: &dyn Fn(&mut Hive)| {
        let mut hive = Hive::open(before.clone()).unwrap();
        edit(&mut hive);
        real::committed(hive)
    };
    let place = |item: &str| BTreeSet::from([format!("{key}\\{item}").to_lowercase()]);

    let value = changed(&|hive| hive.set_value(key, "ErrorControl", 4, &[2, 0, 0, 0], NOW).unwrap());
    bench.sees_only(&value, &place("ErrorControl"), "a value changed");
    let type_only = changed(&|hive| {
        let data =
            hive.find_key(key).unwrap().unwrap().value("ObjectName").unwrap().unwrap().data().unwrap().into_owned();
        hive.set_value(key, "ObjectName", 2, &data, NOW).unwrap();
    });
    bench.sees_only(&type_only, &place("ObjectName"), "a type changed");
    let gone = changed(&|hive| hive.delete_value(key, "ErrorControl", NOW).unwrap());
    bench.sees_only(&gone, &place("ErrorControl"), "a value gone");

    let (_, regf) = bench.before.iter().find(|(judge, _)| *judge == Judge::Regf).unwrap();
    let class = changed(&|hive| hive.set_class(key, Some("class"), NOW).unwrap());
    assert_eq!(lower(difference(regf, &Judge::Regf.look(&class).unwrap())), place(judges::KEY));
    let descriptor = sddl::compile("O:BAG:BAD:(A;;GA;;;SY)");
    let security = changed(&|hive| hive.set_key_security(key, &descriptor, NOW).unwrap());
    assert_eq!(lower(difference(regf, &Judge::Regf.look(&security).unwrap())), place(judges::KEY));
}

/// A broken volume around a SYSTEM hive: repaired, no alarm is left, the plan names what the judge sees, and undo takes it all back.
fn repaired_whole(real: &RealHive, broken: Hive) -> Vec<u8> {
    let name = &real.name;
    let mut spec = spec_for(real);
    spec.system_hive = Some(real::committed(broken));
    let volume = build(&spec);
    let root = volume.path();
    let damaged = Judge::Regf.look(&hive_on(root, Kind::System)).unwrap();
    let alarms = coldmend(&["diagnose"], root).expect(1, name);
    for finding in alarms.json["findings"].as_array().unwrap() {
        assert!(finding["severity"] == "note" || finding["remedy"].is_string(), "{name}: no remedy: {finding}");
    }
    let repair = coldmend(&["repair", "--yes"], root).expect(0, name);
    let repaired = hive_on(root, Kind::System);
    let mut changed = lower(difference(&damaged, &Judge::Regf.look(&repaired).unwrap()));
    // Keys that are made anew are actions of their own.
    changed.retain(|place| !place.ends_with(judges::KEY));
    assert_eq!(changed, repair.values_in("SYSTEM"), "{name}");
    coldmend(&["diagnose"], root).expect(0, name);
    coldmend(&["undo", "--yes"], root).expect(0, name);
    let back = Judge::Regf.look(&hive_on(root, Kind::System)).unwrap();
    assert_eq!(difference(&damaged, &back), BTreeMap::new(), "{name}: undone");
    repaired
}

/// Every value of every update service broken at once: what comes back is what was there, so the tables say what real hives say.
#[test]
fn a_hive_broken_everywhere_comes_back_as_it_was() {
    each_of_kind(Kind::System, |real| {
        let mut hive = Hive::open(real.bytes.clone()).unwrap();
        let set = real::control_set(&hive).unwrap();
        for service in [
            "wuauserv",
            "BITS",
            "CryptSvc",
            "msiserver",
            "AppIDSvc",
            "TrustedInstaller",
            "UsoSvc",
            "WaaSMedicSvc",
            "DoSvc",
        ] {
            let key = format!("{set}\\Services\\{service}");
            let Some(found) = hive.find_key(&key).unwrap() else { continue };
            let privileges = real::list(&found, "RequiredPrivileges").unwrap_or_default();
            let damages: [(&str, &str, u32, Vec<u8>); 6] = [
                ("", "Start", 4, 4_u32.to_le_bytes().to_vec()),
                ("", "ObjectName", 1, real::string(".\\Guest")),
                ("", "ImagePath", 2, real::string("%SystemRoot%\\Temp\\updater.exe")),
                ("", "RequiredPrivileges", 7, real::multi_string(privileges.get(..1).unwrap_or_default())),
                ("", "DependOnService", 7, real::multi_string(&["NoSuchBlocker".into()])),
                ("\\Parameters", "ServiceDll", 2, real::string("%SystemRoot%\\system32\\blocked.dll")),
            ];
            for (below, value, data_type, data) in damages {
                let key = format!("{key}{below}");
                if hive.find_key(&key).unwrap().is_some_and(|key| key.value(value).unwrap().is_some()) {
                    hive.set_value(&key, value, data_type, &data, NOW).unwrap();
                }
            }
            let key = format!("{key}\\Security");
            let found = hive.find_key(&key).unwrap();
            let found = found.and_then(|key| Some(key.value("Security").unwrap()?.data().unwrap().into_owned()));
            // What is no descriptor (CryptSvc's five bytes) stays.
            if let Some(descriptor) = found.filter(|descriptor| descriptor.len() > 20) {
                hive.set_value(&key, "Security", 3, &sddl::with_empty_dacl(&descriptor), NOW).unwrap();
            }
        }
        let repaired = repaired_whole(real, hive);
        as_before_the_damage(real, &repaired);
    });
}

/// A service's key that is gone is made again, triggers too.
#[test]
fn keys_that_are_gone_are_made_again() {
    each_of_kind(Kind::System, |real| {
        let mut hive = Hive::open(real.bytes.clone()).unwrap();
        let set = real::control_set(&hive).unwrap();
        hive.delete_key(&format!("{set}\\Services\\BITS"), NOW).unwrap();
        let triggers = format!("{set}\\Services\\wuauserv\\TriggerInfo");
        if hive.find_key(&triggers).unwrap().is_some() {
            hive.delete_key(&triggers, NOW).unwrap();
        }
        let repaired = repaired_whole(real, hive);
        let [before, after] = [&real.bytes, &repaired].map(|bytes| Hive::open(bytes.clone()).unwrap());
        for ((key, item), seen) in difference(&seen_in(real), &Judge::Regf.look(&repaired).unwrap()) {
            // Not made again: the counters, which are registered anew, the text in the machine's language, and a descriptor of
            // the key's own where it had one (it inherits).
            let place = format!("{key}\\{item}").to_lowercase();
            if place.contains("\\bits\\performance\\") || place.ends_with("\\description") || item == judges::KEY {
                assert!(["\\bits", "\\triggerinfo"].iter().any(|own| place.contains(own)), "{}: {place}", real.name);
                continue;
            }
            let [was, is] = [&before, &after].map(|hive| {
                let value = hive.find_key(&key).unwrap()?.value(&item).unwrap()?;
                Some((value.data_type(), value.data().unwrap().into_owned()))
            });
            let same = was == is || understood(&before, &key, &item) == understood(&after, &key, &item);
            assert!(was.is_some() && same, "{}: {key}\\{item}: {seen:?}", real.name);
        }
    });
}
