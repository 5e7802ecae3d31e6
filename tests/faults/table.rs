//! What a row of the table is: a fault, how it is made, on which Windows, and what must be found.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use coldmend_fixtures::Version::{self, *};

use crate::common::inject;

/// The versions of a row that says nothing else: a further fault of a check that has another row on more.
pub const FEW: &[Version] = &[Xp, Ten22H2];
/// One Windows of each kind that checks tell apart.
pub const ALL: &[Version] = &[Xp, Seven, EightOne, Ten1607, Ten22H2, Eleven24H2, Server2022];
/// The same with all kinds of server, and Vista: where the tables of services differ.
pub const EVERY: &[Version] =
    &[Xp, Server2003, Vista, Seven, EightOne, Server2012R2, Ten1607, Server2016, Ten22H2, Eleven24H2, Server2022];
pub const SINCE_VISTA: &[Version] = &[Vista, EightOne, Server2022];
pub const SINCE_7: &[Version] = &[Seven, Server2016, Eleven24H2];
pub const SINCE_8: &[Version] = &[EightOne, Ten22H2, Server2025];
pub const SINCE_10: &[Version] = &[Ten1607, Ten22H2, Server2022];

/// A tool that a fault is made with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Tool {
    /// Files written, taken away, renamed, linked.
    Files,
    Hivexregedit,
    Hivexsh,
    /// `hivexget` reads, `hivexregedit` writes.
    Hivexget,
    /// A log of the registry, put together byte by byte.
    LogBytes,
    /// `mkntfs`, and `ntfs-3g` to mount it.
    Ntfs,
    /// Gives a file on an NTFS another descriptor.
    Setfattr,
    /// No other tool writes the descriptor of a key.
    OwnEngine,
}

impl Tool {
    pub fn name(self) -> &'static str {
        match self {
            Tool::Files => "plain files",
            Tool::Hivexregedit => "hivexregedit",
            Tool::Hivexsh => "hivexsh",
            Tool::Hivexget => "hivexget",
            Tool::LogBytes => "a log's bytes",
            Tool::Ntfs => "mkntfs, ntfs-3g",
            Tool::Setfattr => "setfattr",
            Tool::OwnEngine => "coldmend-hives (nothing else writes a key's descriptor)",
        }
    }

    /// Why it can't be used here.
    pub fn missing(self) -> Option<String> {
        let programs: &[&str] = match self {
            Tool::Files | Tool::LogBytes | Tool::OwnEngine => &[],
            Tool::Setfattr => &["setfattr"],
            Tool::Hivexregedit => &["hivexregedit"],
            Tool::Hivexsh => &["hivexsh"],
            Tool::Hivexget => &["hivexget"],
            Tool::Ntfs => &["mkntfs", "ntfs-3g"],
        };
        programs.iter().find(|program| !inject::has(program)).map(|program| format!("{program} is not installed"))
    }
}

/// A finding, as the table has it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Found {
    pub id: String,
    pub severity: String,
    pub subject: String,
    pub remedy: Option<String>,
}

/// What makes a part of a fault.
type Make = Box<dyn Fn(&Path, Version) + Send + Sync>;

/// A row. It is built up like a sentence; the tools that it is made with are noted on the way:
///
/// `row("service-start", "Windows Update is disabled").on(ALL).reg("SYSTEM", "…").problem("wuauserv").remedy("services-start")`
pub struct Row {
    /// The check that must find it.
    pub check: &'static str,
    /// What is wrong, in plain words.
    pub fault: String,
    pub versions: Vec<Version>,
    pub tools: BTreeSet<Tool>,
    steps: Vec<Make>,
    /// Exactly what must be found, of this check or others.
    pub found: Vec<Found>,
    /// Exactly the checks that must say that they could not be made.
    pub unchecked: BTreeSet<String>,
    /// Words that the program must say.
    pub words: Vec<String>,
    /// The program must refuse to diagnose, with exit status 4.
    pub refused: bool,
    /// The size in MiB of the NTFS that the volume lies on, where it is one.
    pub ntfs: Option<u64>,
    /// Looked at beside the healthy volume (`--reference`).
    pub beside: bool,
}

pub fn row(check: &'static str, fault: impl Into<String>) -> Row {
    Row {
        check,
        fault: fault.into(),
        versions: FEW.to_vec(),
        tools: BTreeSet::new(),
        steps: Vec::new(),
        found: Vec::new(),
        unchecked: BTreeSet::new(),
        words: Vec::new(),
        refused: false,
        ntfs: None,
        beside: false,
    }
}

impl Row {
    /// On these; on [`FEW`] otherwise.
    pub fn on(mut self, versions: &[Version]) -> Row {
        self.versions = versions.to_vec();
        self
    }

    /// Made by code of the row's own, with this tool.
    pub fn make(mut self, tool: Tool, make: impl Fn(&Path, Version) + Send + Sync + 'static) -> Row {
        self.tools.insert(tool);
        self.steps.push(Box::new(make));
        self
    }

