//! `service-file`: a service or driver that is to start, and whose program, library or driver file is missing, empty or no program.
//!
//! What it relies on: [`crate::evidence::ProgramPaths`] for the way Windows reads `ImagePath` and `ServiceDll`, and the table of services
//! that Windows ships without their files. A path on another drive, a device, or behind a link is "could not check". The file itself
//! is opened only for the update services: hundreds of others would cost a slow disk seconds. Source: Microsoft,
//! "Troubleshoot Windows Update error 0x80070002" (2025), symptom 1: an update's installer starts services, and fails where one can't.

use std::collections::{BTreeMap, BTreeSet};

use super::{cut, names, program_paths, shown};
use crate::checks::context::Context;
use crate::error::Result;
use crate::evidence::{look, Named, Program};
use crate::findings::{Evidence, Finding, Findings, Severity};
use crate::knowledge::Knowledge;
use crate::plan::{HiveName, RegValue};
use crate::volume::{Kind, VolPath, VolumeError};

const ID: &str = "service-file";
const SOURCE: &str = "Microsoft, Troubleshoot Windows Update error 0x80070002 (2025): a service whose file is gone";
/// Windows before this keeps services otherwise (NT 4, 2000), and nothing is known of what they ship without.
const FIRST_BUILD: u32 = 2600;
/// More services than any Windows has.
const MAX_SERVICES: usize = 5_000;
/// As many reasons why files can't be looked up are told apart.
const MAX_REASONS: usize = 20;

const KERNEL_DRIVER: u32 = 0x1;
const FILE_SYSTEM_DRIVER: u32 = 0x2;
const RECOGNIZER: u32 = 0x8;
const OWN_OR_SHARED_PROCESS: u32 = 0x30;
/// A service that Windows makes for each user, of a template that is looked at itself.
const USER_INSTANCE: u32 = 0x80;

/// A service's file that is not what it should be.
struct Fault {
    service: String,
    /// The key with its control set.
    key: String,
    /// `ImagePath` or `ServiceDll`, and what it says.
    value: (String, String),
    /// `Start`, 0 to 3.
    start: u32,
    state: Program,
    place: VolPath,
    severity: Severity,
    source: String,
}

pub(in crate::checks) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    if context.installation.version.build < FIRST_BUILD {
        findings.could_not(ID, format!("build {} is too old", context.installation.version.build));
        return Ok(());
    }
    let mut seen = Seen::default();
    for set in &context.installation.control_sets {
        look_at_set(context, &set.key, findings, &mut seen)?;
    }
    for (why, services) in std::mem::take(&mut seen.elsewhere) {
        findings.could_not(ID, format!("the files of {}: {why}", names(&services)));
    }
    report(context, seen.faults, findings)
}

#[derive(Default)]
struct Seen {
    faults: Vec<Fault>,
    /// By reason, the services whose files can't be looked up.
    elsewhere: BTreeMap<String, BTreeSet<String>>,
}

impl Seen {
    fn elsewhere(&mut self, why: &str, service: &str) {
        let why = if self.elsewhere.len() < MAX_REASONS { shown(why) } else { "other reasons".into() };
        self.elsewhere.entry(why).or_default().insert(shown(service));
    }
}

