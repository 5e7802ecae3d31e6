//! `logs`: what Windows' own logs name as the cause of a failure, looked up on the volume.
//!
//! Microsoft's way: the log says which service, driver package, file or package failed; that one thing is what to look at. An
//! alarm is only what a row of the table (`crate::knowledge::LogTable`) allows, what no later success or scan of the same
//! logs settles, and what is still missing, or whose damage nothing repaired. Everything else that the logs complain of is a note:
//! healthy machines' logs are full of failures.

mod lookup;

use self::lookup::{look_up, State};
use super::context::Context;
use crate::error::Result;
use crate::findings::{Evidence, Finding, Findings, Severity};
use crate::knowledge::{LogAlarm, LogFault, LogKind};
use crate::logs::{gather_telling, Event, Object};

const ID: &str = "logs";
/// The most lines of evidence for one finding.
const MAX_EVIDENCE: usize = 8;
/// The most objects with a finding of their own.
const MAX_OBJECTS: usize = 20;

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    let logs = gather_telling(context.volume, context.installation, &|what| context.tell(what));
    findings.made += logs.read;
    for why in logs.could_not {
        findings.could_not(ID, why);
    }
    let mut damaged: Vec<(&Event, Vec<Evidence>)> = Vec::new();
    let mut over: Vec<(&Event, String)> = Vec::new();
    let mut others: Vec<&Event> = Vec::new();
    let mut named = 0_usize;
    for group in by_object(&logs.events) {
        let Some(&event) = group.first() else { continue };
        let Some(object) = &event.object else { continue };
        if alarm(&group) == LogAlarm::Note {
            others.extend(group);
            continue;
        }
        if group.iter().all(|event| event.settled.is_some()) {
            let why = |event: &&Event| event.settled.map_or_else(String::new, |settled| settled.to_string());
            over.extend(group.iter().map(|event| (*event, why(event))));
            continue;
        }
        let open: Vec<&Event> = group.iter().copied().filter(|event| event.settled.is_none()).collect();
        let state = look_up(context, object, event);
        if open.iter().all(|event| event.fault == LogFault::Corrupt) {
            match state {
                State::Removed => over.extend(open.iter().map(|event| (*event, "it was removed since".to_owned()))),
                State::Missing { evidence, .. } => damaged.push((event, evidence)),
                State::There(_) | State::Unknown(_) => damaged.push((event, Vec::new())),
            }
            continue;
        }
        named += 1;
        if named > MAX_OBJECTS {
            findings.could_not(ID, format!("{object} and more that the logs name were not looked up"));
            break;
        }
        findings.push(of_object(object, &open, state));
    }
    others.extend(logs.events.iter().filter(|event| event.object.is_none()));
    push_damaged(findings, &damaged);
    push_over(findings, &over);
    push_others(findings, &others);
    Ok(())
}

/// The events that name an object, those of the same object together, in the order of the newest.
fn by_object(events: &[Event]) -> Vec<Vec<&Event>> {
    let mut groups: Vec<Vec<&Event>> = Vec::new();
    for event in events {
        let Some(object) = &event.object else { continue };
        let known = groups.iter_mut().find(|group| {
            group.first().and_then(|first| first.object.as_ref()).is_some_and(|known| known.same(object))
        });
        match known {
            Some(group) => group.push(event),
            None => groups.push(vec![event]),
        }
    }
    groups
}

/// The most that any of these can mean.
fn alarm(events: &[&Event]) -> LogAlarm {
    let of = |event: &&Event| event.pattern.map_or(LogAlarm::Note, |row| row.alarm);
    let any = |wanted| events.iter().any(|event| of(event) == wanted);
    match () {
        () if any(LogAlarm::Problem) => LogAlarm::Problem,
        () if any(LogAlarm::Suspect) => LogAlarm::Suspect,
        () => LogAlarm::Note,
    }
}

