//! Tests of the reader of WaaS files. No captured file was to be had: these are built from the
//! description of the format.
#![allow(clippy::unwrap_used)]

use super::*;

const FILE: &str = r#"<?xml version="1.0" encoding="UTF-16"?>
<assembly xmlns="urn:schemas-microsoft-com:asm.v3" manifestVersion="1.0">
  <memberships><categoryMembership><id name="Microsoft.Windows.Categories.Services"/>
    <categoryInstance subcategory="UsoSvc">
      <serviceData name="UsoSvc" displayName="@%systemroot%\system32\usosvc.dll,-101" start="delayedAuto"
          type="win32ShareProcess" errorControl="normal" imagePath="$(runtime.system32)\svchost.exe -k netsvcs -p"
          objectName="LocalSystem" dependOnService="rpcss" sidType="unrestricted" launchProtected="windowsLight"
          requiredPrivileges="SeAuditPrivilege, SeCreateGlobalPrivilege,SeTcbPrivilege" futureAttribute="x">
        <failureActions resetPeriod="86400"><actions>
          <action type="restartService" delay="120000"/><action type="none" delay="0"/>
        </actions></failureActions>
        <serviceTrigger action="start" type="Custom" subtype="{7A2D1628-0C5E-45FC-9CE7-570E5ECDE9C9}">
          <triggerData type="binary" value="00"/>
        </serviceTrigger>
        <securityDescriptor name="UsoSvcServiceSecurity"/>
        <futureElement/>
      </serviceData>
    </categoryInstance></categoryMembership></memberships>
  <trustInfo><security><accessControl><securityDescriptorDefinitions>
    <securityDescriptorDefinition name="Other" sddl="D:"/>
    <securityDescriptorDefinition name="UsoSvcServiceSecurity" operationHint="replace"
      sddl="D:(A;;CCLCSWRPLORC;;;AU)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;SY)"/>
  </securityDescriptorDefinitions></accessControl></security></trustInfo>
</assembly>"#;

fn utf16(text: &str, big: bool, mark: bool) -> Vec<u8> {
    let mark = mark.then_some(0xFEFF);
    mark.into_iter()
        .chain(text.encode_utf16())
        .flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
        .collect()
}

fn error(text: &str) -> WaasError {
    parse(text.as_bytes()).unwrap_err()
}

#[test]
fn a_file_in_every_encoding() {
    let mut marked = vec![0xEF, 0xBB, 0xBF];
    marked.extend_from_slice(FILE.as_bytes());
    for bytes in [
        utf16(FILE, false, true),
        utf16(FILE, true, true),
        utf16(FILE, false, false),
        utf16(FILE, true, false),
        marked,
        FILE.as_bytes().to_vec(),
    ] {
        let services = parse(&bytes).unwrap();
        let [service] = services.as_slice() else {
            panic!("{services:?}");
        };
        assert_eq!(service.name, "UsoSvc");
        assert_eq!(service.start, Some(StartDefault { start: StartType::Auto, delayed: Some(true) }));
        assert_eq!(service.service_type, Some(0x20));
        assert_eq!(service.error_control, Some(1));
        assert_eq!(service.image_path.as_deref(), Some(r"%SystemRoot%\System32\svchost.exe -k netsvcs -p"));
        assert_eq!(service.object_name.as_deref(), Some("LocalSystem"));
        assert_eq!(service.depend_on_service.as_deref().unwrap(), ["rpcss"]);
        assert_eq!(
            service.required_privileges.as_deref().unwrap(),
            ["SeAuditPrivilege", "SeCreateGlobalPrivilege", "SeTcbPrivilege"]
        );
        assert_eq!(service.sid_type, Some(1));
        assert_eq!(service.launch_protected, Some(2));
        assert_eq!(service.group, None);
        assert_eq!(
            service.triggers,
            [WaasTrigger {
                starts: true,
                trigger_type: "Custom".to_owned(),
                subtype: Some("{7A2D1628-0C5E-45FC-9CE7-570E5ECDE9C9}".to_owned())
            }]
        );
        assert_eq!(
            service.failure_actions,
            Some(WaasFailureActions {
                reset_period: Some(86400),
                actions: vec![("restartService".to_owned(), 120_000), ("none".to_owned(), 0)]
            })
        );
        assert_eq!(
            service.sddl.as_deref(),
            Some("D:(A;;CCLCSWRPLORC;;;AU)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;SY)")
        );
    }
}

