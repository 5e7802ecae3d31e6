//! `ReportingEvents.log`: what Windows Update reports of every update, one line of fields between tabs.
//!
//! The fields: an id, the time with its zone, a number, `182 [AGENT_INSTALLING_FAILED]`, a category, the update's id, its
//! revision, the HRESULT in hexadecimal without 0x (0: success), the program that asked, `Success` or `Failure`, the kind of
//! operation, the message. Known from logs in public reports (2017 to 2026); the file itself is UTF-16LE with a mark.

use crate::knowledge::LogFault;
use crate::volume::VolPath;

use super::event::{Object, Settled};
use super::family::{Failure, Family};
use super::lines::{decode, Line};
use super::LogTime;

/// Takes a line.
pub(super) fn line(family: &mut Family, log: &VolPath, source: usize, line: Line<'_>) {
    let (text, certain) = decode(line.bytes);
    let fields: Vec<&str> = text.split('\t').map(str::trim).take(13).collect();
    let (Some(time), Some(event), Some(code), Some(status), Some(message)) =
        (fields.get(1), fields.get(3), fields.get(7), fields.get(9), fields.get(11))
    else {
        return;
    };
    family.at(LogTime::parse(time.as_bytes()));
    let code = u32::from_str_radix(code, 16).ok();
    let object = title(message).map(|title| Object::Update(title.to_owned()));
    if event.contains("[AGENT_INSTALLING_SUCCEEDED]") {
        if let Some(installed) = object {
            family.settle_object(Settled::SameUpdateSince, |failed| is_same_update(failed, &installed));
        }
        return;
    }
    if event.contains("_FAILED]") || status.eq_ignore_ascii_case("failure") {
        // The summary of a search that failed names no update.
        let object = object.filter(|_| !event.contains("AGENT_DETECTION_FAILED"));
        let code = code.filter(|&code| code != 0);
        let failure = Failure { row: None, code, object, fault: LogFault::Failed };
        family.add(failure, &text, log, source, line, certain);
    }
}

/// The title of the update that a message ends with.
fn title(message: &str) -> Option<&str> {
    let title = message.rsplit_once("update: ").or_else(|| {
        let (_, rest) = message.split_once("error 0x")?;
        rest.split_once(": ")
    });
    let title = title?.1.trim().trim_end_matches('.');
    (!title.is_empty() && title.len() <= 512).then_some(title)
}

fn is_same_update(a: &Object, b: &Object) -> bool {
    a.same(b) || matches!((a.kb(), b.kb()), (Some(a), Some(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles() {
        let failed = "Installation Failure: Windows failed to install the following update with error 0x80242015: Cumulative Update (KB4051033).";
        assert_eq!(title(failed), Some("Cumulative Update (KB4051033)"));
        let good = "Installation Successful: Windows successfully installed the following update: Security Intelligence Update - KB2267602 (Version 1.381.1819.0)";
        assert_eq!(title(good), Some("Security Intelligence Update - KB2267602 (Version 1.381.1819.0)"));
        assert_eq!(title("Windows Update Client failed to detect with error 0x8024402c."), None);
        let update = |title: &str| Object::Update(title.to_owned());
        assert!(is_same_update(&update("x (KB4051033)"), &update("y kb4051033")));
        assert!(!is_same_update(&update("x"), &update("y")));
    }
}
