//! `reference`: the installation beside a healthy one of the same build, the third place where an expectation comes from.
//!
//! Compared are the services of the tables and those in their svchost groups ([`service`]), the groups ([`groups`]), the policies of
//! updating ([`policies`]), which other services of Windows are there and on ([`others`]), and the identity towards an update server
//! ([`identity`]). Healthy machines differ from each other, so a difference is a note. Only where neither the installation's own
//! definition nor the table knows what belongs there, and the reference shows clear damage, it is a suspect. What another check
//! has said of the same value is not said again: these checks run last. Relies on [`crate::reference`].

mod descriptor;
mod groups;
mod identity;
mod others;
mod policies;
mod service;
mod side;

use std::collections::{BTreeMap, BTreeSet};

use super::context::Context;
use super::policy::shown_text;
use super::{Check, Service};
use crate::error::Result;
use crate::findings::{Evidence, Finding, Findings, Severity};
use crate::knowledge::{Knowledge, Presence, ProductType};
use crate::plan::HiveName;
use crate::reference::Reference;

use service::{Comparison, Difference};
use side::{Picture, Side};

const ID: &str = "reference";
/// More services than all svchost groups of a Windows hold together.
const MOST_SERVICES: usize = 1000;
/// The longest list of names in a finding.
const MOST_NAMES: usize = 30;

/// The comparison, after all other checks.
pub(super) const CHECKS: &[Check] = &[Check { id: ID, run }];

/// What every part of the comparison needs.
struct Base<'a> {
    context: &'a Context<'a>,
    /// The reference, for the source of a finding.
    source: String,
    /// Services that are not healthy in the reference itself, lower-case, with what its own checks say.
    unhealthy: BTreeMap<String, &'static str>,
}

fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    let Some(reference) = context.reference else {
        findings.does_not_apply(ID);
        return Ok(());
    };
    if let Some(why) = other_windows(context, reference) {
        findings.could_not(ID, why);
        return Ok(());
    }
    let base = Base { context, source: reference.describe(), unhealthy: unhealthy(reference, findings)? };
    let software = reference.software()?;
    let system = reference.system()?;
    let root = match &software {
        Some(software) => software
            .text("Microsoft\\Windows NT\\CurrentVersion", "SystemRoot")
            .map_err(|e| crate::evidence::hive_failure(HiveName::Software, e))?,
        None => None,
    };
    let mut wanted = BTreeSet::new();
    if let Some((system, set)) = &system {
        let side = Side { system, set, system_root: root.as_deref() };
        wanted = base.services(&side, software.as_ref(), findings)?;
        others::run(&base, &side, &wanted, findings)?;
    }
    if let Some(software) = &software {
        groups::run(&base, software, &wanted, findings)?;
        policies::run(&base, software, findings)?;
        identity::run(&base, reference, software, findings)?;
    }
    match reference.lone_hive() {
        Some(HiveName::System) => findings.could_not(
            ID,
            "only a SYSTEM hive was named, which does not show its build: svchost groups, policies and SusClientId were not compared",
        ),
        Some(HiveName::Software) => {
            findings.could_not(ID, "only a SOFTWARE hive was named: services were not compared");
        }
        None => {}
    }
    Ok(())
}

/// Why the two can't be compared, if they are different Windows.
fn other_windows(context: &Context<'_>, reference: &Reference) -> Option<String> {
    let (build, product) = (context.installation.version.build, context.installation.product_type);
    let other = reference.build().is_some_and(|other| other != build)
        || reference.product_type().is_some_and(|other| other != product);
    if !other {
        return None;
    }
    let name = |build: Option<u32>, product: Option<ProductType>| {
        let build = build.map_or_else(|| "a build that can't be seen".into(), |build| format!("build {build}"));
        match product {
            Some(ProductType::Client) => format!("{build} (client)"),
            Some(ProductType::Server) => format!("{build} (server)"),
            None => build,
        }
    };
    Some(format!(
        "the target is {}, the reference is {}: healthy machines of different builds differ, so nothing was compared",
        name(Some(build), Some(product)),
        name(reference.build(), reference.product_type())
    ))
}

/// The services whose own checks raise an alarm in the reference: they are no measure.
fn unhealthy(reference: &Reference, findings: &mut Findings) -> Result<BTreeMap<String, &'static str>> {
    let Some((volume, installation)) = reference.installation() else { return Ok(BTreeMap::new()) };
    let context = Context::new(volume, installation)?;
    let mut own = Findings::default();
    let of_services = |check: &&Check| check.id.starts_with("service-") || check.id == "helper-services";
    for check in super::CHECKS.iter().filter(of_services) {
        if let Err(failure) = (check.run)(&context, &mut own) {
            findings.could_not(ID, format!("checking the reference itself: {failure}"));
        }
    }
    let alarms: BTreeMap<String, &'static str> = own
        .findings
        .iter()
        .filter(|finding| finding.severity != Severity::Note)
        .map(|finding| (finding.subject.to_lowercase(), finding.id))
        .collect();
    if !alarms.is_empty() {
        let list: Vec<String> = alarms.iter().map(|(service, id)| format!("{service} ({id})")).collect();
        findings.could_not(
            ID,
            format!(
                "the reference itself is not healthy, and these of its services were not compared: {}",
                names(&list)
            ),
        );
    }
    Ok(alarms)
}

