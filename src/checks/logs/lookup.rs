//! Whether what a log names is on the volume: a service's key and its files, a driver package's folder, a file, a package's
//! manifest and catalog. Names come from a log and are hostile: they only ever become paths inside the volume.

use crate::checks::context::Context;
use crate::error::Result;
use crate::evidence::hive_failure;
use crate::findings::Evidence;
use crate::knowledge::{windows_path, ImagePath, Knowledge, LogFault};
use crate::logs::{Event, Object};
use crate::plan::{HiveName, RegValue};
use crate::updates::PACKAGES;
use crate::volume::escape::escape_text;
use crate::volume::{Kind, VolPath};

/// The longest inf that is read.
const INF_LIMIT: u64 = 1 << 20;

/// What became of an object.
pub(super) enum State {
    /// It, or something of it, is not there.
    Missing {
        /// What, and where.
        evidence: Vec<Evidence>,
        /// Whether that is surely the cause: not where something of it may be absent in healthy machines as well.
        certain: bool,
    },
    /// All of it that can be looked up is there.
    There(Vec<Evidence>),
    /// Its component or package was removed as a whole, as Windows does with old ones.
    Removed,
    /// It can't be looked up.
    Unknown(String),
}

/// Looks an object up.
pub(super) fn look_up(context: &Context<'_>, object: &Object, event: &Event) -> State {
    let looked = match object {
        Object::Service(name) => service(context, name),
        Object::File(path) => file(context, path),
        Object::Inf(name) => inf(context, name),
        Object::Package(identity) => package(context, identity),
        Object::Payload { component, file } => payload(context, component, file, event.fault),
        Object::StoreFile(path) => store_file(context, path),
        Object::Component(_) | Object::Update(_) => Ok(State::Unknown("the log names no file".into())),
    };
    match looked {
        // A name in an unknown code page may be that of another file.
        Ok(State::Missing { .. }) if !event.certain => {
            State::Unknown("the log is in another code page: its name there can't be read for certain".into())
        }
        Ok(state) => state,
        Err(failure) => State::Unknown(failure.to_string()),
    }
}

fn state(all: Vec<Evidence>, certain: bool) -> State {
    let (missing, there): (Vec<_>, Vec<_>) = all.into_iter().partition(|found| found.expected.is_some());
    if missing.is_empty() {
        State::There(there)
    } else {
        State::Missing { evidence: missing, certain }
    }
}

/// What is at a path of the volume: with an expectation if nothing is.
fn at(context: &Context<'_>, path: &VolPath) -> Result<Evidence> {
    Ok(match context.volume.find(path)? {
        Some(found) if found.kind == Kind::File && found.len == 0 => {
            Evidence::new(found.path.display_escaped(), "an empty file", "a file with content")
        }
        Some(found) => Evidence::seen(found.path.display_escaped(), format!("there now: {}", found.kind)),
        None => Evidence::new(path.display_escaped(), "absent", "there"),
    })
}

/// The place on the volume of a path as Windows writes it; `None` if it is not on the system's drive.
fn on_volume(context: &Context<'_>, path: &str) -> Result<Option<VolPath>> {
    let path = windows_path(path, context.system_root.as_deref());
    let bytes = path.as_bytes();
    if bytes.get(1) == Some(&b':') {
        let system = context.system_root.as_deref().and_then(|root| root.get(..2)).unwrap_or("c:");
        let is_system = path.get(..2).is_some_and(|drive| drive.eq_ignore_ascii_case(system));
        let rest = path.get(2..).unwrap_or_default().trim_start_matches('\\');
        return if is_system { Ok(Some(VolPath::parse(rest)?)) } else { Ok(None) };
    }
    if path.starts_with('\\') || path.starts_with('%') || path.contains(':') {
        return Ok(None);
    }
    Ok(Some(context.in_windows(&path)?))
}

fn file(context: &Context<'_>, path: &str) -> Result<State> {
    // Matched as a part of the path, whatever it begins with.
    let lower = format!("\\{}\\", path.to_lowercase());
    if let Some(passing) = Knowledge::builtin().logs().passing.iter().find(|p| lower.contains(&p.part)) {
        return Ok(State::Unknown(format!("what is there comes and goes: {}", passing.why)));
    }
    let Some(place) = on_volume(context, path)? else {
        return Ok(State::Unknown("it is not on the drive that Windows is on".into()));
    };
    if place.is_root() {
        return Ok(State::Unknown("the log names no file".into()));
    }
    // Folders that are empty are there; only a file without content is not.
    Ok(state(vec![at(context, &place)?], true))
}

fn service(context: &Context<'_>, name: &str) -> Result<State> {
    let Some(set) = context.installation.control_sets.first() else {
        return Ok(State::Unknown("there is no control set".into()));
    };
    let key = format!("{}\\Services\\{name}", set.key);
    let place = format!("{}\\{}", HiveName::System, escape_text(key.as_ref()));
    if !context.system.key_exists(&key).map_err(|e| hive_failure(HiveName::System, e))? {
        return Ok(State::Missing { evidence: vec![Evidence::new(place, "absent", "there")], certain: true });
    }
    let mut all = vec![Evidence::seen(place, "there")];
    let image = context.value(&key, "ImagePath")?.as_ref().and_then(RegValue::as_text);
    let program = match image.as_deref() {
        Some(image) => ImagePath::parse(image, context.system_root.as_deref()).map(|image| image.executable),
        None => Some(format!("system32\\drivers\\{name}.sys")),
    };
    let mut files: Vec<String> = program.into_iter().collect();
    for key in [format!("{key}\\Parameters"), key] {
        if let Some(library) = context.value(&key, "ServiceDll")?.as_ref().and_then(RegValue::as_text) {
            files.push(library);
            break;
        }
    }
    for path in files {
        match on_volume(context, &path)? {
            Some(path) => all.push(at(context, &path)?),
            None => return Ok(State::Unknown(format!("its file is elsewhere: {}", escape_text(path.as_ref())))),
        }
    }
    Ok(state(all, true))
}

