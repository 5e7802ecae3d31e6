//! What steers, and what can block, Windows Update from outside of its services: registry switches, names in the hosts file,
//! programs, tasks, and what a range of builds has of TLS and pauses.
//!
//! What it relies on: the tables in `policies/`. Every row has builds and a source; the checks decide what a difference means.

use serde::Deserialize;

use super::builds::BuildRange;
use super::{read, KnowledgeError};

/// Whose hive a switch is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SwitchHive {
    /// SOFTWARE.
    #[default]
    Machine,
    /// `NTUSER.DAT`.
    User,
}

/// A registry value that steers Windows Update.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switch {
    /// The value's name.
    pub name: String,
    /// Its key, below SOFTWARE or below `Software` in a user's hive.
    pub key: String,
    /// Whose hive.
    #[serde(default)]
    pub hive: SwitchHive,
    /// The builds that look at it.
    pub builds: BuildRange,
    /// What it does when it is set.
    pub effect: String,
    /// Where that comes from.
    pub source: String,
}

/// How much depends on a host or program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// Updating fails without it.
    Breaks,
    /// One way of updating fails.
    May,
    /// Blocking it has no effect.
    Ignored,
}

/// A name that Windows Update asks for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateHost {
    /// The name, in lower case.
    pub name: String,
    /// Whether the row is about every name below it, too.
    pub below: bool,
    /// What blocking it does.
    pub weight: Weight,
    /// The builds.
    pub builds: BuildRange,
    /// Where that comes from.
    pub source: String,
}

impl UpdateHost {
    fn fits(&self, name: &str) -> bool {
        name == self.name || self.below && name.strip_suffix(&self.name).is_some_and(|rest| rest.ends_with('.'))
    }
}

/// A program or service that updating consists of.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateProgram {
    /// The file's name, or the service's.
    pub name: String,
    /// What blocking it does.
    pub weight: Weight,
    /// The builds that have it.
    pub builds: BuildRange,
    /// What it does.
    pub what: String,
    /// Where that comes from.
    pub source: String,
}

/// How long updates can be paused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PauseLimit {
    /// The builds.
    pub builds: BuildRange,
    /// The longest pause in days; `None`: there is no pausing.
    pub days: Option<u32>,
    /// Where that comes from.
    pub source: String,
}

/// TLS 1.2 in a Windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls12 {
    /// It does not exist.
    No,
    /// It is there for programs that ask for it.
    Off,
    /// It is on.
    On,
}

/// What a Windows has of TLS.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsDefault {
    /// The builds.
    pub builds: BuildRange,
    /// TLS 1.2.
    pub tls12: Tls12,
    /// Where that comes from.
    pub source: String,
}

/// A folder of scheduled tasks that updating needs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskFolder {
    /// The folder, below `System32\Tasks` and below the task cache's `Tree`.
    pub folder: String,
    /// The task in it that starts a search.
    pub starts: Option<String>,
    /// The builds that have it.
    pub builds: BuildRange,
    /// Where that comes from.
    pub source: String,
}

