//! Reading back what was written, after every byte of the file was held against the image that was meant: every edit through
//! `nt-hive`, a reader that shares no code with the engine that wrote.
//!
//! nt-hive may panic on a damaged hive, so it only sees an image that passed the structural check and equals the file. Three of its limits
//! are worked around: types that it does not know (their number can't be asked for, so the data alone is compared), its own idea of
//! upper case (a name that it does not find is looked for unit by unit), and long data in hives of version 1.3, where it expects
//! the segments of later versions (the length alone is compared).

use std::collections::HashSet;
use std::sync::Arc;

use nt_hive::{Hive, KeyNode, KeyValue, NtHiveError};

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
    let reader = Reader { root: hive.root_key_node().map_err(|e| unseen("the root key", &e))? };
    // The last edit of a thing is the one that counts: from the end.
    let mut later = Later::default();
    let mut last_key: Option<(&str, KeyNode<'_, &[u8]>)> = None;
    for (edit, key) in edits.iter().zip(keys).rev() {
        match edit {
            Edit::CreateKey(_) => {
                if !later.is_deleted(key) && reader.key(key).map_err(|e| unseen(key, &e))?.is_none() {
                    return Err(wrong(key, "the key is not there"));
                }
                later.made(key);
            }
            Edit::DeleteKey(_) => {
                if !later.is_made(key) && reader.key(key).map_err(|e| unseen(key, &e))?.is_some() {
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
                let found = match &last_key {
                    Some((last, node)) if *last == key.as_ref() => Some(node.clone()),
                    _ => reader.key(key).map_err(|e| unseen(key, &e))?,
                };
                let place = || format!("{key}, value {}", if name.is_empty() { "(default)" } else { name });
                let value = match &found {
                    Some(node) => value_of(node, name).map_err(|e| unseen(&place(), &e))?,
                    None => None,
                };
                last_key = found.map(|node| (key.as_ref(), node));
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

struct Reader<'h, 'b> {
    root: KeyNode<'h, &'b [u8]>,
}

impl<'h, 'b> Reader<'h, 'b> {
    fn key(&self, path: &str) -> Result<Option<KeyNode<'h, &'b [u8]>>, NtHiveError> {
        if let Some(node) = self.root.subpath(path).transpose()? {
            return Ok(Some(node));
        }
        let mut node = self.root.clone();
        for part in path.split('\\').filter(|part| !part.is_empty()) {
            let next = match node.subkey(part).transpose()? {
                Some(next) => Some(next),
                None => {
                    let wanted = folded(part);
                    let mut found = None;
                    for subkey in node.subkeys().transpose()?.into_iter().flatten() {
                        let subkey = subkey?;
                        if folded(&subkey.name()?.to_string_lossy()) == wanted {
                            found = Some(subkey);
                            break;
                        }
                    }
                    found
                }
            };
            match next {
                Some(next) => node = next,
                None => return Ok(None),
            }
        }
        Ok(Some(node))
    }
}

fn value_of<'h, 'b>(node: &KeyNode<'h, &'b [u8]>, name: &str) -> Result<Option<KeyValue<'h, &'b [u8]>>, NtHiveError> {
    let wanted = folded(name);
    for value in node.values().transpose()?.into_iter().flatten() {
        let value = value?;
        if folded(&value.name()?.to_string_lossy()) == wanted {
            return Ok(Some(value));
        }
    }
    Ok(None)
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
        // Deleted and made again.
        check_edits(image, &[Edit::DeleteKey("A".into()), Edit::CreateKey("A\\B".into())]).unwrap();
        assert!(check_edits(image, &[Edit::CreateKey("A\\B".into()), Edit::DeleteKey("A".into())]).is_err());
    }
}
