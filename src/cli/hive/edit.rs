//! `coldmend hive set` and `coldmend hive delete`: edits of one hive file, committed by Windows' own protocol.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use coldmend_hives::{FileTime, Hive};
use serde_json::json;

use crate::error::{Context as _, Failure, Kind, Result};
use crate::hivefile::HiveOnDisk;
use crate::plan::{from_hex, RegValue, REG_QWORD};
use crate::regfile::{self, Edit};
use crate::ui::Ui;

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

pub(super) fn set(ui: &Ui, arguments: &SetArguments) -> Status {
    let edits = match &arguments.reg {
        Some(path) => {
            let bytes = std::fs::read(path)
                .map_err(|e| Failure::from_error(Kind::Unreadable, e))
                .doing(|| format!("reading {}", path.display()))?;
            regfile::parse(&bytes, arguments.prefix.as_deref())
                .map_err(|e| Failure::from_error(Kind::Usage, e).context(format!("reading {}", path.display())))?
        }
        None => {
            let (Some(key), Some(name), Some(data_type)) = (&arguments.key, &arguments.name, arguments.data_type)
            else {
                return Err(Failure::usage("a key, a name, data and --type are needed, or --reg FILE"));
            };
            vec![Edit::SetValue(key.clone(), name.clone(), value(data_type, &arguments.data)?)]
        }
    };
    apply(ui, &arguments.hive, &arguments.write, &edits, false)
}

pub(super) fn delete(ui: &Ui, arguments: &DeleteArguments) -> Status {
    let edit = match &arguments.name {
        Some(name) => Edit::DeleteValue(arguments.key.clone(), name.clone()),
        None => Edit::DeleteKey(arguments.key.clone()),
    };
    apply(ui, &arguments.hive, &arguments.write, &[edit], true)
}

/// Makes the edits as one commit. With `strict`, what is to be deleted must be there.
fn apply(ui: &Ui, hive: &HiveArguments, write: &WriteArguments, edits: &[Edit], strict: bool) -> Status {
    let file = HiveOnDisk::read(&hive.hive)?;
    let changed = file.edit(write.force_dirty_hive, |hive, now| {
        edits.iter().try_for_each(|edit| apply_one(hive, edit, now, strict))
    })?;
    ui.out(if changed { "Done; written and read back.\n" } else { "Nothing to do; nothing was written.\n" });
    ui.json(&json!({
        "schema": "coldmend.hive-edit/1", "tool": env!("CARGO_PKG_VERSION"), "path": file.shown,
        "edits": edits.len(), "changed": changed,
    }))?;
    Ok(0)
}

fn apply_one(hive: &mut Hive, edit: &Edit, now: FileTime, strict: bool) -> Result<()> {
    let there = |hive: &Hive, key: &str| hive.find_key(key).map(|k| k.is_some()).map_err(engine("looking for a key"));
    match edit {
        Edit::CreateKey(key) => {
            let key = resolve(hive, key)?;
            if !there(hive, &key)? {
                hive.create_key(&key, now).map_err(engine("creating a key"))?;
            }
        }
        Edit::DeleteKey(key) => {
            let key = resolve(hive, key)?;
            if strict || there(hive, &key)? {
                hive.delete_key(&key, now).map_err(engine("deleting a key"))?;
            }
        }
        Edit::SetValue(key, name, value) => {
            let key = resolve(hive, key)?;
            if !there(hive, &key)? {
                hive.create_key(&key, now).map_err(engine("creating a key"))?;
            }
            hive.set_value(&key, name, value.data_type, &value.data, now).map_err(engine("setting a value"))?;
        }
        Edit::DeleteValue(key, name) => {
            let key = resolve(hive, key)?;
            let found = match hive.find_key(&key).map_err(engine("looking for a key"))? {
                Some(key) => key.value(name).map_err(engine("looking for a value"))?.is_some(),
                None => false,
            };
            if strict || found {
                hive.delete_value(&key, name, now).map_err(engine("deleting a value"))?;
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
