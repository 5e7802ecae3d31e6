//! Faults of servicing: pending operations, the servicing stack, the component store, packages.

use std::fs;
use std::path::Path;

use coldmend_fixtures::Version::{self, *};

use crate::common::find;
use crate::common::inject::{self, CBS};
use crate::table::{row, Row, Tool, ALL, SINCE_10, SINCE_VISTA};

const IDENTIFIER: &str = "916ae75edb30da0146730000dc1be027";
const PENDING: &str = "Windows/WinSxS/pending.xml";
const LINK: &str = "<HardlinkFile source=\"\\SystemRoot\\WinSxS\\a\\x.dll\" destination=\"\\??\\C:\\Windows\\x.dll\"/>";
const PACKAGE: &str = "Package_for_KB5000001~31bf3856ad364e35~amd64~~10.0.1.1";

fn pending_xml(operations: &str) -> String {
    format!("<?xml version='1.0' encoding='utf-8'?><PendingTransaction Version=\"3.1\" Identifier=\"{IDENTIFIER}\"><Transactions></Transactions><POQ postAction=\"reboot\">{operations}</POQ><POQ></POQ><InstallerQueue Length=\"0x00000000\"></InstallerQueue></PendingTransaction>")
}

/// `PendingXmlIdentifier` in COMPONENTS, in a .reg text.
fn identifier() -> String {
    format!("[\\]\n\"PendingXmlIdentifier\"={}\n", inject::hex(3, IDENTIFIER))
}

fn trusted_installer(start: u32) -> String {
    inject::service_values("TrustedInstaller", &format!("\"Start\"=dword:{start:08x}"))
}

/// All parts of an operation that waits but for `pending.xml`: the identifier, the command, and TrustedInstaller at automatic.
fn waits(row: Row) -> Row {
    row.make(Tool::Hivexregedit, |root, version| {
        inject::merge(root, "COMPONENTS", &identifier());
        command(root, version);
        inject::merge(root, "SYSTEM", &trusted_installer(2));
    })
}

/// The command that runs `pending.xml`, where the version has it.
fn command(root: &Path, version: Version) {
    let command = inject::text_value(
        7,
        "%SystemRoot%\\System32\\poqexec.exe /display_progress \\SystemRoot\\WinSxS\\pending.xml",
    );
    if version.build() >= 10240 {
        let key = "Microsoft\\Windows\\CurrentVersion\\SideBySide\\Configuration";
        inject::merge(root, "SOFTWARE", &format!("[\\{key}]\n\"PoqexecCmdline\"={command}\n"));
    } else {
        let key = "ControlSet001\\Control\\Session Manager";
        inject::merge(root, "SYSTEM", &format!("[\\{key}]\n\"SetupExecute\"={command}\n"));
    }
}

pub fn rows() -> Vec<Row> {
    let mut rows = pending();
    rows.extend(flags());
    rows.extend(store());
    rows.extend(packages());
    rows.extend(states());
    rows.extend(session_manager());
    rows
}

/// Packages and driver operations that servicing trips over.
fn states() -> Vec<Row> {
    const NAME: &str = "Package_for_KB5034203~31bf3856ad364e35~amd64~~19041.3930.1.0";
    let state = |what: &str, value: &str| {
        let mut row = row("package-state", what)
            .on(SINCE_VISTA)
            .reg("SOFTWARE", format!("[\\{CBS}\\Packages\\{NAME}]\n\"CurrentState\"={value}\n"));
        for path in [
            "Windows/servicing/Packages/Package_for_KB5034203~31bf3856ad364e35~amd64~~19041.3930.1.0.mum",
            "Windows/servicing/Packages/Package_for_KB5034203~31bf3856ad364e35~amd64~~19041.3930.1.0.cat",
        ] {
            row = row.file(path, "x");
        }
        row.suspect(NAME)
    };
    let operations = |what: &str, values: &str| {
        let whole = "\"Identity\"=\"a.inf\"\n\"Inf\"=\"a.inf\"\n\"Arch\"=dword:00000009\n";
        let key = format!("{CBS}\\DriverOperations\\1");
        row("driver-operations", what)
            .on(SINCE_VISTA)
            .reg("SOFTWARE", format!("[\\{key}]\n\n[\\{key}\\1714]\n{whole}\n[\\{key}\\1715]\n{values}\n"))
            .suspect("DriverOperations\\1")
    };
    vec![
        state("an installation waits, and nothing else does", "dword:00000060").says("/Remove-Package"),
        state("a state is a text", "\"112\"").says("0x8007000D"),
        operations("an operation has no Identity", "\"Inf\"=\"a.inf\"\n\"Arch\"=dword:00000009\n")
            .says("1715\\Identity"),
        operations("an operation has no Arch", "\"Identity\"=\"a\"\n\"Inf\"=\"a.inf\"\n").says("1715\\Arch"),
    ]
}

