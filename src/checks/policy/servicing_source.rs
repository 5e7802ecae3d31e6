//! `policy-servicing-source`: where DISM and Features on Demand are told to take files from. A source on this volume that is not there
//! is a suspect (0x800F081F, 0x800F0906); what can't be reached from here is a note.

use super::setting::Setting;
use super::wsus::Server;
use super::{finding, gathered, number, shown_text};
use crate::checks::context::Context;
use crate::error::Result;
use crate::findings::{Findings, Severity};
use crate::volume::VolPath;

const ID: &str = "policy-servicing-source";
const KEY: &str = "Microsoft\\Windows\\CurrentVersion\\Policies\\Servicing";
const SOURCE: &str =
    "Servicing.admx, CheckSur: \"Specify settings for optional component installation and component repair\"";

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let gathered = gathered(context)?;
    let mut has_source = false;
    if let Some(setting) = Setting::read(context, gathered, KEY, "LocalSourcePath")? {
        let mut judged = None;
        for value in [setting.registry.as_ref(), setting.file.as_ref().map(|(_, value)| value)].into_iter().flatten() {
            let Some(text) = value.as_text().filter(|text| !text.trim().is_empty()) else { continue };
            has_source = true;
            judged = judged.or(judge(context, &text)?.map(|why| (text, why)));
        }
        let evidence = setting.evidence("a source that exists, or absent");
        if let Some((text, why)) = judged {
            let title = format!("repairs take their files from {}, {why}", shown_text(&text));
            findings.push(finding(ID, Severity::Suspect, "LocalSourcePath", title, evidence, SOURCE));
        } else if has_source {
            let title =
                "repairs take their files from a source of the owner's; whether it is there can't be known offline";
            findings.push(finding(ID, Severity::Note, "LocalSourcePath", title, evidence, SOURCE));
        }
    }
    if let Some(setting) = Setting::read(context, gathered, KEY, "UseWindowsUpdate")? {
        if let Some(judged) = setting.judged(|value| number(value).filter(|&n| n == 2)) {
            let lone = !has_source && !gathered.is_managed() && gathered.domain.is_none();
            let severity = if lone { Severity::Suspect } else { Severity::Note };
            let title = judged.title(if has_source {
                "repairs never take files from Windows Update"
            } else {
                "repairs never take files from Windows Update, and no other source is named: 0x800F0906, 0x800F081F"
            });
            let evidence = setting.evidence("0 or absent");
            findings.push(finding(ID, judged.severity(severity), "UseWindowsUpdate", title, evidence, SOURCE));
        }
    }
    // 2 fetches repairs from Windows Update even where updates come from the owner's server. That works, so it is told only where
    // there is such a server, whose owner may wonder; 0 and 1 are how it is without the policy.
    if gathered.wsus.now != Server::None {
        if let Some(setting) = Setting::read(context, gathered, KEY, "RepairContentServerSource")? {
            if let Some(judged) = setting.judged(|value| number(value).filter(|&n| n == 2)) {
                let title =
                    judged.title("repairs take their files from Windows Update, past the owner's update server");
                let evidence = setting.evidence("0 or absent, if that server has them");
                findings.push(finding(ID, Severity::Note, "RepairContentServerSource", title, evidence, SOURCE));
            }
        }
    }
    Ok(())
}

/// Why a source can't be used, where that can be told: every part of the list is on this volume's own drive and none is there.
fn judge(context: &Context<'_>, list: &str) -> Result<Option<&'static str>> {
    let drive = context.system_root.as_deref().and_then(|root| root.chars().next()).unwrap_or('C');
    for source in list.split(';').map(str::trim).filter(|source| !source.is_empty()) {
        let image = source.get(..4).filter(|prefix| prefix.eq_ignore_ascii_case("wim:"));
        let source = image.and(source.get(4..)).unwrap_or(source);
        let mut letters = source.chars();
        let own = letters.next().is_some_and(|c| c.eq_ignore_ascii_case(&drive)) && letters.next() == Some(':');
        if !own {
            return Ok(None);
        }
        // The index of an image stands after one more colon.
        let path = letters.as_str().split(':').next().unwrap_or_default().trim_start_matches(['\\', '/']);
        let Ok(path) = VolPath::parse(path) else { return Ok(None) };
        match context.volume.find(&path) {
            Ok(None) => {}
            _ => return Ok(None),
        }
    }
    Ok(Some("which is not there: 0x800F081F"))
}
