//! Faults of files: services' and drivers', the update stack's, driver packages', Windows' catalogs, folders that servicing relies on.

use std::fs;
use std::path::Path;

use coldmend_fixtures::Version::{self, *};

use crate::common::{find, inject};
use crate::table::{row, Row, Tool, ALL, SINCE_10, SINCE_7, SINCE_8, SINCE_VISTA};

const ENVIRONMENT: &str = "[\\ControlSet001\\Control\\Session Manager\\Environment]\n";
const SYSTEM_CATALOGS: &str = "Windows/System32/catroot/{F750E6C3-38EE-11D1-85E5-00C04FC295EE}";
const SETUP_CONFIG: &str = "Users/Default/AppData/Local/Microsoft/Windows/WSUS/SetupConfig.ini";

/// Overwrites a file that must be there.
fn overwrite(path: &'static str, bytes: &'static [u8]) -> impl Fn(&Path, Version) {
    move |root, _| fs::write(find(root, path), bytes).unwrap()
}

pub fn rows() -> Vec<Row> {
    let mut rows = services();
    rows.extend(stack_and_drivers());
    rows.extend(others());
    rows
}

fn services() -> Vec<Row> {
    let file = |what: &str| row("service-file", what);
    let new = |what: &str, name: &str, start: u32, image: &str| {
        file(what).reg("SYSTEM", inject::service(name, start, 0x10, Some(image)))
    };
    vec![
        file("a boot driver's file is gone")
            .on(ALL)
            .gone("Windows/System32/drivers/pci.sys")
            .problem("pci")
            .says("may not start"),
        file("the file of a driver without ImagePath is gone")
            .gone("Windows/System32/drivers/beep.sys")
            .problem("Beep")
            .says("drivers\\Beep.sys"),
        file("a driver's file is empty")
            .make(Tool::Files, overwrite("Windows/System32/drivers/disk.sys", b""))
            .problem("Disk")
            .says("0 bytes"),
        file("Windows Update's library was renamed by a blocker")
            .on(SINCE_VISTA)
            .make(Tool::Files, |root, _| {
                let library = find(root, "Windows/System32/wuaueng.dll");
                fs::rename(&library, library.with_file_name("wuaueng_BAK.dll")).unwrap();
            })
            .problem("wuauserv")
            .says("wuaueng_BAK.dll"),
        file("Windows Update's library is gone")
            .on(&[Seven, EightOne, Eleven24H2])
            .gone("Windows/System32/wuaueng.dll")
            .problem("wuauserv"),
        file("BITS' library is no program")
            .make(Tool::Files, overwrite("Windows/System32/qmgr.dll", b"blocked"))
            .problem("BITS")
            .says("no Windows program"),
        file("TrustedInstaller's program is empty")
            .on(SINCE_VISTA)
            .make(Tool::Files, overwrite("Windows/servicing/TrustedInstaller.exe", b""))
            .problem("TrustedInstaller"),
        file("Windows Update's ServiceDll names a library that there is not, where Windows' own is not known")
            .on(&[Eleven24H2, Server2025])
            .service(
                "wuauserv\\Parameters",
                format!("\"ServiceDll\"={}", inject::text_value(2, "%SystemRoot%\\system32\\blocked.dll")),
            )
            .problem("wuauserv"),
        file("the library of an automatic service of Windows is gone (XP)")
            .on(&[Xp])
            .gone("Windows/System32/wkssvc.dll")
            .problem("lanmanworkstation"),
        file("the library of an automatic service of Windows is gone (7)")
            .on(&[Seven])
            .gone("Windows/System32/themeservice.dll")
            .problem("Themes"),
        file("the library of an automatic service of Windows is gone (11)")
            .on(&[Eleven24H2])
            .gone("Windows/System32/wpnservice.dll")
            .problem("WpnService"),
        new("an automatic service of Windows has no program", "nofile", 2, "%SystemRoot%\\System32\\nofile.exe -x")
            .problem("nofile")
            .says("nofile.exe"),
        new("an automatic service elsewhere has no program", "left", 2, "\"C:\\Program Files\\Gone\\left.exe\" /s")
            .suspect("left")
            .says("Program Files\\Gone\\left.exe"),
        new("a manual service has no program", "left", 3, "C:\\Program Files\\Gone\\left.exe /s")
            .note("manual services")
            .says("left.exe"),
        new(
            "the manual service that Microsoft documents has no program",
            "clr_optimization_v4.0.30319_32",
            3,
            "C:\\Windows\\Microsoft.NET\\Framework\\v4.0.30319\\mscorsvw.exe",
        )
        .suspect("clr_optimization_v4.0.30319_32")
        .says("documented"),
        new("a service's program lies on another drive", "other", 2, "D:\\Tools\\x.exe")
            .unchecked("service-file")
            .says("on drive D:"),
        new("a service's program is named by a short name", "short", 2, "C:\\PROGRA~1\\A\\x.exe")
            .unchecked("service-file")
            .says("short name"),
    ]
}

