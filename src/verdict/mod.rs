//! The verdict: findings put together into causes, ranked by their evidence, with what `repair` would do about each and what
//! has to be done with Windows' own tools.
//!
//! What belongs together is data (`knowledge/causes.toml`), and so is what each error code can come from
//! (`knowledge/errors.toml`); how strong the evidence is and what is told first is decided in `rank`. Nothing here looks at the
//! volume, except for the times of keys; the findings are taken as the checks made them.

mod advice;
mod code;
mod group;
mod rank;
mod since;

#[cfg(test)]
mod tests;

use serde::{Serialize, Serializer};

use crate::checks::Context;
use crate::findings::{Evidence, Findings, Severity};
use crate::plan::{Change, Plan};

pub use advice::Step;
pub use code::ErrorCode;
pub use rank::Confidence;
pub use since::Since;

/// The most lines of the logs that are quoted for the error that was asked about.
const MAX_LOGGED: usize = 5;

/// What all findings come to.
#[derive(Debug, Serialize)]
pub struct Verdict {
    /// The error that was asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Asked>,
    /// The causes, the most likely first. None: nothing wrong was found.
    pub causes: Vec<Cause>,
    /// Notes that bear on the error that was asked about, by their place in the list of findings.
    pub related_notes: Vec<usize>,
}

/// The error that was asked about.
#[derive(Debug, Serialize)]
pub struct Asked {
    /// The code.
    pub code: ErrorCode,
    /// Microsoft's name for it; `None`: the tables do not know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'static str>,
    /// What it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meaning: Option<&'static str>,
    /// The checks whose findings could explain it, most telling first.
    pub checks: Vec<&'static str>,
    /// The newest lines of Windows' logs with this code.
    pub logged: Vec<Evidence>,
    /// Where the list of checks comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<&'static str>,
}

/// One thing that is wrong, with all that shows it.
#[derive(Debug, Serialize)]
pub struct Cause {
    /// Its id (`causes.toml`).
    pub id: &'static str,
    /// What is wrong, in plain words.
    pub title: String,
    /// That of its worst finding.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// Whether it explains the error that was asked about; `None`: none was, or the tables do not know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explains: Option<bool>,
    /// Since when, as far as that can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
    /// Its findings, by their place in the list of findings.
    pub findings: Vec<usize>,
    /// What `repair` would do about it.
    pub repair: Vec<Mending>,
    /// What has to be done with Windows' own tools.
    pub elsewhere: Vec<Step>,
}

/// What a remedy would change for a cause.
#[derive(Debug, Clone, Serialize)]
pub struct Mending {
    /// The remedy.
    pub remedy: String,
    /// The changes; in JSON only how many, since `repair --dry-run` tells them.
    #[serde(rename = "count", serialize_with = "count")]
    pub changes: Vec<Change>,
}

fn count<S: Serializer>(changes: &[Change], serializer: S) -> Result<S::Ok, S::Error> {
    changes.len().serialize(serializer)
}

impl Verdict {
    /// The findings that are in no cause, and no notes on the error that was asked about: by their place in the list.
    pub fn other_notes(&self, findings: &Findings) -> Vec<usize> {
        (0..findings.findings.len())
            .filter(|at| !is_in(&self.causes, *at) && !self.related_notes.contains(at))
            .collect()
    }
}

/// Whether a finding belongs to one of the causes.
fn is_in(causes: &[Cause], at: usize) -> bool {
    causes.iter().any(|cause| cause.findings.contains(&at))
}

/// Puts the findings together. `plan` is what `repair` would do about them; `drive` the letter of the volume, where it is known;
/// `asked` the error that the user has.
pub fn judge(
    context: &Context<'_>,
    findings: &Findings,
    plan: &Plan,
    drive: Option<char>,
    asked: Option<ErrorCode>,
) -> Verdict {
    let error = asked.map(|code| looked_up(context, code));
    let order: Option<Vec<&str>> = asked.and_then(ErrorCode::row).map(|row| row.checks.iter().map(|c| &**c).collect());
    let mut causes: Vec<Cause> = group::groups(findings)
        .into_iter()
        .map(|group| {
            let of_cause = || group.findings.iter().filter_map(|&at| findings.findings.get(at));
            let rank = rank::Evidenced::new(of_cause(), order.as_deref(), asked);
            Cause {
                id: &group.row.id,
                title: group.title(findings),
                severity: rank.severity,
                confidence: rank.confidence,
                explains: rank.explains,
                since: since::since(context.installation, of_cause()),
                repair: mending(plan, of_cause().filter_map(|f| f.remedy)),
                elsewhere: advice::steps(context, group.row, of_cause(), drive),
                findings: group.findings,
            }
        })
        .collect();
    rank::sort(&mut causes, findings, order.as_deref());
    let related_notes = match &order {
        Some(order) => (0..findings.findings.len())
            .filter(|&at| !is_in(&causes, at) && findings.findings.get(at).is_some_and(|f| order.contains(&f.id)))
            .collect(),
        None => Vec::new(),
    };
    Verdict { error, causes, related_notes }
}

fn looked_up(context: &Context<'_>, code: ErrorCode) -> Asked {
    let row = code.row();
    let mut events: Vec<_> =
        context.logs().events.iter().filter(|event| event.code.is_some_and(|found| code.is(found))).collect();
    events.sort_by_key(|event| std::cmp::Reverse(event.time));
    Asked {
        code,
        name: row.map(|row| &*row.name),
        meaning: row.map(|row| &*row.meaning),
        checks: row.map(|row| row.checks.iter().map(|c| &**c).collect()).unwrap_or_default(),
        logged: events.iter().take(MAX_LOGGED).map(|event| event.quoted()).collect(),
        source: row.map(|row| &*row.source),
    }
}

fn mending<'a>(plan: &Plan, remedies: impl Iterator<Item = &'a str>) -> Vec<Mending> {
    let mut all: Vec<Mending> = Vec::new();
    for remedy in remedies {
        if all.iter().any(|known| known.remedy == remedy) {
            continue;
        }
        let changes: Vec<Change> =
            plan.actions.iter().filter(|a| a.remedy == remedy).map(|a| a.change.clone()).collect();
        if !changes.is_empty() {
            all.push(Mending { remedy: remedy.to_owned(), changes });
        }
    }
    all
}