impl Base<'_> {
    /// Compares the services of the tables and of their svchost groups; gives their names back, lower-case.
    fn services(
        &self,
        reference: &Side<'_>,
        software: Option<&crate::evidence::Registry<'_>>,
        findings: &mut Findings,
    ) -> Result<BTreeSet<String>> {
        let ours = Knowledge::builtin().services();
        let mut wanted: Vec<String> = ours.iter().map(ToString::to_string).collect();
        if let Some(software) = software {
            // The lists spell names as they please; the keys are what Windows shows.
            let keys: BTreeMap<String, String> =
                reference.names()?.into_iter().map(|name| (name.to_lowercase(), name)).collect();
            for (_, members) in groups::of_services(reference, software, ours)? {
                for name in members.iter().filter_map(|name| keys.get(&name.to_lowercase())) {
                    if !wanted.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                        wanted.push(name.clone());
                    }
                }
            }
        }
        wanted.truncate(MOST_SERVICES);
        for set in &self.context.installation.control_sets {
            let system_root = self.context.system_root.as_deref();
            let target = Side { system: &self.context.system, set: &set.key, system_root };
            for name in &wanted {
                if self.unhealthy.contains_key(&name.to_lowercase()) {
                    continue;
                }
                let is_ours = ours.iter().any(|known| known.eq_ignore_ascii_case(name));
                if let Err(failure) = self.service(&target, reference, name, is_ours, findings) {
                    findings.could_not(ID, failure.to_string());
                }
            }
        }
        Ok(wanted.iter().map(|name| name.to_lowercase()).collect())
    }

    fn service(
        &self,
        target: &Side<'_>,
        reference: &Side<'_>,
        name: &str,
        is_ours: bool,
        findings: &mut Findings,
    ) -> Result<()> {
        let Some(there) = reference.read(name)? else { return Ok(()) };
        let installation = self.context.installation;
        let row = Knowledge::builtin().service(name, installation.version.build, installation.product_type);
        if row.is_some_and(|row| row.presence == Presence::Absent) {
            return Ok(());
        }
        findings.made += 1;
        let Some(here) = target.read(name)? else {
            // Of other services there is one list for all, `others`.
            if is_ours {
                self.missing(&target.key(name), name, findings);
            }
            return Ok(());
        };
        let expected = self.expected(&target.key(name)).map(|service| &service.expected);
        let comparison = Comparison {
            context: self.context,
            side: target,
            name,
            target: &here,
            reference: &there,
            expected,
            is_ours,
        };
        let mut differences = comparison.differences()?;
        differences.retain(|difference| !reported(findings, &difference.evidence.place));
        self.say(name, differences, findings);
        Ok(())
    }

    fn say(&self, name: &str, differences: Vec<Difference>, findings: &mut Findings) {
        let (damage, other): (Vec<Difference>, Vec<Difference>) =
            differences.into_iter().partition(|difference| difference.damage.is_some());
        for difference in damage {
            let title = difference.damage.unwrap_or_default();
            self.push(Severity::Suspect, name, title, vec![difference.evidence], findings);
        }
        if !other.is_empty() {
            let what: Vec<&str> = other.iter().map(|difference| difference.what).collect();
            let title = format!("the service is not set up as in the reference: {}", what.join(", "));
            let evidence = other.into_iter().map(|difference| difference.evidence).collect();
            self.push(Severity::Note, name, title, evidence, findings);
        }
    }

    fn missing(&self, key: &str, name: &str, findings: &mut Findings) {
        let place = format!("{}\\{key}", HiveName::System);
        if !reported(findings, &place) {
            let evidence = vec![Evidence::new(place, "no such key", "the service's key")];
            let title = "the service is missing, and the reference has it";
            self.push(Severity::Suspect, name, title, evidence, findings);
        }
    }

    /// What is expected of the service with this key, where anything is.
    fn expected(&self, key: &str) -> Option<&Service> {
        self.context.services().find(|service| service.key.eq_ignore_ascii_case(key))
    }

    fn push(
        &self,
        severity: Severity,
        subject: &str,
        title: impl Into<String>,
        evidence: Vec<Evidence>,
        findings: &mut Findings,
    ) {
        findings.push(Finding {
            id: ID,
            severity,
            subject: shown_text(subject),
            title: title.into(),
            evidence: evidence.into_iter().map(|e| Evidence { place: shown_text(&e.place), ..e }).collect(),
            remedy: None,
            source: self.source.clone(),
            defect: None,
        });
    }
}

/// Whether another check has said something of this place.
fn reported(findings: &Findings, place: &str) -> bool {
    findings
        .findings
        .iter()
        .filter(|finding| finding.id != ID)
        .any(|finding| finding.evidence.iter().any(|evidence| evidence.place.eq_ignore_ascii_case(place)))
}

/// Names as a list that is not too long, made harmless.
fn names<S: AsRef<str>>(all: &[S]) -> String {
    let mut list: Vec<String> = all.iter().take(MOST_NAMES).map(|name| shown_text(name.as_ref())).collect();
    if all.len() > MOST_NAMES {
        list.push(format!("and {} more", all.len() - MOST_NAMES));
    }
    list.join(", ")
}
