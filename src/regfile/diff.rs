//! The difference between two hives, as the `.reg` text that makes the second out of the first.

use std::collections::BTreeMap;

use coldmend_hives::{HiveError, KeyRef, ValueRef};

use super::export::{write_name, write_section, write_value};
use super::{Naming, HEADER};
use crate::volume::fold::upcase_unit;

/// The text, or `None` when both hold the same keys and values. Names are compared without case, as Windows does.
///
/// # Errors
/// Damage that the structural check would have found.
pub fn diff(before: &KeyRef<'_>, after: &KeyRef<'_>, naming: &Naming) -> Result<Option<String>, HiveError> {
    let mut out = String::new();
    compare(&mut out, before, after, "", naming)?;
    Ok((!out.is_empty()).then(|| format!("{HEADER}\r\n{out}")))
}

/// By name, compared unit by unit as Windows does; `str::to_uppercase` would make one of `ß` and `SS`.
fn folded<T>(items: Vec<T>, units: impl Fn(&T) -> Vec<u16>) -> BTreeMap<Vec<u16>, T> {
    items.into_iter().map(|item| (units(&item).into_iter().map(upcase_unit).collect(), item)).collect()
}

fn compare(
    out: &mut String,
    before: &KeyRef<'_>,
    after: &KeyRef<'_>,
    path: &str,
    naming: &Naming,
) -> Result<(), HiveError> {
    let old = folded(before.values()?, ValueRef::name_units);
    let new = folded(after.values()?, ValueRef::name_units);
    let mut lines = String::new();
    for (folded, value) in &old {
        if !new.contains_key(folded) {
            write_name(&mut lines, &value.name());
            lines.push_str("-\r\n");
        }
    }
    for (folded, value) in &new {
        let data = value.data()?;
        let same = match old.get(folded) {
            Some(old) => old.data_type() == value.data_type() && old.data()? == data,
            None => false,
        };
        if !same {
            write_value(&mut lines, &value.name(), value.data_type(), &data);
        }
    }
    if !lines.is_empty() {
        write_section(out, &naming.section(path));
        out.push_str(&lines);
    }
    let old = folded(before.subkeys()?, KeyRef::name_units);
    let new = folded(after.subkeys()?, KeyRef::name_units);
    let below = |key: &KeyRef<'_>| if path.is_empty() { key.name() } else { format!("{path}\\{}", key.name()) };
    for (folded, key) in &old {
        if !new.contains_key(folded) {
            write_section(out, &format!("-{}", naming.section(&below(key))));
        }
    }
    for (folded, key) in &new {
        match old.get(folded) {
            Some(old) => compare(out, old, key, &below(key), naming)?,
            None => added(out, key, &below(key), naming)?,
        }
    }
    Ok(())
}

fn added(out: &mut String, key: &KeyRef<'_>, path: &str, naming: &Naming) -> Result<(), HiveError> {
    write_section(out, &naming.section(path));
    for value in key.values()? {
        write_value(out, &value.name(), value.data_type(), &value.data()?);
    }
    for subkey in key.subkeys()? {
        added(out, &subkey, &format!("{path}\\{}", subkey.name()), naming)?;
    }
    Ok(())
}
