//! What the guide says, in plain words.

use std::fmt::Write as _;
use std::path::Path;

use crate::error::Failure;
use crate::findings::{Finding, Severity};
use crate::scan::{ScannedVolume, VolumeState};
use crate::transaction::Record;
use crate::ui::{plural, short_headline, volume_line, whole, why_none};
use crate::verdict::Step;

use super::super::diagnose::Diagnosis;
use super::super::talk::Outcome;

pub(super) const WELCOME: &str =
    "This looks for your Windows, says what is wrong with it, and mends it if you agree. Looking changes nothing, and \
     nothing is ever changed before you have seen it and typed yes. To leave, type q at any question, or press Ctrl-C.";

pub(super) const LEFT: &str = "Nothing was changed. Start coldmend again whenever you like.";

/// The locked volumes with the line that unlocks each.
pub(super) fn locked_volumes(volumes: &[ScannedVolume]) -> String {
    let mut out = String::new();
    for volume in volumes.iter().filter(|v| v.state == VolumeState::Locked) {
        let _ = writeln!(out, "{} is locked by BitLocker.", volume_line(volume));
        if let Some(line) = &volume.what_to_do {
            let _ = writeln!(
                out,
                "If your Windows is there, leave, type this with your recovery key, and start coldmend again:"
            );
            let _ = writeln!(out, "  {}", whole(line));
        }
    }
    out
}

/// The volumes, with why each offers nothing.
pub(super) fn what_was_seen(volumes: &[ScannedVolume]) -> String {
    let mut out = String::from("This is what was seen:\n\n");
    for volume in volumes {
        let _ = writeln!(out, "  - {}: {}", volume_line(volume), why_none(volume));
        match (&volume.what_to_do, volume.state) {
            (Some(line), VolumeState::Locked) => {
                let _ = writeln!(out, "    To unlock it, type this with your recovery key, and start coldmend again:");
                let _ = writeln!(out, "    {}", whole(line));
            }
            (Some(what), _) => {
                let _ = writeln!(out, "    {what}");
            }
            (None, _) => {}
        }
    }
    out.push('\n');
    out
}

/// What may help somebody whose Windows is not seen. Commands stand on lines of their own: what is to be typed has no marks.
pub(super) fn what_to_do_without_windows() -> String {
    let advice: &[(&str, &str)] = if cfg!(windows) {
        &[
            (
                "Is the disk missing from the list? Its controller may need a driver (Intel RST, RAID, NVMe). Get it from the \
                 maker of the machine, unpack it onto the stick, and load the .inf file where it lies, for example:",
                "drvload D:\\driver\\iastorvd.inf",
            ),
            ("Is the disk in another machine, or a virtual one? Attach it to this one.", ""),
            ("All volumes, also those without a letter, are shown by the command list volume in", "diskpart"),
        ]
    } else {
        &[
            (
                "coldmend looks at volumes that are mounted. This lists all; look for ntfs and the size of your drive C:",
                "lsblk -o NAME,SIZE,FSTYPE,LABEL",
            ),
            ("Mount it, for example:", "mount -t ntfs-3g /dev/sda3 /mnt"),
            (
                "Is it BitLocker? Unlock it first, then mount /dev/mapper/win:",
                "cryptsetup bitlkOpen /dev/sda3 win",
            ),
            ("Is the disk missing? It may need a driver, or a cable.", ""),
        ]
    };
    let mut out = String::from("What you can do:\n\n");
    for (text, command) in advice {
        let _ = writeln!(out, "  - {text}");
        if !command.is_empty() {
            let _ = writeln!(out, "      {}", whole(command));
        }
    }
    out.push_str("\nThen start coldmend again. Nothing was changed.\n");
    out
}

