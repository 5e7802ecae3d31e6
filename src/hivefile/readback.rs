//! Reading back what was written, after every byte of the file was held against the image that was meant: every edit through
//! `nt-hive`, a reader that shares no code with the engine that wrote.
//!
//! nt-hive may panic on a damaged hive, so it only sees an image that passed the structural check and equals the file. Three of its limits
//! are worked around: types that it does not know (their number can't be asked for, so the data alone is compared), its own idea of
//! upper case (a name that it does not find, or finds in another one, is looked for unit by unit), and long data in hives of version 1.3, where it expects
//! the segments of later versions (the length alone is compared).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use nt_hive::{Hive, KeyNode, KeyValue, NtHiveError, NtHiveNameString};

use crate::error::{Failure, Result};
use crate::regfile::Edit;
use crate::volume::escape::escape_text;
use crate::volume::fold::upcase_unit;

/// The minor version since which long data lies in segments, and from which length on.
const BIG_DATA_SINCE: u32 = 4;
const BIG_DATA: usize = 16_344;

/// Looks for every edit in the new hive. `keys` are the keys of the edits as they were resolved, in the same order.
///
/// # Errors
/// Something is not there, or is there still, or is something else.
pub(super) fn check_edits(image: &[u8], edits: &[Edit], keys: &[Arc<str>]) -> Result<()> {
    let hive = Hive::new(image).map_err(|e| unseen("the hive", &e))?;
    let mut reader = Reader::new(hive.root_key_node().map_err(|e| unseen("the root key", &e))?);
    // The last edit of a thing is the one that counts: from the end.
    let mut later = Later::default();
    for (edit, key) in edits.iter().zip(keys).rev() {
        match edit {
            Edit::CreateKey(_) => {
                if !later.is_deleted(key) && !reader.has_key(key).map_err(|e| unseen(key, &e))? {
                    return Err(wrong(key, "the key is not there"));
                }
                later.made(key);
            }
            Edit::DeleteKey(_) => {
                if !later.is_made(key) && reader.has_key(key).map_err(|e| unseen(key, &e))? {
                    return Err(wrong(key, "the key is still there"));
                }
                later.deleted(key);
            }
            Edit::SetValue(_, name, _) | Edit::DeleteValue(_, name) => {
                let sets = matches!(edit, Edit::SetValue(..));
                let counts = !later.is_deleted(key) && later.values.insert((folded(key), folded(name)));
                if sets {
                    later.made(key);
                }
                if !counts {
                    continue;
                }
                let place = || format!("{key}, value {}", if name.is_empty() { "(default)" } else { name });
                let level = reader.go(key).map_err(|e| unseen(key, &e))?;
                let value = level.value(name).map_err(|e| unseen(&place(), &e))?;
                match (edit, value) {
                    (Edit::SetValue(_, _, wanted), Some(value)) => {
                        let data_type = value.data_type().map_or(wanted.data_type, |known| known as u32);
                        let same = if hive.minor_version() < BIG_DATA_SINCE && wanted.data.len() > BIG_DATA {
                            value.data_size() as usize == wanted.data.len()
                        } else {
                            let data = value.data().and_then(nt_hive::KeyValueData::into_vec);
                            data.map_err(|e| unseen(&place(), &e))? == wanted.data
                        };
                        if !same || data_type != wanted.data_type {
                            return Err(wrong(&place(), "it holds something else"));
                        }
                    }
                    (Edit::SetValue(..), None) => return Err(wrong(&place(), "it is not there")),
                    (_, Some(_)) => return Err(wrong(&place(), "it is still there")),
                    (_, None) => {}
                }
            }
        }
    }
    Ok(())
}

fn unseen(place: &str, error: &NtHiveError) -> Failure {
    Failure::partial(format!("{}: the independent reader says: {error}", escape_text(place.as_ref())))
}

fn wrong(place: &str, what: &str) -> Failure {
    Failure::partial(format!("{}: read back, {what}", escape_text(place.as_ref())))
}

fn folded(name: &str) -> Vec<u16> {
    name.encode_utf16().map(upcase_unit).collect()
}

/// What edits further on have done.
#[derive(Default)]
struct Later {
    values: HashSet<(Vec<u16>, Vec<u16>)>,
    /// Keys that are there in the end, with the keys above them.
    made: HashSet<Vec<u16>>,
    deleted: HashSet<Vec<u16>>,
}

