//! `services-security`: a broken service descriptor back to the default; only the broken part is replaced.

use crate::checks::{Context, Service};
use crate::error::{Failure, Result};
use crate::findings::Defect;
use crate::plan::{Change, HiveName, RegValue};
use crate::security::{account_sid, judge, known_wrong_on, mend, Descriptor};

use super::{missing_keys, Output, Request};

pub(super) fn changes(request: &Request<'_>, output: &mut Output) -> Result<()> {
    let given = &request.options.sddl;
    for defect in request.defects() {
        let Defect::Descriptor { key, service, found } = defect else { continue };
        if given.iter().any(|(name, _)| name.eq_ignore_ascii_case(service)) {
            continue;
        }
        let Some(service) = request.context.services().find(|s| s.key == *key) else { continue };
        output.changes.extend(replace(service, found));
    }
    for (name, descriptor) in given {
        let (changes, warnings) = descriptor_changes(request.context, name, descriptor)?;
        output.changes.extend(changes);
        output.warnings.extend(warnings);
    }
    Ok(())
}

/// The default in place of what is broken; where this Windows has no descriptor of its own for the service, none.
fn replace(service: &Service, found: &RegValue) -> Vec<Change> {
    let hive = HiveName::System;
    let key = format!("{}\\Security", service.key);
    let name = "Security".to_string();
    let row = &service.expected.row;
    match row.default_descriptor() {
        // Older versions hold bytes there that are no descriptor: those are the default then.
        None if row.opaque_descriptor.is_some() => {
            let after = RegValue::binary(row.opaque_descriptor.clone().unwrap_or_default());
            vec![Change::SetValue { hive, key, name, before: Some(found.clone()), after }]
        }
        Some(default) => {
            let mended = Descriptor::parse(&found.data).map_or_else(|_| default.clone(), |d| mend(&d, &default));
            let after = RegValue::binary(mended.to_bytes());
            vec![Change::SetValue { hive, key, name, before: Some(found.clone()), after }]
        }
        None => vec![Change::DeleteValue { hive, key, name, before: found.clone() }],
    }
}

/// Gives a service the descriptor that somebody asked for, with warnings where it is known to be wrong. Parts that the
/// string leaves out (owner, group, SACL) stay as they are, as with `sc sdset`.
///
/// # Errors
/// The service is not there.
pub fn descriptor_changes(context: &Context<'_>, name: &str, given: &Descriptor) -> Result<(Vec<Change>, Vec<String>)> {
    let mut changes = Vec::new();
    let mut warnings = Vec::new();
    let mut found_any = false;
    for set in &context.installation.control_sets {
        let service = format!("{}\\Services\\{name}", set.key);
        let exists =
            |key: &str| context.system.key_exists(key).map_err(|e| crate::evidence::hive_failure(HiveName::System, e));
        if !exists(&service)? {
            continue;
        }
        found_any = true;
        let key = format!("{service}\\Security");
        changes.extend(missing_keys(context, HiveName::System, &key)?);
        let before = context.value(&key, "Security")?;
        let base = before.as_ref().and_then(|v| Descriptor::parse(&v.data).ok()).or_else(|| {
            context
                .services()
                .find(|s| s.key.eq_ignore_ascii_case(&service))
                .and_then(|s| s.expected.row.default_descriptor())
        });
        // SYSTEM owns what nobody is said to own; Windows wants an owner and a group.
        let system = Descriptor::from_sddl("O:SYG:SY")
            .map_err(|e| Failure::usage(format!("reading the built-in owner: {e}")))?;
        let merged = given.completed_from(base.as_ref().unwrap_or(&system)).completed_from(&system);
        let account = context.value(&service, "ObjectName")?.and_then(|v| v.as_text());
        let account = account.as_deref().and_then(account_sid);
        for fault in judge(&merged, account.as_ref()) {
            push_once(&mut warnings, format!("the descriptor given for {name} is broken: {fault}"));
        }
        if let Some(why) = known_wrong_on(name, context.installation.version.build, &merged) {
            push_once(&mut warnings, format!("the descriptor given for {name} is known to be wrong: {why}"));
        }
        let after = RegValue::binary(merged.to_bytes());
        if before.as_ref() != Some(&after) {
            changes.push(Change::SetValue { hive: HiveName::System, key, name: "Security".into(), before, after });
        }
    }
    if !found_any {
        return Err(Failure::usage(format!("there is no service {name:?} in this installation"))
            .hint("`coldmend service list TARGET` shows the names."));
    }
    Ok((changes, warnings))
}

fn push_once(list: &mut Vec<String>, text: String) {
    if !list.contains(&text) {
        list.push(text);
    }
}
