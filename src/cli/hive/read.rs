//! `coldmend hive ls` and `coldmend hive get`.

use clap::Args;
use coldmend_hives::ValueRef;
use serde_json::json;

use crate::error::{Failure, Result};
use crate::plan::RegValue;
use crate::ui::Ui;

use super::{engine, key, open, resolve, HiveArguments, Status};

/// Arguments of `hive ls`.
#[derive(Args, Debug)]
pub(in crate::cli) struct LsArguments {
    #[command(flatten)]
    hive: HiveArguments,
    /// The key, from the hive's root; the root if it is left out
    #[arg(value_name = "KEY", default_value = "")]
    key: String,
}

/// Arguments of `hive get`.
#[derive(Args, Debug)]
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

fn shown(name: &str) -> &str {
    if name.is_empty() {
        "(default)"
    } else {
        name
    }
}

pub(super) fn ls(ui: &Ui, arguments: &LsArguments) -> Status {
    let (file, hive) = open(ui, &arguments.hive)?;
    let path = resolve(&hive, &arguments.key)?;
    let key = key(&hive, &path)?;
    let subkeys: Vec<String> =
        key.subkeys().map_err(engine("listing subkeys"))?.iter().map(coldmend_hives::KeyRef::name).collect();
    let mut values = Vec::new();
    for name in &subkeys {
        ui.out(&format!("{name}\\\n"));
    }
    for value in key.values().map_err(engine("listing values"))? {
        let data = reg_value(&value)?;
        ui.out(&format!("{} = {data}\n", shown(&value.name())));
        values.push(json!({"name": value.name(), "value": data}));
    }
    ui.json(&json!({
        "schema": "coldmend.hive-key/1", "tool": env!("CARGO_PKG_VERSION"), "path": file.shown, "key": path,
        "class": key.class().map_err(engine("reading the class"))?, "subkeys": subkeys, "values": values,
    }))?;
    Ok(0)
}

pub(super) fn get(ui: &Ui, arguments: &GetArguments) -> Status {
    let (file, hive) = open(ui, &arguments.hive)?;
    let path = resolve(&hive, &arguments.key)?;
    let key = key(&hive, &path)?;
    let mut values = Vec::new();
    match &arguments.name {
        Some(name) => {
            let value = key
                .value(name)
                .map_err(engine("reading a value"))?
                .ok_or_else(|| Failure::usage(format!("there is no value {:?} in {path:?}", shown(name))))?;
            let data = reg_value(&value)?;
            ui.out(&format!("{data}\n"));
            values.push(json!({"name": value.name(), "value": data}));
        }
        None => {
            for value in key.values().map_err(engine("listing values"))? {
                let data = reg_value(&value)?;
                ui.out(&format!("{} ({}) = {data}\n", shown(&value.name()), data.type_name()));
                values.push(json!({"name": value.name(), "value": data}));
            }
        }
    }
    ui.json(&json!({
        "schema": "coldmend.hive-values/1", "tool": env!("CARGO_PKG_VERSION"), "path": file.shown, "key": path,
        "values": values,
    }))?;
    Ok(0)
}
