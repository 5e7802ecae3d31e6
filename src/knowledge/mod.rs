//! What Windows looks like when it is healthy: facts as data, compiled in.
//!
//! What it is: tables in TOML (beside this file) with the builds, the product, the source and the
//! degree of trust of every row, and typed access to them ([`Knowledge`]); and the reader of the
//! installation's own truth, `Windows\WaaS\services\*.xml` and component manifests ([`waas`]), which
//! comes before every table.
//!
//! What it relies on: nothing of the volume. It knows nothing of hives or files; it says what is
//! expected, the checks decide what a difference means.
//!
//! Where the facts come from: rows with `trust = "measured"` were read out of real SYSTEM and
//! SOFTWARE hives (XP x86 twice, 7 SP1 x86, 10 21H2 x64, by this project; XP x64, 7 SP1 x64, 8.1,
//! Server 2016, 10 1709, 1903 and 1909 by the project's own survey), rows with
//! `trust = "documents"` from public dumps, comparisons and Microsoft's texts. What is not known for
//! a range of builds is absent from its row, never guessed: an absent expectation is not checked.

mod builds;
mod causes;
mod components;
mod definition;
mod errors;
mod explanation;
mod files;
mod helpers;
mod image_path;
mod logs;
pub mod policies;
mod service;
pub mod waas;
mod wrong;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_corpus;

use std::sync::OnceLock;

use serde::Deserialize;
use thiserror::Error;

pub use builds::{BuildRange, Product, ProductType};
pub use causes::{AdviceRow, CauseRow, CauseTable};
pub use components::{component_version, manifest_name, winner_name, ComponentVersion, ServiceComponent};
pub use definition::{DefinitionValue, ServiceDefinition, ValueData};
pub use errors::ErrorRow;
pub use explanation::{Explanation, ExplanationKind};
pub use files::{DriverRow, FileFacts, StackRow};
pub use helpers::{HelperRow, HelperWeight};
pub use image_path::{windows_path, ImagePath};
pub use logs::{
    HarmlessLine, LogAlarm, LogFault, LogGrouping, LogKind, LogObjectKind, LogPattern, LogRole, LogTable, NamedCode,
    PassingFolder,
};
pub use service::{Presence, ServiceRow, StartDefault, StartType, Trigger, TriggerData, Trust};
pub use wrong::{NeededRight, WrongDescriptors, WrongString};

/// The version of the tables; it changes whenever a row does.
const TABLE_VERSION: &str = "2026-11.1";

/// The services, in the order in which they are shown. A test compares them with the tables.
const SERVICES: &[&str] = &[
    "wuauserv",
    "BITS",
    "CryptSvc",
    "msiserver",
    "AppIDSvc",
    "TrustedInstaller",
    "UsoSvc",
    "WaaSMedicSvc",
    "DoSvc",
    "sppsvc",
    "RpcSs",
    "DcomLaunch",
    "RpcEptMapper",
    "EventSystem",
    "EventLog",
];

/// Their rows, one file per service.
const SERVICE_TABLES: &[&str] = &[
    include_str!("services/wuauserv.toml"),
    include_str!("services/bits.toml"),
    include_str!("services/cryptsvc.toml"),
    include_str!("services/msiserver.toml"),
    include_str!("services/appidsvc.toml"),
    include_str!("services/trustedinstaller.toml"),
    include_str!("services/usosvc.toml"),
    include_str!("services/waasmedicsvc.toml"),
    include_str!("services/dosvc.toml"),
    include_str!("services/sppsvc.toml"),
    include_str!("services/rpcss.toml"),
    include_str!("services/dcomlaunch.toml"),
    include_str!("services/rpceptmapper.toml"),
    include_str!("services/eventsystem.toml"),
    include_str!("services/eventlog.toml"),
];

/// The full definitions, one file per Windows they were read from.
const DEFINITION_TABLES: &[&str] = &[
    include_str!("definitions/windows-xp.toml"),
    include_str!("definitions/windows-7.toml"),
    include_str!("definitions/windows-10.toml"),
];

/// A table that does not say what it must. Only a test can see it: the tables are compiled in.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KnowledgeError {
    /// Not the TOML that is expected.
    #[error("{table}: {message}")]
    Syntax {
        /// Which table.
        table: String,
        /// What the parser says.
        message: String,
    },
    /// A row contradicts itself.
    #[error("{table}: {message}")]
    Row {
        /// Which table or row.
        table: String,
        /// What is wrong.
        message: String,
    },
}

/// All tables.
#[derive(Debug)]
pub struct Knowledge {
    builds: builds::BuildTable,
    rows: Vec<ServiceRow>,
    definitions: Vec<ServiceDefinition>,
    explanations: Vec<Explanation>,
    wrong: WrongDescriptors,
    files: FileFacts,
    helpers: Vec<HelperRow>,
    policies: policies::PolicyTables,
    logs: LogTable,
    causes: CauseTable,
    errors: Vec<ErrorRow>,
    components: Vec<ServiceComponent>,
}

/// One file of service rows.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceFile {
    service: String,
    row: Vec<service::RawRow>,
}

/// One file of definitions.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DefinitionFile {
    definition: Vec<definition::RawDefinition>,
}

fn read<'a, T: Deserialize<'a>>(table: &str, text: &'a str) -> Result<T, KnowledgeError> {
    toml::from_str(text).map_err(|e| KnowledgeError::Syntax { table: table.to_owned(), message: e.to_string() })
}

