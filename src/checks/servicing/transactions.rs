//! `registry-transactions`: the logs of the registry's transactions in `config\TxR` and beside the hives (`*.blf`, `*.regtrans-ms`).
//! A log of no bytes can't be opened: 0x800719e4, 0x80071a91. That there are many is a note. Absent is normal.
//! Source: Microsoft, Windows Update errors 0x800719e4 and 0x80071a91; the logs of XP do not exist yet.

use super::cut;
use crate::checks::context::Context;
use crate::error::Result;
use crate::findings::{Evidence, Finding, Findings, Severity};
use crate::volume::Kind;

/// A healthy folder has one set of logs per hive and generation, a few dozen files.
const MANY: usize = 200;

pub(in crate::checks) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    findings.made += 1;
    let (mut empty, mut count) = (Vec::new(), 0_usize);
    for folder in ["System32\\config\\TxR", "System32\\config"] {
        let path = context.in_windows(folder)?;
        if context.volume.find(&path)?.is_none_or(|f| f.kind != Kind::Dir) {
            continue;
        }
        for entry in context.volume.list(&path)? {
            let name = entry.name.to_string_lossy().to_ascii_lowercase();
            if entry.kind != Kind::File || ![".blf", ".regtrans-ms"].iter().any(|e| name.ends_with(e)) {
                continue;
            }
            count = count.saturating_add(1);
            let log = path.child(&entry.name)?;
            if count <= 10 * MANY && context.volume.find(&log)?.is_some_and(|f| f.len == 0) {
                empty.push(Evidence::new(log.display_escaped(), "a file of 0 bytes", "a transaction log"));
            }
        }
    }
    let (severity, title, evidence) = if !empty.is_empty() {
        empty.sort_by(|a, b| a.place.cmp(&b.place));
        (Severity::Suspect, "logs of the registry's transactions are empty (0x800719e4, 0x80071a91)", empty)
    } else if count > MANY {
        let place = context.in_windows("System32\\config\\TxR")?.display_escaped();
        let seen = Evidence::seen(place, format!("{count} transaction logs"));
        (Severity::Note, "the registry has unusually many transaction logs", vec![seen])
    } else {
        return Ok(());
    };
    findings.push(Finding {
        id: "registry-transactions",
        severity,
        subject: "TxR".into(),
        title: title.into(),
        evidence: cut(evidence),
        remedy: None,
        source: "Microsoft, Windows Update errors 0x800719e4 and 0x80071a91".into(),
        defect: None,
    });
    Ok(())
}
