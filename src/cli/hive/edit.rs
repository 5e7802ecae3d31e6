//! `coldmend hive set` and `coldmend hive delete`: edits of one hive file, committed by Windows' own protocol.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, ValueEnum};
use coldmend_hives::{FileTime, Hive};
use serde_json::json;

use crate::error::{Context as _, Failure, Kind, Result};
use crate::hivefile::HiveOnDisk;
use crate::plan::{from_hex, RegValue, REG_QWORD};
use crate::regfile::{self, Edit};
use crate::ui::Ui;
use crate::volume::escape::escape_text;

use super::{engine, resolve, HiveArguments, Status, WriteArguments};

/// Arguments of `hive set`.
#[derive(Args, Debug)]
pub(in crate::cli) struct SetArguments {
    #[command(flatten)]
    hive: HiveArguments,
    /// The key, from the hive's root; made if it is not there
    #[arg(value_name = "KEY", required_unless_present = "reg")]
    key: Option<String>,
    /// The value's name ("" for the default value)
    #[arg(value_name = "NAME", required_unless_present = "reg")]
    name: Option<String>,
    /// The data: a number (decimal or 0x…), text, several texts for multi-string, hex digits for binary
    #[arg(value_name = "DATA", required_unless_present = "reg")]
    data: Vec<String>,
    /// The value's type
    #[arg(long = "type", value_enum, value_name = "TYPE", required_unless_present = "reg")]
    data_type: Option<Type>,
    /// Apply this .reg file instead
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key", "name", "data", "data_type"])]
    reg: Option<PathBuf>,
    /// What stands before the hive's root in the .reg file's key names
    #[arg(long, value_name = "KEY", requires = "reg")]
    prefix: Option<String>,
    #[command(flatten)]
    write: WriteArguments,
}

/// Arguments of `hive delete`.
#[derive(Args, Debug)]
pub(in crate::cli) struct DeleteArguments {
    #[command(flatten)]
    hive: HiveArguments,
    /// The key, from the hive's root
    #[arg(value_name = "KEY")]
    key: String,
    /// The value's name ("" for the default value); the whole key if it is left out
    #[arg(value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    write: WriteArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Type {
    /// 32-bit number
    Dword,
    /// 64-bit number
    Qword,
    /// Text
    String,
    /// Text with %variables%
    ExpandString,
    /// Several texts
    MultiString,
    /// Bytes
    Binary,
}

/// The largest .reg file that is read.
const REG_LIMIT: u64 = 4 << 30;

pub(super) fn set(ui: &Ui, arguments: &SetArguments) -> Status {
    let edits = match &arguments.reg {
        Some(path) => {
            let shown = escape_text(path.as_os_str());
            let bytes = read_reg(path).doing(|| format!("reading {shown}"))?;
            regfile::parse(bytes, arguments.prefix.as_deref()).map_err(|e| {
                let hint = if e.is_about_the_prefix() {
                    "Give what stands before the hive's root in its key names, such as --prefix 'HKEY_LOCAL_MACHINE\\SYSTEM'."
                } else {
                    "A .reg file as regedit and `coldmend hive export` write it is needed."
                };
                Failure::from_error(Kind::Usage, e)
                    .context(format!("reading {shown}; nothing was written"))
                    .hint(hint)
            })?
        }
        None => {
            let (Some(key), Some(name), Some(data_type)) = (&arguments.key, &arguments.name, arguments.data_type)
            else {
                return Err(Failure::usage("a key, a name, data and --type are needed, or --reg FILE"));
            };
            vec![Edit::SetValue(key.as_str().into(), name.clone(), value(data_type, &arguments.data)?)]
        }
    };
    apply(ui, &arguments.hive, &arguments.write, edits, false)
}

