//! The installation's own truth: `Windows\WaaS\services\*.xml`, 10 1809 and later, and the component
//! manifests of Vista and 7 (plain XML there, compressed since 8).
//!
//! Windows keeps in the former, for the services that its repair task (`upfc.exe`) restores, the same
//! `serviceData` element that stands in component manifests. It belongs to exactly this
//! installation, so it comes before every table.
//!
//! Where the format comes from: public descriptions of component manifests (`urn:schemas-microsoft-com:asm.v3`)
//! and of these files. No captured file was to be had, so unknown elements and attributes are
//! ignored, and a value that is not understood is an error: the caller then says that it could not
//! check, instead of acting on half a truth.
//!
//! The bytes come from a disk that nobody vouches for: at most [`MAX_BYTES`] and [`MAX_NODES`], no
//! document type declaration (and so no entities), names that cannot leave their key.

use roxmltree::{Document, Node, ParsingOptions};
use thiserror::Error;

use super::service::{StartDefault, StartType};
use crate::security::Descriptor;

/// The largest file that is read, in bytes. Real ones have a few KiB.
pub const MAX_BYTES: usize = 1 << 20;

/// The most XML nodes (elements, texts, comments) in a file.
pub const MAX_NODES: u32 = 20_000;

/// The deepest nesting of elements. A real file needs seven.
const MAX_DEPTH: usize = 64;

/// The longest service name that Windows allows, in characters.
const MAX_NAME: usize = 256;

/// Why a file says nothing that can be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WaasError {
    /// Larger than [`MAX_BYTES`].
    #[error("{found} bytes, at most {MAX_BYTES} expected")]
    TooLarge {
        /// Its size in bytes.
        found: usize,
    },
    /// Neither UTF-16 nor UTF-8.
    #[error("neither UTF-16 nor UTF-8: fault at byte {offset}")]
    Encoding {
        /// Where the first fault is, in bytes.
        offset: usize,
    },
    /// A document type declaration, which such a file never has.
    #[error("a document type declaration")]
    DocumentType,
    /// Nested deeper, or more nodes, than such a file ever has.
    #[error("more than {MAX_NODES} nodes, or nested deeper than {MAX_DEPTH}")]
    TooComplex,
    /// Not well-formed XML.
    #[error("not well-formed: {message}")]
    Xml {
        /// What the parser says, with line and column.
        message: String,
    },
    /// XML, but without any `serviceData`.
    #[error("root element `{root}` without serviceData")]
    WrongRoot {
        /// The name of the root element.
        root: String,
    },
    /// A `serviceData` without a name, or with one that is no service's name.
    #[error("service name `{found}`")]
    Name {
        /// What stands there, empty if nothing.
        found: String,
    },
    /// An attribute has a value that is not understood.
    #[error("{service}: {attribute} is `{found}`")]
    Value {
        /// The service.
        service: String,
        /// The attribute.
        attribute: &'static str,
        /// Its value.
        found: String,
    },
    /// The security descriptor is no SDDL.
    #[error("{service}: security descriptor: {message}")]
    Sddl {
        /// The service.
        service: String,
        /// What is wrong with it.
        message: String,
    },
}

/// A `serviceTrigger`, in its own words: which words Windows uses for types is not documented, so
/// they are not interpreted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaasTrigger {
    /// Whether it starts the service (it stops it otherwise).
    pub starts: bool,
    /// `type`.
    pub trigger_type: String,
    /// `subtype`, mostly a GUID.
    pub subtype: Option<String>,
}

/// `failureActions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaasFailureActions {
    /// `resetPeriod`, in seconds.
    pub reset_period: Option<u32>,
    /// Type and delay in milliseconds of each action.
    pub actions: Vec<(String, u32)>,
}

