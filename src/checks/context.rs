//! What every check looks at: the hives through the independent reader, the volume, and the services with what is
//! expected of them.

use std::cell::OnceCell;

use crate::error::{Context as _, Failure, Result};
use crate::evidence::{hive_failure, Installation, Registry, RegistryError};
use crate::findings::{CouldNotCheck, Findings};
use crate::knowledge::waas::{self, WaasService};
use crate::knowledge::{Knowledge, Presence, ServiceRow};
use crate::logs::{self, Logs};
use crate::plan::{HiveName, RegValue};
use crate::reference::Reference;
use crate::updates::SERVICING as CBS;
use crate::volume::{Kind, VolPath, Volume};

use super::Expected;

const XML_LIMIT: u64 = 1 << 20;

/// The input of every check.
pub struct Context<'a> {
    /// The volume.
    pub volume: &'a dyn Volume,
    /// The installation.
    pub installation: &'a Installation,
    /// SYSTEM.
    pub system: Registry<'a>,
    /// SOFTWARE.
    pub software: Registry<'a>,
    /// `SystemRoot` as the installation itself writes it, such as `C:\Windows`.
    pub system_root: Option<String>,
    /// Whether an update waits for the next boot: then TrustedInstaller starts automatically.
    pub pending: bool,
    services: Vec<Service>,
    /// Who wants to know what is being done.
    progress: &'a dyn Fn(&str),
    /// COMPONENTS, for the checks of servicing.
    pub(super) components: super::servicing::Components,
    /// What Windows' own logs say, read when it is first asked for.
    logs: OnceCell<Logs>,
    /// What the checks of policies share.
    pub(super) policies: super::policy::Cell,
    /// What could not be gathered, and so not be checked.
    pub(super) could_not_gather: Vec<CouldNotCheck>,
    /// A healthy Windows to compare with, if one was named.
    pub(super) reference: Option<&'a Reference>,
}

/// A service in one of the control sets, with what is expected of it.
#[derive(Debug, Clone)]
pub struct Service {
    /// Windows' spelling of the name.
    pub name: String,
    /// Its key: `ControlSet001\Services\wuauserv`.
    pub key: String,
    /// Whether the key is there.
    pub present: bool,
    /// What is expected.
    pub expected: Expected,
}

impl Service {
    /// A value's place as evidence shows it.
    pub fn place(&self, name: &str) -> String {
        format!("{}\\{}\\{name}", HiveName::System, self.key)
    }
}

impl<'a> Context<'a> {
    /// Gathers everything.
    ///
    /// # Errors
    /// Hives that the independent reader refuses.
    pub fn new(volume: &'a dyn Volume, installation: &'a Installation) -> Result<Self> {
        let system = installation.system()?;
        let software = installation.software()?;
        let system_root = software
            .text("Microsoft\\Windows NT\\CurrentVersion", "SystemRoot")
            .map_err(|e| hive_failure(HiveName::Software, e))?;
        let mut context = Context {
            volume,
            installation,
            system,
            software,
            system_root,
            pending: false,
            services: Vec::new(),
            progress: &|_| {},
            components: super::servicing::Components::default(),
            logs: OnceCell::new(),
            policies: super::policy::Cell::new(),
            could_not_gather: Vec::new(),
            reference: None,
        };
        context.pending = context.servicing_pending()?;
        let mut missing = Findings::default();
        context.services = context.find_services(&mut missing)?;
        context.could_not_gather = missing.could_not_check;
        Ok(context)
    }

    /// The same, with a healthy Windows to compare with.
    #[must_use]
    pub fn with_reference(mut self, reference: Option<&'a Reference>) -> Self {
        self.reference = reference;
        self
    }

    /// The same, with somebody to be told what is being done, in words for people.
    #[must_use]
    pub fn telling(mut self, progress: &'a dyn Fn(&str)) -> Self {
        self.progress = progress;
        self
    }

    /// Tells what is being done.
    pub(super) fn tell(&self, what: &str) {
        (self.progress)(what);
    }

