//! `services-start`: start types (and delayed start) back to the default of that Windows.

use crate::checks::{Context, Service};
use crate::error::Result;
use crate::findings::Defect;
use crate::knowledge::StartType;
use crate::plan::{Change, HiveName, RegValue};

use super::{value_change, Output, Request};

pub(super) fn changes(request: &Request<'_>, output: &mut Output) -> Result<()> {
    for defect in request.defects() {
        let Some(change) = value_change(defect) else { continue };
        output.changes.push(change);
        if let Defect::Value { key, .. } = defect {
            if let Some(service) = request.context.services().find(|s| s.key == *key) {
                output.changes.extend(delayed_change(request.context, service)?);
            }
        }
    }
    if request.forced() {
        for service in request.context.services() {
            reset(request.context, service, output)?;
        }
    }
    Ok(())
}

/// The complete reset: the version's default, unless the service is at a value that Windows switches to by itself.
fn reset(context: &Context<'_>, service: &Service, output: &mut Output) -> Result<()> {
    let row = &service.expected.row;
    let Some(default) = row.start else { return Ok(()) };
    let wanted = crate::checks::wanted_start(context, service, default.start);
    let found = context.value(&service.key, "Start")?;
    let current = found.as_ref().and_then(RegValue::as_dword).and_then(StartType::from_value);
    let healthy = current.is_some_and(|s| row.healthy_starts.contains(&s)) && !row.auto_while_pending;
    let already = output
        .changes
        .iter()
        .any(|c| matches!(c, Change::SetValue { key, name, .. } if *key == service.key && name == "Start"));
    if already || healthy || current == Some(wanted) {
        return Ok(());
    }
    output.changes.push(Change::SetValue {
        hive: HiveName::System,
        key: service.key.clone(),
        name: "Start".into(),
        before: found,
        after: RegValue::dword(wanted.value()),
    });
    output.changes.extend(delayed_change(context, service)?);
    Ok(())
}

/// `DelayedAutoStart` beside a start type that is written; left alone where Windows changes it itself.
fn delayed_change(context: &Context<'_>, service: &Service) -> Result<Option<Change>> {
    let Some(default) = service.expected.row.start else { return Ok(None) };
    let Some(delayed) = default.delayed else { return Ok(None) };
    if default.start != StartType::Auto {
        return Ok(None);
    }
    let name = "DelayedAutoStart";
    let found = context.value(&service.key, name)?;
    let is = found.as_ref().and_then(RegValue::as_dword).unwrap_or(0) != 0;
    if is == delayed {
        return Ok(None);
    }
    let (hive, key, name) = (HiveName::System, service.key.clone(), name.to_string());
    Ok(match (delayed, found) {
        (true, before) => Some(Change::SetValue { hive, key, name, before, after: RegValue::dword(1) }),
        (false, Some(before)) => Some(Change::DeleteValue { hive, key, name, before }),
        (false, None) => None,
    })
}
