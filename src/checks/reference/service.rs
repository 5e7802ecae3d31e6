//! One service of the target beside the same service of the reference.
//!
//! Damage is only what neither the installation's own definition nor the table knows anything about, and what no healthy machine has
//! beside another of its build: disabled, another program, library or account, no valid start type, a dependency that can't be
//! met, no trigger left, a broken descriptor. Everything else that differs is worth knowing and no more.

use super::descriptor::{self, Verdict};
use super::side::{Picture, Side};
use crate::checks::context::{shown, Context};
use crate::checks::service_dependencies::obstacle;
use crate::checks::Expected;
use crate::error::Result;
use crate::findings::Evidence;
use crate::knowledge::StartType;
use crate::plan::{to_hex, HiveName, RegValue};
use crate::security::{account_sid, Descriptor};

/// `SERVICE_TRIGGER_ACTION_SERVICE_START`.
const STARTS: u32 = 1;
/// Own and shared process: what the type of a service has.
const PROCESS: u32 = 0x30;

/// Something that differs.
pub(super) struct Difference {
    /// In a word, for a list.
    pub(super) what: &'static str,
    /// Set for clear damage: the title.
    pub(super) damage: Option<String>,
    pub(super) evidence: Evidence,
}

/// A comparison of one service.
pub(super) struct Comparison<'c> {
    pub(super) context: &'c Context<'c>,
    pub(super) side: &'c Side<'c>,
    pub(super) name: &'c str,
    pub(super) target: &'c Picture,
    pub(super) reference: &'c Picture,
    /// What the installation's own definition or the table expects.
    pub(super) expected: Option<&'c Expected>,
    /// Whether it is one of the services that updating needs; others are the owner's to switch off.
    pub(super) is_ours: bool,
}

