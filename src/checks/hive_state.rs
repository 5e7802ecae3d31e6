//! `hive-state`: a hive that was not closed cleanly, and was recovered in memory from its logs to be read at all. A note:
//! Windows does the same at its next boot. And the marks of a registry that Windows has recovered at a boot, in
//! `Session Manager\Configuration Manager` (none in the hives of XP, 7 and 10): a note, too. The two fields of the base block about booting
//! mean nothing on disk.

use super::context::Context;
use crate::error::Result;
use crate::evidence::hive_failure;
use crate::findings::{reported, Evidence, Findings, Severity};
use crate::plan::HiveName;
use crate::volume::escape::escape_text;

/// More marks than anybody reads.
const MOST_MARKS: usize = 20;

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    for name in [HiveName::System, HiveName::Software] {
        findings.made += 1;
        let hive = context.installation.hive(name);
        let Some(recovery) = &hive.recovery else { continue };
        findings.push(reported(
            "hive-state",
            Severity::Note,
            name.to_string(),
            "the hive was not closed cleanly; what follows is read with its logs replayed in memory",
            vec![Evidence::seen(hive.path.display_escaped(), recovery.how.clone())],
            "the hive's base block and its transaction logs",
        ));
    }
    recovered(context, findings)
}

/// What says that the registry was recovered: keys and values that are called so.
fn recovered(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    let bad = |e| hive_failure(HiveName::System, e);
    for set in &context.installation.control_sets {
        findings.made += 1;
        let key = format!("{}\\Control\\Session Manager\\Configuration Manager", set.key);
        let mut names = context.system.value_names(&key).map_err(bad)?;
        names.extend(context.system.subkeys(&key).map_err(bad)?);
        names.retain(|name| name.to_lowercase().contains("recover"));
        let seen = |name: &String| {
            let place = format!("{}\\{key}\\{}", HiveName::System, escape_text(name.as_ref()));
            Evidence::seen(place, "there")
        };
        let evidence: Vec<Evidence> = names.iter().take(MOST_MARKS).map(seen).collect();
        if evidence.is_empty() {
            continue;
        }
        findings.push(reported(
            "hive-state",
            Severity::Note,
            "Configuration Manager",
            "Windows has marked its registry as recovered; what was written last before that may be lost",
            evidence,
            "the names that Windows gives there; hives of XP, 7 and 10, which have none",
        ));
    }
    Ok(())
}