impl Knowledge {
    /// The tables that are compiled in, read once.
    ///
    /// # Panics
    /// Never in a program that passed its tests: the tables are constants, and a test reads them.
    #[must_use]
    pub fn builtin() -> &'static Knowledge {
        static BUILTIN: OnceLock<Knowledge> = OnceLock::new();
        BUILTIN.get_or_init(|| match Knowledge::load() {
            Ok(knowledge) => knowledge,
            Err(e) => panic!("the compiled-in tables are malformed: {e}"),
        })
    }

    fn load() -> Result<Knowledge, KnowledgeError> {
        let mut rows = Vec::new();
        for text in SERVICE_TABLES {
            let file: ServiceFile = read("services", text)?;
            for raw in file.row {
                rows.push(ServiceRow::from_raw(&file.service, raw)?);
            }
        }
        let mut definitions = Vec::new();
        for text in DEFINITION_TABLES {
            let file: DefinitionFile = read("definitions", text)?;
            for raw in file.definition {
                definitions.push(ServiceDefinition::from_raw(raw)?);
            }
        }
        Ok(Knowledge {
            builds: read("builds.toml", include_str!("builds.toml"))?,
            rows,
            definitions,
            explanations: explanation::load()?,
            wrong: wrong::load()?,
            files: FileFacts::load()?,
            helpers: helpers::load()?,
            policies: policies::load()?,
            logs: logs::load()?,
            causes: CauseTable::load()?,
            errors: errors::load()?,
            components: components::load()?,
        })
    }

    /// The version of the tables, for reports.
    #[must_use]
    pub fn table_version(&self) -> &'static str {
        TABLE_VERSION
    }

    /// The names of the services that the tables cover, in Windows' own spelling.
    #[must_use]
    pub fn services(&self) -> &'static [&'static str] {
        SERVICES
    }

    /// What is expected of a service (name in any case) on this build and product. `None` when the
    /// tables do not cover the service or the build: then nothing can be said.
    #[must_use]
    pub fn service(&self, name: &str, build: u32, product: ProductType) -> Option<&ServiceRow> {
        self.edition(build, product)?;
        self.rows.iter().find(|row| {
            row.service.eq_ignore_ascii_case(name) && row.builds.contains(build) && row.product.covers(product)
        })
    }

    /// Every row, for `explain`, documentation and tests.
    #[must_use]
    pub fn rows(&self) -> &[ServiceRow] {
        &self.rows
    }

    /// Everything that the key of a service (name in any case) holds on this build and product, to
    /// make a missing key anew. `None` where no real hive was read.
    #[must_use]
    pub fn definition(&self, name: &str, build: u32, product: ProductType) -> Option<&ServiceDefinition> {
        self.edition(build, product)?;
        self.definitions.iter().find(|definition| {
            definition.service.eq_ignore_ascii_case(name)
                && definition.builds.contains(build)
                && definition.product.covers(product)
        })
    }

    /// Every definition.
    #[must_use]
    pub fn definitions(&self) -> &[ServiceDefinition] {
        &self.definitions
    }

    /// The name of this build for people, such as "Windows 10 22H2". `None` for a build that the
    /// tables do not know, or that does not exist for this product.
    #[must_use]
    pub fn edition(&self, build: u32, product: ProductType) -> Option<&str> {
        self.builds.edition(build, product)
    }

    /// Every build that the tables know, with the products it exists for.
    #[must_use]
    pub fn known_builds(&self) -> Vec<(u32, ProductType)> {
        self.builds.known()
    }

    /// The explanation of a check or remedy.
    #[must_use]
    pub fn explain(&self, id: &str) -> Option<&Explanation> {
        self.explanations.iter().find(|e| e.id == id)
    }

    /// The explanation of a check; some remedies have a check of the same name.
    #[must_use]
    pub fn explain_check(&self, id: &str) -> Option<&Explanation> {
        self.explanations.iter().find(|e| e.kind == ExplanationKind::Check && e.id == id)
    }

    /// All explanations, remedies first, each group in the order of the design.
    #[must_use]
    pub fn explanations(&self) -> &[Explanation] {
        &self.explanations
    }

    /// What the lines of Windows' logs mean.
    #[must_use]
    pub fn logs(&self) -> &LogTable {
        &self.logs
    }

    /// What findings have in common, and what is done about it.
    #[must_use]
    pub fn causes(&self) -> &CauseTable {
        &self.causes
    }

    /// The error codes, and which checks can explain them.
    #[must_use]
    pub fn errors(&self) -> &[ErrorRow] {
        &self.errors
    }

    /// Which components define which services.
    #[must_use]
    pub fn components(&self) -> &[ServiceComponent] {
        &self.components
    }

    /// Descriptors that documents recommend and that are wrong.
    #[must_use]
    pub fn wrong_descriptors(&self) -> &WrongDescriptors {
        &self.wrong
    }

    /// What is known of files.
    #[must_use]
    pub fn files(&self) -> &FileFacts {
        &self.files
    }

    /// The services that updating leans on and that are not set here, on this build and product; none where the tables do not know it.
    pub fn helpers(&self, build: u32, product: ProductType) -> impl Iterator<Item = &HelperRow> {
        let known = self.edition(build, product).is_some();
        self.helpers.iter().filter(move |row| known && row.applies_to(build, product))
    }

    /// What steers and what can block Windows Update from outside of its services.
    #[must_use]
    pub fn policies(&self) -> &policies::PolicyTables {
        &self.policies
    }
}
