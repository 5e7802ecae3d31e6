//! `update-tasks`: the scheduled tasks of updating.
//!
//! What Windows has registered in its task cache must have its file: a suspect where it has none. A file in the place of a folder is a
//! blocker's work: a problem. That the task which starts a search is disabled is a note (blockers do it, and other tasks search too).
//! A folder that is absent is a note only, since which tasks there are varies between builds. Who may use the folders, `file-access` says.

use super::{finding, shown_text, software, software_failure};
use crate::checks::context::Context;
use crate::error::Result;
use crate::findings::{Evidence, Findings, Severity};
use crate::knowledge::policies::TaskFolder;
use crate::knowledge::Knowledge;
use crate::plan::HiveName;
use crate::volume::{Found, Kind, VolPath};

const ID: &str = "update-tasks";
const TREE: &str = "Microsoft\\Windows NT\\CurrentVersion\\Schedule\\TaskCache\\Tree";
const TASKS: &str = "System32\\Tasks";
/// A folder has some ten tasks.
const MOST_TASKS: usize = 200;
const TASK_LIMIT: u64 = 1 << 20;

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    let Some(build) = context.known_build(ID, findings) else { return Ok(()) };
    for row in Knowledge::builtin().policies().task_folders(build) {
        findings.made += 1;
        let path = context.in_windows(TASKS)?.join(&row.folder)?;
        match context.volume.find(&path)? {
            Some(found) if found.kind == Kind::Dir => {
                registered(context, findings, row, Some(&found.path))?;
                disabled(context, findings, row, &found.path)?;
            }
            Some(found) if found.kind == Kind::File => findings.push(blocked(&found, row)),
            Some(found) => {
                findings.could_not(
                    ID,
                    format!("{} is {}, which is not looked into", found.path.display_escaped(), found.kind),
                );
            }
            None => {
                let before = findings.findings.len();
                registered(context, findings, row, None)?;
                if findings.findings.len() == before {
                    let evidence = vec![Evidence::seen(path.display_escaped(), "absent")];
                    let title = "the folder of these scheduled tasks is absent; Windows makes it anew with an update";
                    findings.push(finding(ID, Severity::Note, name(row), title, evidence, row.source.clone()));
                }
            }
        }
    }
    Ok(())
}

fn name(row: &TaskFolder) -> String {
    row.folder.rsplit('\\').next().unwrap_or_default().to_owned()
}

fn blocked(found: &Found, row: &TaskFolder) -> crate::findings::Finding {
    let evidence = vec![Evidence::new(found.path.display_escaped(), "a file", "a folder of scheduled tasks")];
    let title = "a file stands where the scheduled tasks of updating belong";
    finding(ID, Severity::Problem, name(row), title, evidence, row.source.clone())
}

/// The tasks that Windows has registered in this folder, and that have no file.
fn registered(
    context: &Context<'_>,
    findings: &mut Findings,
    row: &TaskFolder,
    folder: Option<&VolPath>,
) -> Result<()> {
    let key = format!("{TREE}\\{}", row.folder);
    let tasks = context.software.subkeys(&key).map_err(|e| software_failure(e, &key))?;
    let mut evidence = Vec::new();
    for task in tasks.iter().take(MOST_TASKS) {
        // A folder in the tree has no id.
        if software(context, &format!("{key}\\{task}"), "Id")?.is_none() {
            continue;
        }
        let there = match folder {
            None => false,
            // A name that can't be one of a file has none.
            Some(folder) => match folder.child(task) {
                Ok(path) => context.volume.find(&path)?.is_some(),
                Err(_) => false,
            },
        };
        if !there {
            let place = format!(
                "{}\\{TASKS}\\{}\\{}",
                context.installation.windows.display_escaped(),
                row.folder,
                shown_text(task)
            );
            let expected = format!("the task that {}\\{key} registers", HiveName::Software);
            evidence.push(Evidence::new(place, "absent", expected));
        }
    }
    if !evidence.is_empty() {
        let title = match evidence.len() {
            1 => "a scheduled task of updating is registered and has no file".to_owned(),
            n => format!("{n} scheduled tasks of updating are registered and have no file"),
        };
        evidence.truncate(12);
        findings.push(finding(ID, Severity::Suspect, name(row), title, evidence, row.source.clone()));
    }
    Ok(())
}

/// The task that starts a search, where it is disabled.
fn disabled(context: &Context<'_>, findings: &mut Findings, row: &TaskFolder, folder: &VolPath) -> Result<()> {
    let Some(task) = &row.starts else { return Ok(()) };
    let Some(found) = context.volume.find(&folder.child(task)?)?.filter(|found| found.kind == Kind::File) else {
        return Ok(());
    };
    if is_disabled(&context.volume.read(&found.path, TASK_LIMIT)?) {
        let evidence = vec![Evidence::new(found.path.display_escaped(), "Settings\\Enabled is false", "true")];
        let title = "the scheduled task that starts a search is disabled";
        findings.push(finding(ID, Severity::Note, name(row), title, evidence, row.source.clone()));
    }
    Ok(())
}

/// Whether a task's file says that it is disabled. A file that is not understood says nothing.
fn is_disabled(bytes: &[u8]) -> bool {
    let text = if let Some(wide) = bytes.strip_prefix(&[0xff, 0xfe]) {
        let units: Vec<u16> = wide.chunks_exact(2).filter_map(|c| c.try_into().ok()).map(u16::from_le_bytes).collect();
        String::from_utf16_lossy(&units)
    } else {
        String::from_utf8_lossy(bytes).into_owned()
    };
    let Ok(document) = roxmltree::Document::parse(text.trim_start_matches('\u{feff}')) else { return false };
    let is = |node: &roxmltree::Node<'_, '_>, name: &str| node.tag_name().name() == name;
    let settings = document.root_element().children().find(|node| is(node, "Settings"));
    settings
        .and_then(|settings| settings.children().find(|node| is(node, "Enabled")))
        .and_then(|enabled| enabled.text())
        .is_some_and(|text| text.trim().eq_ignore_ascii_case("false"))
}

#[cfg(test)]
mod tests {
    use super::is_disabled;

    #[test]
    fn a_disabled_task_is_told() {
        let task = |inside: &str| {
            format!("<?xml version=\"1.0\" encoding=\"UTF-16\"?>\r\n<Task version=\"1.4\" xmlns=\"http://schemas.microsoft.com/windows/2004/02/mit/task\"><Triggers><TimeTrigger><Enabled>false</Enabled></TimeTrigger></Triggers><Settings>{inside}</Settings></Task>")
        };
        let wide =
            |text: &str| [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        let off = task("<Enabled>false</Enabled>");
        let disabled: [Vec<u8>; 2] = [wide(&off), off.into_bytes()];
        for bytes in disabled {
            assert!(is_disabled(&bytes));
        }
        let enabled: [Vec<u8>; 4] =
            [wide(&task("")), wide(&task("<Enabled>true</Enabled>")), b"no task".to_vec(), vec![0xff, 0xfe, 1]];
        for bytes in enabled {
            assert!(!is_disabled(&bytes));
        }
    }
}
