//! `coldmend explain`: every check and remedy, what it does, why, on which Windows, and where that comes from; and every error
//! code that the tables know, with the checks that can explain it.

use clap::Args;
use serde_json::json;

use crate::error::Failure;
use crate::knowledge::{ErrorRow, Explanation, ExplanationKind, Knowledge};
use crate::ui::Ui;
use crate::verdict::ErrorCode;

use super::Status;

/// Arguments of `explain`.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// A check's or remedy's id, or an error code such as 0x80070002; all checks and remedies, a line each, if it is left out
    #[arg(value_name = "ID", allow_negative_numbers = true)]
    id: Option<String>,
}

pub(super) fn run(ui: &Ui, arguments: &Arguments) -> Status {
    let all = Knowledge::builtin().explanations();
    let chosen: Vec<&Explanation> = match &arguments.id {
        None => all.iter().collect(),
        Some(id) => all.iter().filter(|e| e.id.eq_ignore_ascii_case(id)).collect(),
    };
    let errors: Vec<&ErrorRow> = match &arguments.id {
        None => Knowledge::builtin().errors().iter().collect(),
        Some(code) => ErrorCode::parse(code).ok().and_then(ErrorCode::row).into_iter().collect(),
    };
    if chosen.is_empty() && errors.is_empty() {
        return Err(Failure::usage(format!(
            "there is no check or remedy {:?}, and it is no error code that the tables know",
            arguments.id.as_deref().unwrap_or_default()
        ))
        .hint("`coldmend explain` lists the checks and remedies."));
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
        for error in &errors {
            ui.out(&error_page(ui, error));
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
        "errors": errors.iter().map(|e| json!({
            "code": ErrorCode(e.code), "name": e.name, "meaning": e.meaning,
            "same": e.same.iter().map(|&code| ErrorCode(code)).collect::<Vec<_>>(),
            "checks": e.checks, "source": e.source,
        })).collect::<Vec<_>>(),
    }))?;
    Ok(0)
}

fn error_page(ui: &Ui, e: &ErrorRow) -> String {
    format!(
        "{} ({}) — error\n  says     {}\n  checks   {}\n  source   {}\n\n`coldmend diagnose --error {} TARGET` makes these checks, and tells first what can explain it.\n",
        ui.style.bold(&ErrorCode(e.code).to_string()),
        e.name,
        e.meaning,
        e.checks.join(", "),
        e.source,
        ErrorCode(e.code)
    )
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
