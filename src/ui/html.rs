//! A report as one self-contained HTML page (`--report FILE.html`): for whoever keeps the machine's papers. No script, nothing loaded
//! from anywhere, every text of the volume escaped.

use std::fmt::Write as _;

use crate::evidence::WindowsVersion;
use crate::findings::{Evidence, Finding, Severity};
use crate::plan::Plan;
use crate::verdict::{Cause, Step};

use super::diagnosis::{conclusion, Diagnosis};
use super::text::{describe, headline, Style};

const STYLE: &str = "body{font:16px/1.45 system-ui,sans-serif;max-width:60em;margin:2em auto;padding:0 1em;color:#1b1b1b;background:#fff}\
code,pre{font:14px/1.4 ui-monospace,Consolas,monospace;overflow-wrap:anywhere;white-space:pre-wrap}\
pre{background:#f2f2f2;padding:.6em;margin:.4em 0}\
section{border:1px solid #ccc;border-radius:6px;padding:.2em 1em;margin:1em 0}\
table{border-collapse:collapse;width:100%}td,th{border:1px solid #ddd;padding:.3em .5em;text-align:left;vertical-align:top}\
.problem{color:#a40000}.suspect{color:#8a5a00}.note{color:#00566b}.small{color:#555;font-size:14px}";

/// What a report is about, and when it was made.
pub struct About<'a> {
    /// What the user named.
    pub target: &'a str,
    /// The installation.
    pub version: &'a WindowsVersion,
    /// This machine's time, for people.
    pub made: &'a str,
}

/// A diagnosis as a page.
pub fn diagnosis_page(about: &About<'_>, diagnosis: &Diagnosis<'_>) -> String {
    let Diagnosis { findings, verdict, next, .. } = diagnosis;
    let mut body = String::new();
    let plain = Style { colored: false };
    let _ =
        write!(body, "<p><strong>{}.</strong> {}</p>", escaped(&conclusion(plain, findings, verdict)), escaped(next));
    if let Some(asked) = &verdict.error {
        let meaning = asked.meaning.unwrap_or("not in the tables");
        let _ =
            write!(body, "<h2>{}</h2><p>{} — {}</p>", asked.code, escaped(asked.name.unwrap_or("")), escaped(meaning));
        evidence_table(&mut body, &asked.logged);
    }
    let at = |place: &usize| findings.findings.get(*place);
    for (number, cause) in verdict.causes.iter().enumerate() {
        let _ = write!(body, "<section><h2>{}. {}</h2>", number + 1, escaped(&cause.title));
        facts(&mut body, cause);
        cause.findings.iter().filter_map(at).for_each(|f| finding(&mut body, f));
        cure(&mut body, cause);
        body.push_str("</section>");
    }
    for (heading, notes) in
        [("Worth a look for this error", &verdict.related_notes), ("Worth knowing", &verdict.other_notes(findings))]
    {
        if !notes.is_empty() {
            let _ = write!(body, "<section><h2>{heading}</h2>");
            notes.iter().filter_map(at).for_each(|f| finding(&mut body, f));
            body.push_str("</section>");
        }
    }
    if !findings.could_not_check.is_empty() {
        body.push_str("<section><h2>Could not check</h2><table><tr><th>check</th><th>why</th></tr>");
        for item in &findings.could_not_check {
            let _ = write!(body, "<tr><td><code>{}</code></td><td>{}</td></tr>", escaped(&item.id), escaped(&item.why));
        }
        body.push_str("</table></section>");
    }
    if !findings.not_applicable.is_empty() {
        let _ = write!(
            body,
            "<p class=\"small\">Not applicable here: {}.</p>",
            escaped(&findings.not_applicable.join(", "))
        );
    }
    page("Diagnosis", about, &body)
}

