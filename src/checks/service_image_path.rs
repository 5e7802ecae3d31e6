//! `service-image-path`: the program that a service starts, compared as Windows understands it (any spelling of the Windows
//! folder, `-p` or not).

use super::context::{shown, Context};
use crate::error::Result;
use crate::findings::{Defect, Evidence, Finding, Findings, Severity};
use crate::knowledge::ImagePath;
use crate::plan::{HiveName, RegValue};

pub(super) fn run(context: &Context<'_>, findings: &mut Findings) -> Result<()> {
    for service in context.services() {
        let row = &service.expected.row;
        let (Some(expected), Some(text)) = (row.image(), &row.image_path) else { continue };
        findings.made += 1;
        let found = context.value(&service.key, "ImagePath")?;
        let parsed = found
            .as_ref()
            .and_then(RegValue::as_text)
            .and_then(|t| ImagePath::parse(&t, context.system_root.as_deref()));
        if parsed.is_some_and(|p| p.same_program(&expected)) {
            continue;
        }
        findings.push(Finding {
            id: "service-image-path",
            severity: Severity::Problem,
            subject: service.name.clone(),
            title: "the service starts another program, or none".into(),
            evidence: vec![Evidence::new(service.place("ImagePath"), shown(found.as_ref()), format!("\"{text}\""))],
            remedy: Some("services-config"),
            source: service.expected.source("image"),
            defect: Some(Defect::Value {
                hive: HiveName::System,
                key: service.key.clone(),
                name: "ImagePath".into(),
                found,
                expected: Some(RegValue::expand_string(text)),
            }),
        });
    }
    Ok(())
}