fn stack_and_drivers() -> Vec<Row> {
    let stack = |what: &str| row("update-stack-file", what);
    vec![
        row("driver-key", "flpydisk has its inf and no key")
            .on(SINCE_7)
            .file("Windows/inf/flpydisk.inf", b"[Version]")
            .suspect("flpydisk")
            .says("flpydisk.inf"),
        row("driver-key", "sfloppy has its inf and no key")
            .on(SINCE_7)
            .file("Windows/inf/sfloppy.inf", b"[Version]")
            .suspect("sfloppy"),
        row("driver-key", "WIMMount's key is gone")
            .on(SINCE_7)
            .shell("SYSTEM", format!("cd \\{}\\WIMMount\ndel", inject::SERVICES))
            .suspect("WIMMount")
            .says("wimmount.sys"),
        stack("wintrust.dll is gone")
            .on(ALL)
            .gone("Windows/System32/wintrust.dll")
            .problem("wintrust.dll")
            .says("sfc /scannow"),
        stack("poqexec.exe is gone").on(SINCE_VISTA).gone("Windows/System32/poqexec.exe").problem("poqexec.exe"),
        stack("UsoClient.exe is gone").on(SINCE_10).gone("Windows/System32/UsoClient.exe").problem("UsoClient.exe"),
        stack("wups.dll is empty and crypt32.dll is no program")
            .make(Tool::Files, overwrite("Windows/System32/wups.dll", b""))
            .make(Tool::Files, overwrite("Windows/System32/crypt32.dll", b"MZ"))
            .problem("crypt32.dll and 1 more")
            .says("wups.dll"),
        stack("crypt32.dll reads as zeros, as what Windows has compressed does")
            .on(&[EightOne, Ten22H2, Eleven24H2])
            .make(Tool::Files, overwrite("Windows/System32/crypt32.dll", &[0; 4096]))
            .unchecked("update-stack-file")
            .says("compressed by Windows"),
        row("driver-store", "a driver package's folder is gone")
            .on(SINCE_8)
            .file("Windows/System32/DriverStore/FileRepository/a.inf_amd64_1/a.inf", b"")
            .shell("DRIVERS", "cd \\DriverDatabase\\DriverPackages\nadd a.inf_amd64_1\nadd b.inf_amd64_2")
            .problem("b.inf_amd64_2")
            .says("DRIVERS\\DriverDatabase"),
        row("driver-store", "a published inf is gone")
            .on(SINCE_8)
            .reg("DRIVERS", "[\\DriverDatabase\\DriverInfFiles\\oem3.inf]\n")
            .suspect("oem3.inf")
            .says("INF\\oem3.inf"),
        row("driver-store", "a driver package that SYSTEM lists has no folder")
            .on(SINCE_8)
            .folder("Windows/System32/DriverStore/FileRepository")
            .reg("SYSTEM", "[\\DriverDatabase\\DriverPackages\\c.inf_amd64_3]\n")
            .problem("c.inf_amd64_3"),
    ]
}

