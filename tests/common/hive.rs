//! Hives as the tests see them: a flat list of keys and values to compare.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use coldmend_fixtures::sddl;
use coldmend_hives::{Commit, FileTime, Hive, HiveError, LogFiles, LogRegime};

use super::{find, try_find};

/// Every key (with class and descriptor) and value, by path; with the keys' times if they matter.
pub type Values = BTreeMap<String, String>;

/// The hives that a repair may write.
pub const HIVES: [&str; 2] = ["SYSTEM", "SOFTWARE"];

/// All that a hive holds.
pub fn values_of(hive: &Hive, with_times: bool) -> Values {
    let mut all = Values::new();
    for (place, (_, key)) in hive.root().unwrap().walk().map(|step| step.unwrap()).enumerate() {
        let path = key.path().unwrap_or_else(|| format!("#{place}"));
        let mut what = format!("{:?} {}", key.class().unwrap(), super::hash(key.security_descriptor().unwrap()));
        if with_times {
            what += &format!(" {}", key.last_written().0);
        }
        assert!(all.insert(format!("[{path}]"), what).is_none(), "two keys {path}");
        for value in key.values().unwrap() {
            let what = format!("{} {:02x?}", value.data_type(), value.data().unwrap());
            assert!(all.insert(format!("[{path}] {}", value.name()), what).is_none(), "two values in {path}");
        }
    }
    all
}

/// The hive `name` with the logs beside it, recovered as Windows would when it starts.
pub fn recovered(root: &Path, name: &str) -> Result<Hive, HiveError> {
    let config = find(root, "Windows/System32/config");
    let bytes = fs::read(find(&config, name)).unwrap();
    let log = |suffix: &str| try_find(&config, &format!("{name}.{suffix}")).map(|path| fs::read(path).unwrap());
    let logs = LogFiles { log: log("LOG"), log1: log("LOG1"), log2: log("LOG2") };
    Hive::recover(bytes, &logs).map(|recovered| recovered.hive)
}

/// What both hives of a volume hold.
pub fn values(root: &Path, with_times: bool) -> [Values; 2] {
    HIVES.map(|name| values_of(&recovered(root, name).unwrap(), with_times))
}

/// The places where two hives differ, with what each holds there.
pub fn difference(left: &Values, right: &Values) -> Vec<String> {
    let keys: std::collections::BTreeSet<&String> = left.keys().chain(right.keys()).collect();
    keys.into_iter()
        .filter(|key| left.get(*key) != right.get(*key))
        .map(|key| format!("{key}: {:?} | {:?}", left.get(key), right.get(key)))
        .collect()
}

/// Changes a value of a hive on a volume, as if Windows had run in between; makes its key where there is none.
pub fn set_value(root: &Path, name: &str, key: &str, value: &str, data_type: u32, data: &[u8]) {
    let path = find(root, &format!("Windows/System32/config/{name}"));
    let mut hive = recovered(root, name).unwrap();
    hive.create_key(key, coldmend_hives::FileTime(133_900_000_000_000_000)).unwrap();
    hive.set_value(key, value, data_type, data, coldmend_hives::FileTime(133_900_000_000_000_000)).unwrap();
    commit(root, name, &path, hive);
}

/// Makes a key of a hive on a volume, and those above it.
pub fn create_key(root: &Path, name: &str, key: &str) {
    let path = find(root, &format!("Windows/System32/config/{name}"));
    let mut hive = recovered(root, name).unwrap();
    hive.create_key(key, coldmend_hives::FileTime(133_900_000_000_000_000)).unwrap();
    commit(root, name, &path, hive);
}

/// Deletes a value of a hive on a volume.
pub fn delete_value(root: &Path, name: &str, key: &str, value: &str) {
    let path = find(root, &format!("Windows/System32/config/{name}"));
    let mut hive = recovered(root, name).unwrap();
    hive.delete_value(key, value, coldmend_hives::FileTime(133_900_000_000_000_000)).unwrap();
    commit(root, name, &path, hive);
}

fn commit(root: &Path, name: &str, path: &Path, hive: Hive) {
    use coldmend_hives::{Commit, LogRegime, LogStorages, MemoryStorage};
    let _ = (root, name);
    let mut primary = MemoryStorage(fs::read(path).unwrap());
    // Without logs: the logs on the volume are of an earlier life, and the hive is clean.
    let commit = Commit::prepare(
        hive,
        &LogFiles::default(),
        LogRegime::Log12HvLe,
        coldmend_hives::FileTime(133_900_000_000_000_000),
    )
    .unwrap();
    commit.execute(&mut primary, &mut LogStorages::default()).unwrap();
    fs::write(path, &primary.0).unwrap();
}

/// A value's data.
pub fn value(root: &Path, name: &str, key: &str, value: &str) -> Option<Vec<u8>> {
    let hive = recovered(root, name).unwrap();
    let found = hive.find_key(key).unwrap()?.value(value).unwrap()?;
    let data = found.data().unwrap().into_owned();
    Some(data)
}

/// Gives a key of SOFTWARE a descriptor, as our own engine writes one: no other tool here does.
pub fn protect(root: &Path, key: &str, text: &str) {
    let path = find(root, "Windows/System32/config/SOFTWARE");
    let mut hive = Hive::open(fs::read(&path).unwrap()).unwrap();
    let now = FileTime(134_000_000_000_000_000);
    hive.set_key_security(key, &sddl::compile(text), now).unwrap();
    let commit = Commit::prepare(hive, &LogFiles::default(), LogRegime::Log12HvLe, now).unwrap();
    fs::write(&path, commit.after()).unwrap();
}