/// Problems and suspects, a line each.
pub(super) fn findings(diagnosis: &Diagnosis, numbered: bool) -> String {
    let mut out = format!("{}\n\n", short_headline(&diagnosis.installation.version));
    for (number, cause) in diagnosis.verdict.causes.iter().enumerate() {
        let mark = if numbered { format!("{}.", number + 1) } else { "-".into() };
        let _ = writeln!(out, "  {mark} {}", cause.title);
        let findings = cause.findings.iter().filter_map(|&at| diagnosis.findings.findings.get(at));
        for Finding { subject, title, severity, .. } in findings.filter(|f| f.severity != Severity::Note) {
            let maybe = if *severity == Severity::Suspect { " (may be harmless)" } else { "" };
            let _ = writeln!(out, "      - {}: {title}{maybe}", whole(subject));
        }
    }
    let unknown = diagnosis.findings.could_not_check.len();
    if unknown > 0 {
        let _ = writeln!(out, "  - {} could not be checked", plural(unknown, "thing"));
    }
    out
}

/// What has to be done with Windows' own tools about what `repair` does not mend. Commands stand on lines of their own.
pub(super) fn elsewhere(diagnosis: &Diagnosis) -> String {
    let mut steps: Vec<&Step> = Vec::new();
    for step in diagnosis.verdict.causes.iter().filter(|cause| cause.repair.is_empty()).flat_map(|c| &c.elsewhere) {
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    let mut out = String::new();
    if !steps.is_empty() {
        out.push_str("What coldmend does not mend here, Windows' own tools may:\n");
    }
    for Step { what, command, place, needs, .. } in steps {
        let _ = writeln!(out, "\n  - To {what}, type in {place}:");
        let _ = writeln!(out, "      {}", whole(command));
        if let Some(needs) = needs {
            let _ = writeln!(out, "    It needs {needs}.");
        }
    }
    out
}

/// That nothing was found, and what is left to try.
pub(super) fn nothing_wrong(diagnosis: &Diagnosis) -> String {
    let unknown = match diagnosis.findings.could_not_check.len() {
        0 => String::new(),
        n => format!(" ({} could not be checked)", plural(n, "thing")),
    };
    format!(
        "{}: {} made{unknown}, and nothing is broken that coldmend knows of. So the fault is something else, or it is in the \
         contents of the update caches.\n\nIf Windows still does not update, a reset of the update components is what is left to \
         try here, as Microsoft's own articles describe it: the update services start again as that Windows starts them, and \
         three caches are renamed, so that Windows builds them anew. Your files and programs and the installed updates stay. The list of \
         past updates in Settings begins anew. It can be taken back.",
        short_headline(&diagnosis.installation.version),
        plural(diagnosis.findings.made, "check")
    )
}

/// The choice to take an earlier repair back, where there is one.
pub(super) fn or_undo(earlier: Option<&Record>) -> String {
    earlier.map(|r| format!(", undo to take back the earlier repair ({})", whole(&r.id))).unwrap_or_default()
}

pub(super) fn unfinished(record: &Record) -> String {
    format!(
        "{} was begun and did not come to its end: the power went, or somebody stopped it. Windows should not be started like \
         this. It can be finished as it was planned, or taken back. You are asked once more before anything is written.",
        record.id
    )
}

/// Why not, and the way out.
pub(super) fn refusal(failure: &Failure) -> String {
    let mut out = format!("Why: {failure}.\n");
    if let Some(hint) = &failure.hint {
        let _ = writeln!(out, "\nWhat to do: {hint}");
    }
    out.push_str("\nNothing was changed. When that is done, start coldmend again.");
    out
}

/// What a second look after the change says.
pub(super) fn looked_again(diagnosis: &Diagnosis) -> String {
    let count = |severity| diagnosis.findings.findings.iter().filter(|f| f.severity == severity).count();
    match (count(Severity::Problem), count(Severity::Suspect)) {
        (0, 0) => "A second look finds nothing wrong any more.".into(),
        (problems, suspects) => format!(
            "A second look still finds {} and {} that coldmend does not mend.",
            plural(problems, "problem"),
            plural(suspects, "suspect")
        ),
    }
}

/// Where coldmend runs, as far as the way back to the mended Windows depends on it.
#[allow(dead_code)] // Each system makes only its own.
enum Surroundings {
    /// WinPE or the recovery environment, on the machine itself.
    WinPe,
    /// A whole Windows, with the other one's disk attached.
    Windows,
    /// Another system.
    Other,
}

impl Surroundings {
    #[cfg(windows)]
    fn here() -> Self {
        if crate::windows::is_winpe() {
            Surroundings::WinPe
        } else {
            Surroundings::Windows
        }
    }

    #[cfg(not(windows))]
    fn here() -> Self {
        Surroundings::Other
    }
}

/// That it is done, and what comes next.
pub(super) fn done(outcome: &Outcome, again: Option<&str>, undo: &str, target: &Path) -> String {
    let taken_back = matches!(outcome, Outcome::TakenBack { .. } | Outcome::UndoFinished { .. });
    let mut out = String::from("Every change was read back from the disk, and is as it should be.\n");
    match outcome {
        Outcome::TakenBack { id, conflicts } => {
            let _ = writeln!(out, "{id} has been taken back: what it changed is as it was before.");
            if *conflicts > 0 {
                let values = plural(*conflicts, "value");
                let _ = writeln!(out, "Except {values} that somebody has changed since: left alone.");
            }
        }
        _ => {
            if let Some(again) = again {
                let _ = writeln!(out, "{again}");
            }
        }
    }
    out.push_str("\nWhat comes next:\n");
    let target = whole(&target.display().to_string());
    match Surroundings::here() {
        Surroundings::WinPe => {
            out.push_str("  - Remove the stick and restart: switch the machine off and on, or type\n");
            let _ = writeln!(out, "      {}", whole("wpeutil reboot"));
        }
        Surroundings::Windows => {
            let _ = writeln!(
                out,
                "  - Give the disk ({target}) back to the machine that it belongs to: eject it, or switch this machine off, and take it out.\n  - Start that machine."
            );
        }
        Surroundings::Other => {
            let _ = writeln!(out, "  - Unmount the volume ({target}).\n  - Remove the stick and restart.");
        }
    }
    if !taken_back {
        out.push_str("  - In Windows, search for updates. The first search takes longer than usual.\n");
        let _ = writeln!(
            out,
            "\nIf you want it all back as it was: start coldmend again and choose undo, or type\n  {}",
            whole(undo)
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attached::{AttachedState, AttachedVolume};

    fn scanned(path: &str, state: AttachedState) -> ScannedVolume {
        crate::scan::attached(&AttachedVolume {
            path: path.into(),
            also: Vec::new(),
            label: Some("Acer".into()),
            file_system: None,
            size: None,
            state,
        })
    }

    /// Somebody without a Windows in sight reads which volume is locked, and the whole line to type.
    #[test]
    fn locked_volumes_come_with_the_line_to_type() {
        let unlock = "manage-bde -unlock D: -RecoveryPassword YOUR-48-DIGIT-KEY";
        let volumes = [
            scanned("D:\\", AttachedState::Locked { unlock: unlock.into() }),
            scanned("X:\\", AttachedState::RunningSystem),
            scanned("E:\\", AttachedState::Unreadable { why: "the device is not ready".into() }),
        ];
        let seen = what_was_seen(&volumes);
        for text in ["D:\\ “Acer”: locked by BitLocker", "X:\\ “Acer”: the running system", "the device is not ready"]
        {
            assert!(seen.contains(text), "{seen}");
        }
        let locked = locked_volumes(&volumes);
        for text in [&seen, &locked] {
            assert!(text.lines().any(|line| line.trim() == whole(unlock)), "{text}");
        }
        assert!(!locked.contains("X:"), "{locked}");
        let scan = crate::ui::render_scan(crate::ui::Style { colored: false }, &volumes);
        assert!(scan.contains(&format!("unlock it with  {}", whole(unlock))), "{scan}");
        assert!(scan.ends_with("No Windows was found on 3 volumes.\n"), "{scan}");
    }
}