    /// Another tool that is used.
    pub fn with(mut self, tool: Tool) -> Row {
        self.tools.insert(tool);
        self
    }

    /// A .reg text merged into a hive: a name in `config`, or a path from the volume's root.
    pub fn reg(self, hive: &'static str, text: impl Into<String>) -> Row {
        let text = text.into();
        self.make(Tool::Hivexregedit, move |root, _| inject::merge(root, hive, &text))
    }

    /// Values of a service.
    pub fn service(self, name: &str, values: impl AsRef<str>) -> Row {
        self.reg("SYSTEM", inject::service_values(name, values.as_ref()))
    }

    /// Commands of hivexsh on a hive.
    pub fn shell(self, hive: &'static str, commands: impl Into<String>) -> Row {
        let commands = commands.into();
        self.make(Tool::Hivexsh, move |root, _| inject::shell(root, hive, &commands))
    }

    /// A file written, with the folders above it.
    pub fn file(self, path: &'static str, bytes: impl Into<Vec<u8>>) -> Row {
        let bytes = bytes.into();
        self.make(Tool::Files, move |root, _| inject::put(root, path, &bytes))
    }

    /// An empty folder, with those above it.
    pub fn folder(self, path: &'static str) -> Row {
        self.make(Tool::Files, move |root, _| fs::create_dir_all(inject::place(root, path)).unwrap())
    }

    /// A file or folder taken away.
    pub fn gone(self, path: &'static str) -> Row {
        self.make(Tool::Files, move |root, _| inject::remove(root, path))
    }

    /// A symbolic link, as the system's driver shows a junction, in the place of a file or folder.
    pub fn link(self, path: &'static str, target: &'static str) -> Row {
        self.make(Tool::Files, move |root, _| {
            let at = inject::place(root, path);
            if at.exists() {
                inject::remove(root, path);
            }
            std::os::unix::fs::symlink(target, at).unwrap();
        })
    }

    /// Lines added to a log.
    pub fn log<S: Into<String> + Clone>(self, path: &'static str, lines: &[S]) -> Row {
        let lines: Vec<String> = lines.iter().cloned().map(Into::into).collect();
        self.make(Tool::Files, move |root, _| inject::log(root, path, &lines))
    }

    /// The volume lies on an NTFS of so many MiB, mounted whole.
    pub fn on_ntfs(mut self, mib: u64) -> Row {
        self.tools.insert(Tool::Ntfs);
        self.ntfs = Some(mib);
        self
    }

    /// Looked at with the healthy volume as reference.
    pub fn beside_the_healthy(mut self) -> Row {
        self.beside = true;
        self
    }

    /// Whether anything is done to the volume itself.
    pub fn changes_the_volume(&self) -> bool {
        !self.steps.is_empty()
    }

    /// What is found, of whichever check.
    pub fn finds(mut self, id: &str, severity: &str, subject: impl Into<String>) -> Row {
        let (id, severity) = (id.to_owned(), severity.to_owned());
        self.found.push(Found { id, severity, subject: subject.into(), remedy: None });
        self
    }

    pub fn problem(self, subject: impl Into<String>) -> Row {
        let check = self.check;
        self.finds(check, "problem", subject)
    }

    pub fn suspect(self, subject: impl Into<String>) -> Row {
        let check = self.check;
        self.finds(check, "suspect", subject)
    }

    pub fn note(self, subject: impl Into<String>) -> Row {
        let check = self.check;
        self.finds(check, "note", subject)
    }

    /// The remedy of the finding before.
    pub fn remedy(mut self, id: &str) -> Row {
        self.found.last_mut().unwrap().remedy = Some(id.to_owned());
        self
    }

    /// A check that can't be made any more, and must say so.
    pub fn unchecked(mut self, id: &str) -> Row {
        self.unchecked.insert(id.to_owned());
        self
    }

    /// Words that the diagnosis must hold.
    pub fn says(mut self, words: &str) -> Row {
        self.words.push(words.to_owned());
        self
    }

    /// The program refuses to diagnose such a volume.
    pub fn refused(mut self) -> Row {
        self.refused = true;
        self
    }

    /// Makes the fault on a volume.
    pub fn inject(&self, root: &Path, version: Version) {
        self.steps.iter().for_each(|step| step(root, version));
    }

    /// What must be found on a volume of this version. `{stack}` is the version of its servicing stack.
    pub fn expected(&self, healthy: &Path) -> Vec<Found> {
        let mut found = self.found.clone();
        for one in found.iter_mut().filter(|one| one.subject == "{stack}") {
            let folder = crate::common::find(healthy, "Windows/servicing/Version");
            let entry = fs::read_dir(folder).unwrap().next().unwrap().unwrap();
            one.subject = entry.file_name().to_string_lossy().into_owned();
        }
        found.sort();
        found
    }
}