/// What the installation says of one service. `None`: it says nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaasService {
    /// The service's name.
    pub name: String,
    /// `start`, with the delay; without it when it says `auto`, that is `Some(false)`.
    pub start: Option<StartDefault>,
    /// `type`, as `Type` in the registry.
    pub service_type: Option<u32>,
    /// `errorControl`, as `ErrorControl` in the registry.
    pub error_control: Option<u32>,
    /// `imagePath`, with `$(runtime.…)` replaced by what REG_EXPAND_SZ understands.
    pub image_path: Option<String>,
    /// `objectName`.
    pub object_name: Option<String>,
    /// `dependOnService`.
    pub depend_on_service: Option<Vec<String>>,
    /// `requiredPrivileges`.
    pub required_privileges: Option<Vec<String>>,
    /// `sidType`, as `ServiceSidType` in the registry.
    pub sid_type: Option<u32>,
    /// `launchProtected`, as `LaunchProtected` in the registry.
    pub launch_protected: Option<u32>,
    /// `displayName`.
    pub display_name: Option<String>,
    /// `description`.
    pub description: Option<String>,
    /// `group`.
    pub group: Option<String>,
    /// `serviceTrigger` elements.
    pub triggers: Vec<WaasTrigger>,
    /// `failureActions`.
    pub failure_actions: Option<WaasFailureActions>,
    /// The SDDL that its `securityDescriptor` refers to, checked.
    pub sddl: Option<String>,
    /// The one svchost group that the file puts it into (`serviceGroup` under the group's `categoryInstance`).
    pub svchost_group: Option<String>,
}

/// Reads a file.
///
/// # Errors
/// [`WaasError`] when it is not such a file, or says anything that is not understood.
pub fn parse(bytes: &[u8]) -> Result<Vec<WaasService>, WaasError> {
    if bytes.len() > MAX_BYTES {
        return Err(WaasError::TooLarge { found: bytes.len() });
    }
    let text = decode(bytes)?;
    check_depth(&text)?;
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MAX_NODES };
    let document = Document::parse_with_options(&text, options).map_err(|e| match e {
        roxmltree::Error::DtdDetected => WaasError::DocumentType,
        roxmltree::Error::NodesLimitReached => WaasError::TooComplex,
        e => WaasError::Xml { message: e.to_string() },
    })?;
    let services = document
        .descendants()
        .filter(|node| is(*node, "serviceData"))
        .map(|node| service(&document, node))
        .collect::<Result<Vec<_>, _>>()?;
    if services.is_empty() {
        return Err(WaasError::WrongRoot { root: document.root_element().tag_name().name().to_owned() });
    }
    Ok(services)
}

/// The text, told by its byte order mark or by where the zeros of `<` are.
fn decode(bytes: &[u8]) -> Result<String, WaasError> {
    let wide = |bytes: &[u8], skip: usize, unit: fn([u8; 2]) -> u16| {
        let rest = bytes.get(skip..).unwrap_or_default();
        if rest.len() % 2 != 0 {
            return Err(WaasError::Encoding { offset: bytes.len() });
        }
        let units = rest.chunks_exact(2).map(|c| unit([c[0], c[1]]));
        let mut text = String::with_capacity(rest.len() / 2);
        for decoded in char::decode_utf16(units) {
            text.push(decoded.map_err(|_| WaasError::Encoding { offset: skip + 2 * text.encode_utf16().count() })?);
        }
        Ok(text)
    };
    match bytes {
        [0xFF, 0xFE, ..] => wide(bytes, 2, u16::from_le_bytes),
        [0xFE, 0xFF, ..] => wide(bytes, 2, u16::from_be_bytes),
        [b'<', 0, ..] => wide(bytes, 0, u16::from_le_bytes),
        [0, b'<', ..] => wide(bytes, 0, u16::from_be_bytes),
        _ => {
            let skip = if bytes.starts_with(&[0xEF, 0xBB, 0xBF]) { 3 } else { 0 };
            let rest = bytes.get(skip..).unwrap_or_default();
            std::str::from_utf8(rest)
                .map(str::to_owned)
                .map_err(|e| WaasError::Encoding { offset: skip + e.valid_up_to() })
        }
    }
}