fn look_at_set(context: &Context<'_>, set: &str, findings: &mut Findings, seen: &mut Seen) -> Result<()> {
    let paths = program_paths(context, set)?;
    let root = format!("{set}\\Services");
    let build = context.installation.version.build;
    let facts = Knowledge::builtin().files();
    let bad = |e| crate::evidence::hive_failure(HiveName::System, e);
    let all = context.system.subkeys(&root).map_err(bad)?;
    if all.len() > MAX_SERVICES {
        findings
            .could_not(ID, format!("there are {} services; only the first {MAX_SERVICES} were looked at", all.len()));
    }
    for name in all.into_iter().take(MAX_SERVICES) {
        let key = format!("{root}\\{name}");
        let (start, ty) = (context.dword(&key, "Start")?, context.dword(&key, "Type")?);
        let (Some(start @ 0..=3), Some(ty)) = (start, ty) else { continue };
        if ty & USER_INSTANCE != 0 || facts.ships_without_file(&name, build) {
            continue;
        }
        let image = context.value(&key, "ImagePath")?.as_ref().and_then(RegValue::as_text);
        let mut wanted: Vec<(String, String, Named)> = Vec::new();
        if ty & (KERNEL_DRIVER | FILE_SYSTEM_DRIVER | RECOGNIZER) != 0 {
            let said = image.clone().unwrap_or_else(|| "absent".into());
            wanted.push(("ImagePath".into(), said, paths.driver(&name, image.as_deref())));
        } else if ty & OWN_OR_SHARED_PROCESS != 0 {
            let Some(image) = image else { continue };
            let in_svchost = crate::knowledge::ImagePath::parse(&image, context.system_root.as_deref())
                .is_some_and(|p| p.executable.ends_with("\\svchost.exe"));
            wanted.push(("ImagePath".into(), image.clone(), paths.command(&image)));
            if in_svchost {
                wanted.extend(library(context, &key)?.map(|(value, text)| {
                    let named = paths.library(&text);
                    (value, text, named)
                }));
            }
        }
        let ours = context.services().any(|s| s.name.eq_ignore_ascii_case(&name));
        for (value, said, named) in wanted {
            findings.made += 1;
            match named {
                Named::Elsewhere(why) => {
                    seen.elsewhere(&why, &name);
                }
                Named::Here(places) => match best(context, &places, ours) {
                    (_, Program::Good) => {}
                    (_, Program::Opaque) => {
                        seen.elsewhere("behind a link, a short name or content that can't be read from here", &name);
                    }
                    (place, state) => {
                        let documented = facts.documented_cause(&name, build);
                        let severity = weight(context, start, ours, documented.is_some(), &place);
                        seen.faults.push(Fault {
                            service: name.clone(),
                            key: key.clone(),
                            value: (value, said),
                            start,
                            state,
                            place,
                            severity,
                            source: documented.unwrap_or(SOURCE).to_owned(),
                        });
                    }
                },
            }
        }
    }
    Ok(())
}

/// `ServiceDll`, under `Parameters` first, as svchost looks.
fn library(context: &Context<'_>, key: &str) -> Result<Option<(String, String)>> {
    for (below, key) in [("Parameters\\", format!("{key}\\Parameters")), ("", key.to_owned())] {
        let text = context.value(&key, "ServiceDll")?.as_ref().and_then(RegValue::as_text);
        if let Some(text) = text.filter(|t| !t.trim().is_empty()) {
            return Ok(Some((format!("{below}ServiceDll"), text)));
        }
    }
    Ok(None)
}

/// The first place where something stands; if nothing does anywhere, the likeliest.
fn best(context: &Context<'_>, places: &[VolPath], header: bool) -> (VolPath, Program) {
    let mut first = None;
    for place in places {
        let state = look(context.volume, place, context.installation.version.build, header);
        match state {
            Program::Good => return (place.clone(), state),
            Program::Absent => {
                first.get_or_insert((place.clone(), state));
            }
            _ if matches!(first, None | Some((_, Program::Absent))) => first = Some((place.clone(), state)),
            _ => {}
        }
    }
    first.unwrap_or((VolPath::root(), Program::Opaque))
}

/// What Windows starts by itself out of its own folder breaks updating; what a program elsewhere left behind may.
fn weight(context: &Context<'_>, start: u32, ours: bool, documented: bool, place: &VolPath) -> Severity {
    let in_windows = place.starts_with(&context.installation.windows);
    match start {
        _ if ours => Severity::Problem,
        0..=2 if in_windows => Severity::Problem,
        0..=2 => Severity::Suspect,
        _ if documented => Severity::Suspect,
        _ => Severity::Note,
    }
}

