//! The plan that takes a transaction back: value by value, because the machine may have booted since.
//!
//! A value that no longer holds what the repair wrote is a conflict: shown, and left alone unless forced. A folder is renamed
//! back only after its fresh successor is moved aside.

use std::collections::HashSet;

use crate::error::Result;
use crate::evidence::{hive_failure, now, Installation, Registry, RegistryError};
use crate::plan::{Action, Change, HiveName, ObjectKind, Plan, Purpose, PLAN_SCHEMA};
use crate::volume::{VolPath, Volume};

use super::files::object_kind;
use super::state::Record;

/// Something that can't be taken back as it is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Conflict {
    /// The place in the plan of the transaction that is undone.
    #[serde(skip)]
    pub index: usize,
    /// Where.
    #[serde(rename = "where")]
    pub place: String,
    /// What was found.
    pub found: String,
    /// What the repair left there.
    pub expected: String,
}

/// The plan of an undo, with what it leaves alone.
pub struct UndoPlan {
    /// The plan.
    pub plan: Plan,
    /// What it leaves alone.
    pub conflicts: Vec<Conflict>,
}

/// Makes the plan that takes `record` back on this volume. With `force`, values that somebody has changed since are overwritten.
///
/// # Errors
/// The volume can't be read.
pub fn undo_plan(volume: &dyn Volume, installation: &Installation, record: &Record, force: bool) -> Result<UndoPlan> {
    let mut builder = Builder {
        volume,
        system: installation.system()?,
        software: installation.software()?,
        force,
        actions: Vec::new(),
        conflicts: Vec::new(),
        vacated: HashSet::new(),
    };
    let actions = record.plan.as_ref().map_or(&[][..], |p| &p.actions);
    if record.plan.is_none() {
        return Err(super::resume::no_plan(record));
    }
    let grown = builder.grown_keys(actions)?;
    builder.move_fresh_queue_aside(actions)?;
    for (index, action) in actions.iter().enumerate().rev() {
        if !grown.iter().any(|key| key.holds(&action.change)) {
            builder.take_back(index, action)?;
        }
    }
    let Builder { actions, mut conflicts, .. } = builder;
    conflicts.reverse();
    let mut plan = Plan {
        schema: PLAN_SCHEMA.into(),
        tool: env!("CARGO_PKG_VERSION").into(),
        purpose: Purpose::Undo(record.id.clone()),
        time: now().0,
        binding: installation.binding(volume, &[]),
        actions,
        warnings: Vec::new(),
        force_dirty_hive: installation.forced_dirty,
        left_alone: conflicts.len(),
    };
    plan.binding = installation.binding(volume, &plan.hives());
    Ok(UndoPlan { plan, conflicts })
}

struct Builder<'a> {
    volume: &'a dyn Volume,
    system: Registry<'a>,
    software: Registry<'a>,
    force: bool,
    actions: Vec<Action>,
    conflicts: Vec<Conflict>,
    /// Values, keys and paths that the plan so far removes, lower-case.
    vacated: HashSet<String>,
}

/// A key that a repair made, and that others have put something into since.
struct GrownKey {
    hive: HiveName,
    key: String,
}

impl GrownKey {
    /// Whether a change is one in this key or below it.
    fn holds(&self, change: &Change) -> bool {
        let key = match change {
            Change::SetValue { hive, key, .. } | Change::CreateKey { hive, key } if *hive == self.hive => key,
            _ => return false,
        };
        below(key, &self.key)
    }
}

/// Whether `key` is `top` or under it.
fn below(key: &str, top: &str) -> bool {
    let (key, top) = (key.to_lowercase(), top.to_lowercase());
    key == top || key.strip_prefix(&top).is_some_and(|rest| rest.starts_with('\\'))
}

