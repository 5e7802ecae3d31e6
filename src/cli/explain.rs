//! `coldmend explain`: every check and remedy, what it does, why, on which Windows, and where that comes from.

use clap::Args;
use serde_json::json;

use crate::error::Failure;
use crate::knowledge::{Explanation, ExplanationKind, Knowledge};
use crate::ui::Ui;

use super::Status;

/// Arguments of `explain`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// A check's or remedy's id; all of them, a line each, if it is left out
    #[arg(value_name = "ID")]
    id: Option<String>,
}

pub(super) fn run(ui: &Ui, arguments: &Arguments) -> Status {
    let all = Knowledge::builtin().explanations();
    let chosen: Vec<&Explanation> = match &arguments.id {
        None => all.iter().collect(),
        Some(id) => all.iter().filter(|e| e.id.eq_ignore_ascii_case(id)).collect(),
    };
    if chosen.is_empty() {
        return Err(Failure::usage(format!(
            "there is no check or remedy {:?}",
            arguments.id.as_deref().unwrap_or_default()
        ))
        .hint("`coldmend explain` lists them."));
    }
    if arguments.id.is_none() {
        for (kind, heading) in [(ExplanationKind::Remedy, "Remedies"), (ExplanationKind::Check, "Checks")] {
            ui.out(&format!("{}\n", ui.style.bold(heading)));
            for explanation in chosen.iter().filter(|e| e.kind == kind) {
                ui.out(&format!("  {:<24} {}\n", explanation.id, explanation.title));
            }
        }
    } else {
        for explanation in &chosen {
            ui.out(&page(ui, explanation));
        }
    }
    let list: Vec<_> = chosen
        .iter()
        .map(|e| {
            json!({
                "id": e.id,
                "kind": if e.kind == ExplanationKind::Remedy { "remedy" } else { "check" },
                "title": e.title, "what": e.what, "why": e.why, "windows": e.windows, "source": e.source,
                "on_by_default": e.on_by_default, "remedy": e.remedy,
            })
        })
        .collect();
    ui.json(&json!({
        "schema": "coldmend.explanation/1",
        "tool": env!("CARGO_PKG_VERSION"),
        "explanations": list,
    }))?;
    Ok(0)
}

fn page(ui: &Ui, e: &Explanation) -> String {
    let kind = match (e.kind, e.on_by_default) {
        (ExplanationKind::Remedy, Some(true)) => "remedy, on by default",
        (ExplanationKind::Remedy, _) => "remedy, only by asking (--with)",
        (ExplanationKind::Check, _) => "check",
    };
    let remedy = e.remedy.as_ref().map(|r| format!("  remedy   {r}\n")).unwrap_or_default();
    format!(
        "{} — {} ({kind})\n  what     {}\n  why      {}\n  windows  {}\n{remedy}  source   {}\n\n",
        ui.style.bold(&e.id),
        e.title,
        e.what,
        e.why,
        e.windows,
        e.source
    )
}
