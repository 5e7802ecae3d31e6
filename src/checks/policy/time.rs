//! `time-settings`: what makes a clock wrong, and with it every certificate (0x80072F8F, 0x800B0101).
//!
//! The machine's clock itself can't be read offline. A time zone that Windows does not know, and a registry written years before this
//! Windows was made, are suspects; that the time service is off or does not synchronize is a note (virtual machines are set up so),
//! and so is a clock in universal time.

use coldmend_hives::BaseBlock;

use super::clock::{days_of_filetime, first_day_of, today};
use super::{finding, number, shown_text, software_failure, system_failure};
use crate::checks::context::{shown, Context};
use crate::error::Result;
use crate::findings::{Evidence, Findings, Severity};
use crate::knowledge::{Knowledge, StartType};
use crate::plan::HiveName;

const ID: &str = "time-settings";
const ZONES: &str = "Microsoft\\Windows NT\\CurrentVersion\\Time Zones";
const SOURCE: &str = "Microsoft, \"Windows Time service tools and settings\"; Microsoft's troubleshooting pack (RC_DateTime); hives of XP, 7 and 10";
/// A registry that is this much older than its Windows was written under a wrong clock.
const YEARS_BEFORE: u32 = 2;
/// A clock that is ahead by no more than this is a time zone, or a guess.
const DAYS_AHEAD: i64 = 2;

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    zone(context, findings)?;
    service(context, findings)?;
    written(context, findings)
}

fn zone(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    let has_zones = context.software.key_exists(ZONES).map_err(|e| software_failure(e, ZONES))?;
    for set in &context.installation.control_sets {
        let key = format!("{}\\Control\\TimeZoneInformation", set.key);
        let place = |name: &str| format!("{}\\{key}\\{name}", HiveName::System);
        // XP has no such value. What stands after the name's end is left over from elsewhere.
        let name = context.system.text(&key, "TimeZoneKeyName").map_err(|e| system_failure(e, &key))?;
        if let Some(name) = name.filter(|name| has_zones && !name.trim().is_empty()) {
            let zone = format!("{ZONES}\\{name}");
            let known =
                !name.contains('\\') && context.software.key_exists(&zone).map_err(|e| software_failure(e, ZONES))?;
            if !known {
                let expected = format!("a time zone of {}\\{ZONES}", HiveName::Software);
                let evidence = vec![Evidence::new(place("TimeZoneKeyName"), shown_text(&name), expected)];
                let title = "the time zone is none that this Windows knows, so its clock is wrong";
                findings.push(finding(ID, Severity::Suspect, "time zone", title, evidence, SOURCE));
            }
        }
        let universal = context.value(&key, "RealTimeIsUniversal")?;
        if universal.as_ref().and_then(number).is_some_and(|n| n != 0) {
            let evidence = vec![Evidence::seen(place("RealTimeIsUniversal"), shown(universal.as_ref()))];
            let title =
                "Windows takes the computer's clock for universal time; right only where another system sets it so";
            findings.push(finding(ID, Severity::Note, "RealTimeIsUniversal", title, evidence, SOURCE));
        }
    }
    Ok(())
}

fn service(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    for set in &context.installation.control_sets {
        let key = format!("{}\\Services\\W32Time", set.key);
        let place = |name: &str| format!("{}\\{key}\\{name}", HiveName::System);
        let start = context.value(&key, "Start")?;
        let mut evidence = Vec::new();
        if start.as_ref().and_then(number) == Some(StartType::Disabled.value()) {
            evidence.push(Evidence::new(place("Start"), shown(start.as_ref()), "2 or 3"));
        }
        let kind = context.system.text(&format!("{key}\\Parameters"), "Type").map_err(|e| system_failure(e, &key))?;
        if let Some(kind) = kind.filter(|kind| kind.trim().eq_ignore_ascii_case("NoSync")) {
            evidence.push(Evidence::new(place("Parameters\\Type"), shown_text(&kind), "NTP, NT5DS or AllSync"));
        }
        if !evidence.is_empty() {
            let title = "Windows does not keep its clock right by itself; certificates fail once it is far off";
            findings.push(finding(ID, Severity::Note, "W32Time", title, evidence, SOURCE));
        }
    }
    Ok(())
}

/// When SYSTEM was last written, by the machine's own clock.
fn written(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    let Some(build) = context.known_build(ID, findings) else { return Ok(()) };
    let Some(base) = BaseBlock::parse(context.installation.system.hive.bytes()) else { return Ok(()) };
    // Tools that are not Windows leave no time.
    if base.timestamp == 0 {
        return Ok(());
    }
    let written = days_of_filetime(base.timestamp);
    let place = format!("{}, time of the last write", context.installation.system.path.display_escaped());
    if let Some(row) = Knowledge::builtin().policies().released(build) {
        if written < first_day_of(row.year.saturating_sub(YEARS_BEFORE)) {
            let found = format!(
                "{} days before {}, when this Windows was released",
                first_day_of(row.year).saturating_sub(written),
                row.year
            );
            let evidence = vec![Evidence::new(place, found, "a time at which this Windows existed")];
            let title = "the computer's clock was years slow when Windows last ran (its battery may be empty)";
            findings.push(finding(ID, Severity::Suspect, "clock", title, evidence, row.source.clone()));
            return Ok(());
        }
    }
    let ahead = written.saturating_sub(today());
    if ahead > DAYS_AHEAD {
        let evidence = vec![Evidence::seen(place, format!("{ahead} days ahead of this computer's clock"))];
        let title = "the computer's clock was ahead when Windows last ran, or the clock of this computer is slow";
        findings.push(finding(ID, Severity::Note, "clock", title, evidence, SOURCE));
    }
    Ok(())
}