impl Later {
    /// The key and every key above it, folded.
    fn upwards(key: &str) -> impl Iterator<Item = Vec<u16>> {
        let whole = folded(key);
        let ends: Vec<usize> = whole
            .iter()
            .enumerate()
            .filter(|(_, unit)| **unit == u16::from(b'\\'))
            .map(|(at, _)| at)
            .chain([whole.len()])
            .collect();
        ends.into_iter().rev().filter_map(move |end| Some(whole.get(..end)?.to_vec()))
    }

    fn made(&mut self, key: &str) {
        for part in Self::upwards(key) {
            if !self.made.insert(part) {
                break;
            }
        }
    }

    fn is_made(&self, key: &str) -> bool {
        self.made.contains(&folded(key))
    }

    fn deleted(&mut self, key: &str) {
        self.deleted.insert(folded(key));
    }

    fn is_deleted(&self, key: &str) -> bool {
        !self.deleted.is_empty() && Self::upwards(key).any(|part| self.deleted.contains(&part))
    }
}

/// A key on the way to the one that was looked for last.
struct Level<'h, 'b> {
    /// Folded.
    name: Vec<u16>,
    /// Nothing, if the key is not there.
    node: Option<KeyNode<'h, &'b [u8]>>,
    /// What is below, by folded name, once a list had to be gone through: so that it is gone through once.
    subkeys: Option<HashMap<Vec<u16>, KeyNode<'h, &'b [u8]>>>,
    values: Option<HashMap<Vec<u16>, KeyValue<'h, &'b [u8]>>>,
}

impl<'h, 'b> Level<'h, 'b> {
    fn new(name: Vec<u16>, node: Option<KeyNode<'h, &'b [u8]>>) -> Self {
        Level { name, node, subkeys: None, values: None }
    }

    /// The subkey of that name; `wanted` is the name, folded.
    fn subkey(&mut self, name: &str, wanted: &[u16]) -> Result<Option<KeyNode<'h, &'b [u8]>>, NtHiveError> {
        let Some(node) = &self.node else { return Ok(None) };
        let listed = match &mut self.subkeys {
            Some(listed) => listed,
            None => {
                // Its search is fast, and takes some names for the same that Windows keeps apart.
                if let Some(found) = node.subkey(name).transpose()? {
                    if folded_name(&found.name()?).is_some_and(|name| name == wanted) {
                        return Ok(Some(found));
                    }
                }
                let mut listed = HashMap::new();
                for subkey in node.subkeys().transpose()?.into_iter().flatten() {
                    let subkey = subkey?;
                    if let Some(name) = folded_name(&subkey.name()?) {
                        listed.entry(name).or_insert(subkey);
                    }
                }
                self.subkeys.insert(listed)
            }
        };
        Ok(listed.get(wanted).cloned())
    }

    fn value(&mut self, name: &str) -> Result<Option<KeyValue<'h, &'b [u8]>>, NtHiveError> {
        let Some(node) = &self.node else { return Ok(None) };
        let listed = match &mut self.values {
            Some(listed) => listed,
            None => {
                let mut listed = HashMap::new();
                for value in node.values().transpose()?.into_iter().flatten() {
                    let value = value?;
                    if let Some(name) = folded_name(&value.name()?) {
                        listed.entry(name).or_insert(value);
                    }
                }
                self.values.insert(listed)
            }
        };
        Ok(listed.get(&folded(name)).cloned())
    }
}

/// A name of the hive, folded; nothing if no text can be equal to it.
fn folded_name(name: &NtHiveNameString<'_>) -> Option<Vec<u16>> {
    name.to_string_checked().map(|name| folded(&name))
}

/// Remembers the keys on the way to the last one, with the lists gone through there, and no more: the next is mostly beside it.
struct Reader<'h, 'b> {
    root: Level<'h, 'b>,
    way: Vec<Level<'h, 'b>>,
}

impl<'h, 'b> Reader<'h, 'b> {
    fn new(root: KeyNode<'h, &'b [u8]>) -> Self {
        Reader { root: Level::new(Vec::new(), Some(root)), way: Vec::new() }
    }

    /// Goes to the key at `path`; answers it, or the place where it would be.
    fn go(&mut self, path: &str) -> Result<&mut Level<'h, 'b>, NtHiveError> {
        let mut depth = 0;
        for part in path.split('\\').filter(|part| !part.is_empty()) {
            let wanted = folded(part);
            if self.way.get(depth).is_none_or(|level| level.name != wanted) {
                self.way.truncate(depth);
                let node = self.way.last_mut().unwrap_or(&mut self.root).subkey(part, &wanted)?;
                self.way.push(Level::new(wanted, node));
            }
            depth += 1;
        }
        // What is below the key stays: the next may be there again.
        Ok(match depth.checked_sub(1).and_then(|last| self.way.get_mut(last)) {
            Some(level) => level,
            None => &mut self.root,
        })
    }

