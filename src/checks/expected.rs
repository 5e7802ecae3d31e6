//! What is expected of a service on this installation: its own XML (`Windows\WaaS\services`, component manifests) first, the table second.

use crate::knowledge::waas::WaasService;
use crate::knowledge::{ImagePath, ServiceRow, StartType};

/// The expectation, field by field. An absent field is not checked.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The table's row for this build.
    pub row: ServiceRow,
    /// Fields for which the installation's own XML speaks, lower-case.
    from_xml: Vec<&'static str>,
    /// Where the XML lies.
    xml_place: Option<String>,
    /// The svchost group that the XML puts the service into.
    group: Option<String>,
}

impl Expected {
    /// The table's expectation with the XML's put over it.
    pub fn new(row: &ServiceRow, xml: Option<(&WaasService, &str)>) -> Self {
        let mut expected = Expected { row: row.clone(), from_xml: Vec::new(), xml_place: None, group: None };
        if let Some((service, place)) = xml {
            expected.xml_place = Some(place.to_string());
            expected.overlay(service);
        }
        expected
    }

    fn overlay(&mut self, xml: &WaasService) {
        let row = &mut self.row;
        // "disabled" in the installation's own definition would be somebody's work, not Windows': not believed.
        if let Some(start) = xml.start.filter(|s| s.start != StartType::Disabled) {
            row.start = Some(start);
            if !row.healthy_starts.contains(&start.start) {
                row.healthy_starts.push(start.start);
            }
            self.from_xml.push("start");
        }
        if let Some(kind) = xml.service_type {
            row.service_type = Some(kind);
            let healthy = row.healthy_types.get_or_insert_with(Vec::new);
            if !healthy.contains(&kind) {
                healthy.push(kind);
            }
            self.from_xml.push("type");
        }
        if let Some(path) = &xml.image_path {
            // Manifests may hold placeholders; only what Windows would write as it stands is an expectation.
            if !path.contains("$(") && ImagePath::parse(path, None).is_some() {
                row.image_path = Some(path.clone());
                self.from_xml.push("image");
            }
        }
        if let Some(group) = &xml.svchost_group {
            // One that contradicts the image path is not understood.
            if row.svchost_group().is_none_or(|of_image| of_image == *group) {
                self.group = Some(group.clone());
                self.from_xml.push("group");
            }
        }
        if let Some(account) = &xml.object_name {
            let accounts = row.accounts.get_or_insert_with(Vec::new);
            accounts.retain(|a| !a.eq_ignore_ascii_case(account));
            accounts.insert(0, account.clone());
            self.from_xml.push("account");
        }
        if let Some(names) = &xml.depend_on_service {
            row.depends_on = Some(names.clone());
            row.depends_default = Some(names.clone());
            self.from_xml.push("dependencies");
        }
        if let Some(names) = &xml.required_privileges {
            row.privileges = Some(names.clone());
            row.privileges_default = Some(names.clone());
            self.from_xml.push("privileges");
        }
        if let Some(sddl) = &xml.sddl {
            if let Ok(own) = crate::security::Descriptor::from_sddl(sddl) {
                // The XML may name only the DACL; a descriptor without owner and group is none that Windows takes.
                let whole = row.default_descriptor().map_or_else(|| own.clone(), |table| own.completed_from(&table));
                if whole.owner().is_some() && whole.group().is_some() {
                    row.descriptors = Some(vec![whole.to_sddl()]);
                    self.from_xml.push("descriptor");
                }
            }
        }
    }

    /// The svchost group that must name the service.
    pub fn svchost_group(&self) -> Option<String> {
        self.group.clone().or_else(|| self.row.svchost_group())
    }

    /// Where the expectation for a field comes from.
    pub fn source(&self, field: &str) -> String {
        match &self.xml_place {
            Some(place) if self.from_xml.contains(&field) => format!("this installation's own {place}"),
            _ => self.row.source.clone(),
        }
    }
}