fn others() -> Vec<Row> {
    let profiles = |what: &str| row("profile-list", what);
    let aside = "[\\Microsoft\\Windows NT\\CurrentVersion\\ProfileList\\S-1-5-21-1-2-3-1001.bak]\n";
    let variable = |what: &str, name: &str, text: &str| {
        row("environment", what)
            .reg("SYSTEM", format!("{ENVIRONMENT}\"{name}\"={}\n", inject::text_value(2, text)))
            .suspect("environment")
            .says(text)
    };
    let folder = |what: &str, values: &str| {
        row("environment", what)
            .reg("SOFTWARE", format!("[\\Microsoft\\Windows\\CurrentVersion]\n{values}\n"))
            .suspect("environment")
    };
    vec![
        row("catalogs", "the folder of Windows' catalogs is gone")
            .on(ALL)
            .gone(SYSTEM_CATALOGS)
            .problem("catroot")
            .says("nothing"),
        row("catalogs", "the folder of Windows' catalogs is empty")
            .gone(SYSTEM_CATALOGS)
            .folder(SYSTEM_CATALOGS)
            .problem("catroot"),
        row("catalogs", "a file stands in the place of Windows' catalogs")
            .gone(SYSTEM_CATALOGS)
            .file(SYSTEM_CATALOGS, b"blocked")
            .problem("catroot"),
        profiles("a user's folder is gone")
            .on(SINCE_10)
            .gone("Users/user")
            .suspect("ProfileList")
            .says("C:\\Users\\user"),
        profiles("a user's folder is gone, before 10")
            .on(&[Vista, Seven, EightOne])
            .gone("Users/user")
            .note("ProfileList"),
        profiles("a user's folder is gone, before Vista")
            .on(&[Xp, Server2003])
            .gone("Documents and Settings/user")
            .note("ProfileList"),
        profiles("a profile was set aside (.bak)")
            .on(SINCE_10)
            .reg("SOFTWARE", aside)
            .suspect("ProfileList")
            .says(".bak"),
        profiles("a profile was set aside (.bak), before 10")
            .on(&[Xp, Seven, EightOne])
            .reg("SOFTWARE", aside)
            .note("ProfileList"),
        variable("TEMP names a folder that there is not", "TEMP", "C:\\Nowhere").on(ALL),
        variable("TMP names a folder that there is not", "TMP", "%SystemRoot%\\Nowhere"),
        variable("Path lacks system32", "Path", "C:\\Tools"),
        row("environment", "TEMP lies on another drive")
            .reg("SYSTEM", format!("{ENVIRONMENT}\"TEMP\"={}\n", inject::text_value(2, "E:\\Temp")))
            .unchecked("environment"),
        folder("ProgramFilesDir names a folder that there is not", "\"ProgramFilesDir\"=\"C:\\\\Programs\"")
            .says("C:\\Programs"),
        folder("CommonFilesDir names a folder that there is not", "\"CommonFilesDir\"=\"C:\\\\Programs\\\\Common\""),
        row("setup-config", "SetupConfig.ini has no section")
            .on(SINCE_10)
            .file(SETUP_CONFIG, b"ShowOobe=None")
            .suspect("SetupConfig.ini")
            .says("begins with"),
        row("setup-config", "SetupConfig.ini is empty").on(SINCE_10).file(SETUP_CONFIG, b"").suspect("SetupConfig.ini"),
        row("setup-config", "SetupConfig.ini has a line without a name")
            .on(SINCE_10)
            .file(SETUP_CONFIG, b"[SetupConfig]\r\n=None\r\n")
            .suspect("SetupConfig.ini"),
    ]
}