/// A package: its manifest and its catalog. One that Windows has no longer registered needs neither.
fn package(context: &Context<'_>, identity: &str) -> Result<State> {
    let mut all = Vec::new();
    for ending in ["mum", "cat"] {
        all.push(at(context, &context.in_windows(&format!("servicing\\Packages\\{identity}.{ending}"))?)?);
    }
    unless_unregistered(context, identity, state(all, true))
}

/// A package's manifest or catalog, or a component's manifest.
fn store_file(context: &Context<'_>, path: &str) -> Result<State> {
    let state = state(vec![at(context, &context.in_windows(path)?)?], true);
    let file = path.rsplit('\\').next().unwrap_or_default();
    let is_of_package = path.to_ascii_lowercase().starts_with("servicing\\packages\\");
    match file.rsplit_once('.') {
        Some((identity, _)) if is_of_package => unless_unregistered(context, identity, state),
        _ => Ok(state),
    }
}

fn unless_unregistered(context: &Context<'_>, identity: &str, state: State) -> Result<State> {
    let key = format!("{PACKAGES}\\{identity}");
    let registered = context.software.key_exists(&key).map_err(|e| hive_failure(HiveName::Software, e))?;
    Ok(match state {
        State::Missing { .. } if !registered => State::Removed,
        state => state,
    })
}

fn payload(context: &Context<'_>, component: &str, file: &str, fault: LogFault) -> Result<State> {
    let found = at(context, &context.in_windows(&format!("WinSxS\\{component}\\{file}"))?)?;
    if found.expected.is_none() {
        return Ok(State::There(vec![found]));
    }
    let is_there = |path: String| -> Result<bool> { Ok(context.volume.find(&context.in_windows(&path)?)?.is_some()) };
    let manifest = is_there(format!("WinSxS\\Manifests\\{component}.manifest"))?;
    let folder = is_there(format!("WinSxS\\{component}"))?;
    if !manifest && !folder && fault == LogFault::Corrupt {
        return Ok(State::Removed);
    }
    Ok(State::Missing { evidence: vec![found], certain: manifest || folder })
}

fn inf(context: &Context<'_>, name: &str) -> Result<State> {
    let place = context.in_windows("INF")?.child(name)?;
    let mut all = vec![at(context, &place)?];
    // What Windows calls oem12.inf keeps its own name in the store.
    let is_oem = name.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("oem"));
    if !is_oem && context.installation.version.build >= 6000 {
        all.extend(repository(context, name)?);
    }
    if let State::Missing { evidence, certain } = state(all.clone(), true) {
        return Ok(State::Missing { evidence, certain });
    }
    let services = services_of(context, &place)?;
    all.retain(|found| found.expected.is_none());
    all.extend(services);
    // Services of devices that the machine does not have are absent in healthy machines, too.
    Ok(state(all, false))
}

/// The driver package's folder in the driver store.
fn repository(context: &Context<'_>, name: &str) -> Result<Option<Evidence>> {
    let store = context.in_windows("System32\\DriverStore\\FileRepository")?;
    let Some(store) = context.volume.find(&store)?.filter(|found| found.kind == Kind::Dir) else { return Ok(None) };
    let start = format!("{}_", name.to_lowercase());
    for entry in context.volume.list(&store.path)? {
        let fits = entry.name.to_str().is_some_and(|entry| entry.to_lowercase().starts_with(&start));
        if fits && entry.kind == Kind::Dir {
            return Ok(Some(at(context, &store.path.child(&entry.name)?)?));
        }
    }
    let wanted = store.path.child(format!("{start}*"))?;
    Ok(Some(Evidence::new(wanted.display_escaped(), "absent", "the driver package's folder")))
}

/// The services that an inf installs: Microsoft's cause for flpydisk.inf is that one of their keys is gone.
fn services_of(context: &Context<'_>, inf: &VolPath) -> Result<Vec<Evidence>> {
    let Some(set) = context.installation.control_sets.first() else { return Ok(Vec::new()) };
    let Some(found) = context.volume.find(inf)?.filter(|found| found.kind == Kind::File) else { return Ok(Vec::new()) };
    let bytes = context.volume.read(&found.path, INF_LIMIT)?;
    let text = crate::logs::text_of(&bytes);
    let mut all: Vec<Evidence> = Vec::new();
    for line in text.lines() {
        let Some((directive, value)) = line.split_once('=') else { continue };
        let service = value.split(',').next().unwrap_or_default().trim().trim_matches('"');
        let is_name = !service.is_empty() && service.len() <= 256 && !service.contains(['%', '\\', ';']);
        if !directive.trim().eq_ignore_ascii_case("AddService") || !is_name || all.len() >= 8 {
            continue;
        }
        let key = format!("{}\\Services\\{service}", set.key);
        let there = context.system.key_exists(&key).map_err(|e| hive_failure(HiveName::System, e))?;
        let place = format!("{}\\{}", HiveName::System, escape_text(key.as_ref()));
        let seen = if there { Evidence::seen(place, "there") } else { Evidence::new(place, "absent", "there") };
        if !all.contains(&seen) {
            all.push(seen);
        }
    }
    Ok(all)
}
