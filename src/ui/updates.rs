//! The list of updates as text: what is pending first, then by date, newest last.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::evidence::WindowsVersion;
use crate::updates::{Update, Updates};
use crate::volume::escape::escape_text;

use super::text::{headline, Style};

/// The list; `everything` is how many packages there are with those that are not shown.
pub fn render_updates(style: Style, version: &WindowsVersion, found: &Updates, everything: usize) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}\n", style.bold(&headline(version)));
    let mut rows: Vec<&Update> = found.updates.iter().collect();
    rows.sort_by_key(|u| (!u.state.is_pending(), u.installed.clone()));
    for update in &rows {
        let kb = update.kb.as_deref().unwrap_or("-");
        let date = update.installed.as_deref().map_or("-", |d| d.split_once('T').map_or(d, |(day, _)| day));
        let what = update.description.as_deref().unwrap_or(&update.identity);
        let _ = writeln!(
            out,
            "{:<10} {:<19} {:<11} {}",
            escape_text(kb.as_ref()),
            update.state.name(),
            escape_text(date.as_ref()),
            escape_text(what.as_ref())
        );
    }
    if !rows.is_empty() {
        out.push('\n');
    }
    for line in &found.unreadable {
        let _ = writeln!(out, "could not read {}", escape_text(line.as_ref()));
    }
    let mut states: BTreeMap<String, usize> = BTreeMap::new();
    for update in &rows {
        let count = states.entry(update.state.name()).or_default();
        *count = count.saturating_add(1);
    }
    let states: Vec<String> = states.iter().map(|(name, count)| format!("{count} {name}")).collect();
    let hidden = everything.saturating_sub(rows.len());
    let _ = write!(out, "{}", if states.is_empty() { "No updates".to_owned() } else { states.join(", ") });
    let _ = match hidden {
        0 => writeln!(out, "."),
        n => writeln!(out, "; --all shows {n} more packages."),
    };
    out
}
