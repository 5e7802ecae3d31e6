//! `servicing-stack`: the version of the servicing stack that the registry names, and the folders that belong to it.
//!
//! What it relies on: `Component Based Servicing\Version` in SOFTWARE: a value per version, whose text is the folder in the component
//! store that TrustedInstaller loads the stack from, and `servicing\Version\VERSION`. Only the newest is loaded. Source: Microsoft
//! KB959077 (TrustedInstaller ends with error 126); a SOFTWARE hive of 7.

use super::{program_paths, shown, software_text, CBS};
use crate::checks::context::Context;
use crate::error::Result;
use crate::evidence::hive_failure;
use crate::findings::{Evidence, Finding, Findings, Severity};
use crate::plan::HiveName;
use crate::volume::Kind;

const ID: &str = "servicing-stack";

pub(in crate::checks) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let key = format!("{CBS}\\Version");
    let names = context.software.value_names(&key).map_err(|e| hive_failure(HiveName::Software, e))?;
    let Some((_, newest)) = names.into_iter().filter_map(|n| Some((version(&n)?, n))).max() else {
        // Generated and stripped installations have none; what they load the stack by is not known.
        return Ok(());
    };
    let place = format!("{}\\{key}\\{}", HiveName::Software, shown(&newest));
    let Some(text) = software_text(&context.software, &key, &newest)? else {
        findings.could_not(ID, format!("{place} is no text"));
        return Ok(());
    };
    let Some(set) = context.installation.control_sets.first() else { return Ok(()) };
    let mut evidence = Vec::new();
    match program_paths(context, &set.key)?.place(&text) {
        Err(why) => findings.could_not(ID, format!("{place}: {}", shown(&why))),
        Ok(folder) => {
            if !context.volume.find(&folder)?.is_some_and(|f| matches!(f.kind, Kind::Dir | Kind::Link)) {
                evidence.push(Evidence::new(folder.display_escaped(), "nothing", "the folder of the servicing stack"));
            }
        }
    }
    let folder = context.in_windows("servicing\\Version")?.child(&newest)?;
    if !context.volume.find(&folder)?.is_some_and(|f| matches!(f.kind, Kind::Dir | Kind::Link)) {
        evidence.push(Evidence::new(folder.display_escaped(), "nothing", "the folder of this version"));
    }
    if !evidence.is_empty() {
        evidence.push(Evidence::seen(place, shown(&text)));
        findings.push(Finding {
            id: ID,
            severity: Severity::Problem,
            subject: shown(&newest),
            title: "the servicing stack that the registry names is not there: TrustedInstaller can't start (error 126)"
                .into(),
            evidence,
            remedy: None,
            source: "Microsoft KB959077; a SOFTWARE hive of 7".into(),
            defect: None,
        });
    }
    Ok(())
}

/// `10.0.19041.1220` as numbers; `None` for anything else.
fn version(text: &str) -> Option<[u32; 4]> {
    let mut parts = text.split('.').map(|p| p.parse().ok());
    let numbers = [parts.next()??, parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(numbers)
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(version("10.0.19041.1220") > version("10.0.19041.985"));
        for none in ["", "6.1.7601", "a.b.c.d", "1.2.3.4.5", "1.2.3.99999999999"] {
            assert_eq!(version(none), None, "{none}");
        }
    }
}
