//! What Windows' own logs write when something fails, as data: the lines that name a failing object, the lines that say that
//! it succeeded after all, and the lines that every healthy machine writes (`logs.toml`).
//!
//! A row says which text a line holds, where the object's name stands in it and what its absence would mean. Nothing here
//! reads a log (that is `crate::logs`) or judges (that is the check `logs`).

use serde::Deserialize;

use super::{read, KnowledgeError};

/// A family of logs with one form of line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogKind {
    /// Component based servicing: `CBS.log`, `CbsPersist_*`, `CheckSUR.log`.
    Cbs,
    /// `dism.log`.
    Dism,
    /// `setupapi.dev.log`, XP's `setupapi.log`.
    Setupapi,
    /// `WindowsUpdate.log`, the text form.
    WindowsUpdate,
    /// `ReportingEvents.log`.
    ReportingEvents,
    /// Setup: `setuperr.log`, `setupact.log`.
    Panther,
}

impl LogKind {
    /// Every kind, in the order in which they are read and told.
    pub const ALL: [LogKind; 6] = [
        LogKind::Cbs,
        LogKind::Dism,
        LogKind::Setupapi,
        LogKind::WindowsUpdate,
        LogKind::ReportingEvents,
        LogKind::Panther,
    ];
}

/// What sort of thing a log names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogObjectKind {
    /// A service or driver.
    Service,
    /// A file or folder, by path.
    File,
    /// A driver package, by the name of its inf.
    Inf,
    /// A package of an update, by its identity.
    Package,
    /// A file of a component in the component store.
    Payload,
    /// A file by its path from the Windows folder: a package's manifest or catalog, a component's manifest.
    StoreFile,
    /// A component, by name only.
    Component,
}

/// What is wrong with the object, as far as the line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFault {
    /// It, or something that it needs, was not there.
    Missing,
    /// Its content is not what it should be; that it is there says nothing.
    Corrupt,
    /// It failed, for a reason that the line does not tell.
    Failed,
}

/// What a line is to the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogRole {
    /// Something failed.
    #[default]
    Event,
    /// An update was installed: what failed before did not keep it from that.
    Success,
    /// The object is whole again.
    Repaired,
    /// A scan of the component store reports; what it finds follows.
    ScanStart,
    /// How that scan ended.
    ScanResult,
    /// How much damage that scan found.
    ScanTotal,
    /// How much of that it repaired.
    ScanRepaired,
    /// A scan that found nothing.
    ScanClean,
    /// A section of the log begins, with its title.
    Section,
    /// The time of a section.
    SectionTime,
    /// The section ended well.
    SectionSuccess,
}

/// The most that a line can mean when its object is still missing or damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogAlarm {
    /// It breaks updating.
    Problem,
    /// It may.
    Suspect,
    /// Worth knowing.
    #[default]
    Note,
}

/// How lines are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogGrouping {
    /// By row, code and object, or by row, code and text where there is no object.
    #[default]
    Object,
    /// By row and code only.
    Row,
}

/// A line that means something.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogPattern {
    /// A name for it.
    pub id: String,
    /// Where it occurs.
    pub logs: Vec<LogKind>,
    /// The text that the line holds.
    pub text: String,
    /// Whether the line begins with it.
    #[serde(default)]
    pub at_start: bool,
    /// Texts that it holds as well.
    #[serde(default)]
    pub also: Vec<String>,
    /// Texts that it does not hold.
    #[serde(default)]
    pub unless: Vec<String>,
    /// Texts that say that the object is whole again.
    #[serde(default)]
    pub repaired_by: Vec<String>,
    /// What it is.
    #[serde(default)]
    pub role: LogRole,
    /// What sort of thing it names.
    pub object: Option<LogObjectKind>,
    /// The name, where the line means one thing only.
    pub name: Option<String>,
    /// The text after which the name stands; `text` itself if absent.
    pub after: Option<String>,
    /// The text before which the name ends, unless it is quoted.
    pub until: Option<String>,
    /// The text after which the code stands, in hexadecimal with 0x, or decimal. Zero there is no failure. Without it, the
    /// code is the line's own HRESULT.
    pub code: Option<String>,
    /// What is wrong with the object.
    pub fault: Option<LogFault>,
    /// The most that this can mean.
    #[serde(default)]
    pub alarm: LogAlarm,
    /// How lines are put together.
    #[serde(default)]
    pub group: LogGrouping,
    /// Such a line.
    pub example: String,
    /// The object in it, as it is shown.
    pub finds: Option<String>,
    /// Where that comes from.
    pub source: String,
}

/// A line that healthy machines write.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HarmlessLine {
    /// Where.
    pub logs: Vec<LogKind>,
    /// The text that the line holds.
    pub text: String,
    /// Why it is harmless.
    pub why: String,
    /// Where that comes from.
    pub source: String,
}

/// A code by its name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedCode {
    /// `STATUS_OBJECT_NAME_NOT_FOUND`.
    pub name: String,
    /// 0xC0000034.
    pub code: u32,
    /// Where that comes from.
    pub source: String,
}

/// A folder whose content comes and goes: that something there is gone says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassingFolder {
    /// A part of the path, in lower case, between backslashes.
    pub part: String,
    /// Why.
    pub why: String,
    /// Where that comes from.
    pub source: String,
}

/// The whole table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogTable {
    /// Lines that mean something; of several that fit, the first counts.
    #[serde(rename = "pattern")]
    pub patterns: Vec<LogPattern>,
    /// Lines that mean nothing.
    pub harmless: Vec<HarmlessLine>,
    /// Codes by name.
    #[serde(rename = "code")]
    pub codes: Vec<NamedCode>,
    /// Folders whose content comes and goes.
    #[serde(rename = "passing")]
    pub passing: Vec<PassingFolder>,
}

pub(super) fn load() -> Result<LogTable, KnowledgeError> {
    const TABLE: &str = "logs.toml";
    let table: LogTable = read(TABLE, include_str!("logs.toml"))?;
    let fault = |message: String| KnowledgeError::Row { table: TABLE.to_owned(), message };
    for row in &table.patterns {
        if row.text.is_empty() || row.logs.is_empty() || row.source.trim().is_empty() || row.id.is_empty() {
            return Err(fault(format!("{}: an empty text, source, id or list of logs", row.id)));
        }
        if !row.example.contains(&row.text) {
            return Err(fault(format!("{}: its example does not hold its text", row.id)));
        }
        if row.role == LogRole::Event && row.fault.is_none() {
            return Err(fault(format!("{}: an event without a fault", row.id)));
        }
        if row.object.is_none() && (row.name.is_some() || row.finds.is_some() || row.alarm != LogAlarm::Note) {
            return Err(fault(format!("{}: a name or an alarm without an object", row.id)));
        }
    }
    for row in &table.harmless {
        if row.text.is_empty() || row.logs.is_empty() || row.source.trim().is_empty() || row.why.trim().is_empty() {
            return Err(fault(format!("harmless {:?}: an empty text, source, reason or list of logs", row.text)));
        }
    }
    let sources = table.codes.iter().map(|c| &c.source).chain(table.passing.iter().map(|p| &p.source));
    if sources.into_iter().any(|source| source.trim().is_empty()) {
        return Err(fault("a row without a source".to_owned()));
    }
    Ok(table)
}
