//! What the checks of this folder share: the policy files, the update server, and who manages the machine.
//!
//! Signs of management: a device enrolment that is in force (`SOFTWARE\Microsoft\Enrollments`, EnrollmentState 1, provider "MS DM
//! Server"), and membership of a domain (the distinguished name that group policy keeps; `Netlogon` starts by itself and TCP/IP has a
//! domain). Seen in hives of a domain member of 7 and of machines that are in none (XP, 10).

use crate::checks::context::Context;
use crate::error::Result;
use crate::evidence::preg::{self, PolicyEntry, PREG_LIMIT};
use crate::findings::Evidence;
use crate::knowledge::StartType;
use crate::plan::{HiveName, RegValue};
use crate::volume::{Kind, VolPath};

use super::wsus::Wsus;
use super::{software_failure, software_place, system_failure};

/// More users than any machine has policies for.
const MOST_USERS: usize = 64;
/// Enrolments that are looked at; a healthy machine has some ten.
const MOST_ENROLMENTS: usize = 200;
const ENROLMENTS: &str = "Microsoft\\Enrollments";
const GROUP_POLICY_STATE: &str = "Microsoft\\Windows\\CurrentVersion\\Group Policy\\State\\Machine";

/// A `Registry.pol`.
pub(super) struct PolicyFile {
    /// Its path, as evidence shows it.
    pub(super) place: String,
    /// What it sets; `Err` with the reason where it is damaged.
    pub(super) entries: Result<Vec<PolicyEntry>, String>,
}

/// See the module.
pub(in crate::checks) struct Gathered {
    /// The machine's policy file, if there is one.
    pub(super) machine: Option<PolicyFile>,
    /// The policy files for users: all of them, and single ones.
    pub(super) users: Vec<PolicyFile>,
    /// Policy files that could not be read, with the reason.
    pub(super) unread: Vec<String>,
    /// The update server.
    pub(super) wsus: Wsus,
    /// A sign that the device is managed through MDM.
    pub(super) mdm: Option<Evidence>,
    /// A sign that the machine is in a domain.
    pub(super) domain: Option<Evidence>,
}

impl Gathered {
    pub(super) fn new(context: &Context<'_>) -> Result<Gathered> {
        let mut gathered = Gathered {
            machine: None,
            users: Vec::new(),
            unread: Vec::new(),
            wsus: Wsus::default(),
            mdm: enrolment(context)?,
            domain: domain(context)?,
        };
        let machine = context.in_windows("System32\\GroupPolicy\\Machine\\Registry.pol")?;
        gathered.machine = gathered.read_file(context, &machine);
        let all_users = context.in_windows("System32\\GroupPolicy\\User\\Registry.pol")?;
        let mut users: Vec<PolicyFile> = gathered.read_file(context, &all_users).into_iter().collect();
        for path in gathered.single_users(context)? {
            users.extend(gathered.read_file(context, &path));
        }
        gathered.users = users;
        gathered.wsus = Wsus::read(context, &gathered)?;
        Ok(gathered)
    }

    fn read_file(&mut self, context: &Context<'_>, path: &VolPath) -> Option<PolicyFile> {
        let place = path.display_escaped();
        let found = match context.volume.find(path) {
            Ok(found) => found?,
            Err(e) => {
                self.unread.push(format!("{place}: {e}"));
                return None;
            }
        };
        let place = found.path.display_escaped();
        if found.kind != Kind::File {
            self.unread.push(format!("{place} is {}, which is not looked into", found.kind));
            return None;
        }
        match context.volume.read(&found.path, PREG_LIMIT) {
            Ok(bytes) => Some(PolicyFile { place, entries: preg::parse(&bytes).map_err(|e| e.to_string()) }),
            Err(e) => {
                self.unread.push(format!("{place}: {e}"));
                None
            }
        }
    }

