//! Every other service of Windows: which of the reference's are absent here, and which are disabled here and not there. One note, since
//! owners remove features and switch services off, and hardware differs.

use std::collections::BTreeSet;

use super::side::Side;
use super::{names, reported, Base, Picture};
use crate::error::Result;
use crate::findings::{Evidence, Findings, Severity};
use crate::knowledge::{Knowledge, StartType};
use crate::plan::HiveName;

/// `SERVICE_USERSERVICE_INSTANCE`: made anew for each user who logs on, under a name of that session.
const OF_A_USER: u32 = 0x80;
/// `SERVICE_KERNEL_DRIVER`, `SERVICE_FILE_SYSTEM_DRIVER`.
const DRIVERS: [u32; 2] = [1, 2];
/// A healthy Windows has some seven hundred.
const MOST_SERVICES: usize = 5000;

/// Compares which services there are; those in `compared` have been looked at as a whole, but for whether they are there and on.
pub(super) fn run(
    base: &Base<'_>,
    reference: &Side<'_>,
    compared: &BTreeSet<String>,
    findings: &mut Findings,
) -> Result<()> {
    let ours: BTreeSet<String> = Knowledge::builtin().services().iter().map(|name| name.to_lowercase()).collect();
    let mut theirs = reference.names()?;
    theirs.retain(|name| !ours.contains(&name.to_lowercase()));
    if theirs.len() > MOST_SERVICES {
        findings
            .could_not(super::ID, format!("only the first {MOST_SERVICES} services of the reference were compared"));
        theirs.truncate(MOST_SERVICES);
    }
    findings.made += 1;
    for set in &base.context.installation.control_sets {
        let system_root = base.context.system_root.as_deref();
        let target = Side { system: &base.context.system, set: &set.key, system_root };
        let (mut absent, mut disabled) = (Vec::new(), Vec::new());
        for name in &theirs {
            let Some(there) = reference.read(name)? else { continue };
            let is_listed = compared.contains(&name.to_lowercase());
            if there.start_type() == Some(StartType::Disabled) || !(is_listed || is_windows_own(&there)) {
                continue;
            }
            let key = format!("{}\\{}", HiveName::System, target.key(name));
            match target.read(name)? {
                None if !reported(findings, &key) => absent.push(name.as_str()),
                Some(here)
                    if here.start_type() == Some(StartType::Disabled)
                        && !reported(findings, &format!("{key}\\Start")) =>
                {
                    disabled.push(name.as_str());
                }
                _ => {}
            }
        }
        let place = format!("{}\\{}", HiveName::System, target.services());
        let mut evidence = Vec::new();
        for (which, what) in [(&mut absent, "absent"), (&mut disabled, "disabled")] {
            which.sort_by_key(|name| name.to_lowercase());
            if !which.is_empty() {
                let expected = if what == "absent" { "there" } else { "not disabled" };
                evidence.push(Evidence::new(place.clone(), format!("{what}: {}", names(which)), expected));
            }
        }
        if !evidence.is_empty() {
            let title = format!(
                "other services of Windows are not as in the reference: {} absent, {} disabled",
                absent.len(),
                disabled.len()
            );
            base.push(Severity::Note, "other services", title, evidence, findings);
        }
    }
    Ok(())
}

/// Whether it looks like one of Windows' own: hosted by svchost, a program in System32, or a driver where drivers are.
fn is_windows_own(service: &Picture) -> bool {
    if service.type_number().is_some_and(|n| n & OF_A_USER != 0) {
        return false;
    }
    let is_driver = service.type_number().is_some_and(|n| DRIVERS.contains(&n));
    match &service.program {
        // A driver without an image is system32\drivers\NAME.sys.
        None => is_driver && service.image.is_none(),
        Some(program) => {
            let rest = program.executable.strip_prefix("system32\\").unwrap_or_default();
            let folder_and_name: Vec<&str> = rest.split('\\').collect();
            match folder_and_name.as_slice() {
                [name] => !name.is_empty() && !is_driver,
                [folder, _] => is_driver && *folder == "drivers",
                _ => false,
            }
        }
    }
}