    fn has_key(&mut self, path: &str) -> Result<bool, NtHiveError> {
        Ok(self.go(path)?.node.is_some())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::plan::RegValue;
    use coldmend_hives::{FileTime, NewHive};

    #[test]
    fn the_last_edit_counts_and_lies_are_seen() {
        let now = FileTime(133_500_000_000_000_000);
        let mut hive = coldmend_hives::Hive::create(&NewHive::default(), now).unwrap();
        hive.create_key("A\\B", now).unwrap();
        hive.set_value("A\\B", "x", 4, &[2, 0, 0, 0], now).unwrap();
        hive.set_value("A\\B", "odd", 0x8000_0001, &[2, 0, 0], now).unwrap();
        let image = hive.bytes();
        let set = |key: &str, name: &str, number| Edit::SetValue(key.into(), name.into(), RegValue::dword(number));
        let gone = |key: &str, name: &str| Edit::DeleteValue(key.into(), name.into());
        let odd = Edit::SetValue("A\\B".into(), "ODD".into(), RegValue { data_type: 0x8000_0001, data: vec![2, 0, 0] });
        let good = [
            set("A\\B", "gone with the key", 1),
            Edit::DeleteKey("A".into()),
            set("a\\b", "X", 1),
            set("A\\B", "x", 2),
            set("A\\B", "y", 2),
            gone("A\\B", "Y"),
            odd,
            Edit::CreateKey("A\\C".into()),
            Edit::DeleteKey("A\\C".into()),
        ];
        let check_edits = |image: &[u8], edits: &[Edit]| {
            let keys: Vec<Arc<str>> = edits.iter().map(|edit| edit.key().clone()).collect();
            check_edits(image, edits, &keys)
        };
        check_edits(image, &good).unwrap();
        for bad in [
            set("A\\B", "x", 3),
            set("A\\B", "z", 3),
            gone("A\\B", "x"),
            Edit::CreateKey("A\\C".into()),
            Edit::DeleteKey("A\\B".into()),
            Edit::DeleteKey("A".into()),
        ] {
            assert!(check_edits(image, std::slice::from_ref(&bad)).is_err(), "{bad:?}");
        }
        // A key named with doubled backslashes is the same key; names that differ in more than case are not.
        hive.create_key("µ\\ſ", now).unwrap();
        check_edits(hive.bytes(), &[Edit::CreateKey("\\µ\\\\ſ".into()), Edit::DeleteKey("\u{39c}".into())]).unwrap();
        check_edits(hive.bytes(), &[Edit::DeleteKey("µ\\S".into()), Edit::DeleteKey("µ\\s".into())]).unwrap();
        let image = hive.bytes();
        // Deleted and made again.
        check_edits(image, &[Edit::DeleteKey("A".into()), Edit::CreateKey("A\\B".into())]).unwrap();
        assert!(check_edits(image, &[Edit::CreateKey("A\\B".into()), Edit::DeleteKey("A".into())]).is_err());
    }

    #[test]
    fn many_values_and_keys() {
        const MANY: u32 = 1500;
        let now = FileTime(133_500_000_000_000_000);
        let mut hive = coldmend_hives::Hive::create(&NewHive::default(), now).unwrap();
        let mut edits = Vec::new();
        for number in 0..MANY {
            let (name, data) = (format!("v{number}"), number.to_le_bytes());
            hive.create_key(&format!("K\\there{number}"), now).unwrap();
            hive.set_value("K", &name, 4, &data, now).unwrap();
            edits.push(Edit::SetValue("K".into(), name.to_uppercase(), RegValue::dword(number)));
            edits.push(Edit::DeleteValue("K".into(), format!("gone{number}")));
            edits.push(Edit::DeleteKey(format!("K\\gone{number}\\below").into()));
            edits.push(Edit::DeleteKey(format!("K\\gone{number}").into()));
            edits.push(Edit::CreateKey(format!("k\\THERE{number}").into()));
        }
        let keys = |edits: &[Edit]| edits.iter().map(|edit| edit.key().clone()).collect::<Vec<_>>();
        check_edits(hive.bytes(), &edits, &keys(&edits)).unwrap();
        edits.insert(3, Edit::DeleteKey("K\\there7\\x".into()));
        check_edits(hive.bytes(), &edits, &keys(&edits)).unwrap();
        edits.push(Edit::DeleteKey("K\\there7".into()));
        assert!(check_edits(hive.bytes(), &edits, &keys(&edits)).is_err());
    }
}