/// What the Session Manager does at the next start.
fn session_manager() -> Vec<Row> {
    const KEY: &str = "[\\ControlSet001\\Control\\Session Manager]";
    let manager = |what: &str, name: &str, list: &[&str]| {
        row("session-manager", what).reg("SYSTEM", format!("{KEY}\n\"{name}\"={}\n", inject::list_value(list)))
    };
    let renames = |what: &str, list: &[&str]| manager(what, "PendingFileRenameOperations", list);
    vec![
        renames("a file of the update stack is to be deleted", &["\\??\\C:\\Windows\\System32\\wuaueng.dll", ""])
            .on(ALL)
            .suspect("wuaueng.dll")
            .says("is deleted")
            .remedy("pending-renames"),
        renames(
            "two are to be moved away, one by way of a file that is not there",
            &[
                "*1\\??\\c:\\windows\\system32\\QMGR.DLL",
                "\\??\\C:\\old\\qmgr.dll",
                "\\??\\C:\\new\\qmgr.dll",
                "!\\??\\C:\\Windows\\System32\\qmgr.dll",
                "\\SystemRoot\\System32\\wintrust.dll",
                "\\??\\D:\\wintrust.dll",
            ],
        )
        .suspect("qmgr.dll and 1 more")
        .says("becomes")
        .remedy("pending-renames"),
        manager("a program of others runs first", "BootExecute", &["autocheck autochk *", "lsdelete"])
            .note("BootExecute")
            .says("lsdelete"),
        manager("there is no disk check", "BootExecute", &[]).note("BootExecute"),
    ]
}

fn pending() -> Vec<Row> {
    let servicing = |what: &str| row("pending-servicing", what).on(SINCE_VISTA);
    let wide: Vec<u8> = inject::utf16(&format!("\u{feff}{}", pending_xml("<CreateKey path='a'/>")));
    let lacking = pending_xml(&format!("<CreateKey path='a'/>{LINK}"));
    let other = pending_xml("").replace("916ae75e", "00000000");
    vec![
        waits(servicing("an operation waits, with all its parts").file("Windows/WinSxS/a/x.dll", b"MZ"))
            .on(&[Vista, Seven, EightOne, Ten1607, Ten22H2, Eleven24H2, Server2022])
            .file(PENDING, pending_xml(LINK))
            .note("servicing")
            .says("1 operations"),
        waits(servicing("an operation in UTF-16 waits"))
            .on(SINCE_10)
            .file(PENDING, wide)
            .note("servicing")
            .says("1 CreateKey"),
        waits(servicing("an operation needs a file that is gone"))
            .on(&[Vista, Seven, EightOne, Ten1607, Ten22H2, Eleven24H2, Server2022])
            .file(PENDING, lacking)
            .problem("servicing")
            .says("operation 2 (HardlinkFile)"),
        waits(servicing("pending.xml is cut"))
            .file(PENDING, &pending_xml(LINK).as_bytes()[..200])
            .problem("servicing")
            .says("ends in the middle"),
        servicing("pending.xml stands there alone")
            .file(PENDING, pending_xml(""))
            .problem("servicing")
            .says("COMPONENTS does not name it"),
        waits(servicing("pending.xml is gone"))
            .reg("SYSTEM", trusted_installer(3))
            .problem("servicing")
            .says("pending.xml is gone"),
        servicing("COMPONENTS names an operation, and nothing else does")
            .reg("COMPONENTS", identifier())
            .problem("servicing")
            .says("inconsistent"),
        waits(servicing("pending.xml is of another operation than COMPONENTS"))
            .file(PENDING, other)
            .problem("servicing")
            .says("differ"),
        servicing("an operation waits, and nothing would run it")
            .reg("COMPONENTS", identifier())
            .reg("SYSTEM", trusted_installer(2))
            .file(PENDING, pending_xml(""))
            .suspect("servicing")
            .says("nothing would run"),
        waits(servicing("an operation waits, and TrustedInstaller is set to manual"))
            .reg("SYSTEM", trusted_installer(3))
            .file(PENDING, pending_xml(""))
            .suspect("servicing")
            .says("not set to automatic"),
        servicing("the command runs a pending.xml that is not there")
            .make(Tool::Hivexregedit, command)
            .problem("servicing")
            .says("fails at every start"),
    ]
}

