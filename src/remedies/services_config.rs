//! `services-config`: the rest of a service: missing keys, type, image path, DLL, account, dependencies, privileges,
//! triggers, svchost group.

use crate::checks::{Context, SVCHOST_KEY};
use crate::error::Result;
use crate::evidence::hive_failure;
use crate::findings::Defect;
use crate::knowledge::{Knowledge, ValueData};
use crate::plan::{from_hex, Change, HiveName, RegValue};

use super::{missing_keys, value_change, Output, Request};

pub(super) fn changes(request: &Request<'_>, output: &mut Output) -> Result<()> {
    for defect in request.defects() {
        match defect {
            Defect::Value { key, .. } => {
                if let Some(change) = value_change(defect) {
                    create_parents(request.context, key, output)?;
                    output.changes.push(change);
                }
            }
            Defect::ServiceMissing { key, service } => rebuild(request.context, key, service, output)?,
            Defect::Triggers { key, service } => add_triggers(request.context, key, service, output)?,
            Defect::SvchostGroup { .. } => {}
            Defect::Descriptor { .. } | Defect::Cache { .. } | Defect::StuckPackage { .. } | Defect::Logged { .. } => {}
        }
    }
    svchost_groups(request, output);
    Ok(())
}

/// Creates the key that a value goes into, and what is missing above it, once.
fn create_parents(context: &Context<'_>, key: &str, output: &mut Output) -> Result<()> {
    for change in missing_keys(context, HiveName::System, key)? {
        if !output.changes.contains(&change) {
            output.changes.push(change);
        }
    }
    Ok(())
}

fn set(key: String, name: &str, before: Option<RegValue>, after: RegValue) -> Change {
    Change::SetValue { hive: HiveName::System, key, name: name.into(), before, after }
}

/// Makes a service's key again from the full definition of its Windows.
fn rebuild(context: &Context<'_>, key: &str, service: &str, output: &mut Output) -> Result<()> {
    let version = &context.installation.version;
    let Some(definition) = Knowledge::builtin().definition(service, version.build, context.installation.product_type)
    else {
        return Ok(());
    };
    create_parents(context, key, output)?;
    for value in &definition.values {
        let at = if value.key.is_empty() { key.to_string() } else { format!("{key}\\{}", value.key) };
        create_parents(context, &at, output)?;
        output.changes.push(set(at, &value.name, None, reg_value(&value.data)));
    }
    output.warnings.push(format!(
        "the key of {service} is made anew from the definition of {} ({}); updates since may have changed it",
        definition.builds, definition.source
    ));
    Ok(())
}

fn reg_value(data: &ValueData) -> RegValue {
    match data {
        ValueData::Dword(n) => RegValue::dword(*n),
        ValueData::String(t) => RegValue::string(t),
        ValueData::ExpandString(t) => RegValue::expand_string(t),
        ValueData::MultiString(items) => RegValue::multi_string(items),
        ValueData::Binary(bytes) => RegValue::binary(bytes.clone()),
    }
}

/// Adds the triggers that are missing, under the first free numbers.
fn add_triggers(context: &Context<'_>, key: &str, service: &str, output: &mut Output) -> Result<()> {
    let Some(service) = context.services().find(|s| s.key == key && s.name == service) else { return Ok(()) };
    let root = format!("{key}\\TriggerInfo");
    let found = crate::checks::found_triggers(context, &root)?;
    let taken = context.system.subkeys(&root).map_err(|e| hive_failure(HiveName::System, e))?;
    let mut number = 0u32;
    for trigger in service.expected.row.triggers.iter().flatten() {
        if found.iter().any(|f| f.0 == trigger.trigger_type && f.1 == trigger.action && f.2 == trigger.guid) {
            continue;
        }
        while taken.contains(&number.to_string()) {
            number = number.saturating_add(1);
        }
        let at = format!("{root}\\{number}");
        number = number.saturating_add(1);
        create_parents(context, &at, output)?;
        let binary = |hex: &str| RegValue::binary(from_hex(hex).unwrap_or_default());
        output.changes.push(set(at.clone(), "Type", None, RegValue::dword(trigger.trigger_type)));
        output.changes.push(set(at.clone(), "Action", None, RegValue::dword(trigger.action)));
        output.changes.push(set(at.clone(), "GUID", None, binary(&trigger.guid)));
        for (i, data) in trigger.data.iter().enumerate() {
            output.changes.push(set(at.clone(), &format!("DataType{i}"), None, RegValue::dword(data.data_type)));
            output.changes.push(set(at.clone(), &format!("Data{i}"), None, binary(&data.hex)));
        }
    }
    Ok(())
}

/// Puts the missing names back into their groups, all of a group in one change.
fn svchost_groups(request: &Request<'_>, output: &mut Output) {
    let mut groups: Vec<(&str, Vec<&str>, Option<RegValue>)> = Vec::new();
    for defect in request.defects() {
        let Defect::SvchostGroup { group, service, found } = defect else { continue };
        match groups.iter_mut().find(|g| g.0 == group) {
            Some(known) => known.1.push(service),
            None => groups.push((group, vec![service], found.clone())),
        }
    }
    for (group, services, before) in groups {
        let mut names = before.as_ref().and_then(RegValue::as_list).unwrap_or_default();
        names.extend(services.iter().map(ToString::to_string));
        output.changes.push(Change::SetValue {
            hive: HiveName::Software,
            key: SVCHOST_KEY.into(),
            name: group.into(),
            before,
            after: RegValue::multi_string(&names),
        });
    }
}