impl Comparison<'_> {
    /// Everything that differs.
    pub(super) fn differences(&self) -> Result<Vec<Difference>> {
        let mut all = Vec::new();
        all.extend(self.start());
        all.extend(self.kind());
        all.extend(self.program());
        all.extend(self.library());
        all.extend(self.account());
        all.extend(self.dependencies()?);
        all.extend(self.privileges());
        all.extend(self.triggers());
        all.extend(self.descriptor());
        Ok(all)
    }

    fn difference(
        &self,
        what: &'static str,
        damage: Option<&str>,
        value: &str,
        found: String,
        expected: String,
    ) -> Option<Difference> {
        let place = format!("{}\\{}\\{value}", HiveName::System, self.side.key(self.name));
        Some(Difference { what, damage: damage.map(str::to_string), evidence: Evidence::new(place, found, expected) })
    }

    fn start(&self) -> Option<Difference> {
        let (here, there) = (self.target.start_type(), self.reference.start_type());
        // What other services do is one list for all of them, `super::others`.
        if here == there || !self.is_ours {
            return None;
        }
        let row = self.expected.map(|e| &e.row);
        if let Some(row) = row.filter(|row| row.start.is_some()) {
            // What Windows itself switches to and fro says nothing.
            let healthy = |start: Option<StartType>| {
                start.is_some_and(|start| {
                    row.healthy_starts.contains(&start) || (row.auto_while_pending && start == StartType::Auto)
                })
            };
            if healthy(here) && healthy(there) {
                return None;
            }
        }
        let known = row.is_some_and(|row| row.start.is_some());
        let damage = match (here, there) {
            _ if known => None,
            (Some(StartType::Disabled), Some(_)) => Some("the service is disabled, and in the reference it is not"),
            (None, Some(_)) => Some("the service has no valid start type, and in the reference it has one"),
            (Some(StartType::Boot | StartType::System), Some(StartType::Auto | StartType::Demand)) => {
                Some("the service has the start type of a driver, and in the reference it has not")
            }
            _ => None,
        };
        let text = |start: Option<StartType>, value: &Option<RegValue>| {
            start.map_or_else(|| shown(value.as_ref()), |start| start.to_string())
        };
        self.difference(
            "start type",
            damage,
            "Start",
            text(here, &self.target.start),
            text(there, &self.reference.start),
        )
    }

    fn kind(&self) -> Option<Difference> {
        let (here, there) = (self.target.type_number(), self.reference.type_number());
        if here == there {
            return None;
        }
        let healthy = self.expected.and_then(|e| e.row.healthy_types.as_ref());
        let is_healthy = |n: Option<u32>| n.is_some_and(|n| healthy.is_some_and(|all| all.contains(&n)));
        if is_healthy(here) && is_healthy(there) {
            return None;
        }
        let is_process = |n: Option<u32>| n.is_some_and(|n| n & PROCESS != 0);
        let damage = (healthy.is_none() && !is_process(here) && is_process(there))
            .then_some("the service's type is not one of a service, and in the reference it is");
        let text =
            |n: Option<u32>, value: &Option<RegValue>| n.map_or_else(|| shown(value.as_ref()), |n| format!("{n:#x}"));
        self.difference("type", damage, "Type", text(here, &self.target.kind), text(there, &self.reference.kind))
    }

    fn program(&self) -> Option<Difference> {
        let (here, there) = (&self.target.program, &self.reference.program);
        let same = match (here, there) {
            (Some(here), Some(there)) => here.same_program(there),
            (here, there) => here == there,
        };
        if same {
            return None;
        }
        let known = self.expected.is_some_and(|e| e.row.image().is_some());
        let damage =
            (!known && there.is_some()).then_some("the service starts another program than in the reference, or none");
        let (found, expected) = (shown(self.target.image.as_ref()), shown(self.reference.image.as_ref()));
        self.difference("program", damage, "ImagePath", found, expected)
    }

    fn library(&self) -> Option<Difference> {
        let (here, there) = (&self.target.library, &self.reference.library);
        if here.as_deref().map(str::to_lowercase) == there.as_deref().map(str::to_lowercase) {
            return None;
        }
        let known = self.expected.is_some_and(|e| e.row.service_dll_files.is_some());
        let damage =
            (!known && there.is_some()).then_some("the service loads another library than in the reference, or none");
        let place = [&self.target.dll, &self.reference.dll].into_iter().flatten().next().map_or("ServiceDll", |d| d.0);
        let text = |dll: &Option<(&str, RegValue)>| shown(dll.as_ref().map(|(_, value)| value));
        self.difference("library", damage, place, text(&self.target.dll), text(&self.reference.dll))
    }

    fn account(&self) -> Option<Difference> {
        let (here, there) = (self.target.account_name(), self.reference.account_name());
        let same = match (&here, &there) {
            (Some(here), Some(there)) => {
                here.eq_ignore_ascii_case(there)
                    || (account_sid(here).is_some() && account_sid(here) == account_sid(there))
            }
            (here, there) => here == there,
        };
        if same {
            return None;
        }
        let known = self.expected.is_some_and(|e| e.row.accounts.as_ref().is_some_and(|all| !all.is_empty()));
        let damage = (!known).then_some("the service runs under another account than in the reference");
        let (found, expected) = (shown(self.target.account.as_ref()), shown(self.reference.account.as_ref()));
        self.difference("account", damage, "ObjectName", found, expected)
    }

    fn dependencies(&self) -> Result<Option<Difference>> {
        let names = |value: &Option<RegValue>| value.as_ref().map_or(Some(Vec::new()), RegValue::as_list);
        let (here, there) = (names(&self.target.depends), names(&self.reference.depends));
        if lower(&here) == lower(&there) {
            return Ok(None);
        }
        let known = self.expected.is_some_and(|e| e.row.depends_on.is_some() && e.row.depends_default.is_some());
        let mut damage = None;
        if let (false, Some(here)) = (known, &here) {
            let more =
                here.iter().filter(|name| !there.iter().flatten().any(|needed| needed.eq_ignore_ascii_case(name)));
            for name in more.take(64) {
                if let Some(why) = obstacle(self.context, &self.side.services(), name)? {
                    let why = crate::checks::policy::shown_text(&why);
                    damage = Some(format!("the service waits for what it does not wait for in the reference: {why}"));
                    break;
                }
            }
        }
        let (found, expected) = (shown(self.target.depends.as_ref()), shown(self.reference.depends.as_ref()));
        Ok(self.difference("dependencies", damage.as_deref(), "DependOnService", found, expected))
    }

    fn privileges(&self) -> Option<Difference> {
        let names = |value: &Option<RegValue>| value.as_ref().and_then(RegValue::as_list);
        let (here, there) = (&self.target.privileges, &self.reference.privileges);
        let same = match (here, there) {
            (Some(_), Some(_)) => lower(&names(here)) == lower(&names(there)),
            (here, there) => here == there,
        };
        if same {
            return None;
        }
        self.difference("privileges", None, "RequiredPrivileges", shown(here.as_ref()), shown(there.as_ref()))
    }

    fn triggers(&self) -> Option<Difference> {
        let (mut here, mut there) = (self.target.triggers.clone(), self.reference.triggers.clone());
        here.sort();
        there.sort();
        if here == there {
            return None;
        }
        let known = self.expected.is_some_and(|e| e.row.triggers.is_some() || e.row.triggers_at_least.is_some());
        let starts = |all: &[(u32, u32, String)]| all.iter().any(|trigger| trigger.1 == STARTS);
        let on_demand = self.reference.start_type() == Some(StartType::Demand);
        let damage = (!known && self.is_ours && on_demand && !starts(&here) && starts(&there))
            .then_some("the service has lost the triggers that start it in the reference");
        self.difference("triggers", damage, "TriggerInfo", triggers_text(&here), triggers_text(&there))
    }

    fn descriptor(&self) -> Option<Difference> {
        let (here, there) = (&self.target.security, &self.reference.security);
        let account = self.target.account_name();
        let (damage, found) = match descriptor::compare(self.name, account.as_deref(), here.as_ref(), there.as_ref()) {
            Verdict::Same => return None,
            Verdict::Differs(words) => (None, words),
            // Those that a table row is about are judged by their own check.
            Verdict::Broken(words) if self.expected.is_some() => (None, words),
            Verdict::Broken(words) => {
                let title =
                    format!("the service's descriptor is broken, and the reference's is not: {}", words.join("; "));
                (Some(title), words)
            }
        };
        let found = format!("{} ({})", descriptor_text(here.as_ref()), found.join("; "));
        let expected = descriptor_text(there.as_ref());
        self.difference("descriptor", damage.as_deref(), "Security\\Security", found, expected)
    }
}

