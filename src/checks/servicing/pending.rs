//! `pending-servicing`: what servicing left for the next start, read together into one verdict: nothing, an operation that would finish,
//! one of which a part is missing, or one that fails at every start.
//!
//! What belongs together: `WinSxS\pending.xml` with an identifier; the same in COMPONENTS (`PendingXmlIdentifier`); the command
//! (`PoqexecCmdline` in SOFTWARE on 10 and 11, `SetupExecute` in SYSTEM before); TrustedInstaller at automatic. poqexec refuses a
//! file whose identifier is another. Source: Microsoft, common Windows Update errors (0x80070bc9, 0x800f0806) and KB2359302;
//! published research that forges such a transaction.

use super::{cut, program_paths, shown, CBS};
use crate::checks::context::Context;
use crate::error::Result;
use crate::evidence::{hive_failure, PendingXml, ProgramPaths, Registry};
use crate::findings::{Evidence, Finding, Findings, Severity};
use crate::plan::{to_hex, HiveName, RegValue};
use crate::volume::{Kind, VolPath, VolumeError};

const ID: &str = "pending-servicing";
const FILE: &str = "WinSxS\\pending.xml";
const COMMAND: (&str, &str) = ("Microsoft\\Windows\\CurrentVersion\\SideBySide\\Configuration", "PoqexecCmdline");

/// What was gathered.
#[derive(Default)]
struct State {
    /// `pending.xml`, if it is there and could be read.
    file: Option<PendingXml>,
    /// `None`: COMPONENTS could not be read.
    identifier: Option<Option<String>>,
    command: bool,
    /// TrustedInstaller's `Start`.
    start: Option<u32>,
    /// Keys that say that something waits.
    flags: bool,
    /// Keys that say that a restart is wanted; Windows means them not to outlive one.
    restart: bool,
    unserviceable: bool,
    /// The first operation whose source is gone.
    failing: Option<String>,
}

pub(in crate::checks) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let mut evidence = Vec::new();
    let Some(state) = gather(context, &mut evidence, findings)? else { return Ok(()) };
    let Some((severity, title)) = judge(&state) else { return Ok(()) };
    findings.push(Finding {
        id: ID,
        severity,
        subject: "servicing".into(),
        title,
        evidence: cut(evidence),
        remedy: None,
        source: "Microsoft, common Windows Update errors (0x80070bc9, 0x800f0806) and KB2359302; published research on pending transactions".into(),
        defect: None,
    });
    Ok(())
}

/// Whether anything waits for the next start, sound or not.
pub(super) fn something_waits(context: &Context<'_>, findings: &mut Findings) -> Result<bool> {
    // What can't be looked into may be something.
    let Some(state) = gather(context, &mut Vec::new(), findings)? else { return Ok(true) };
    let identifier = matches!(state.identifier, Some(Some(_)));
    Ok(state.file.is_some() || identifier || state.command || state.flags || state.restart)
}

