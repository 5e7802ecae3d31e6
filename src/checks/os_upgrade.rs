//! `os-upgrade`: the switch for the upgrade from 7 and 8.1 to 10. Absent is normal; a note where it is set.

use super::context::{shown, Context};
use crate::error::Result;
use crate::evidence::hive_failure;
use crate::findings::{Evidence, Finding, Findings, Severity};
use crate::plan::HiveName;

/// The key in SOFTWARE.
pub const KEY: &str = "Microsoft\\Windows\\CurrentVersion\\WindowsUpdate\\OSUpgrade";
/// The value.
pub const VALUE: &str = "AllowOSUpgrade";

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let found = context.software.value(KEY, VALUE).map_err(|e| hive_failure(HiveName::Software, e))?;
    let Some(value) = found else { return Ok(()) };
    let ignored = context.installation.version.build >= 10240;
    findings.push(Finding {
        id: "os-upgrade",
        severity: Severity::Note,
        subject: VALUE.into(),
        title: if ignored {
            "the upgrade switch is set; Windows 10 and later ignore it".into()
        } else {
            "the switch for the upgrade to Windows 10 is set".into()
        },
        evidence: vec![Evidence::seen(format!("{}\\{KEY}\\{VALUE}", HiveName::Software), shown(Some(&value)))],
        remedy: None,
        source: "the how-to documents; the upgrade campaign for 7 and 8.1 of 2015".into(),
        defect: None,
    });
    Ok(())
}