/// The XML parser recurses, so deep nesting is refused before it sees the text. This follows the
/// markup only as far as it must to know which `<` opens an element and whether it closes at once;
/// on text that is not well-formed it may stop early, and the parser says so.
fn check_depth(text: &str) -> Result<(), WaasError> {
    let mut depth: usize = 0;
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let skip_to = [("!--", "-->"), ("![CDATA[", "]]>"), ("?", "?>")]
            .iter()
            .find(|(begin, _)| rest.starts_with(begin))
            .map(|(_, end)| *end);
        if let Some(end) = skip_to {
            match rest.find(end) {
                Some(at) => rest = &rest[at + end.len()..],
                None => return Ok(()),
            }
            continue;
        }
        // The `>` that ends the tag is the first one outside quotes.
        let mut quote = None;
        let end = rest.char_indices().find(|&(_, c)| match quote {
            Some(open) => {
                if c == open {
                    quote = None;
                }
                false
            }
            None => {
                if c == '"' || c == '\'' {
                    quote = Some(c);
                }
                c == '>'
            }
        });
        let Some((end, _)) = end else { return Ok(()) };
        let tag = &rest[..end];
        rest = &rest[end..];
        if tag.starts_with('/') {
            depth = depth.saturating_sub(1);
        } else if !tag.ends_with('/') {
            depth += 1;
            if depth > MAX_DEPTH {
                return Err(WaasError::TooComplex);
            }
        }
    }
    Ok(())
}

fn is(node: Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name
}

fn service(document: &Document<'_>, node: Node<'_, '_>) -> Result<WaasService, WaasError> {
    let name = node.attribute("name").unwrap_or_default().trim().to_owned();
    let is_name = !name.is_empty()
        && name.chars().count() <= MAX_NAME
        && !name.contains(['\\', '/'])
        && !name.chars().any(char::is_control);
    if !is_name {
        return Err(WaasError::Name { found: name });
    }
    let value = |attribute: &'static str, found: &str| WaasError::Value {
        service: name.clone(),
        attribute,
        found: found.to_owned(),
    };
    let word = |attribute: &'static str, words: &[(&str, u32)]| -> Result<Option<u32>, WaasError> {
        let Some(found) = node.attribute(attribute) else {
            return Ok(None);
        };
        words
            .iter()
            .find(|(word, _)| word.eq_ignore_ascii_case(found.trim()))
            .map(|(_, number)| Some(*number))
            .ok_or_else(|| value(attribute, found))
    };
    let text =
        |attribute: &str| node.attribute(attribute).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let list = |attribute: &str| {
        node.attribute(attribute).map(|text| {
            text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect::<Vec<_>>()
        })
    };

    let start = match node.attribute("start") {
        None => None,
        Some(found) => {
            let (start, delayed) = match found.trim().to_ascii_lowercase().as_str() {
                "boot" => (StartType::Boot, false),
                "system" => (StartType::System, false),
                "auto" => (StartType::Auto, false),
                "delayedauto" => (StartType::Auto, true),
                "demand" => (StartType::Demand, false),
                "disabled" => (StartType::Disabled, false),
                _ => return Err(value("start", found)),
            };
            Some(StartDefault { start, delayed: Some(delayed) })
        }
    };
    let image_path = match text("imagePath") {
        None => None,
        Some(path) => Some(expand(&path).ok_or_else(|| value("imagePath", &path))?),
    };

    let mut triggers = Vec::new();
    let mut failure_actions = None;
    let mut descriptor_name = None;
    for child in node.children().filter(Node::is_element) {
        match child.tag_name().name() {
            "serviceTrigger" => triggers.push(trigger(child, &value)?),
            "failureActions" => failure_actions = Some(actions(child, &value)?),
            "securityDescriptor" => {
                descriptor_name = child.attribute("name").map(str::to_owned);
            }
            _ => {}
        }
    }
    let sddl = match descriptor_name {
        None => None,
        Some(wanted) => document
            .descendants()
            .filter(|node| is(*node, "securityDescriptorDefinition"))
            .find(|node| node.attribute("name") == Some(wanted.as_str()))
            .and_then(|node| node.attribute("sddl"))
            .map(|sddl| sddl.trim().to_owned()),
    };
    if let Some(sddl) = &sddl {
        Descriptor::from_sddl(sddl).map_err(|e| WaasError::Sddl { service: name.clone(), message: e.to_string() })?;
    }

    Ok(WaasService {
        start,
        service_type: word(
            "type",
            &[
                ("kernelDriver", 0x1),
                ("fileSystemDriver", 0x2),
                ("win32OwnProcess", 0x10),
                ("win32ShareProcess", 0x20),
                ("win32UserOwnProcess", 0x50),
                ("win32UserShareProcess", 0x60),
            ],
        )?,
        error_control: word("errorControl", &[("ignore", 0), ("normal", 1), ("severe", 2), ("critical", 3)])?,
        image_path,
        object_name: text("objectName"),
        depend_on_service: list("dependOnService"),
        required_privileges: list("requiredPrivileges"),
        sid_type: word("sidType", &[("none", 0), ("unrestricted", 1), ("restricted", 3)])?,
        launch_protected: word(
            "launchProtected",
            &[("none", 0), ("windows", 1), ("windowsLight", 2), ("antimalwareLight", 3)],
        )?,
        display_name: text("displayName"),
        description: text("description"),
        group: text("group"),
        triggers,
        failure_actions,
        sddl,
        svchost_group: svchost_group(document, &name),
        name,
    })
}