/// The verdict.
fn judge(state: &State) -> Option<(Severity, String)> {
    let problem = |text: &str| Some((Severity::Problem, text.to_owned()));
    let loops = "the pending operation fails at every start";
    if state.unserviceable {
        return problem("servicing is marked as broken (Unserviceable): every session fails");
    }
    let Some(file) = &state.file else {
        return match (&state.identifier, state.command) {
            (Some(Some(_)), true) => {
                problem(&format!("{loops}: pending.xml is gone, but COMPONENTS and the command to run it are there"))
            }
            (Some(Some(_)), false) => {
                problem("a pending operation is inconsistent: COMPONENTS names one, but pending.xml is gone")
            }
            (_, true) => problem(&format!("{loops}: the command to run pending.xml is there, but pending.xml is gone")),
            (_, false) if state.flags && state.start == Some(2) => {
                Some((Severity::Note, "an update is to be finished by TrustedInstaller at the next start".into()))
            }
            (_, false) if state.flags => {
                Some((Severity::Suspect, "packages are marked as pending, but nothing would finish them".into()))
            }
            (_, false) if state.restart => Some((Severity::Note, "a restart is marked as wanted by an update".into())),
            (_, false) => None,
        };
    };
    if let Some(fault) = &file.fault {
        let fault = shown(fault);
        return Some(if state.command {
            (Severity::Problem, format!("{loops}: pending.xml is damaged ({fault})"))
        } else {
            (Severity::Problem, format!("a pending operation is inconsistent: pending.xml is damaged ({fault})"))
        });
    }
    match &state.identifier {
        Some(None) => {
            return problem(
                "a pending operation is inconsistent: pending.xml is there, but COMPONENTS does not name it",
            )
        }
        Some(Some(own)) if file.identifier.as_deref() != Some(own.as_str()) => {
            return problem(&format!(
                "{loops}: the identifiers of pending.xml and COMPONENTS differ, so poqexec refuses the file"
            ));
        }
        _ => {}
    }
    if let Some(failing) = &state.failing {
        return Some((Severity::Problem, format!("{loops}: {failing}")));
    }
    match (state.command, state.start) {
        (_, Some(4)) => problem("a pending operation is inconsistent: TrustedInstaller, which has to finish it, is disabled"),
        (false, _) => Some((Severity::Suspect, "a pending operation is inconsistent: nothing would run pending.xml (no PoqexecCmdline, no SetupExecute)".into())),
        (true, Some(2)) | (true, None) => Some((
            Severity::Note,
            format!("{} operations of an update wait for the next start, and would finish there", file.operations),
        )),
        (true, Some(_)) => Some((Severity::Suspect, "a pending operation is inconsistent: TrustedInstaller, which has to finish it, is not set to automatic (0x80070bc9)".into())),
    }
}

/// Gathers the parts; `None` when `pending.xml` is there and can't be looked into.
fn gather(context: &Context<'_>, evidence: &mut Vec<Evidence>, findings: &mut Findings) -> Result<Option<State>> {
    let mut state = State::default();
    let path = context.in_windows(FILE)?;
    match context.volume.find(&path)? {
        Some(found) if found.kind == Kind::File => {
            let xml = PendingXml::read(context.volume, &found.path, found.len)?;
            let kinds: Vec<String> =
                xml.kinds.iter().take(12).map(|(name, n)| format!("{n} {}", shown(name))).collect();
            let identifier = xml.identifier.as_deref().map_or("none".into(), shown);
            let mut seen = format!("identifier {identifier}, {} operations", xml.operations);
            if !kinds.is_empty() {
                seen = format!("{seen} ({})", kinds.join(", "));
            }
            evidence.push(Evidence::seen(found.path.display_escaped(), seen));
            if let Some(last) = &xml.last {
                let what = last.subject.as_deref().map(shown).unwrap_or_default();
                evidence.push(Evidence::seen("the last operation", format!("{} {what}", shown(&last.name))));
            }
            state.file = Some(xml);
        }
        Some(found) if found.kind != Kind::Dir => {
            findings
                .could_not(ID, format!("{} is {}, and is not looked into", found.path.display_escaped(), found.kind));
            return Ok(None);
        }
        _ => {}
    }
    match context.components.get(context) {
        Ok(Some(hive)) => {
            let registry = hive.registry()?;
            let place = "COMPONENTS\\PendingXmlIdentifier";
            let found = components_value(&registry, "PendingXmlIdentifier")?.filter(|v| v.data.iter().any(|b| *b != 0));
            if let Some(value) = &found {
                let id = identifier(value);
                evidence.push(Evidence::seen(place, shown(&id)));
                state.identifier = Some(Some(id));
            } else {
                state.identifier = Some(None);
                if state.file.is_some() {
                    evidence.push(Evidence::new(place, "absent", "the identifier of pending.xml"));
                }
            }
            for name in ["ExecutionState", "NextQueueEntryIndex", "AdvancedInstallersNeedResolving"] {
                if let Some(value) = components_value(&registry, name)? {
                    evidence.push(Evidence::seen(format!("COMPONENTS\\{name}"), value.to_string()));
                }
            }
        }
        // That it is missing or damaged is told by the check of the component store.
        Ok(None) => {}
        Err(why) => findings.could_not(ID, why.clone()),
    }
    commands(context, &mut state, evidence)?;
    flags(context, &mut state, evidence)?;
    if let (Some(xml), Some(set)) = (&state.file, context.installation.control_sets.first()) {
        let failing = first_failing(context, xml, &program_paths(context, &set.key)?)?;
        if let Some((title, seen)) = failing {
            evidence.insert(0, seen);
            state.failing = Some(title);
        }
    }
    Ok(Some(state))
}

