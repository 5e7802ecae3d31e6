//! The difference between two hives, as the `.reg` text that makes the second out of the first.
//!
//! Keys and values count, and not what `.reg` can't tell: order, class names, security descriptors, times.

use std::collections::BTreeMap;

use coldmend_hives::{HiveError, KeyRef, ValueRef};

use super::export::{can_tell, step, write_tree, write_value};
use super::{ExportError, Naming, RegWriter};
use crate::volume::fold::upcase_unit;

/// Writes what differs; nothing at all when both hold the same keys and values. Names are compared without case, as Windows does.
/// Answers whether anything differs: what `.reg` can't tell is compared too, and counted as left out if it differs.
///
/// # Errors
/// Damage, and what the output reports.
pub fn diff(
    out: &mut RegWriter<'_>,
    before: &KeyRef<'_>,
    after: &KeyRef<'_>,
    naming: &Naming,
) -> Result<bool, ExportError> {
    compare(out, before, after, &mut naming.section(""))
}

/// Unit by unit as Windows does; `str::to_uppercase` would make one of `ß` and `SS`.
fn fold(mut name: Vec<u16>) -> Vec<u16> {
    name.iter_mut().for_each(|unit| *unit = upcase_unit(*unit));
    name
}

/// Both lists side by side: what is only in one, and what is in both.
fn pairs<T>(old: Vec<T>, new: Vec<T>, name: impl Fn(&T) -> Vec<u16>) -> Vec<(Option<T>, Option<T>)> {
    // Mostly they are the same, in the same order.
    if old.len() == new.len() && old.iter().zip(&new).all(|(old, new)| fold(name(old)) == fold(name(new))) {
        return old.into_iter().zip(new).map(|(old, new)| (Some(old), Some(new))).collect();
    }
    let mut all: BTreeMap<Vec<u16>, (Option<T>, Option<T>)> = BTreeMap::new();
    for item in old {
        let folded = fold(name(&item));
        all.entry(folded).or_insert((None, None)).0 = Some(item);
    }
    for item in new {
        let folded = fold(name(&item));
        all.entry(folded).or_insert((None, None)).1 = Some(item);
    }
    all.into_values().collect()
}

/// Whether the value is the same in both.
fn is_same(old: &ValueRef<'_>, new: &ValueRef<'_>) -> Result<bool, HiveError> {
    Ok(old.data_type() == new.data_type() && old.data()? == new.data()?)
}

/// Whether anything below the two keys differs; for keys that can't be told, and so are compared only.
fn differs(out: &RegWriter<'_>, before: &KeyRef<'_>, after: &KeyRef<'_>) -> Result<bool, ExportError> {
    for pair in pairs(before.values()?, after.values()?, ValueRef::name_units) {
        out.go_on()?;
        match pair {
            (Some(old), Some(new)) if is_same(&old, &new)? => {}
            _ => return Ok(true),
        }
    }
    for pair in pairs(before.subkeys()?, after.subkeys()?, KeyRef::name_units) {
        out.go_on()?;
        match pair {
            (Some(old), Some(new)) if !differs(out, &old, &new)? => {}
            _ => return Ok(true),
        }
    }
    Ok(false)
}

fn compare(
    out: &mut RegWriter<'_>,
    before: &KeyRef<'_>,
    after: &KeyRef<'_>,
    section: &mut String,
) -> Result<bool, ExportError> {
    let (mut different, mut named) = (false, false);
    for (old, new) in pairs(before.values()?, after.values()?, ValueRef::name_units) {
        out.go_on()?;
        if let (Some(old), Some(new)) = (&old, &new) {
            if is_same(old, new)? {
                continue;
            }
        }
        different = true;
        let Some(value) = new.as_ref().or(old.as_ref()) else { continue };
        let name = value.name_text();
        if !can_tell(value, &name) {
            out.leave_out();
            continue;
        }
        if !std::mem::replace(&mut named, true) {
            out.section(false, section)?;
        }
        match &new {
            Some(new) => write_value(out, new)?,
            None => out.deleted_value(&name)?,
        }
    }
    for (old, new) in pairs(before.subkeys()?, after.subkeys()?, KeyRef::name_units) {
        out.go_on()?;
        let len = section.len();
        let Some(name) = new.as_ref().or(old.as_ref()).map(KeyRef::name) else { continue };
        let can_be_told = step(section, &name);
        different |= match (old, new) {
            (Some(old), Some(new)) if can_be_told => compare(out, &old, &new, section)?,
            (Some(old), Some(new)) => {
                let differs = differs(out, &old, &new)?;
                if differs {
                    out.leave_out();
                }
                differs
            }
            _ if !can_be_told => {
                out.leave_out();
                true
            }
            (_, Some(new)) => {
                write_tree(out, &new, section, 0)?;
                true
            }
            (_, None) => {
                out.section(true, section)?;
                true
            }
        };
        section.truncate(len);
    }
    Ok(different)
}
