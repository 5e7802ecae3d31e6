//! The difference between two hives, as the `.reg` text that makes the second out of the first.
//!
//! Keys and values count, and not what `.reg` can't tell: order, class names, security descriptors, times.

use std::collections::BTreeMap;

use coldmend_hives::{KeyRef, ValueRef};

use super::export::{step, write_tree, write_value};
use super::{ExportError, Naming, RegWriter};
use crate::volume::fold::upcase_unit;

/// Writes what differs; nothing at all when both hold the same keys and values. Names are compared without case, as Windows does.
///
/// # Errors
/// Damage, and what the output reports.
pub fn diff(
    out: &mut RegWriter<'_>,
    before: &KeyRef<'_>,
    after: &KeyRef<'_>,
    naming: &Naming,
) -> Result<(), ExportError> {
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

fn compare(
    out: &mut RegWriter<'_>,
    before: &KeyRef<'_>,
    after: &KeyRef<'_>,
    section: &mut String,
) -> Result<(), ExportError> {
    let mut named = false;
    for (old, new) in pairs(before.values()?, after.values()?, ValueRef::name_units) {
        if let (Some(old), Some(new)) = (&old, &new) {
            if old.data_type() == new.data_type() && old.data()? == new.data()? {
                continue;
            }
        }
        if !std::mem::replace(&mut named, true) {
            out.section(false, section)?;
        }
        match (old, new) {
            (_, Some(new)) => write_value(out, &new)?,
            (Some(old), None) => out.deleted_value(&old.name())?,
            (None, None) => {}
        }
    }
    for (old, new) in pairs(before.subkeys()?, after.subkeys()?, KeyRef::name_units) {
        let len = section.len();
        let Some(name) = new.as_ref().or(old.as_ref()).map(KeyRef::name) else { continue };
        if step(out, section, &name) {
            match (old, new) {
                (Some(old), Some(new)) => compare(out, &old, &new, section)?,
                (None, Some(new)) => write_tree(out, &new, section, 0)?,
                (Some(_), None) => out.section(true, section)?,
                (None, None) => {}
            }
        }
        section.truncate(len);
    }
    Ok(())
}
