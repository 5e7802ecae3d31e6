//! `settings-page`: the page of Windows Update is hidden in Settings. Updating itself goes on: a note.

use super::setting::Setting;
use super::{finding, gathered};
use crate::checks::context::Context;
use crate::error::Result;
use crate::findings::{Findings, Severity};

const ID: &str = "settings-page";
pub(super) const VISIBILITY_KEY: &str = "Microsoft\\Windows\\CurrentVersion\\Policies\\Explorer";
pub(super) const VISIBILITY: &str = "SettingsPageVisibility";
pub(super) const VISIBILITY_SOURCE: &str = "ControlPanel.admx, SettingsPageVisibility (1703 and later)";

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let Some(setting) = Setting::read(context, gathered(context)?, VISIBILITY_KEY, VISIBILITY)? else { return Ok(()) };
    let Some(judged) = setting.judged(|value| value.as_text().filter(|text| hides_update(text))) else {
        return Ok(());
    };
    let title = judged.title("the page of Windows Update is hidden in Settings");
    let evidence = setting.evidence("absent, or a list that leaves windowsupdate visible");
    findings.push(finding(ID, Severity::Note, VISIBILITY, title, evidence, VISIBILITY_SOURCE));
    Ok(())
}

/// Whether the list hides the page: `hide:` names it, or `showonly:` does not.
pub(super) fn hides_update(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    let Some((mode, list)) = text.split_once(':') else { return false };
    let named = list.split(';').any(|page| page.trim() == "windowsupdate");
    match mode.trim() {
        "hide" => named,
        "showonly" => !named,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::hides_update;

    #[test]
    fn lists_are_understood() {
        for hidden in ["hide:windowsupdate", "Hide: about ; WindowsUpdate", "showonly:about;bluetooth", "showonly:"] {
            assert!(hides_update(hidden), "{hidden}");
        }
        for visible in [
            "",
            "hide:",
            "hide:windowsupdate-action",
            "showonly:about;windowsupdate",
            "windowsupdate",
            "x:windowsupdate",
        ] {
            assert!(!hides_update(visible), "{visible}");
        }
    }
}
