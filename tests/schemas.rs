//! The JSON schemas in `docs/schemas/`, held against what the program really writes: healthy, broken, repaired, undone,
//! refused. Published schemas are open (fields may be added); here they are closed first, so that a field that no schema
//! tells of fails a test, and the schemas must refuse documents that are wrong.
#![allow(clippy::unwrap_used)]
// The volumes are made and damaged through Unix.
#![cfg(unix)]

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use coldmend::error::Kind;
use coldmend_fixtures::{Damage, Version};
use serde_json::{json, Value};

use common::{broken, broken_ten, coldmend, run, scratch};

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemas")
}

fn schema(name: &str) -> Value {
    let path = folder().join(format!("{name}.schema.json"));
    let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Every object of the schema that names its properties, closed to others.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.contains_key("properties") {
                map.entry("additionalProperties").or_insert(Value::Bool(false));
            }
            map.values_mut().for_each(close);
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

fn faults(name: &str, document: &Value) -> Vec<String> {
    let mut schema = schema(name);
    close(&mut schema);
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    validator.iter_errors(document).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

#[track_caller]
fn fits(name: &str, document: &Value) {
    let found = faults(name, document);
    assert!(found.is_empty(), "{name}: {found:#?}\n{document:#}");
}

/// Runs a command in JSON, expects its exit status, holds the document against the schema that it names itself, and
/// returns it.
#[track_caller]
fn checked(status: i32, schema: &str, words: &str, path: &Path) -> Value {
    let document = coldmend(&format!("--format json {words}"), path).expect(status).json();
    assert_eq!(document["schema"], format!("coldmend.{schema}/1"), "{words}");
    fits(schema, &document);
    document
}

/// The plan and the journal of a transaction.
#[track_caller]
fn state_fits(volume: &Path, id: &str) -> BTreeSet<String> {
    let state = volume.join("coldmend").join(id);
    fits("plan", &serde_json::from_slice(&fs::read(state.join("plan.json")).unwrap()).unwrap());
    let journal = fs::read_to_string(state.join("journal.jsonl")).unwrap();
    let lines: Vec<Value> = journal.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    lines.iter().for_each(|line| fits("journal", line));
    lines.iter().map(|l| l["step"].as_str().unwrap().to_string()).collect()
}

#[test]
fn the_schemas_are_schemas_and_the_index_lists_them() {
    let index = fs::read_to_string(folder().join("README.md")).unwrap();
    let mut seen = 0;
    for entry in fs::read_dir(folder()).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = file.strip_suffix(".schema.json") else { continue };
        let schema = schema(name);
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema", "{name}");
        jsonschema::draft202012::meta::validate(&schema).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(index.contains(&format!("]({file})")), "{name} is not in the index");
        seen += 1;
    }
    assert!(seen > 10, "only {seen} schemas");
}

#[test]
fn a_healthy_volume() {
    for version in [Version::Xp, Version::Seven, Version::Ten22H2, Version::Server2022] {
        let volume = broken(version, &[]);
        let diagnosis = checked(0, "diagnosis", "diagnose", volume.path());
        assert!(diagnosis["checks_made"].as_u64().unwrap() > 20);
        checked(0, "updates", "updates --all", volume.path());
        let repair = checked(0, "repair", "repair --yes", volume.path());
        assert_eq!((&repair["state"], &repair["id"]), (&json!("nothing-to-do"), &Value::Null));
    }
}

#[test]
fn a_repair_from_diagnosis_to_the_undo_of_its_undo() {
    let volume = broken_ten();
    let root = volume.path();
    let diagnosis = checked(1, "diagnosis", "diagnose", root);
    assert!(diagnosis["findings"].as_array().unwrap().len() > 5);
    assert_eq!(checked(0, "repair", "repair --dry-run", root)["state"], "planned");
    assert_eq!(checked(0, "history", "history", root)["repairs"], json!([]));

    let saved = scratch();
    let plan = saved.path().join("plan.json");
    checked(0, "repair", &format!("repair --save-plan {}", plan.display()), root);
    fits("plan", &serde_json::from_slice(&fs::read(&plan).unwrap()).unwrap());

    let repair = checked(0, "repair", "repair --yes", root);
    assert_eq!((&repair["state"], &repair["id"]), (&json!("done"), &json!("0001-repair")));
    assert!(repair["actions"].as_array().unwrap().iter().all(|a| a["state"] == "verified"), "{repair:#}");
    let steps = state_fits(root, "0001-repair");
    let all = ["action", "backup", "begin", "done", "hive", "verified"];
    assert_eq!(steps, all.map(String::from).into());

    // A cache made anew in between, and a value changed by somebody: undo moves the one aside and leaves the other alone.
    fs::create_dir_all(root.join("Windows/SoftwareDistribution/Download")).unwrap();
    common::hive::set_value(root, "SYSTEM", "ControlSet001\\Services\\BITS", "Start", 4, &3u32.to_le_bytes());
    let undo = checked(0, "repair", "undo --yes", root);
    assert_eq!((&undo["state"], undo["conflicts"].as_array().unwrap().len()), (&json!("undone"), 1), "{undo:#}");
    state_fits(root, "0002-undo");
    assert!(root.join("Windows/SoftwareDistribution.new").exists());

    let words = format!("--format json undo --yes {} 0002-undo", root.display());
    let again = run(&words.split(' ').collect::<Vec<_>>()).expect(0).json();
    fits("repair", &again);
    assert!(!root.join("Windows/SoftwareDistribution.new").exists());
    let history = checked(0, "history", "history", root);
    let states: Vec<&str> =
        history["repairs"].as_array().unwrap().iter().map(|r| r["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["done", "undone", "done"]);
    checked(0, "diagnosis", "diagnose", root);
}

/// A repair whose journal has no end, as a power cut leaves it.
#[test]
fn an_interrupted_repair() {
    let volume = broken_ten();
    let root = volume.path();
    checked(0, "repair", "repair --yes", root);
    let path = root.join("coldmend/0001-repair/journal.jsonl");
    let journal = fs::read_to_string(&path).unwrap();
    let (begun, _) = journal.split_once("{\"step\":\"verified\"").unwrap();
    fs::write(&path, begun).unwrap();
    let diagnosis = checked(1, "diagnosis", "diagnose", root);
    assert_eq!(diagnosis["findings"][0]["id"], "unfinished-repair", "{diagnosis:#}");
    assert_eq!(checked(0, "history", "history", root)["repairs"][0]["state"], "unfinished");
    assert_eq!(checked(0, "repair", "repair --dry-run", root)["state"], "unfinished");
    assert_eq!(checked(0, "repair", "undo --yes", root)["state"], "undone");
    assert!(state_fits(root, "0001-repair").contains("rolled-back"));
    checked(0, "history", "history", root);
    checked(1, "diagnosis", "diagnose", root);
}

#[test]
fn scans() {
    let good = broken_ten();
    checked(0, "scan", "scan", good.path());
    checked(0, "scan", "scan", broken(Version::Ten22H2, &[Damage::Hibernated]).path());
    checked(0, "scan", "scan", broken(Version::Seven, &[Damage::SetupInProgress]).path());
    checked(4, "scan", "scan", scratch().path());
    checked(4, "scan", "scan", &good.path().join("nowhere"));
    fs::write(common::find(good.path(), "Windows/System32/config/SYSTEM"), b"").unwrap();
    checked(0, "scan", "scan", good.path());
    fits("scan", &run(&["--format", "json", "scan"]).json());
}

#[test]
fn services_and_explanations() {
    let volume = broken(Version::Ten22H2, &[Damage::DenyEntry("wuauserv".into())]);
    let root = volume.path();
    checked(0, "services", "service list", root);
    checked(0, "services", "service list --all", root);
    let json = |words: &[&str]| run(&[&["--format", "json"], words].concat()).expect(0).json();
    let at = root.to_str().unwrap();
    for service in ["wuauserv", "AppIDSvc", "TrustedInstaller"] {
        fits("service", &json(&["service", "show", at, service]));
    }
    fits("repair", &json(&["service", "set", at, "BITS", "--start", "disabled", "--dry-run"]));
    fits("repair", &json(&["service", "set", at, "BITS", "--start", "disabled", "--yes"]));
    state_fits(root, "0001-service");
    fits("explanation", &json(&["explain"]));
    fits("explanation", &json(&["explain", "service-start"]));
}

#[test]
fn the_demo() {
    let folder = scratch();
    checked(0, "demo", "demo", &folder.path().join("new"));
}

#[test]
fn errors_of_each_kind() {
    let kinds: Vec<Value> = [Kind::Usage, Kind::Refused, Kind::Unreadable, Kind::Partial, Kind::Interrupted]
        .map(|k| k.as_str().into())
        .into();
    assert_eq!(schema("error")["properties"]["error"]["properties"]["kind"]["enum"], Value::from(kinds));

    let kind = |status, words: &str, path: &Path| {
        let document = checked(status, "error", words, path);
        document["error"]["kind"].as_str().unwrap().to_string()
    };
    let healthy = broken(Version::Ten22H2, &[Damage::DisableService("BITS".into())]);
    let nowhere = healthy.path().join("nowhere");
    assert_eq!(kind(2, "diagnose --no-such-flag", healthy.path()), "usage");
    assert_eq!(kind(2, "repair --only no-such-remedy", healthy.path()), "usage");
    assert_eq!(kind(2, "undo --yes", healthy.path()), "usage");
    assert_eq!(kind(4, "diagnose", &nowhere), "unreadable");
    // No terminal to ask on.
    assert_eq!(kind(3, "repair", healthy.path()), "refused");
    let hibernated = broken(Version::Ten22H2, &[Damage::Hibernated, Damage::DisableService("BITS".into())]);
    assert_eq!(kind(3, "repair --yes", hibernated.path()), "refused");
    let hive = common::find(healthy.path(), "Windows/System32/config/SYSTEM");
    fs::write(hive, b"").unwrap();
    assert_eq!(kind(4, "diagnose", healthy.path()), "unreadable");
}

#[test]
fn the_hive_commands() {
    let volume = broken(Version::Ten22H2, &[]);
    let hive = common::find(volume.path(), "Windows/System32/config/SYSTEM");
    let copies = scratch();
    let (one, two) = (copies.path().join("one"), copies.path().join("two"));
    fs::copy(&hive, &one).unwrap();
    fs::copy(&hive, &two).unwrap();
    let (first, second) = (one.to_str().unwrap(), two.to_str().unwrap());
    let json = |status, words: &[&str]| run(&[&["--format", "json", "hive"], words].concat()).expect(status).json();
    let key = "ControlSet001\\Services\\BITS";
    fits("hive-info", &json(0, &["info", first]));
    fits("hive-check", &json(0, &["check", first]));
    fits("hive-recover", &json(0, &["recover", first]));
    fits("hive-key", &json(0, &["ls", first]));
    fits("hive-key", &json(0, &["ls", first, key]));
    fits("hive-values", &json(0, &["get", first, key]));
    fits("hive-values", &json(0, &["get", first, key, "Start"]));
    fits("hive-diff", &json(0, &["diff", first, second]));
    fits("hive-edit", &json(0, &["set", second, key, "Start", "4", "--type", "dword"]));
    fits("hive-edit", &json(0, &["delete", second, key, "Start"]));
    fits("hive-diff", &json(1, &["diff", first, second]));
    fits("hive-export", &json(0, &["export", first, key]));
    let file = copies.path().join("out.reg");
    fits("hive-export", &json(0, &["export", first, key, "--output", file.to_str().unwrap()]));
    // A hive with a fault: the root key's signature gone.
    let mut bytes = fs::read(&two).unwrap();
    bytes[0x1024..0x1026].copy_from_slice(b"zz");
    fs::write(&two, bytes).unwrap();
    let check = json(1, &["check", second]);
    fits("hive-check", &check);
    assert!(check["fault_count"].as_u64().unwrap() > 0);
}

/// The schemas can refuse: each of these differs from a good document in one point.
#[test]
fn wrong_documents_are_refused() {
    let volume = broken_ten();
    let diagnosis = checked(1, "diagnosis", "diagnose", volume.path());
    let repair = checked(0, "repair", "repair --yes", volume.path());
    let plan: Value =
        serde_json::from_slice(&fs::read(volume.path().join("coldmend/0001-repair/plan.json")).unwrap()).unwrap();
    let cases: [(&str, &Value, &str, Value); 8] = [
        ("diagnosis", &diagnosis, "/findings/0/severity", json!("fatal")),
        ("diagnosis", &diagnosis, "/schema", json!("coldmend.diagnosis/2")),
        ("diagnosis", &diagnosis, "/windows/build", json!("19045")),
        ("repair", &repair, "/actions/0/state", json!("perhaps")),
        ("repair", &repair, "/actions/0/before", json!({"type": "dword", "data": "four"})),
        ("plan", &plan, "/actions/0/hive", json!("SAM")),
        ("plan", &plan, "/binding/hives/SYSTEM/sha256", json!("abc")),
        ("plan", &plan, "/purpose", json!({"undo": "../../x"})),
    ];
    for (name, good, pointer, wrong) in cases {
        let mut document = good.clone();
        *document.pointer_mut(pointer).unwrap() = wrong;
        assert!(!faults(name, &document).is_empty(), "{name} takes a wrong {pointer}");
    }
    let mut more = plan.clone();
    more["command"] = json!("format c:");
    assert!(!jsonschema::draft202012::new(&schema("plan")).unwrap().is_valid(&more), "plans are closed as published");
    let mut more = diagnosis.clone();
    more["new_field"] = json!(1);
    let published = jsonschema::draft202012::new(&schema("diagnosis")).unwrap();
    assert!(published.is_valid(&more), "reports are open as published");
}
