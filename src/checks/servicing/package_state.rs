//! `package-state`: packages that wait although nothing would finish them, and states that servicing can't read.
//!
//! A package whose state says that its installation or removal is pending waits for the next start. When nothing else waits (no
//! pending.xml, no command, none of the keys that ask for a restart), it is stuck: every later session trips over it, and Microsoft has it
//! removed by name with DISM. Otherwise it is a part of what waits, and a note.
//!
//! `CurrentState` is a `REG_DWORD`. So are, from 10 on, the values below `ComponentDetect`; on 7 these are texts (all 979 of them in a real
//! hive), so there the type is told by the majority, and only the few that differ from it are named. Source: Microsoft, "Error 0x8007000d
//! at startup after you install a Windows update" ("Registry value for … is not a dword type"); Microsoft, common Windows Update errors
//! (0x800706be: packages in an Install Pending or Uninstall Pending state); a SOFTWARE hive of 7.

use super::pending::something_waits;
use super::{cut, shown, CBS};
use crate::checks::context::Context;
use crate::error::Result;
use crate::evidence::hive_failure;
use crate::findings::{reported, Defect, Evidence, Finding, Findings, Severity};
use crate::plan::{HiveName, RegValue};
use crate::updates::{PackageState, PACKAGES};

const ID: &str = "package-state";
const PENDING_SOURCE: &str = "Microsoft, common Windows Update errors (0x800706be): remove packages in an Install Pending state; states in a hive of 7";
const TYPE_SOURCE: &str =
    "Microsoft, Error 0x8007000d at startup after you install a Windows update (registry errors); a hive of 7";
/// More packages and components than any installation has.
const MAX_KEYS: usize = 500_000;
/// 10, from which on the values of components are numbers.
const NUMBERS_FROM: u32 = 10240;
/// Of a hundred values so many must be numbers before those that are not stand out.
const MOST_OF_HUNDRED: usize = 95;

pub(in crate::checks) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let bad = |e| hive_failure(HiveName::Software, e);
    let (mut waiting, mut strange) = (Vec::new(), Vec::new());
    let mut count = 0;
    let each = context.software.each_subkey(PACKAGES, |name, package| {
        count += 1;
        let value = if count <= MAX_KEYS { package.value("CurrentState")? } else { None };
        let Some(value) = value else { return Ok(()) };
        let place = format!("{}\\{PACKAGES}\\{}\\CurrentState", HiveName::Software, shown(&name));
        match value.as_dword().map(PackageState::Servicing) {
            None => strange.push(Evidence::new(place, shown(&value.to_string()), "a REG_DWORD")),
            Some(state) if state.is_pending() => {
                let command = removal(&name);
                waiting.push((name, Evidence::new(place, state.name(), command)));
            }
            Some(_) => {}
        }
        Ok(())
    });
    each.map_err(bad)?;
    strange.extend(components(context)?);
    if let Some(first) = strange.first() {
        let title = "servicing reads a number where there is none, and gives up: 0x8007000D; an in-place upgrade with media of the same build mends it";
        let subject = first.place.rsplit('\\').nth(1).unwrap_or("packages").to_owned();
        findings.push(reported(ID, Severity::Suspect, subject, title, cut(strange), TYPE_SOURCE));
    }
    let Some((first, _)) = waiting.first() else { return Ok(()) };
    let (severity, title) = if something_waits(context, findings)? {
        (Severity::Note, "packages wait for the next start, with the rest of what is pending".to_owned())
    } else {
        let command = removal(first);
        let title =
            format!("packages wait for a start that will not finish them, and block others (0x800706BE): {command}");
        (Severity::Suspect, title)
    };
    let subject = shown(first);
    let defect = is_plain(first).then(|| Defect::StuckPackage { identity: first.clone() });
    let evidence = waiting.into_iter().map(|(_, evidence)| evidence).collect();
    findings.push(Finding { defect, ..reported(ID, severity, subject, title, cut(evidence), PENDING_SOURCE) });
    Ok(())
}

/// The command that takes a package off, for the drive letter that this volume has there.
fn removal(name: &str) -> String {
    if is_plain(name) {
        format!("DISM /Image:DRIVE:\\ /Remove-Package /PackageName:{name}")
    } else {
        // Nobody should type what a hostile volume has made up.
        "a state that is not pending".into()
    }
}

/// Whether a name holds nothing that a command line would take for something else.
fn is_plain(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~'))
}

/// Values below `ComponentDetect` that are no numbers where nearly all others are.
fn components(context: &Context<'_>) -> Result<Vec<Evidence>> {
    if context.installation.version.build < NUMBERS_FROM {
        return Ok(Vec::new());
    }
    let bad = |e| hive_failure(HiveName::Software, e);
    let root = format!("{CBS}\\ComponentDetect");
    let (mut all, mut others, mut count) = (0_usize, Vec::new(), 0);
    let each = context.software.each_subkey(&root, |component, key| {
        count += 1;
        let values = if count <= MAX_KEYS { key.values()? } else { Vec::new() };
        for (name, value) in values {
            all += 1;
            if value.data_type != RegValue::dword(0).data_type {
                let place = format!("{}\\{root}\\{}\\{}", HiveName::Software, shown(&component), shown(&name));
                others.push(Evidence::new(place, shown(&value.to_string()), "a REG_DWORD"));
            }
        }
        Ok(())
    });
    each.map_err(bad)?;
    let numbers = all.saturating_sub(others.len());
    if numbers.saturating_mul(100) < all.saturating_mul(MOST_OF_HUNDRED) {
        others.clear();
    }
    Ok(others)
}
