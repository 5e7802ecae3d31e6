//! `coldmend hive ls` and `coldmend hive get`.

use clap::Args;
use coldmend_hives::ValueRef;
use serde_json::json;

use crate::error::{Failure, Result};
use crate::plan::{to_hex, RegValue, REG_DWORD, REG_EXPAND_SZ, REG_MULTI_SZ, REG_QWORD, REG_SZ};
use crate::ui::Ui;
use crate::volume::escape::escape_text;

use super::{engine, key, open, resolve, HiveArguments, Status};

/// Arguments of `hive ls`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    coldmend hive ls SYSTEM\n  \
    coldmend hive ls SYSTEM 'CurrentControlSet\\Services\\wuauserv'")]
pub(in crate::cli) struct LsArguments {
    #[command(flatten)]
    hive: HiveArguments,
    /// The key, from the hive's root; the root if it is left out
    #[arg(value_name = "KEY", default_value = "")]
    key: String,
}

/// Arguments of `hive get`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    coldmend hive get SYSTEM 'CurrentControlSet\\Services\\wuauserv' Start\n  \
    coldmend hive get SOFTWARE 'Microsoft\\Windows NT\\CurrentVersion'")]
pub(in crate::cli) struct GetArguments {
    #[command(flatten)]
    hive: HiveArguments,
    /// The key, from the hive's root
    #[arg(value_name = "KEY")]
    key: String,
    /// The value's name ("" for the default value); all values if it is left out
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

fn reg_value(value: &ValueRef<'_>) -> Result<RegValue> {
    let data = value.data().map_err(engine("reading a value"))?.into_owned();
    Ok(RegValue { data_type: value.data_type(), data })
}

/// A value's name for people.
fn shown(name: &str) -> String {
    if name.is_empty() {
        "(default)".into()
    } else {
        escape_text(name.as_ref())
    }
}

/// The most bytes that are shown of a value among others.
const SHORT: usize = 32;

/// Data for people. Numbers in both systems; text in quotes, so that its ends are seen; bytes as `hive set` takes them, all of them or,
/// in a list of values, the first.
fn data(value: &RegValue, whole: bool) -> String {
    let quoted = |text: &str| format!("\"{}\"", escape_text(text.as_ref()));
    let bytes = &value.data;
    match value.data_type {
        REG_DWORD => {
            if let Some(number) = value.as_dword() {
                return format!("{number} ({number:#x})");
            }
        }
        REG_QWORD => {
            if let Ok(bytes) = <[u8; 8]>::try_from(bytes.as_slice()) {
                let number = u64::from_le_bytes(bytes);
                return format!("{number} ({number:#x})");
            }
        }
        // Text as such only where nothing is hidden behind it.
        REG_SZ | REG_EXPAND_SZ => {
            if let Some(text) = value.as_text().filter(|text| RegValue::string(text).data == *bytes) {
                return quoted(&text);
            }
        }
        REG_MULTI_SZ => {
            if let Some(list) = value.as_list().filter(|list| RegValue::multi_string(list).data == *bytes) {
                return list.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(" ");
            }
        }
        _ => {}
    }
    let some = bytes.get(..SHORT).filter(|_| !whole).unwrap_or(bytes);
    let hex = to_hex(some);
    match bytes.len() {
        0 => "(no data)".into(),
        all if all > some.len() => format!("{hex}… ({all} bytes)"),
        _ => hex,
    }
}

/// The widest name that others are lined up with.
const NAME_WIDTH: usize = 32;

/// Lines of a key's values: name, type, data.
fn list(values: &[(String, RegValue)], whole: bool) -> String {
    let names: Vec<String> = values.iter().map(|(name, _)| shown(name)).collect();
    let width = names.iter().map(|name| name.chars().count()).filter(|width| *width <= NAME_WIDTH).max().unwrap_or(0);
    let mut out = String::new();
    for (name, (_, value)) in names.iter().zip(values) {
        out.push_str(&format!("{name:width$}  {:13}  {}\n", value.type_name(), data(value, whole)));
    }
    out
}

fn values(key: &coldmend_hives::KeyRef<'_>) -> Result<Vec<(String, RegValue)>> {
    let values = key.values().map_err(engine("listing values"))?;
    values.iter().map(|value| Ok((value.name(), reg_value(value)?))).collect()
}

fn in_json(values: &[(String, RegValue)]) -> Vec<serde_json::Value> {
    values.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
}

pub(super) fn ls(ui: &Ui, arguments: &LsArguments) -> Status {
    let opened = open(ui, &arguments.hive.hive)?;
    let path = resolve(&opened.hive, &arguments.key)?;
    let key = key(&opened.hive, &path)?;
    let subkeys = key.subkeys().map_err(engine("listing subkeys"))?;
    let subkeys: Vec<String> = subkeys.iter().map(coldmend_hives::KeyRef::name).collect();
    let values = values(&key)?;
    let mut out: String = subkeys.iter().map(|name| format!("{}\\\n", escape_text(name.as_ref()))).collect();
    out.push_str(&list(&values, false));
    ui.out(&out);
    if out.is_empty() {
        ui.status("The key has no subkeys and no values.");
    }
    ui.json(&json!({
        "schema": "coldmend.hive-key/1", "tool": env!("CARGO_PKG_VERSION"), "path": opened.file.shown, "key": path,
        "class": key.class().map_err(engine("reading the class"))?, "subkeys": subkeys, "values": in_json(&values),
    }))?;
    Ok(0)
}

pub(super) fn get(ui: &Ui, arguments: &GetArguments) -> Status {
    let opened = open(ui, &arguments.hive.hive)?;
    let path = resolve(&opened.hive, &arguments.key)?;
    let key = key(&opened.hive, &path)?;
    let values = match &arguments.name {
        Some(name) => {
            let value = key.value(name).map_err(engine("reading a value"))?.ok_or_else(|| {
                Failure::usage(format!("there is no value \"{}\" in \"{}\"", shown(name), escape_text(path.as_ref())))
                    .hint("`coldmend hive ls` shows what is there.")
            })?;
            let found = reg_value(&value)?;
            ui.out(&format!("{}\n", data(&found, true)));
            vec![(value.name(), found)]
        }
        None => {
            let values = values(&key)?;
            ui.out(&list(&values, true));
            values
        }
    };
    ui.json(&json!({
        "schema": "coldmend.hive-values/1", "tool": env!("CARGO_PKG_VERSION"), "path": opened.file.shown, "key": path,
        "values": in_json(&values),
    }))?;
    Ok(0)
}