/// The group that the service is put into; `None` when it is none, or more than one.
fn svchost_group(document: &Document<'_>, service: &str) -> Option<String> {
    let names = |node: &Node<'_, '_>| {
        is(*node, "serviceGroup")
            && node.attribute("serviceName").is_some_and(|name| name.trim().eq_ignore_ascii_case(service))
    };
    let mut groups: Vec<String> = document
        .descendants()
        .filter(names)
        .filter_map(|node| node.parent_element())
        .filter(|parent| is(*parent, "categoryInstance"))
        .filter_map(|parent| parent.attribute("subcategory"))
        .map(|group| group.trim().to_lowercase())
        .filter(|group| !group.is_empty())
        .collect();
    groups.sort();
    groups.dedup();
    if groups.len() > 1 {
        return None;
    }
    groups.pop()
}

fn trigger(node: Node<'_, '_>, value: &dyn Fn(&'static str, &str) -> WaasError) -> Result<WaasTrigger, WaasError> {
    let action = node.attribute("action").unwrap_or_default().trim();
    let starts = match action.to_ascii_lowercase().as_str() {
        "start" => true,
        "stop" => false,
        _ => return Err(value("serviceTrigger action", action)),
    };
    let trigger_type = node.attribute("type").ok_or_else(|| value("serviceTrigger type", ""))?;
    Ok(WaasTrigger {
        starts,
        trigger_type: trigger_type.to_owned(),
        subtype: node.attribute("subtype").map(str::to_owned),
    })
}

fn actions(
    node: Node<'_, '_>,
    value: &dyn Fn(&'static str, &str) -> WaasError,
) -> Result<WaasFailureActions, WaasError> {
    let number = |attribute: &'static str, text: &str| text.trim().parse::<u32>().map_err(|_| value(attribute, text));
    let reset_period =
        node.attribute("resetPeriod").map(|text| number("failureActions resetPeriod", text)).transpose()?;
    let actions = node
        .descendants()
        .filter(|node| is(*node, "action"))
        .map(|action| {
            let delay = action.attribute("delay").unwrap_or("0");
            Ok((action.attribute("type").unwrap_or_default().to_owned(), number("failureActions delay", delay)?))
        })
        .collect::<Result<Vec<_>, WaasError>>()?;
    Ok(WaasFailureActions { reset_period, actions })
}

/// Replaces the manifest's variables; `None` when there is one that is not known.
fn expand(path: &str) -> Option<String> {
    let mut out = path.to_owned();
    for (variable, folder) in [
        ("$(runtime.system32)", r"%SystemRoot%\System32"),
        ("$(runtime.drivers)", r"%SystemRoot%\System32\drivers"),
        ("$(runtime.windows)", "%SystemRoot%"),
    ] {
        while let Some(at) = out.to_ascii_lowercase().find(variable) {
            out.replace_range(at..at + variable.len(), folder);
        }
    }
    (!out.contains("$(")).then_some(out)
}

#[cfg(test)]
#[path = "waas_tests.rs"]
mod tests;