fn components_value(registry: &Registry<'_>, name: &str) -> Result<Option<RegValue>> {
    registry.value("", name).map_err(|e| crate::error::Failure::unreadable(format!("COMPONENTS\\{name}: {e}")))
}

/// The identifier in `PendingXmlIdentifier`: its digits in UTF-16, or, for all that is known, in bytes or as such.
fn identifier(value: &RegValue) -> String {
    let data = &value.data;
    let units: Vec<u16> = data.chunks_exact(2).map(|c| u16::from_le_bytes([c[0], c[1]])).collect();
    let wide = String::from_utf16_lossy(&units);
    let narrow = String::from_utf8_lossy(data);
    let is_hex = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_hexdigit());
    for text in [wide.trim_end_matches('\0'), narrow.trim_end_matches('\0')] {
        if is_hex(text) {
            return text.to_lowercase();
        }
    }
    to_hex(data.get(..64).unwrap_or(data))
}

fn commands(context: &Context<'_>, state: &mut State, evidence: &mut Vec<Evidence>) -> Result<()> {
    let mut places: Vec<(String, Option<RegValue>)> = Vec::new();
    let value = context.software.value(COMMAND.0, COMMAND.1).map_err(|e| hive_failure(HiveName::Software, e))?;
    places.push((format!("{}\\{}\\{}", HiveName::Software, COMMAND.0, COMMAND.1), value));
    for set in &context.installation.control_sets {
        let key = format!("{}\\Control\\Session Manager", set.key);
        places.push((format!("{}\\{key}\\SetupExecute", HiveName::System), context.value(&key, "SetupExecute")?));
        let service = format!("{}\\Services\\TrustedInstaller", set.key);
        if state.start.is_none() {
            state.start = context.dword(&service, "Start")?;
        }
    }
    for (place, value) in places {
        let Some(value) = value else { continue };
        let lines = value.as_list().unwrap_or_default();
        let mut all = lines.iter().filter(|l| {
            let l = l.to_lowercase();
            l.contains("poqexec") && l.contains("pending.xml")
        });
        if let Some(line) = all.next() {
            state.command = true;
            evidence.push(Evidence::seen(place, shown(line)));
        }
    }
    Ok(())
}

fn flags(context: &Context<'_>, state: &mut State, evidence: &mut Vec<Evidence>) -> Result<()> {
    let bad = |e| hive_failure(HiveName::Software, e);
    let place = |name: &str| format!("{}\\{CBS}\\{name}", HiveName::Software);
    for name in ["RebootInProgress", "PackagesPending"] {
        if context.software.key_exists(&format!("{CBS}\\{name}")).map_err(bad)? {
            state.flags = true;
            evidence.push(Evidence::seen(place(name), "there"));
        }
    }
    let wants = [
        format!("{CBS}\\RebootPending"),
        "Microsoft\\Windows\\CurrentVersion\\WindowsUpdate\\Auto Update\\RebootRequired".to_owned(),
    ];
    for key in wants {
        if context.software.key_exists(&key).map_err(bad)? {
            state.restart = true;
            evidence.push(Evidence::seen(format!("{}\\{key}", HiveName::Software), "there"));
        }
    }
    let exclusive = context.software.dword(&format!("{CBS}\\SessionsPending"), "Exclusive").map_err(bad)?.unwrap_or(0);
    if exclusive != 0 {
        state.flags = true;
        evidence.push(Evidence::new(place("SessionsPending\\Exclusive"), exclusive.to_string(), "0"));
    }
    if let Some(value) = context.software.dword(CBS, "Unserviceable").map_err(bad)?.filter(|n| *n != 0) {
        state.unserviceable = true;
        evidence.push(Evidence::new(place("Unserviceable"), value.to_string(), "absent or 0"));
    }
    if state.file.is_some() || state.flags || state.command {
        let start = state.start.map_or("absent".into(), |n| n.to_string());
        let set = context.installation.control_sets.first().map_or("", |s| s.key.as_str());
        let place = format!("{}\\{set}\\Services\\TrustedInstaller\\Start", HiveName::System);
        evidence.push(Evidence::new(place, start, "2 while an operation is pending"));
    }
    Ok(())
}

