//! `servicing-access`: whether servicing may use its own registry key, by the key's security descriptor.
//!
//! A check of its own beside `file-access`: it needs nothing but the hive, so it is made on every kind of target. On a healthy Windows only
//! TrustedInstaller writes below `Component Based Servicing`; SYSTEM and Administrators read (measured in a hive of 7 SP1, whose key is
//! `D:PAI(A;;KA;;;TrustedInstaller)(A;;KR;;;SY)(A;;KR;;;BA)(A;;KR;;;BU)`). So what counts is TrustedInstaller's writing and everybody's
//! reading, and more rights than those are nobody's harm.
//!
//! The descriptor comes from `coldmend-hives`, since the independent reader does not read security cells; the hive has passed the
//! structural check. Source: Microsoft, "Troubleshoot Windows Update error 0x80070005" (2026): the permissions on this key.

use super::{shown, CBS};
use crate::checks::context::Context;
use crate::error::{Failure, Kind as FailureKind, Result};
use crate::findings::{reported, Evidence, Finding, Findings, Severity};
use crate::plan::HiveName;
use crate::security::{granted, Account, Descriptor, ObjectKind};
use crate::updates::PACKAGES;

const ID: &str = "servicing-access";
const SOURCE: &str = "Microsoft, Troubleshoot Windows Update error 0x80070005 (2026): the permissions on Component Based Servicing; a hive of 7 SP1";

// Rights on a key ([MS-RRP] 2.2.3, `REGSAM`).
const QUERY: u32 = 0x01;
const SET: u32 = 0x02;
const CREATE: u32 = 0x04;
const ENUMERATE: u32 = 0x08;
const READ: u32 = QUERY | ENUMERATE;
const WRITE: u32 = READ | SET | CREATE;

pub(in crate::checks) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    let unreadable = |e| Failure::from_error(FailureKind::Unreadable, e).context(format!("reading {CBS}"));
    for key in [CBS, PACKAGES] {
        let Some(found) = context.installation.software.hive.find_key(key).map_err(unreadable)? else { continue };
        findings.made += 1;
        let place = format!("{}\\{key}", HiveName::Software);
        match Descriptor::parse(found.security_descriptor().map_err(unreadable)?) {
            Ok(descriptor) => findings.findings.extend(judge(&place, &descriptor)),
            Err(e) => findings.could_not(ID, format!("the descriptor of {place} is not understood: {e}")),
        }
    }
    Ok(())
}

fn judge(place: &str, descriptor: &Descriptor) -> Option<Finding> {
    let (mut evidence, mut who, mut severity) = (Vec::new(), Vec::new(), Severity::Suspect);
    for (name, account, needed) in [
        ("TrustedInstaller", Account::system_service("TrustedInstaller"), WRITE),
        ("SYSTEM", Account::system(), READ),
        ("Administrators", Account::administrator(), READ),
    ] {
        let found = granted(descriptor, ObjectKind::Key, &account);
        let lacks = needed & !found.granted;
        if lacks == 0 {
            continue;
        }
        // Without it nothing can be serviced at all.
        if name == "TrustedInstaller" {
            severity = Severity::Problem;
        }
        let said = |verb: &str, rights: u32| (rights != 0).then(|| format!("{verb}: {}", words(rights)));
        let parts = [said("denied", lacks & found.denied), said("not granted", lacks & !found.denied)];
        let seen = parts.into_iter().flatten().collect::<Vec<_>>().join("; ");
        evidence.push(Evidence::new(format!("{place}, {name}"), seen, words(needed)));
        who.push(name);
    }
    if evidence.is_empty() {
        return None;
    }
    evidence.push(Evidence::seen(format!("{place}, descriptor"), shown(&descriptor.to_sddl())));
    let subject = place.rsplit('\\').next().unwrap_or_default();
    let title = format!("{} can't use servicing's registry key as it must (0x80070005)", who.join(" and "));
    Some(reported(ID, severity, subject, title, evidence, SOURCE))
}

fn words(rights: u32) -> String {
    let all = [(QUERY, "read values"), (ENUMERATE, "list keys"), (SET, "set values"), (CREATE, "create keys")];
    let named: Vec<&str> = all.iter().filter(|(bit, _)| rights & bit != 0).map(|(_, word)| *word).collect();
    named.join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const INSTALLER: &str = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464";

    fn severity(dacl: &str) -> Option<(Severity, String)> {
        let sddl = format!("O:{INSTALLER}G:{INSTALLER}{}", dacl.replace("TI", INSTALLER));
        judge("SOFTWARE\\x", &Descriptor::from_sddl(&sddl).unwrap()).map(|f| (f.severity, f.title))
    }

    #[test]
    fn what_windows_ships_is_healthy() {
        // 7 SP1, and the keys below it.
        for healthy in [
            "D:PAI(A;;KA;;;TI)(A;CIIO;GA;;;TI)(A;;KR;;;SY)(A;CIIO;GR;;;SY)(A;;KR;;;BA)(A;CIIO;GR;;;BA)(A;;KR;;;BU)(A;CIIO;GR;;;BU)",
            "D:AI(A;ID;KA;;;TI)(A;CIIOID;GA;;;TI)(A;ID;KR;;;SY)(A;CIIOID;GR;;;SY)(A;ID;KR;;;BA)(A;ID;KR;;;BU)",
            // What somebody has given himself on top harms nobody.
            "D:(A;CI;KA;;;TI)(A;CI;KA;;;SY)(A;CI;KA;;;BA)",
            "D:(A;CI;KA;;;WD)",
            "D:(A;;KA;;;SY)(A;;KR;;;BA)",
        ] {
            assert_eq!(severity(healthy), None, "{healthy}");
        }
    }

    #[test]
    fn who_is_kept_out_is_told() {
        for (broken, wanted, who) in [
            ("D:(A;;KR;;;SY)(A;;KR;;;BA)", Severity::Problem, "TrustedInstaller can't"),
            ("D:(D;;KA;;;TI)(A;;KA;;;TI)(A;;KR;;;SY)(A;;KR;;;BA)", Severity::Problem, "TrustedInstaller can't"),
            ("D:", Severity::Problem, "TrustedInstaller and SYSTEM and Administrators"),
            (
                "D:(D;;KR;;;SY)(A;;KA;;;TI)(A;;KR;;;SY)(A;;KR;;;BA)",
                Severity::Problem,
                "TrustedInstaller and SYSTEM can't",
            ),
            ("D:(A;;KA;;;TI)(A;;KR;;;SY)", Severity::Suspect, "Administrators can't"),
        ] {
            let (severity, title) = severity(broken).unwrap();
            assert!(severity == wanted && title.contains(who), "{broken}: {severity:?} {title}");
        }
    }
}
