//! One of the two sides of a comparison: the services of a SYSTEM hive, each read into a [`Picture`].

use crate::checks::service_triggers::triggers_of;
use crate::error::Result;
use crate::evidence::{hive_failure, Registry};
use crate::knowledge::{windows_path, ImagePath, StartType};
use crate::plan::{HiveName, RegValue};

/// `SERVICE_INTERACTIVE_PROCESS`.
const INTERACTIVE: u32 = 0x100;

/// The services in one control set.
pub(super) struct Side<'r> {
    pub(super) system: &'r Registry<'r>,
    /// `ControlSet001`.
    pub(super) set: &'r str,
    /// `C:\Windows`, where SOFTWARE says it.
    pub(super) system_root: Option<&'r str>,
}

/// What one service's key holds.
pub(super) struct Picture {
    pub(super) start: Option<RegValue>,
    pub(super) kind: Option<RegValue>,
    pub(super) image: Option<RegValue>,
    /// `Parameters\ServiceDll`, or `ServiceDll` on the key itself, and the value.
    pub(super) dll: Option<(&'static str, RegValue)>,
    pub(super) account: Option<RegValue>,
    pub(super) depends: Option<RegValue>,
    pub(super) privileges: Option<RegValue>,
    pub(super) triggers: Vec<(u32, u32, String)>,
    pub(super) security: Option<RegValue>,
    /// The image, and the library, in one spelling.
    pub(super) program: Option<ImagePath>,
    pub(super) library: Option<String>,
}

impl Picture {
    pub(super) fn start_type(&self) -> Option<StartType> {
        self.start.as_ref().and_then(RegValue::as_dword).and_then(StartType::from_value)
    }

    /// `Type` without the bit for a desktop.
    pub(super) fn type_number(&self) -> Option<u32> {
        self.kind.as_ref().and_then(RegValue::as_dword).map(|n| n & !INTERACTIVE)
    }

    /// Without a name the service control manager takes LocalSystem.
    pub(super) fn account_name(&self) -> Option<String> {
        self.account.as_ref().map_or_else(|| Some("LocalSystem".into()), RegValue::as_text)
    }

    pub(super) fn svchost_group(&self) -> Option<&str> {
        self.program.as_ref()?.svchost_group.as_deref()
    }
}

impl Side<'_> {
    /// The key of all services.
    pub(super) fn services(&self) -> String {
        format!("{}\\Services", self.set)
    }

    /// A service's key.
    pub(super) fn key(&self, service: &str) -> String {
        format!("{}\\Services\\{service}", self.set)
    }

    /// The names of all services; none that could lead into another key.
    pub(super) fn names(&self) -> Result<Vec<String>> {
        let mut names = self.system.subkeys(&self.services()).map_err(|e| hive_failure(HiveName::System, e))?;
        names.retain(|name| !name.is_empty() && !name.contains('\\'));
        Ok(names)
    }

    /// What a service's key holds; `None` when there is none.
    pub(super) fn read(&self, service: &str) -> Result<Option<Picture>> {
        self.read_key(service)
            .map_err(|e| hive_failure(HiveName::System, e).context(format!("reading the service {service}")))
    }

    fn read_key(&self, service: &str) -> Result<Option<Picture>, crate::evidence::RegistryError> {
        let key = self.key(service);
        if !self.system.key_exists(&key)? {
            return Ok(None);
        }
        let value = |name: &str| self.system.value(&key, name);
        // svchost looks under Parameters first.
        let dll = match self.system.value(&format!("{key}\\Parameters"), "ServiceDll")? {
            Some(value) => Some(("Parameters\\ServiceDll", value)),
            None => value("ServiceDll")?.map(|value| ("ServiceDll", value)),
        };
        let image = value("ImagePath")?;
        let program =
            image.as_ref().and_then(RegValue::as_text).and_then(|text| ImagePath::parse(&text, self.system_root));
        let library =
            dll.as_ref().and_then(|(_, value)| value.as_text()).map(|text| windows_path(&text, self.system_root));
        Ok(Some(Picture {
            start: value("Start")?,
            kind: value("Type")?,
            account: value("ObjectName")?,
            depends: value("DependOnService")?,
            privileges: value("RequiredPrivileges")?,
            triggers: triggers_of(self.system, &format!("{key}\\TriggerInfo"))?,
            security: self.system.value(&format!("{key}\\Security"), "Security")?,
            image,
            dll,
            program,
            library,
        }))
    }
}