/// The first operation that links or moves a file that is not there, was not made before it, and has not been moved already.
fn first_failing(context: &Context<'_>, xml: &PendingXml, paths: &ProgramPaths) -> Result<Option<(String, Evidence)>> {
    let mut made = std::collections::BTreeSet::new();
    for operation in &xml.sources {
        let (source, destination) = (operation.source.as_deref().unwrap_or_default(), operation.destination.as_deref());
        if let Some(destination) = destination {
            made.insert(destination.to_lowercase());
        }
        let Ok(place) = paths.place(source) else { continue };
        let there = |path: &VolPath| match context.volume.find(path) {
            Ok(found) => Ok(found.is_some()),
            Err(VolumeError::LinkOnPath { .. } | VolumeError::OtherFileSystem { .. }) => Ok(true),
            Err(e) => Err(e),
        };
        let moved = operation.name.eq_ignore_ascii_case("MoveFile");
        if made.contains(&source.to_lowercase()) || there(&place)? {
            continue;
        }
        let done = destination.and_then(|d| paths.place(d).ok()).map(|d| there(&d)).transpose()?.unwrap_or(false);
        if moved && done {
            continue;
        }
        let title = format!(
            "operation {} ({}) needs a file that is gone (0xC0000034)",
            operation.number,
            shown(&operation.name)
        );
        return Ok(Some((title, Evidence::new(place.display_escaped(), "nothing", "the source of that operation"))));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn good() -> State {
        let file = PendingXml { identifier: Some("ab".into()), operations: 3, ..PendingXml::default() };
        State {
            file: Some(file),
            identifier: Some(Some("ab".into())),
            command: true,
            start: Some(2),
            ..State::default()
        }
    }

    fn verdict(change: impl Fn(&mut State)) -> Option<(Severity, String)> {
        let mut state = good();
        change(&mut state);
        judge(&state)
    }

    #[test]
    fn all_parts_together_would_finish_and_each_that_is_missing_is_named() {
        assert_eq!(verdict(|_| {}).unwrap().0, Severity::Note);
        assert_eq!(judge(&State::default()), None);
        type Change = fn(&mut State);
        let faults: [(Change, Severity, &str); 9] = [
            (|s| s.file = None, Severity::Problem, "pending.xml is gone"),
            (|s| s.identifier = Some(None), Severity::Problem, "COMPONENTS does not name it"),
            (|s| s.identifier = Some(Some("cd".into())), Severity::Problem, "differ"),
            (|s| s.command = false, Severity::Suspect, "nothing would run"),
            (|s| s.start = Some(4), Severity::Problem, "disabled"),
            (|s| s.start = Some(3), Severity::Suspect, "not set to automatic"),
            (|s| s.failing = Some("operation 1".into()), Severity::Problem, "every start: operation 1"),
            (|s| s.unserviceable = true, Severity::Problem, "Unserviceable"),
            (|s| s.file.as_mut().unwrap().fault = Some("cut".into()), Severity::Problem, "damaged (cut)"),
        ];
        for (change, severity, words) in faults {
            let (found, title) = verdict(change).unwrap();
            assert_eq!(found, severity, "{title}");
            assert!(title.contains(words), "{title}");
        }
        let flags = |start| judge(&State { flags: true, start, ..State::default() }).unwrap().0;
        assert_eq!((flags(Some(2)), flags(Some(3))), (Severity::Note, Severity::Suspect));
        // COMPONENTS that can't be read is no evidence against the file.
        assert_eq!(verdict(|s| s.identifier = None).unwrap().0, Severity::Note);
    }

    #[test]
    fn identifiers_are_read_in_the_forms_that_occur() {
        let wide: Vec<u8> = "916AE7\0".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(identifier(&RegValue::binary(wide)), "916ae7");
        assert_eq!(identifier(&RegValue::binary(b"916AE7".to_vec())), "916ae7");
        assert_eq!(identifier(&RegValue::binary(vec![0x91, 0x6a, 0xff])), "916aff");
    }
}
