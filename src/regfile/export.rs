//! A hive, or a key and what is under it, as `.reg` text.

use std::io;

use coldmend_hives::{HiveError, KeyRef, ValueRef};
use thiserror::Error;

use super::RegWriter;

/// How sections are named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Naming {
    /// `[\Key\Sub]`: from the hive's root, with one leading backslash.
    FromRoot,
    /// `[PREFIX\Key\Sub]`, such as `HKEY_LOCAL_MACHINE\SYSTEM`.
    Prefix(String),
}

impl Naming {
    /// The section of the key at `path` (no leading backslash; empty for the root), without brackets.
    pub fn section(&self, path: &str) -> String {
        match (self, path.is_empty()) {
            (Naming::FromRoot, _) => format!("\\{path}"),
            (Naming::Prefix(prefix), true) => prefix.clone(),
            (Naming::Prefix(prefix), false) => format!("{prefix}\\{path}"),
        }
    }
}

/// Why an export or a comparison ended early.
#[derive(Debug, Error)]
pub enum ExportError {
    /// Damage that the structural check would have found.
    #[error(transparent)]
    Hive(#[from] HiveError),
    /// The output failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Exports `key` and everything under it. `path` is the key's path from the root.
///
/// # Errors
/// Damage, and what the output reports.
pub fn export(out: &mut RegWriter<'_>, key: &KeyRef<'_>, path: &str, naming: &Naming) -> Result<(), ExportError> {
    out.header();
    write_tree(out, key, &mut naming.section(path), 0)
}

/// Windows nests keys 512 deep at most; a damaged hive, whose check is not through yet, may go in circles.
const DEPTH_MAX: usize = 600;

/// `section` grows and shrinks with the walk, so that no path is put together twice.
pub(super) fn write_tree(
    out: &mut RegWriter<'_>,
    key: &KeyRef<'_>,
    section: &mut String,
    depth: usize,
) -> Result<(), ExportError> {
    if depth > DEPTH_MAX {
        return Err(io::Error::other("the keys are nested too deeply").into());
    }
    out.section(false, section)?;
    for value in key.each_value()? {
        write_value(out, &value?)?;
    }
    for subkey in key.each_subkey()? {
        let subkey = subkey?;
        out.go_on()?;
        let len = section.len();
        if step(section, &subkey.name_text()) {
            write_tree(out, &subkey, section, depth + 1)?;
        } else {
            out.leave_out();
        }
        section.truncate(len);
    }
    Ok(())
}

/// A value, if its name can be told.
pub(super) fn write_value(out: &mut RegWriter<'_>, value: &ValueRef<'_>) -> Result<(), ExportError> {
    out.go_on()?;
    let name = value.name_text();
    // Before the data is read: a hostile hive may list long data any number of times, under names that are left out.
    if !can_tell(value, &name) {
        out.leave_out();
        return Ok(());
    }
    out.value(&name, value.data_type(), &value.data()?)?;
    Ok(())
}

/// Goes down to a subkey; not if its name can't be told.
pub(super) fn step(section: &mut String, name: &str) -> bool {
    if name.contains(['\\', char::REPLACEMENT_CHARACTER]) || ends_a_section(name) {
        return false;
    }
    if !section.ends_with('\\') {
        section.push('\\');
    }
    section.push_str(name);
    true
}

/// Whether a reader would see the end of a section in the name, or doubt that it is one.
fn ends_a_section(name: &str) -> bool {
    name.contains('\n')
        && (["\n[", "\n\"", "\n@"].iter().any(|doubtful| name.contains(doubtful))
            || name.split('\n').rev().skip(1).any(|line| line.trim_end_matches([' ', '\t', '\r']).ends_with(']')))
}

/// Whether `.reg` can tell the value's name.
pub(super) fn can_tell(value: &ValueRef<'_>, name: &str) -> bool {
    !name.contains(char::REPLACEMENT_CHARACTER) || !has_lone_surrogate(&value.name_units())
}

fn has_lone_surrogate(units: &[u16]) -> bool {
    char::decode_utf16(units.iter().copied()).any(|c| c.is_err())
}