impl Builder<'_> {
    /// The keys that the repair made as a whole and that hold something else by now: a service that Windows has gone on
    /// with is not gutted, it is left alone as one conflict. With force, what others put there goes too.
    fn grown_keys(&mut self, actions: &[Action]) -> Result<Vec<GrownKey>> {
        let made: Vec<(usize, HiveName, &str)> = actions
            .iter()
            .enumerate()
            .filter_map(|(i, a)| match &a.change {
                Change::CreateKey { hive, key } => Some((i, *hive, key.as_str())),
                _ => None,
            })
            .collect();
        let mut grown = Vec::new();
        for (index, hive, top) in &made {
            let inside_another = made.iter().any(|(_, h, k)| h == hive && k != top && below(top, k));
            if inside_another {
                continue;
            }
            let mut foreign = Vec::new();
            self.foreign_entries(*hive, top, actions, &mut foreign)?;
            if foreign.is_empty() {
                continue;
            }
            if self.force {
                for (remedy, change) in foreign {
                    self.push(remedy, change);
                }
            } else {
                let names: Vec<String> = foreign.iter().map(|(_, c)| c.place()).collect();
                let place = actions.get(*index).map(|a| a.change.place()).unwrap_or_default();
                self.conflict(
                    *index,
                    place,
                    format!("a key that also holds {}", names.join(", ")),
                    "only what the repair put there",
                );
                grown.push(GrownKey { hive: *hive, key: (*top).to_string() });
            }
        }
        Ok(grown)
    }

    /// What is in a made key and was not put there by the repair, as the changes that would remove it, deepest first.
    fn foreign_entries(
        &self,
        hive: HiveName,
        key: &str,
        actions: &[Action],
        foreign: &mut Vec<(&'static str, Change)>,
    ) -> Result<()> {
        let bad = |e: RegistryError| hive_failure(hive, e);
        let registry = self.registry(hive);
        let own_key = |k: &str| {
            actions.iter().any(|a| matches!(&a.change, Change::CreateKey { hive: h, key } if *h == hive && key.eq_ignore_ascii_case(k)))
        };
        for name in registry.subkeys(key).map_err(bad)? {
            let path = format!("{key}\\{name}");
            self.foreign_entries(hive, &path, actions, foreign)?;
            if !own_key(&path) {
                foreign.push(("undo", Change::DeleteKey { hive, key: path }));
            }
        }
        for name in registry.value_names(key).map_err(bad)? {
            let own = actions.iter().any(|a| {
                matches!(&a.change, Change::SetValue { hive: h, key: k, name: n, .. }
                    if *h == hive && k.eq_ignore_ascii_case(key) && n.eq_ignore_ascii_case(&name))
            });
            if !own {
                if let Some(before) = registry.value(key, &name).map_err(bad)? {
                    foreign.push(("undo", Change::DeleteValue { hive, key: key.into(), name, before }));
                }
            }
        }
        Ok(())
    }

    /// Before a queue of the background transfer service goes back, everything of a fresh one moves aside: an ESE database
    /// beside the logs of another is damaged.
    fn move_fresh_queue_aside(&mut self, actions: &[Action]) -> Result<()> {
        let mut folders: Vec<VolPath> = Vec::new();
        // What an interrupted repair had not moved yet is no fresh file but the old one, and stays.
        let mut unmoved: HashSet<String> = HashSet::new();
        for action in actions.iter().filter(|a| a.remedy == "bits-queue") {
            if let Change::Rename { object: ObjectKind::File, from, to } = &action.change {
                if self.volume.find(to)?.is_none() {
                    unmoved.insert(from.to_string().to_lowercase());
                    continue;
                }
                let Some(folder) = from.parent() else { continue };
                if !folders.contains(&folder) {
                    folders.push(folder);
                }
            }
        }
        for folder in folders {
            if self.volume.find(&folder)?.is_none_or(|f| f.kind != crate::volume::Kind::Dir) {
                continue;
            }
            let mut fresh = crate::checks::queue_files(self.volume, &folder)?;
            fresh.retain(|path| !unmoved.contains(&path.to_string().to_lowercase()));
            if fresh.is_empty() {
                continue;
            }
            let aside = free_name(self.volume, &folder, "new")?;
            self.push("bits-queue", Change::CreateFolder { path: aside.clone() });
            for from in fresh {
                let Some(name) = from.file_name() else { continue };
                let object = self.volume.find(&from)?.and_then(|f| object_kind(f.kind)).unwrap_or(ObjectKind::File);
                let to = aside.child(name)?;
                self.push("bits-queue", Change::Rename { object, from, to });
            }
        }
        Ok(())
    }

    fn registry(&self, hive: HiveName) -> &Registry<'_> {
        match hive {
            HiveName::System => &self.system,
            HiveName::Software => &self.software,
        }
    }

    fn push(&mut self, remedy: &str, change: Change) {
        if matches!(change, Change::DeleteValue { .. } | Change::DeleteKey { .. } | Change::Rename { .. }) {
            self.vacated.insert(change.place().to_lowercase());
        }
        self.actions.push(Action { remedy: remedy.into(), change });
    }

    fn conflict(&mut self, index: usize, place: String, found: impl Into<String>, expected: impl Into<String>) {
        self.conflicts.push(Conflict { index, place, found: found.into(), expected: expected.into() });
    }

    fn take_back(&mut self, index: usize, action: &Action) -> Result<()> {
        let remedy = action.remedy.as_str();
        let place = action.change.place();
        match &action.change {
            Change::SetValue { hive, key, name, before, after } => {
                let bad = |e: RegistryError| hive_failure(*hive, e);
                let found = self.registry(*hive).value(key, name).map_err(bad)?;
                if found == *before {
                    return Ok(());
                }
                let show = |v: Option<&crate::plan::RegValue>| v.map_or_else(|| "absent".into(), ToString::to_string);
                let is_ours = found.as_ref() == Some(after);
                if !is_ours && (!self.force || !self.registry(*hive).key_exists(key).map_err(bad)?) {
                    self.conflict(index, place, show(found.as_ref()), show(Some(after)));
                    return Ok(());
                }
                let (hive, key, name) = (*hive, key.clone(), name.clone());
                match (before, found) {
                    (Some(before), found) => {
                        self.push(remedy, Change::SetValue { hive, key, name, before: found, after: before.clone() })
                    }
                    (None, Some(found)) => self.push(remedy, Change::DeleteValue { hive, key, name, before: found }),
                    (None, None) => {}
                }
            }
            Change::DeleteValue { hive, key, name, before } => {
                let bad = |e: RegistryError| hive_failure(*hive, e);
                let found = self.registry(*hive).value(key, name).map_err(bad)?;
                if found.as_ref() == Some(before) {
                    return Ok(());
                }
                let there = self.registry(*hive).key_exists(key).map_err(bad)?;
                if !there || (found.is_some() && !self.force) {
                    let seen = found.map_or_else(|| "no such key".to_string(), |v| v.to_string());
                    self.conflict(index, place, seen, "absent");
                    return Ok(());
                }
                let (hive, key, name) = (*hive, key.clone(), name.clone());
                self.push(remedy, Change::SetValue { hive, key, name, before: found, after: before.clone() });
            }
            Change::CreateKey { hive, key } => self.take_back_key(index, remedy, *hive, key, place)?,
            Change::DeleteKey { hive, key } => {
                let bad = |e: RegistryError| hive_failure(*hive, e);
                if !self.registry(*hive).key_exists(key).map_err(bad)? {
                    self.push(remedy, Change::CreateKey { hive: *hive, key: key.clone() });
                }
            }
            Change::Rename { object, from, to } => self.take_back_rename(index, remedy, *object, from, to)?,
            Change::CreateFolder { path } => {
                if self.volume.find(path)?.is_some() {
                    let left = self.volume.list(path)?.into_iter().any(|entry| {
                        path.child(&entry.name).map_or(true, |p| !self.vacated.contains(&p.to_string().to_lowercase()))
                    });
                    if left {
                        self.conflict(index, place, "a folder that holds something", "an empty folder");
                    } else {
                        self.push(remedy, Change::RemoveFolder { path: path.clone() });
                    }
                }
            }
            Change::RemoveFolder { path } => {
                if self.volume.find(path)?.is_none() {
                    self.push(remedy, Change::CreateFolder { path: path.clone() });
                }
            }
        }
        Ok(())
    }

    /// A key that the repair made is deleted when nothing but the repair's own is in it.
    fn take_back_key(&mut self, index: usize, remedy: &str, hive: HiveName, key: &str, place: String) -> Result<()> {
        let bad = |e: RegistryError| hive_failure(hive, e);
        let registry = self.registry(hive);
        if !registry.key_exists(key).map_err(bad)? {
            return Ok(());
        }
        let mut inside = registry.value_names(key).map_err(bad)?;
        inside.extend(registry.subkeys(key).map_err(bad)?);
        let left: Vec<String> = inside
            .into_iter()
            .filter(|name| {
                let name = if name.is_empty() { "(default)" } else { name };
                !self.vacated.contains(&format!("{hive}\\{key}\\{name}").to_lowercase())
            })
            .collect();
        if left.is_empty() {
            self.push(remedy, Change::DeleteKey { hive, key: key.into() });
        } else {
            self.conflict(
                index,
                place,
                format!("a key that also holds {}", left.join(", ")),
                "only what the repair put there",
            );
        }
        Ok(())
    }

    fn take_back_rename(
        &mut self,
        index: usize,
        remedy: &str,
        object: ObjectKind,
        from: &VolPath,
        to: &VolPath,
    ) -> Result<()> {
        let kind = |found: Option<crate::volume::Found>| found.and_then(|f| object_kind(f.kind));
        let (here, there) = (kind(self.volume.find(from)?), kind(self.volume.find(to)?));
        if there.is_none() && here == Some(object) {
            return Ok(());
        }
        if there != Some(object) {
            let found = if there.is_none() { "nothing there any more" } else { "something else" };
            self.conflict(index, to.to_string(), found, "what the repair moved aside");
            return Ok(());
        }
        // Where the undo of an undo has just put the older one back, nothing is in the way.
        if let Some(fresh) = here.filter(|_| !self.vacated.contains(&from.to_string().to_lowercase())) {
            let aside = free_name(self.volume, from, "new")?;
            self.push(remedy, Change::Rename { object: fresh, from: from.clone(), to: aside });
        }
        self.push(remedy, Change::Rename { object, from: to.clone(), to: from.clone() });
        Ok(())
    }
}

/// `NAME.suffix`, or the first of `NAME.suffix-2`, `-3`, … that is free.
///
/// # Errors
/// The volume can't be read.
pub fn free_name(volume: &dyn Volume, path: &VolPath, suffix: &str) -> Result<VolPath> {
    let mut number = 1u32;
    loop {
        let ending = if number == 1 { format!(".{suffix}") } else { format!(".{suffix}-{number}") };
        let mut name = path.file_name().unwrap_or_default().to_os_string();
        name.push(&ending);
        let candidate = path.with_file_name(name)?;
        if volume.find(&candidate)?.is_none() {
            return Ok(candidate);
        }
        number = number.saturating_add(1);
    }
}