fn flags() -> Vec<Row> {
    let servicing = |what: &str| row("pending-servicing", what).on(SINCE_VISTA);
    vec![
        servicing("servicing is marked as broken (Unserviceable)")
            .reg("SOFTWARE", format!("[\\{CBS}]\n\"Unserviceable\"=dword:00000001\n"))
            .problem("servicing")
            .says("Unserviceable"),
        servicing("packages are pending, and nothing would finish them")
            .shell("SOFTWARE", format!("cd \\{CBS}\nadd PackagesPending"))
            .suspect("servicing")
            .says("PackagesPending"),
        servicing("a session is marked as under way (Exclusive), and nothing would finish it")
            .reg("SOFTWARE", format!("[\\{CBS}\\SessionsPending]\n\"Exclusive\"=dword:00000003\n"))
            .suspect("servicing"),
        servicing("a restart is wanted (RebootPending)")
            .shell("SOFTWARE", format!("cd \\{CBS}\nadd RebootPending"))
            .note("servicing")
            .says("RebootPending"),
        row("registry-transactions", "a transaction log is empty")
            .on(SINCE_VISTA)
            .file("Windows/System32/config/TxR/{a}.TxR.blf", b"")
            .suspect("TxR")
            .says("0 bytes"),
        row("registry-transactions", "there are 201 transaction logs")
            .on(SINCE_VISTA)
            .make(Tool::Files, |root, _| {
                for number in 0..201 {
                    inject::put(root, &format!("Windows/System32/config/TxR/{number}.TxR.1.regtrans-ms"), b"x");
                }
            })
            .note("TxR")
            .says("201"),
        row("servicing-stack", "the newest stack's folder in servicing is gone")
            .on(SINCE_VISTA)
            .gone("Windows/servicing/Version")
            .folder("Windows/servicing/Version")
            .problem("{stack}"),
        row("servicing-stack", "the newest stack's folder in the component store is gone")
            .on(SINCE_VISTA)
            .make(Tool::Files, |root, _| {
                for entry in fs::read_dir(find(root, "Windows/WinSxS")).unwrap().map(|entry| entry.unwrap()) {
                    if entry.file_name().to_string_lossy().contains("servicingstack") {
                        fs::remove_dir_all(entry.path()).unwrap();
                    }
                }
            })
            .problem("{stack}"),
    ]
}

fn store() -> Vec<Row> {
    let store = |what: &str| row("component-store", what).on(SINCE_VISTA);
    let hive = "Windows/System32/config/COMPONENTS";
    vec![
        store("COMPONENTS is gone").gone(hive).problem("COMPONENTS").says("gone or destroyed"),
        store("COMPONENTS is overwritten with zeros")
            .file(hive, [0; 8192])
            .problem("COMPONENTS")
            .unchecked("pending-servicing")
            .says("no registry hive"),
        store("COMPONENTS has no bytes").file(hive, b"").problem("COMPONENTS").unchecked("pending-servicing"),
        store("a component's manifest is gone")
            .shell("COMPONENTS", "cd \\DerivedData\\Components\nadd amd64_x_31bf3856ad364e35_1.0.0.0_none_0")
            .suspect("manifests")
            .says("amd64_x_31bf3856ad364e35_1.0.0.0_none_0.manifest"),
        store("a catalog of the store is gone")
            .reg("COMPONENTS", "[\\CanonicalData\\Catalogs\\0123456789abcdef]\n")
            .suspect("catalogs")
            .says("0123456789abcdef.cat"),
        store("COMPONENTS is damaged inside")
            .make(Tool::Files, |root, _| {
                let path = find(root, "Windows/System32/config/COMPONENTS");
                let mut bytes = fs::read(&path).unwrap();
                bytes[4096..].fill(0x5A);
                fs::write(path, bytes).unwrap();
            })
            .unchecked("component-store")
            .unchecked("pending-servicing"),
    ]
}

fn packages() -> Vec<Row> {
    // Each has one of its two files.
    let package = |what: &str, state: u32, has: &'static str| {
        row("package-files", what)
            .on(&[EightOne, Ten22H2, Server2022])
            .reg("SOFTWARE", format!("[\\{CBS}\\Packages\\{PACKAGE}]\n\"CurrentState\"=dword:{state:08x}\n"))
            .make(Tool::Files, move |root, _| {
                inject::put(root, &format!("Windows/servicing/Packages/{PACKAGE}.{has}"), b"x")
            })
    };
    vec![
        package("an installed package lacks its .mum", 0x70, "cat").on(SINCE_VISTA).problem(format!("{PACKAGE}.mum")),
        package("an installed package lacks its .cat", 0x70, "mum").on(SINCE_VISTA).problem(format!("{PACKAGE}.cat")),
        package("a staged package lacks its .cat", 0x40, "mum").suspect(format!("{PACKAGE}.cat")),
        package("an installed package's .cat has no bytes", 0x70, "mum")
            .make(Tool::Files, |root, _| inject::put(root, &format!("Windows/servicing/Packages/{PACKAGE}.cat"), b""))
            .problem(format!("{PACKAGE}.cat"))
            .says("0 bytes"),
    ]
}