    /// The services that are there, in every control set that is looked at.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.services.iter().filter(|s| s.present)
    }

    /// The services that this Windows has and whose key is gone.
    pub fn missing_services(&self) -> impl Iterator<Item = &Service> {
        self.services.iter().filter(|s| !s.present)
    }

    /// A value of SYSTEM.
    ///
    /// # Errors
    /// Damaged structures.
    pub fn value(&self, key: &str, name: &str) -> Result<Option<RegValue>> {
        self.system.value(key, name).map_err(|e| system_failure(e, key, name))
    }

    /// A number in SYSTEM.
    ///
    /// # Errors
    /// Damaged structures.
    pub fn dword(&self, key: &str, name: &str) -> Result<Option<u32>> {
        Ok(self.value(key, name)?.and_then(|v| v.as_dword()))
    }

    /// What Windows' own logs say failed.
    pub fn logs(&self) -> &Logs {
        self.logs.get_or_init(|| logs::gather(self.volume, self.installation, &|what| self.tell(what)))
    }

    /// The build, if the tables know it; else it is said that `id` could not be checked.
    pub(super) fn known_build(&self, id: &str, findings: &mut Findings) -> Option<u32> {
        let build = self.installation.version.build;
        let knowledge = Knowledge::builtin();
        if knowledge.edition(build, self.installation.product_type).is_some() {
            return Some(build);
        }
        let version = knowledge.table_version();
        findings.could_not(id, format!("build {build} is not in the tables of this version ({version})"));
        None
    }

    /// A path under the Windows folder.
    ///
    /// # Errors
    /// A text that is no path.
    pub fn in_windows(&self, path: &str) -> Result<VolPath> {
        Ok(self.installation.windows.join(path)?)
    }

    fn servicing_pending(&self) -> Result<bool> {
        if self.volume.find(&self.in_windows("WinSxS\\pending.xml")?)?.is_some() {
            return Ok(true);
        }
        let bad = |e| hive_failure(HiveName::Software, e);
        for key in ["RebootPending", "RebootInProgress", "PackagesPending"] {
            if self.software.key_exists(&format!("{CBS}\\{key}")).map_err(bad)? {
                return Ok(true);
            }
        }
        let exclusive = self.software.dword(&format!("{CBS}\\SessionsPending"), "Exclusive").map_err(bad)?;
        Ok(exclusive.unwrap_or(0) != 0)
    }

    fn find_services(&self, findings: &mut Findings) -> Result<Vec<Service>> {
        let knowledge = Knowledge::builtin();
        let (build, product) = (self.installation.version.build, self.installation.product_type);
        self.known_build("services", findings);
        let mut xml = self.own_definitions(findings);
        xml.extend(super::manifests::read(self, findings));
        let mut services = Vec::new();
        for set in &self.installation.control_sets {
            let root = format!("{}\\Services", set.key);
            if !self.system.key_exists(&root).map_err(|e| hive_failure(HiveName::System, e))? {
                findings.could_not("services", format!("there is no {}\\{root}", HiveName::System));
                continue;
            }
            for name in knowledge.services() {
                let own = xml.iter().find(|(s, _)| s.name.eq_ignore_ascii_case(name)).map(|(s, p)| (s, p.as_str()));
                let unlisted;
                let row = match knowledge.service(name, build, product) {
                    Some(row) => row,
                    // The installation's own word holds on any build.
                    None if own.is_some() => {
                        unlisted = ServiceRow::unlisted(name, build);
                        &unlisted
                    }
                    None => continue,
                };
                if row.presence == Presence::Absent {
                    continue;
                }
                let key = format!("{root}\\{name}");
                let present = self.system.key_exists(&key).map_err(|e| hive_failure(HiveName::System, e))?;
                if !present && row.presence == Presence::Unknown {
                    continue;
                }
                services.push(Service { name: name.to_string(), key, present, expected: Expected::new(row, own) });
            }
        }
        Ok(services)
    }

    /// The installation's own definitions, `Windows\WaaS\services\*.xml` (1809 and later).
    fn own_definitions(&self, findings: &mut Findings) -> Vec<(WaasService, String)> {
        let mut found = Vec::new();
        let mut read = || -> Result<()> {
            let folder = self.in_windows("WaaS\\services")?;
            let Some(there) = self.volume.find(&folder)? else { return Ok(()) };
            if there.kind != Kind::Dir {
                return Ok(());
            }
            let mut entries = self.volume.list(&there.path)?;
            entries.sort_by(|a, b| a.name.cmp(&b.name));
            for entry in entries {
                let is_xml = entry.name.to_str().is_some_and(|n| n.to_ascii_lowercase().ends_with(".xml"));
                if entry.kind != Kind::File || !is_xml {
                    continue;
                }
                let path = there.path.child(&entry.name)?;
                let place = path.display_escaped();
                let parsed = self
                    .volume
                    .read(&path, XML_LIMIT)
                    .map_err(Failure::from)
                    .and_then(|bytes| waas::parse(&bytes).map_err(|e| Failure::unreadable(e.to_string())));
                match parsed {
                    Ok(services) => found.extend(services.into_iter().map(|s| (s, place.clone()))),
                    Err(e) => {
                        findings.could_not("services", format!("{place} is not understood ({e}); the table is used"))
                    }
                }
            }
            Ok(())
        };
        let result = read().doing(|| "reading the installation's own service definitions".into());
        if let Err(failure) = result {
            findings.could_not("services", failure.to_string());
        }
        found
    }
}

fn system_failure(error: RegistryError, key: &str, name: &str) -> Failure {
    hive_failure(HiveName::System, error).context(format!("reading {key}\\{name}"))
}

/// A number for a finding: as it was found, or that it is absent.
pub(super) fn shown(value: Option<&RegValue>) -> String {
    value.map_or_else(|| "absent".to_string(), ToString::to_string)
}