fn of_object(object: &Object, events: &[&Event], state: State) -> Finding {
    let mut evidence: Vec<Evidence> = events.iter().take(MAX_EVIDENCE).map(|event| quoted(event)).collect();
    let what = match object {
        Object::Service(_) => "a service",
        Object::Inf(_) => "a driver package",
        Object::Package(_) => "an update's package",
        Object::File(_) => "a file or folder",
        Object::StoreFile(_) | Object::Payload { .. } | Object::Component(_) => "a file of the component store",
        Object::Update(_) => "an update",
    };
    let (severity, title) = match state {
        State::Missing { evidence: found, certain } => {
            evidence.extend(found);
            if certain && alarm(events) == LogAlarm::Problem {
                (Severity::Problem, format!("updating failed because of {what}, and what it needs is still missing"))
            } else {
                (Severity::Suspect, format!("updating failed because of {what}, and something of it is missing"))
            }
        }
        State::There(found) => {
            evidence.extend(found);
            if matches!(object, Object::Inf(_)) {
                // Its files and services are there; what else installing a driver needs can't be looked up.
                (Severity::Suspect, format!("updating failed because of {what}; its files are there"))
            } else {
                (Severity::Note, format!("updating failed because of {what}, which is there now"))
            }
        }
        State::Removed => (Severity::Note, format!("updating failed because of {what}, which was removed since")),
        State::Unknown(why) => {
            evidence.push(Evidence::seen(shown(object), why));
            (Severity::Note, format!("updating failed because of {what}; whether it is there can't be said"))
        }
    };
    let title = match object.kb() {
        Some(kb) => format!("{title} ({kb})"),
        None => title,
    };
    Finding {
        id: ID,
        severity,
        subject: shown(object),
        title,
        evidence,
        remedy: None,
        source: source(events),
        defect: None,
    }
}

/// What scans of the component store found, in one finding: one cause, one cure.
fn push_damaged(findings: &mut Findings, damaged: &[(&Event, Vec<Evidence>)]) {
    if damaged.is_empty() {
        return;
    }
    let mut evidence = Vec::new();
    for (event, found) in damaged.iter().take(MAX_EVIDENCE) {
        evidence.push(quoted(event));
        evidence.extend(found.iter().cloned());
    }
    if damaged.len() > MAX_EVIDENCE {
        evidence.push(Evidence::seen("the component store", format!("{} damaged files in all", damaged.len())));
    }
    let events: Vec<&Event> = damaged.iter().map(|(event, _)| *event).collect();
    findings.push(Finding {
        id: ID,
        severity: Severity::Suspect,
        subject: "component store".into(),
        title: "a scan found damage in the component store, and no later one found it repaired; DISM repairs it from a source of the same build".into(),
        evidence,
        remedy: None,
        source: source(&events),
        defect: None,
    });
}

fn push_over(findings: &mut Findings, over: &[(&Event, String)]) {
    if over.is_empty() {
        return;
    }
    let evidence = over.iter().take(MAX_EVIDENCE).map(|(event, why)| {
        let Evidence { place, found, .. } = quoted(event);
        Evidence::seen(place, format!("{found}; {why}"))
    });
    let events: Vec<&Event> = over.iter().map(|(event, _)| *event).collect();
    findings.push(Finding {
        id: ID,
        severity: Severity::Note,
        subject: "earlier failures".into(),
        title: "something that the logs name failed earlier, and is over".into(),
        evidence: evidence.collect(),
        remedy: None,
        source: source(&events),
        defect: None,
    });
}

/// The newest failures that name nothing that could be looked up, one note for each kind of log.
fn push_others(findings: &mut Findings, others: &[&Event]) {
    for kind in LogKind::ALL {
        let mut of_kind: Vec<&Event> =
            others.iter().copied().filter(|event| event.kind == kind && event.settled.is_none()).collect();
        of_kind.sort_by_key(|event| std::cmp::Reverse(event.time));
        let Some(newest) = of_kind.first() else { continue };
        findings.push(Finding {
            id: ID,
            severity: Severity::Note,
            subject: newest.log.display_escaped(),
            title: "the newest failures in this log; healthy machines have such, too".into(),
            evidence: of_kind.iter().take(MAX_EVIDENCE).map(|event| quoted(event)).collect(),
            remedy: None,
            source: source(&of_kind),
            defect: None,
        });
    }
}

fn source(events: &[&Event]) -> String {
    let row = events.iter().find_map(|event| event.pattern);
    row.map_or_else(|| "the log's own fields".into(), |row| row.source.clone())
}

/// A line of a log, with how often and since when.
fn quoted(event: &Event) -> Evidence {
    let mut found = format!("\"{}\"", event.text);
    if event.count > 1 {
        found.push_str(&format!(", {} times", event.count));
    }
    match (event.first, event.time) {
        (Some(first), Some(last)) if first != last => found.push_str(&format!(", from {first} to {last}")),
        (_, Some(last)) => found.push_str(&format!(", {last}")),
        _ => {}
    }
    Evidence::seen(event.place(), found)
}

/// An object's name, made harmless for a terminal.
fn shown(object: &Object) -> String {
    crate::volume::escape::escape_text(object.to_string().as_ref())
}