fn report(context: &Context<'_>, faults: Vec<Fault>, findings: &mut Findings) -> Result<()> {
    // One finding per file, however many services share it; manual ones in one note.
    let mut by_file: BTreeMap<String, Vec<Fault>> = BTreeMap::new();
    let mut manual = Vec::new();
    for fault in faults {
        let told = |id: &str, value: &str| {
            let of = |f: &Finding| {
                f.id == id && f.severity == Severity::Problem && f.subject.eq_ignore_ascii_case(&fault.service)
            };
            fault.value.0.ends_with(value) && findings.findings.iter().any(of)
        };
        // A path that is itself wrong is told already, and so is the type of a driver, with which the path is read as a driver's.
        if told("service-image-path", "ImagePath")
            || told("service-dll", "ServiceDll")
            || told("service-type", "ImagePath")
        {
            continue;
        }
        if fault.severity == Severity::Note {
            manual.push(fault);
        } else {
            by_file.entry(fault.place.display_escaped().to_lowercase()).or_default().push(fault);
        }
    }
    let mut all: Vec<Vec<Fault>> = by_file.into_values().collect();
    for faults in &mut all {
        faults.sort_by(|a, b| (a.severity, a.start, &a.service).cmp(&(b.severity, b.start, &b.service)));
    }
    all.sort_by(|a, b| {
        a.iter().map(|f| (f.severity, f.start)).min().cmp(&b.iter().map(|f| (f.severity, f.start)).min())
    });
    for faults in &all {
        let Some(worst) = faults.first() else { continue };
        let mut evidence = vec![file_evidence(worst)];
        evidence.extend(renamed_copies(context, &worst.place)?);
        evidence.extend(faults.iter().map(value_evidence));
        findings.push(Finding {
            id: ID,
            severity: worst.severity,
            subject: shown(&worst.service),
            title: title(worst, faults.iter().map(|f| f.service.to_lowercase()).collect::<BTreeSet<_>>().len()),
            evidence: cut(evidence),
            remedy: None,
            source: worst.source.clone(),
            defect: None,
        });
    }
    if !manual.is_empty() {
        findings.push(Finding {
            id: ID,
            severity: Severity::Note,
            subject: "manual services".into(),
            title: "manual services or drivers are registered whose file is gone; usually left by a program that was removed".into(),
            evidence: cut(manual.iter().flat_map(|f| [value_evidence(f), file_evidence(f)]).collect()),
            remedy: None,
            source: SOURCE.into(),
            defect: None,
        });
    }
    Ok(())
}

fn title(fault: &Fault, services: usize) -> String {
    let what = match fault.state {
        Program::Empty => "is empty",
        Program::NoProgram => "is no program",
        _ => "is missing",
    };
    let consequence = match fault.start {
        0 => "Windows may not start",
        _ if fault.source != SOURCE => "a documented cause of 0x80070002",
        _ => "it can't start",
    };
    if services > 1 {
        format!("the file of {services} services {what}: {consequence}")
    } else {
        format!("the file of the service {what}: {consequence}")
    }
}

fn file_evidence(fault: &Fault) -> Evidence {
    let found = match fault.state {
        Program::Empty => "a file of 0 bytes",
        Program::NoProgram => "a file that is no Windows program (no MZ and PE header)",
        _ => "nothing",
    };
    Evidence::new(fault.place.display_escaped(), found, "the service's file")
}

fn value_evidence(fault: &Fault) -> Evidence {
    let start = match fault.start {
        0 => "boot",
        1 => "system",
        2 => "automatic",
        _ => "manual",
    };
    let place = format!("{}\\{}\\{}", HiveName::System, shown(&fault.key), fault.value.0);
    Evidence::seen(place, format!("{} (start: {start})", shown(&fault.value.1)))
}

/// Copies beside the missing file under the names that update blockers give: renaming one back mends the service.
fn renamed_copies(context: &Context<'_>, place: &VolPath) -> Result<Vec<Evidence>> {
    let (Some(folder), Some(file)) = (place.parent(), place.file_name()) else { return Ok(Vec::new()) };
    let entries = match context.volume.list(&folder) {
        Ok(entries) => entries,
        Err(VolumeError::NotFound { .. } | VolumeError::NotADirectory { .. }) => return Ok(Vec::new()),
        Err(e) => return Err(e.into()),
    };
    let file = file.to_string_lossy().to_lowercase();
    let (stem, ending) = file.rsplit_once('.').unwrap_or((&file, ""));
    let mut found = Vec::new();
    for entry in entries {
        let name = entry.name.to_string_lossy().to_lowercase();
        let is_copy = name == format!("{stem}_bak.{ending}")
            || name == format!("wu10man_{file}")
            || [".old", ".bak", "_bak", ".disabled"]
                .iter()
                .any(|e| name == format!("{file}{e}") || name == format!("{stem}{e}"));
        if is_copy && entry.kind == Kind::File {
            let copy = folder.child(&entry.name)?.display_escaped();
            found.push(Evidence::seen(
                copy,
                "a renamed copy, as update blockers leave it; renaming it back mends the service",
            ));
        }
    }
    found.sort_by(|a, b| a.place.cmp(&b.place));
    Ok(found)
}
