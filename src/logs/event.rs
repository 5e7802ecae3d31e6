//! What a log said: one event per failure and object, however often it was written.

use std::fmt;

use crate::findings::Evidence;
use crate::knowledge::{LogFault, LogKind, LogObjectKind, LogPattern};
use crate::volume::VolPath;

use super::LogTime;

/// What failed, as the log names it; hostile text.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Object {
    /// A service or driver.
    Service(String),
    /// A file or folder, by the path that Windows uses (`C:\…`).
    File(String),
    /// A driver package, by its inf.
    Inf(String),
    /// A package of an update, by its identity.
    Package(String),
    /// A file of a component in the component store.
    Payload {
        /// The component's folder below `WinSxS`.
        component: String,
        /// The file in it.
        file: String,
    },
    /// A file by its path from the Windows folder.
    StoreFile(String),
    /// A component, by name.
    Component(String),
    /// An update, by its title.
    Update(String),
}

impl Object {
    /// The number of the update's article, such as `KB5001330`, where the name holds one.
    #[must_use]
    pub fn kb(&self) -> Option<String> {
        let (Object::Package(text) | Object::Update(text) | Object::StoreFile(text)) = self else { return None };
        let upper = text.to_ascii_uppercase();
        upper.match_indices("KB").find_map(|(at, _)| {
            let digits: String = upper.get(at + 2..)?.chars().take_while(char::is_ascii_digit).collect();
            (5..=8).contains(&digits.len()).then(|| format!("KB{digits}"))
        })
    }

    /// What sort of thing it is; `None` for an update, of which only the title is known.
    #[must_use]
    pub fn kind(&self) -> Option<LogObjectKind> {
        Some(match self {
            Object::Service(_) => LogObjectKind::Service,
            Object::File(_) => LogObjectKind::File,
            Object::Inf(_) => LogObjectKind::Inf,
            Object::Package(_) => LogObjectKind::Package,
            Object::Payload { .. } => LogObjectKind::Payload,
            Object::StoreFile(_) => LogObjectKind::StoreFile,
            Object::Component(_) => LogObjectKind::Component,
            Object::Update(_) => return None,
        })
    }

    /// Whether two names mean the same thing; Windows ignores case.
    #[must_use]
    pub fn same(&self, other: &Object) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
            && self.to_string().to_lowercase() == other.to_string().to_lowercase()
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Object::Service(name)
            | Object::File(name)
            | Object::Inf(name)
            | Object::Package(name)
            | Object::StoreFile(name)
            | Object::Component(name)
            | Object::Update(name) => f.write_str(name),
            Object::Payload { component, file } => write!(f, "{component}\\{file}"),
        }
    }
}

/// Why a failure is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// An update was installed since.
    InstalledSince,
    /// The same update was installed since.
    SameUpdateSince,
    /// A later scan of the component store does not name it any more.
    NotInLaterScan,
    /// The log says that it was repaired.
    Repaired,
    /// The same installation of a device succeeded since.
    SameSectionSince,
    /// This Windows was installed, or upgraded, since.
    BeforeThisWindows,
}

impl fmt::Display for Settled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Settled::InstalledSince => "an update was installed since",
            Settled::SameUpdateSince => "the same update was installed since",
            Settled::NotInLaterScan => "a later scan of the component store does not find it any more",
            Settled::Repaired => "the log says that it was repaired",
            Settled::SameSectionSince => "the same installation succeeded since",
            Settled::BeforeThisWindows => "this Windows was installed or upgraded since",
        })
    }
}

/// A failure, put together from all lines that report it.
#[derive(Debug, Clone)]
pub struct Event {
    /// The log that has its newest line.
    pub log: VolPath,
    /// What sort of log that is.
    pub kind: LogKind,
    /// The row of the table that says what the line means; `None` for `ReportingEvents.log`, which has fields.
    pub pattern: Option<&'static LogPattern>,
    /// The number of its newest line; `None` where the beginning of the log was too long to be counted.
    pub line: Option<u64>,
    /// The place of its newest line, in bytes.
    pub offset: u64,
    /// When it was first written, local time.
    pub first: Option<LogTime>,
    /// When it was last written, local time.
    pub time: Option<LogTime>,
    /// The code: an HRESULT or NTSTATUS; codes of Win32 are shown as HRESULT.
    pub code: Option<u32>,
    /// What failed.
    pub object: Option<Object>,
    /// What is wrong with it.
    pub fault: LogFault,
    /// Whether the name is certain: a log in an unknown code page may name another file.
    pub certain: bool,
    /// The newest line, shortened and made harmless for a terminal.
    pub text: String,
    /// How many lines say so.
    pub count: u64,
    /// Whether it is over.
    pub settled: Option<Settled>,
}

impl Event {
    /// `Windows\Logs\CBS\CBS.log, line 12`.
    #[must_use]
    pub fn place(&self) -> String {
        match self.line {
            Some(line) => format!("{}, line {line}", self.log.display_escaped()),
            None => format!("{}, at byte {}", self.log.display_escaped(), self.offset),
        }
    }

    /// The line, with how often and since when.
    #[must_use]
    pub fn quoted(&self) -> Evidence {
        let mut found = format!("\"{}\"", self.text);
        if self.count > 1 {
            found.push_str(&format!(", {} times", self.count));
        }
        match (self.first, self.time) {
            (Some(first), Some(last)) if first != last => found.push_str(&format!(", from {first} to {last}")),
            (_, Some(last)) => found.push_str(&format!(", {last}")),
            _ => {}
        }
        Evidence::seen(self.place(), found)
    }
}
