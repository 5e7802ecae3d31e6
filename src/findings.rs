//! What a diagnosis says: findings with evidence, and what could not be checked.
//!
//! One value, two renderers: the JSON document `coldmend.diagnosis/1` and the text for people (`ui::text`).
//! A finding also carries its [`Defect`]: the exact deviation, from which a remedy makes its actions.

use serde::Serialize;

use crate::logs::{LogTime, Object};
use crate::plan::{HiveName, RegValue};
use crate::volume::VolPath;

/// How bad a finding is. A healthy machine has neither problems nor suspects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Breaks updating.
    Problem,
    /// May break updating; unusual.
    Suspect,
    /// Worth knowing; normal in itself.
    Note,
}

/// A place, what was found there, and what is expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// The exact key, value or path.
    #[serde(rename = "where")]
    pub place: String,
    /// What was found.
    pub found: String,
    /// What is expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
}

impl Evidence {
    /// Evidence with an expectation.
    pub fn new(place: impl Into<String>, found: impl Into<String>, expected: impl Into<String>) -> Self {
        Evidence { place: place.into(), found: found.into(), expected: Some(expected.into()) }
    }

    /// Something seen, with nothing to hold it against.
    pub fn seen(place: impl Into<String>, found: impl Into<String>) -> Self {
        Evidence { place: place.into(), found: found.into(), expected: None }
    }
}

/// The exact deviation behind a finding: what a remedy needs to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Defect {
    /// A value that should hold something else.
    Value {
        /// The hive.
        hive: HiveName,
        /// The key.
        key: String,
        /// The value's name.
        name: String,
        /// What is there.
        found: Option<RegValue>,
        /// What belongs there; `None`: nothing does.
        expected: Option<RegValue>,
    },
    /// A service whose key is gone, and can be made again.
    ServiceMissing {
        /// The key of the service (with its control set).
        key: String,
        /// The service's name.
        service: String,
    },
    /// A service descriptor that is broken.
    Descriptor {
        /// The key of the service (with its control set).
        key: String,
        /// The service's name.
        service: String,
        /// The bytes of `Security\Security`.
        found: RegValue,
    },
    /// Triggers that a service needs and has not.
    Triggers {
        /// The key of the service (with its control set).
        key: String,
        /// The service's name.
        service: String,
    },
    /// A name missing from a svchost group.
    SvchostGroup {
        /// The group.
        group: String,
        /// The service.
        service: String,
        /// The list as found.
        found: Option<RegValue>,
    },
    /// A cache that has to be made anew.
    Cache {
        /// The folder, or the file that stands where the folder belongs.
        path: VolPath,
    },
    /// A package whose installation or removal nothing will finish.
    StuckPackage {
        /// Its identity, in characters that mean nothing else on a command line.
        identity: String,
    },
    /// What Windows' own logs name as failing.
    Logged {
        /// The thing.
        object: Object,
        /// The codes that it failed with.
        codes: Vec<u32>,
        /// When it was first written.
        first: Option<LogTime>,
    },
}

/// One thing that was found.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// The check's id.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// The service, folder or hive that it is about.
    pub subject: String,
    /// What is wrong, in plain words.
    pub title: String,
    /// The evidence.
    pub evidence: Vec<Evidence>,
    /// The remedy that mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<&'static str>,
    /// Where the expectation comes from.
    pub source: String,
    /// The deviation itself.
    #[serde(skip)]
    pub defect: Option<Defect>,
}

/// A finding that is told, and that no remedy mends.
pub fn reported(
    id: &'static str,
    severity: Severity,
    subject: impl Into<String>,
    title: impl Into<String>,
    evidence: Vec<Evidence>,
    source: impl Into<String>,
) -> Finding {
    Finding {
        id,
        severity,
        subject: subject.into(),
        title: title.into(),
        evidence,
        remedy: None,
        source: source.into(),
        defect: None,
    }
}

/// A check that could not be made; never the same as healthy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CouldNotCheck {
    /// The check's id.
    pub id: String,
    /// Why not.
    pub why: String,
}

/// What the checks say of one installation.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Findings {
    /// What was found, worst first.
    pub findings: Vec<Finding>,
    /// What could not be checked.
    pub could_not_check: Vec<CouldNotCheck>,
    /// How many checks were made, one per check and subject.
    #[serde(rename = "checks_made")]
    pub made: usize,
    /// The checks that this Windows does not need, by id.
    pub not_applicable: Vec<&'static str>,
}

impl Findings {
    /// Whether there is a problem or a suspect.
    pub fn any_alarm(&self) -> bool {
        self.findings.iter().any(|f| f.severity != Severity::Note)
    }

    /// Adds a finding.
    pub fn push(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Notes that something could not be checked, once.
    pub fn could_not(&mut self, id: impl Into<String>, why: impl Into<String>) {
        let item = CouldNotCheck { id: id.into(), why: why.into() };
        if !self.could_not_check.contains(&item) {
            self.could_not_check.push(item);
        }
    }

    /// Notes that a check does not apply here.
    pub fn does_not_apply(&mut self, id: &'static str) {
        if !self.not_applicable.contains(&id) {
            self.not_applicable.push(id);
        }
    }

    /// Worst first; otherwise in the order of the checks.
    pub fn sort(&mut self) {
        self.findings.sort_by_key(|f| f.severity);
    }
}