/// A .reg file, or a pipe that gives one; nothing that never ends.
fn read_reg(path: &Path) -> Result<Vec<u8>> {
    use std::io::Read as _;
    let unreadable = |e: std::io::Error| {
        Failure::from_error(Kind::Unreadable, e).hint("Name a .reg file that is there and may be read.")
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let meta = file.metadata().map_err(unreadable)?;
    let mut bytes = Vec::new();
    let too_large = || Failure::unreadable(format!("it has more than {REG_LIMIT} bytes")).hint("Split the .reg file.");
    if meta.is_dir() {
        return Err(Failure::unreadable("it is a folder").hint("Name a .reg file."));
    }
    if meta.len() > REG_LIMIT {
        return Err(too_large());
    }
    if meta.is_file() {
        let expected = usize::try_from(meta.len()).map_err(|_| too_large())?;
        bytes.try_reserve_exact(expected.saturating_add(1)).map_err(|e| Failure::from_error(Kind::Unreadable, e))?;
    }
    // A device that never ends shows itself in its first bytes: no text has a NUL there.
    (&file).take(4096).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() >= 4 && bytes.iter().take(4).all(|byte| *byte == 0) {
        return Err(Failure::usage("it begins with zeros")
            .hint("Name a .reg file, as regedit or `coldmend hive export` writes it."));
    }
    (&file).take(REG_LIMIT).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > REG_LIMIT {
        return Err(too_large());
    }
    Ok(bytes)
}

pub(super) fn delete(ui: &Ui, arguments: &DeleteArguments) -> Status {
    let key = arguments.key.as_str().into();
    let edit = match &arguments.name {
        Some(name) => Edit::DeleteValue(key, name.clone()),
        None => Edit::DeleteKey(key),
    };
    apply(ui, &arguments.hive, &arguments.write, vec![edit], true)
}

/// Makes the edits as one commit. With `strict`, what is to be deleted must be there.
fn apply(ui: &Ui, hive: &HiveArguments, write: &WriteArguments, edits: Vec<Edit>, strict: bool) -> Status {
    let file = HiveOnDisk::find(&hive.hive)?;
    let count = edits.len();
    ui.progress(&format!("editing {}", file.shown));
    let changed = file.edit(write.force_dirty_hive, &edits, &mut |hive, now| make(hive, &edits, now, strict))?;
    ui.out(if changed { "Done; written and read back.\n" } else { "Nothing to do; nothing was written.\n" });
    ui.json(&json!({
        "schema": "coldmend.hive-edit/1", "tool": env!("CARGO_PKG_VERSION"), "path": file.shown,
        "edits": count, "changed": changed,
    }))?;
    Ok(0)
}

/// Makes the edits in memory; answers the keys that they were made on.
fn make(hive: &mut Hive, edits: &[Edit], now: FileTime, strict: bool) -> Result<Vec<Arc<str>>> {
    // The key of the edit before is mostly the key of this one.
    let mut last: Option<(Arc<str>, Arc<str>)> = None;
    let mut made = Vec::with_capacity(edits.len());
    for edit in edits {
        let key = match &last {
            Some((given, key)) if Arc::ptr_eq(given, edit.key()) => key.clone(),
            _ => Arc::from(resolve(hive, edit.key())?),
        };
        let is_same = last.as_ref().is_some_and(|(given, _)| Arc::ptr_eq(given, edit.key()));
        make_one(hive, edit, &key, now, strict, is_same)?;
        last = Some((edit.key().clone(), key.clone()));
        made.push(key);
    }
    Ok(made)
}

/// With `is_there`, the key is known to be there: the edit before was on it.
fn make_one(hive: &mut Hive, edit: &Edit, key: &str, now: FileTime, strict: bool, is_there: bool) -> Result<()> {
    let there = |hive: &Hive| hive.find_key(key).map(|k| k.is_some()).map_err(engine("looking for a key"));
    match edit {
        Edit::CreateKey(_) => {
            if !there(hive)? {
                hive.create_key(key, now).map_err(engine("creating a key"))?;
            }
        }
        Edit::DeleteKey(_) => {
            if key.is_empty() {
                return Err(Failure::usage("the root key can't be deleted").hint("Name a key below it."));
            }
            if strict || there(hive)? {
                hive.delete_key(key, now).map_err(engine("deleting a key"))?;
            }
        }
        Edit::SetValue(_, name, value) => {
            if !is_there && !there(hive)? {
                hive.create_key(key, now).map_err(engine("creating a key"))?;
            }
            hive.set_value(key, name, value.data_type, &value.data, now).map_err(engine("setting a value"))?;
        }
        Edit::DeleteValue(_, name) => {
            let found = match hive.find_key(key).map_err(engine("looking for a key"))? {
                Some(key) => key.value(name).map_err(engine("looking for a value"))?.is_some(),
                None => false,
            };
            if strict || found {
                hive.delete_value(key, name, now).map_err(engine("deleting a value"))?;
            }
        }
    }
    Ok(())
}

fn value(data_type: Type, data: &[String]) -> Result<RegValue> {
    let one = || match data {
        [one] => Ok(one.as_str()),
        _ => Err(Failure::usage(format!("this type takes one DATA, {} are given", data.len()))),
    };
    let number = |limit: u64| -> Result<u64> {
        let text = one()?;
        let parsed = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
            Some(hex) => u64::from_str_radix(hex, 16),
            None => text.parse(),
        };
        parsed
            .ok()
            .filter(|n| *n <= limit)
            .ok_or_else(|| Failure::usage(format!("{text:?} is not a number from 0 to {limit}")))
    };
    Ok(match data_type {
        Type::Dword => RegValue::dword(u32::try_from(number(u32::MAX.into())?).unwrap_or_default()),
        Type::Qword => RegValue { data_type: REG_QWORD, data: number(u64::MAX)?.to_le_bytes().to_vec() },
        Type::String => RegValue::string(one()?),
        Type::ExpandString => RegValue::expand_string(one()?),
        Type::MultiString => RegValue::multi_string(data),
        Type::Binary => {
            let digits: String = one()?.chars().filter(|c| !matches!(c, ' ' | ',')).collect();
            RegValue::binary(
                from_hex(&digits).ok_or_else(|| Failure::usage(format!("{digits:?} is not pairs of hex digits")))?,
            )
        }
    })
}