/// When a Windows was released.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Released {
    /// The builds.
    pub builds: BuildRange,
    /// The year.
    pub year: u32,
    /// Where that comes from.
    pub source: String,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyTables {
    switches: Vec<Switch>,
    hosts: Vec<UpdateHost>,
    programs: Programs,
    windows: Windows,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Programs {
    program: Vec<UpdateProgram>,
    service: Vec<UpdateProgram>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Windows {
    pause: Vec<PauseLimit>,
    tls: Vec<TlsDefault>,
    tasks: Vec<TaskFolder>,
    released: Vec<Released>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SwitchFile {
    switch: Vec<Switch>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HostFile {
    host: Vec<UpdateHost>,
}

pub(super) fn load() -> Result<PolicyTables, KnowledgeError> {
    let switches: SwitchFile = read("policies/switches.toml", include_str!("policies/switches.toml"))?;
    let hosts: HostFile = read("policies/hosts.toml", include_str!("policies/hosts.toml"))?;
    Ok(PolicyTables {
        switches: switches.switch,
        hosts: hosts.host,
        programs: read("policies/programs.toml", include_str!("policies/programs.toml"))?,
        windows: read("policies/windows.toml", include_str!("policies/windows.toml"))?,
    })
}

impl PolicyTables {
    /// The switches that this build looks at.
    pub fn switches(&self, hive: SwitchHive, build: u32) -> impl Iterator<Item = &Switch> {
        self.switches.iter().filter(move |row| row.hive == hive && row.builds.contains(build))
    }

    /// What the tables say of a host name (any case, a final dot allowed); `None` for names that have nothing to do with updating.
    #[must_use]
    pub fn host(&self, name: &str, build: u32) -> Option<&UpdateHost> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        self.hosts
            .iter()
            .filter(|row| row.builds.contains(build) && row.fits(&name))
            .max_by_key(|row| (row.name.len(), !row.below))
    }

    /// The programs that updating consists of on this build.
    pub fn programs(&self, build: u32) -> impl Iterator<Item = &UpdateProgram> {
        self.programs.program.iter().filter(move |row| row.builds.contains(build))
    }

    /// The services that connect to the network for updates on this build.
    pub fn services(&self, build: u32) -> impl Iterator<Item = &UpdateProgram> {
        self.programs.service.iter().filter(move |row| row.builds.contains(build))
    }

    /// How long updates can be paused on this build.
    #[must_use]
    pub fn pause(&self, build: u32) -> Option<&PauseLimit> {
        self.windows.pause.iter().find(|row| row.builds.contains(build))
    }

    /// What this build has of TLS.
    #[must_use]
    pub fn tls(&self, build: u32) -> Option<&TlsDefault> {
        self.windows.tls.iter().find(|row| row.builds.contains(build))
    }

    /// The task folders that this build has.
    pub fn task_folders(&self, build: u32) -> impl Iterator<Item = &TaskFolder> {
        self.windows.tasks.iter().filter(move |row| row.builds.contains(build))
    }

    /// When this build was released.
    #[must_use]
    pub fn released(&self, build: u32) -> Option<&Released> {
        self.windows.released.iter().find(|row| row.builds.contains(build))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use super::super::Knowledge;
    use super::*;

    /// Every row: a name for what it is about, its builds, its source.
    fn rows(tables: &PolicyTables) -> Vec<(String, BuildRange, String)> {
        let mut all = Vec::new();
        let mut add = |what: String, builds: BuildRange, source: &str| all.push((what, builds, source.to_owned()));
        for row in &tables.switches {
            add(format!("switch {:?} {} {}", row.hive, row.key, row.name), row.builds, &row.source);
        }
        for row in &tables.hosts {
            add(format!("host {} {}", row.name, row.below), row.builds, &row.source);
        }
        for row in tables.programs.program.iter().chain(&tables.programs.service) {
            add(format!("program {}", row.name.to_lowercase()), row.builds, &row.source);
        }
        for row in &tables.windows.tasks {
            add(format!("tasks {}", row.folder), row.builds, &row.source);
        }
        for row in &tables.windows.pause {
            add("pause".into(), row.builds, &row.source);
        }
        for row in &tables.windows.tls {
            add("tls".into(), row.builds, &row.source);
        }
        for row in &tables.windows.released {
            add("released".into(), row.builds, &row.source);
        }
        all
    }

    #[test]
    fn every_row_has_a_source_and_none_overlaps() {
        let tables = load().unwrap();
        let known = Knowledge::builtin().known_builds();
        let mut seen: BTreeMap<String, Vec<BuildRange>> = BTreeMap::new();
        for (what, builds, source) in rows(&tables) {
            assert!(source.len() > 10, "{what} {builds}: no source");
            assert!(known.iter().any(|(b, _)| builds.contains(*b)), "{what} {builds} is about no build");
            let others = seen.entry(what.clone()).or_default();
            assert!(others.iter().all(|o| o.last < builds.first || builds.last < o.first), "{what}: {builds} overlaps");
            others.push(builds);
        }
    }

    #[test]
    fn tables_by_build_have_no_gaps() {
        let tables = load().unwrap();
        for (build, _) in Knowledge::builtin().known_builds() {
            assert!(tables.pause(build).is_some(), "pause {build}");
            assert!(tables.tls(build).is_some(), "tls {build}");
            assert!(tables.released(build).is_some(), "released {build}");
            assert!(tables.programs(build).count() > 2 && tables.services(build).count() > 1, "{build}");
            assert!(tables.switches(SwitchHive::Machine, build).count() > 2, "{build}");
            assert!(tables.host("download.windowsupdate.com", build).is_some(), "{build}");
        }
    }

    #[test]
    fn the_longest_row_decides_about_a_host() {
        let tables = load().unwrap();
        let weight = |name| tables.host(name, 19045).map(|row| row.weight);
        assert_eq!(weight("AU.Download.WindowsUpdate.com."), Some(Weight::Breaks));
        assert_eq!(weight("fe2cr.update.microsoft.com"), Some(Weight::Breaks));
        assert_eq!(weight("windowsupdate.com"), Some(Weight::Ignored));
        assert_eq!(weight("geo.prod.do.dsp.mp.microsoft.com"), Some(Weight::May));
        for name in
            ["notwindowsupdate.com", "vortex.data.microsoft.com", "fe2.update.microsoft.com.akadns.net", "com", ""]
        {
            assert_eq!(weight(name), None, "{name}");
        }
    }
}