#[test]
fn every_start_type() {
    for (word, start, delayed) in [
        ("boot", StartType::Boot, false),
        ("system", StartType::System, false),
        ("auto", StartType::Auto, false),
        ("delayedAuto", StartType::Auto, true),
        ("demand", StartType::Demand, false),
        ("disabled", StartType::Disabled, false),
    ] {
        let file = format!(r#"<serviceData name="x" start="{word}"/>"#);
        assert_eq!(parse(file.as_bytes()).unwrap()[0].start, Some(StartDefault { start, delayed: Some(delayed) }));
    }
    // What a file does not say, it does not say.
    let bare = &parse(br#"<serviceData name="x"/>"#).unwrap()[0];
    assert_eq!(bare.start, None);
    assert_eq!(bare.service_type, None);
    assert_eq!(bare.depend_on_service, None);
    assert_eq!(bare.sddl, None);
    // An empty list is a list.
    let none = &parse(br#"<serviceData name="x" dependOnService=""/>"#).unwrap()[0];
    assert_eq!(none.depend_on_service.as_deref(), Some([].as_slice()));
}

#[test]
fn what_is_not_understood_is_an_error() {
    let value =
        |attribute, found: &str| WaasError::Value { service: "x".to_owned(), attribute, found: found.to_owned() };
    for (body, expected) in [
        (r#"start="sometimes""#, value("start", "sometimes")),
        (r#"type="32""#, value("type", "32")),
        (r#"errorControl="bad""#, value("errorControl", "bad")),
        (r#"sidType="odd""#, value("sidType", "odd")),
        (r#"launchProtected="x""#, value("launchProtected", "x")),
        (r#"imagePath="$(runtime.programs)\x.exe""#, value("imagePath", r"$(runtime.programs)\x.exe")),
    ] {
        assert_eq!(error(&format!(r#"<serviceData name="x" {body}/>"#)), expected);
    }
    for (child, expected) in [
        (r#"<serviceTrigger action="jump" type="y"/>"#, value("serviceTrigger action", "jump")),
        (r#"<serviceTrigger action="start"/>"#, value("serviceTrigger type", "")),
        (r#"<failureActions resetPeriod="-1"/>"#, value("failureActions resetPeriod", "-1")),
        (
            r#"<failureActions><action delay="99999999999"/></failureActions>"#,
            value("failureActions delay", "99999999999"),
        ),
    ] {
        assert_eq!(error(&format!(r#"<serviceData name="x">{child}</serviceData>"#)), expected);
    }
    let sddl = |text: &str| {
        format!(
            r#"<a><serviceData name="x"><securityDescriptor name="d"/></serviceData><securityDescriptorDefinition name="d" sddl="{text}"/></a>"#
        )
    };
    assert!(matches!(
        error(&sddl("D:(A;;CC;;SY)")),
        WaasError::Sddl { service, .. } if service == "x"
    ));
    assert_eq!(parse(sddl("D:(A;;CC;;;SY)").as_bytes()).unwrap()[0].sddl.as_deref(), Some("D:(A;;CC;;;SY)"));
}

#[test]
fn names() {
    for name in ["", " ", r"..\x", "a/b", "a&#10;b"] {
        assert!(matches!(error(&format!(r#"<serviceData name="{name}"/>"#)), WaasError::Name { .. }), "{name}");
    }
    assert_eq!(error("<serviceData/>"), WaasError::Name { found: String::new() });
    assert!(matches!(error(&format!(r#"<serviceData name="{}"/>"#, "x".repeat(257))), WaasError::Name { .. }));
}

#[test]
fn hostile_files() {
    assert_eq!(error(r#"<html/>"#), WaasError::WrongRoot { root: "html".to_owned() });
    assert_eq!(error(r#"<!DOCTYPE a [<!ENTITY b "cc">]><serviceData name="&b;"/>"#), WaasError::DocumentType);
    assert!(matches!(error(""), WaasError::Xml { .. }));
    assert!(matches!(error("<serviceData name='x'>"), WaasError::Xml { .. }));
    assert!(matches!(error("<a></b>"), WaasError::Xml { .. }));
    assert_eq!(parse(&vec![b' '; MAX_BYTES + 1]), Err(WaasError::TooLarge { found: MAX_BYTES + 1 }));
    assert_eq!(error(&"<a>".repeat(100_000)), WaasError::TooComplex);
    assert_eq!(error(&format!("<a>{}</a>", "<b/>".repeat(50_000))), WaasError::TooComplex);
    // Quotes, comments and sections do not hide the depth, nor pretend one.
    assert_eq!(error(&r#"<a b="/>">"#.repeat(60_000)), WaasError::TooComplex);
    let flat = r#"<a><!-- <b><b> ' --><![CDATA[<b><b>">]]><?x <b> "?><b c=">" d='/>'/></a>"#;
    let many = flat.replace("<b c=", &format!("{}<b c=", "<!-- <b> -->".repeat(100)));
    assert_eq!(error(&many), WaasError::WrongRoot { root: "a".to_owned() });
    // Quadratic scanning would show here.
    assert!(parse("<!--".repeat(200_000).as_bytes()).is_err());
    assert!(parse("<a b=".repeat(200_000).as_bytes()).is_err());
    // Cut in the middle of a character, a lone surrogate, bytes that are no UTF-8.
    let mut cut = utf16(FILE, false, true);
    cut.pop();
    assert!(matches!(parse(&cut), Err(WaasError::Encoding { .. })));
    assert_eq!(parse(&[0xFF, 0xFE, b'<', 0, 0x00, 0xD8, b'a', 0]), Err(WaasError::Encoding { offset: 4 }));
    assert_eq!(parse(b"<a\xFF"), Err(WaasError::Encoding { offset: 2 }));
    assert!(parse(&[0; 64]).is_err());
}

/// Every cut and every changed byte of a real-looking file: an error or services, never a panic.
#[test]
fn damaged_files_do_not_panic() {
    let bytes = utf16(FILE, false, true);
    for len in (0..bytes.len()).step_by(7) {
        let _ = parse(&bytes[..len]);
    }
    for at in (0..bytes.len()).step_by(5) {
        for value in [0, b'<', b'>', b'"', b'&', 0xFF] {
            let mut changed = bytes.clone();
            changed[at] = value;
            let _ = parse(&changed);
        }
    }
}

#[test]
fn a_manifest_puts_its_service_into_a_group() {
    let with = |groups: &str| {
        let text = format!(
            r#"<assembly xmlns="urn:schemas-microsoft-com:asm.v3"><memberships><categoryMembership>{groups}</categoryMembership>
               <categoryMembership><categoryInstance subcategory="BITS"><serviceData name="BITS"/></categoryInstance></categoryMembership>
               </memberships></assembly>"#
        );
        parse(text.as_bytes()).unwrap()[0].svchost_group.clone()
    };
    let netsvcs = r#"<categoryInstance subcategory="netsvcs"><serviceGroup position="last" serviceName="bits"/></categoryInstance>"#;
    assert_eq!(with(netsvcs).as_deref(), Some("netsvcs"));
    assert_eq!(with(""), None);
    assert_eq!(with(&netsvcs.replace("bits", "wuauserv")), None);
    assert_eq!(with(&format!("{netsvcs}{}", netsvcs.replace("netsvcs", "other"))), None);
    assert_eq!(with(r#"<serviceGroup serviceName="BITS"/>"#), None);
}