/// A repair as a page: `state` is what became of it, in words.
pub fn repair_page(about: &About<'_>, plan: &Plan, state: &str) -> String {
    let mut body = format!("<p><strong>{}</strong></p>", escaped(state));
    if !plan.actions.is_empty() {
        body.push_str("<table><tr><th>remedy</th><th>change</th></tr>");
        for action in &plan.actions {
            let (remedy, change) = (escaped(&action.remedy), escaped(&describe(&action.change)));
            let _ = write!(body, "<tr><td>{remedy}</td><td><code>{change}</code></td></tr>");
        }
        body.push_str("</table>");
    }
    for warning in &plan.warnings {
        let _ = write!(body, "<p class=\"suspect\">{}</p>", escaped(warning));
    }
    page("Repair", about, &body)
}

fn page(what: &str, about: &About<'_>, body: &str) -> String {
    let About { target, version, made } = about;
    let windows = escaped(&headline(version));
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{what}: {windows}</title><style>{STYLE}</style></head>\n<body><h1>{what}</h1>\n<p>{windows}<br>\
         <span class=\"small\">{} · {} · coldmend {}</span></p>\n{body}\n</body></html>\n",
        escaped(target),
        escaped(made),
        env!("CARGO_PKG_VERSION")
    )
}

fn facts(body: &mut String, cause: &Cause) {
    let mut facts =
        vec![format!("<span class=\"{0}\">{0}</span>", word(cause.severity)), cause.confidence.as_str().to_owned()];
    match cause.explains {
        Some(true) => facts.push("explains the error".into()),
        Some(false) => facts.push("does not explain the error".into()),
        None => {}
    }
    if let Some(since) = &cause.since {
        facts.push(escaped(&format!("{} ({})", since.time, since.what)));
    }
    let _ = write!(body, "<p>{}</p>", facts.join(" · "));
}

fn finding(body: &mut String, finding: &Finding) {
    let _ = write!(
        body,
        "<h3><span class=\"{0}\">{0}</span> {1} — {2}</h3>",
        word(finding.severity),
        escaped(&finding.subject),
        escaped(&finding.title)
    );
    evidence_table(body, &finding.evidence);
    let remedy = finding.remedy.map(|remedy| format!(" · remedy <code>{remedy}</code>")).unwrap_or_default();
    let _ = write!(
        body,
        "<p class=\"small\">check <code>{}</code> · source: {}{remedy}</p>",
        finding.id,
        escaped(&finding.source)
    );
}

fn evidence_table(body: &mut String, evidence: &[Evidence]) {
    if evidence.is_empty() {
        return;
    }
    body.push_str("<table><tr><th>where</th><th>found</th><th>expected</th></tr>");
    for Evidence { place, found, expected } in evidence {
        let expected = expected.as_deref().unwrap_or("");
        let _ = write!(
            body,
            "<tr><td><code>{}</code></td><td>{}</td><td>{}</td></tr>",
            escaped(place),
            escaped(found),
            escaped(expected)
        );
    }
    body.push_str("</table>");
}

fn cure(body: &mut String, cause: &Cause) {
    for mending in &cause.repair {
        let _ = write!(body, "<p><code>repair</code> would (<code>{}</code>):</p><pre>", escaped(&mending.remedy));
        for change in &mending.changes {
            let _ = writeln!(body, "{}", escaped(&describe(change)));
        }
        body.push_str("</pre>");
    }
    for Step { what, command, place, needs, source } in &cause.elsewhere {
        let _ = write!(body, "<p>Elsewhere, to {}:</p><pre>{}</pre>", escaped(what), escaped(command));
        let needs = needs.as_deref().map(|needs| format!(" · needs {}", escaped(needs))).unwrap_or_default();
        let _ = write!(body, "<p class=\"small\">in {}{needs} · source: {}</p>", escaped(place), escaped(source));
    }
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Problem => "problem",
        Severity::Suspect => "suspect",
        Severity::Note => "note",
    }
}

/// Text for HTML, also between quotes. What would turn text around or is invisible is shown by its number.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' => out.push('\n'),
            c if super::is_hostile(c) => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn nothing_of_the_volume_becomes_markup() {
        assert_eq!(escaped("<script>'&\"\u{202e}x\u{1b}"), "&lt;script&gt;&#39;&amp;&quot;\\u{202e}x\\u{1b}");
    }
}
