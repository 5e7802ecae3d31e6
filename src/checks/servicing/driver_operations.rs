//! `driver-operations`: operations on drivers that servicing has noted down and can't read again.
//!
//! `Component Based Servicing\DriverOperations\QUEUE\N` stands for one operation: `Identity` (the driver package), `Inf`, `Arch`. They stay
//! there after they are done, so that they are there says nothing. One that lacks its identity or architecture stops every session:
//! "Failed reading Identity for driver operation sequenceID 1", 0x80070490. Other Windows may keep other values, so what is missing is
//! told from the operations beside it; an operation that has other values and no identity is told by itself. Source: Microsoft,
//! "Troubleshoot Windows Update error 0x80070490", symptoms 1 and 2; a public program that reads these keys on live machines.

use std::collections::BTreeSet;

use super::{cut, shown, CBS};
use crate::checks::context::Context;
use crate::error::Result;
use crate::evidence::hive_failure;
use crate::findings::{reported, Evidence, Findings, Severity};
use crate::plan::HiveName;

const ID: &str = "driver-operations";
const NAMES: [&str; 2] = ["Identity", "Arch"];
/// A feature update notes down some thousands.
const MAX_OPERATIONS: usize = 50_000;

pub(in crate::checks) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let bad = |e| hive_failure(HiveName::Software, e);
    let root = format!("{CBS}\\DriverOperations");
    for queue in context.software.subkeys(&root).map_err(bad)? {
        let key = format!("{root}\\{queue}");
        let mut operations = Vec::new();
        for operation in context.software.subkeys(&key).map_err(bad)?.into_iter().take(MAX_OPERATIONS) {
            let values = context.software.value_names(&format!("{key}\\{operation}")).map_err(bad)?;
            let lower: BTreeSet<String> = values.iter().map(|name| name.to_lowercase()).collect();
            operations.push((operation, lower));
        }
        let evidence = incomplete(&operations).into_iter().map(|(operation, name)| {
            let place = format!("{}\\{key}\\{}\\{name}", HiveName::Software, shown(operation));
            Evidence::new(place, "absent", "a value, as the operations beside it have")
        });
        let evidence: Vec<Evidence> = evidence.collect();
        if evidence.is_empty() {
            continue;
        }
        findings.push(reported(
            ID,
            Severity::Suspect,
            format!("DriverOperations\\{}", shown(&queue)),
            "driver operations are noted down that servicing can't read (0x80070490); Microsoft has this queue's key deleted, with TrustedInstaller at automatic",
            cut(evidence),
            "Microsoft, Troubleshoot Windows Update error 0x80070490 (2025): an operation without its identity",
        ));
    }
    Ok(())
}

/// The operations that lack a value that others have, and the value.
fn incomplete(operations: &[(String, BTreeSet<String>)]) -> Vec<(&String, &'static str)> {
    let mut found = Vec::new();
    for name in NAMES {
        let lower = name.to_lowercase();
        let is_usual = operations.iter().any(|(_, values)| values.contains(&lower));
        for (operation, values) in operations {
            let has_others = lower == "identity" && !values.is_empty();
            if !values.contains(&lower) && (is_usual || has_others) {
                found.push((operation, name));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lacking(operations: &[&[&str]]) -> Vec<String> {
        let named = operations.iter().enumerate();
        let all: Vec<_> =
            named.map(|(n, values)| (n.to_string(), values.iter().map(|v| v.to_lowercase()).collect())).collect();
        incomplete(&all).into_iter().map(|(operation, name)| format!("{operation} {name}")).collect()
    }

    #[test]
    fn what_lacks_a_value_is_told_from_its_neighbours() {
        let whole: &[&str] = &["Identity", "Inf", "Arch"];
        assert!(lacking(&[]).is_empty());
        assert!(lacking(&[whole, whole]).is_empty());
        // A Windows that keeps no architecture, and keys that hold nothing.
        assert!(lacking(&[&["identity", "Inf"], &["IDENTITY"]]).is_empty());
        assert!(lacking(&[&[]]).is_empty());
        assert_eq!(lacking(&[whole, &["Inf", "Arch"]]), ["1 Identity"]);
        assert_eq!(lacking(&[&["Inf"]]), ["0 Identity"]);
        assert_eq!(lacking(&[whole, &["Identity", "Inf"]]), ["1 Arch"]);
        assert_eq!(lacking(&[&[], whole]), ["0 Identity", "0 Arch"]);
    }
}