fn lower(names: &Option<Vec<String>>) -> Option<Vec<String>> {
    let mut names: Vec<String> = names.as_ref()?.iter().map(|name| name.to_lowercase()).collect();
    names.sort();
    names.dedup();
    Some(names)
}

fn triggers_text(triggers: &[(u32, u32, String)]) -> String {
    /// Enough of a GUID to tell it.
    const DIGITS: usize = 8;
    /// No service has so many.
    const MOST: usize = 8;
    let one = |(kind, action, guid): &(u32, u32, String)| {
        let guid: String = guid.chars().take(DIGITS).collect();
        format!("type {kind} {} {guid}…", if *action == STARTS { "starts" } else { "stops" })
    };
    match triggers.len() {
        0 => "no triggers".into(),
        n => {
            let mut list: Vec<String> = triggers.iter().take(MOST).map(one).collect();
            if n > MOST {
                list.push(format!("and {} more", n - MOST));
            }
            format!("{n} triggers: {}", list.join(", "))
        }
    }
}

fn descriptor_text(value: Option<&RegValue>) -> String {
    let Some(value) = value else { return "absent".into() };
    match Descriptor::parse(&value.data) {
        Ok(descriptor) => crate::checks::policy::shown_text(&descriptor.to_sddl()),
        Err(_) => {
            let start: Vec<u8> = value.data.iter().take(16).copied().collect();
            format!("{} bytes that are no descriptor: {}…", value.data.len(), to_hex(&start))
        }
    }
}
