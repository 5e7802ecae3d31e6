//! `image-debugger`: a program of the update stack is started under a "debugger", which is how blockers keep it from starting.
//!
//! Windows runs the command in `Debugger` instead of the program; a command that does not exist gives 0x80070002. A key there without
//! `Debugger` is normal. With `UseFilter`, subkeys hold the same for single paths.

use super::{finding, software, software_failure, software_place};
use crate::checks::context::{shown, Context};
use crate::error::Result;
use crate::findings::{Evidence, Findings, Severity};
use crate::knowledge::policies::Weight;
use crate::knowledge::Knowledge;

const ID: &str = "image-debugger";
const KEYS: [&str; 2] = [
    "Microsoft\\Windows NT\\CurrentVersion\\Image File Execution Options",
    "WOW6432Node\\Microsoft\\Windows NT\\CurrentVersion\\Image File Execution Options",
];
const SOURCE: &str = "Microsoft, \"Image File Execution Options\"";
const MOST_FILTERS: usize = 32;

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let Some(build) = context.known_build(ID, findings) else { return Ok(()) };
    for program in Knowledge::builtin().policies().programs(build) {
        let mut evidence = Vec::new();
        for root in KEYS {
            let key = format!("{root}\\{}", program.name);
            let filters = context.software.subkeys(&key).map_err(|e| software_failure(e, &key))?;
            let below = filters.iter().take(MOST_FILTERS).map(|filter| format!("{key}\\{filter}"));
            for key in std::iter::once(key.clone()).chain(below) {
                let debugger = software(context, &key, "Debugger")?;
                // An empty command is none.
                if debugger.as_ref().is_some_and(|v| v.as_text().is_none_or(|text| !text.trim().is_empty())) {
                    evidence.push(Evidence::new(software_place(&key, "Debugger"), shown(debugger.as_ref()), "absent"));
                }
            }
        }
        if evidence.is_empty() {
            continue;
        }
        let severity = if program.weight == Weight::Breaks { Severity::Problem } else { Severity::Suspect };
        let title = format!("{} ({}) can't start: another command runs instead", program.name, program.what);
        let source = format!("{SOURCE}; {}", program.source);
        findings.push(finding(ID, severity, program.name.clone(), title, evidence, source));
    }
    Ok(())
}
