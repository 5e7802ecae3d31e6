//! `reset-leftovers`: what a widespread reset script leaves behind: settings of the update page, and the profile folder of one user
//! written as a fixed path where every user's belongs, also for the system account (`DEFAULT`). The last is a suspect, the rest a note.

use super::{finding, number, shown_text, software, software_place};
use crate::checks::context::{shown, Context};
use crate::error::{Failure, Kind as FailureKind, Result};
use crate::evidence::SideHive;
use crate::findings::{Evidence, Findings, Severity};

const ID: &str = "reset-leftovers";
const UX: &str = "Microsoft\\WindowsUpdate\\UX";
const FOLDERS: &str = "Microsoft\\Windows\\CurrentVersion\\Explorer\\User Shell Folders";
const SOURCE: &str =
    "the script wureset, option 11; Microsoft's troubleshooting pack (RC_AppData); hives of XP, 7 and 10";

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let stack = software(context, UX, "IsConvergedUpdateStackEnabled")?;
    let option_key = format!("{UX}\\Settings");
    let option = software(context, &option_key, "UxOption")?;
    if [&stack, &option].iter().all(|value| value.as_ref().and_then(number) == Some(0)) {
        let evidence = vec![
            Evidence::seen(software_place(UX, "IsConvergedUpdateStackEnabled"), shown(stack.as_ref())),
            Evidence::seen(software_place(&option_key, "UxOption"), shown(option.as_ref())),
        ];
        let title = "a reset script has run here (these two values are its mark)";
        findings.push(finding(ID, Severity::Note, "UX", title, evidence, SOURCE));
    }
    let expected = "a path that begins with a variable such as %USERPROFILE%, or absent";
    let mut evidence = Vec::new();
    if let Some(text) = software(context, FOLDERS, "AppData")?.and_then(|v| v.as_text()).filter(|t| is_fixed(t)) {
        evidence.push(Evidence::new(software_place(FOLDERS, "AppData"), shown_text(&text), expected));
    }
    match SideHive::read(context.volume, &context.in_windows("System32\\config\\DEFAULT")?) {
        Ok(Some(hive)) => {
            let key = format!("Software\\{FOLDERS}");
            let place = hive.path.display_escaped();
            let text = hive.registry()?.text(&key, "AppData").map_err(|e| {
                Failure::from_error(FailureKind::Unreadable, anyhow::anyhow!("{e}"))
                    .context(format!("reading {key} in {place}"))
            })?;
            if let Some(text) = text.filter(|text| is_fixed(text)) {
                evidence.push(Evidence::new(format!("{place}\\{key}\\AppData"), shown_text(&text), expected));
            }
        }
        Ok(None) => {}
        Err(failure) => findings.could_not(ID, failure.to_string()),
    }
    if !evidence.is_empty() {
        let title = "the folder for programs' data is one user's for all, as a reset script writes it";
        findings.push(finding(ID, Severity::Suspect, "AppData", title, evidence, SOURCE));
    }
    Ok(())
}

/// Whether a path names the profile of one user, whoever is logged on.
fn is_fixed(text: &str) -> bool {
    let lower = text.trim().to_lowercase();
    let below = lower.get(1..).and_then(|rest| rest.strip_prefix(":\\"));
    below.is_some_and(|path| path.starts_with("users\\") || path.starts_with("documents and settings\\"))
}