    /// The policy files for single users and groups: `GroupPolicyUsers\SID\User\Registry.pol`.
    fn single_users(&mut self, context: &Context<'_>) -> Result<Vec<VolPath>> {
        let folder = context.in_windows("System32\\GroupPolicyUsers")?;
        let Some(found) = context.volume.find(&folder)?.filter(|f| f.kind == Kind::Dir) else { return Ok(Vec::new()) };
        let mut entries = context.volume.list(&found.path)?;
        entries.retain(|entry| entry.kind == Kind::Dir);
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        if entries.len() > MOST_USERS {
            self.unread
                .push(format!("only the first {MOST_USERS} folders of {} were read", found.path.display_escaped()));
        }
        entries
            .iter()
            .take(MOST_USERS)
            .map(|entry| Ok(found.path.child(&entry.name)?.join("User\\Registry.pol")?))
            .collect()
    }

    /// What the machine's policy file sets a value of SOFTWARE to, with the file's place.
    pub(super) fn in_policy_file(&self, key: &str, name: &str) -> Option<(String, RegValue)> {
        set_by(self.machine.as_ref()?, key, name)
    }

    /// Whether updates come from a server of the owner's, or the device is managed through MDM: then a policy that keeps Windows Update
    /// itself away is meant.
    pub(super) fn is_managed(&self) -> bool {
        self.mdm.is_some() || self.wsus.is_alive()
    }

    /// The signs of management, as evidence.
    pub(super) fn management(&self) -> Vec<Evidence> {
        self.mdm.iter().chain(&self.domain).cloned().chain(self.wsus.alive_evidence()).collect()
    }
}

/// What a policy file sets a value to, below `Software`.
pub(super) fn set_by(file: &PolicyFile, key: &str, name: &str) -> Option<(String, RegValue)> {
    let entries = file.entries.as_ref().ok()?;
    let mut set = None;
    for entry in entries {
        let below = entry.key.get(..9).filter(|p| p.eq_ignore_ascii_case("Software\\")).and(entry.key.get(9..));
        if !below.is_some_and(|below| below.eq_ignore_ascii_case(key)) {
            continue;
        }
        let lower = entry.name.to_lowercase();
        if entry.name.eq_ignore_ascii_case(name) {
            set = Some(entry.value.clone());
        } else if lower.starts_with("**delvals")
            || lower.strip_prefix("**del.").is_some_and(|n| n == name.to_lowercase())
        {
            set = None;
        }
    }
    Some((file.place.clone(), set?))
}

fn enrolment(context: &Context<'_>) -> Result<Option<Evidence>> {
    let software = &context.software;
    let ids = software.subkeys(ENROLMENTS).map_err(|e| software_failure(e, ENROLMENTS))?;
    for id in ids.iter().take(MOST_ENROLMENTS) {
        let key = format!("{ENROLMENTS}\\{id}");
        let state = software.dword(&key, "EnrollmentState").map_err(|e| software_failure(e, &key))?;
        let provider = software.text(&key, "ProviderID").map_err(|e| software_failure(e, &key))?;
        if state == Some(1) && provider.is_some_and(|p| p.eq_ignore_ascii_case("MS DM Server")) {
            let place = software_place(&format!("{ENROLMENTS}\\{}", super::shown_text(id)), "EnrollmentState");
            return Ok(Some(Evidence::seen(place, "1: the device is enrolled in management (MDM)")));
        }
    }
    Ok(None)
}

fn domain(context: &Context<'_>) -> Result<Option<Evidence>> {
    let name = context
        .software
        .text(GROUP_POLICY_STATE, "Distinguished-Name")
        .map_err(|e| software_failure(e, GROUP_POLICY_STATE))?;
    if let Some(name) = name.filter(|n| !n.trim().is_empty()) {
        let place = software_place(GROUP_POLICY_STATE, "Distinguished-Name");
        return Ok(Some(Evidence::seen(place, super::shown_text(&name))));
    }
    for set in &context.installation.control_sets {
        let key = format!("{}\\Services\\Tcpip\\Parameters", set.key);
        let netlogon = context.dword(&format!("{}\\Services\\Netlogon", set.key), "Start")?;
        if netlogon != Some(StartType::Auto.value()) {
            continue;
        }
        let domain = context.system.text(&key, "NV Domain").map_err(|e| system_failure(e, &key))?;
        if let Some(domain) = domain.filter(|d| !d.trim().is_empty()) {
            let place = format!("{}\\{key}\\NV Domain", HiveName::System);
            return Ok(Some(Evidence::seen(place, super::shown_text(&domain))));
        }
    }
    Ok(None)
}
