//! What Windows' own logs name as failing, and what is still missing of it.

use coldmend_fixtures::Version::*;

use crate::common::inject::CBS as SERVICING;
use crate::table::{row, Row, SINCE_7, SINCE_VISTA};

const CBS: &str = "Windows/Logs/CBS/CBS.log";
const UPDATE_LOG: &str = "Windows/WindowsUpdate.log";
const COMPONENT: &str = "x86_microsoft-windows-directwrite_31bf3856ad364e35_7.1.7601.23545_none_229deeb1ba2a85d3";
const PACKAGE: &str = "Package_2074_for_KB4088876~31bf3856ad364e35~amd64~~6.3.1.4";
const MENU: &str = "ProgramData/Microsoft/Windows/Start Menu/Programs/System Tools";

pub fn rows() -> Vec<Row> {
    let logs = |what: &str| row("logs", what).on(SINCE_VISTA);
    let start = "2024-05-01 08:45:29, Error                 CSI    000000fc@2024/5/1:08:45:29.414 (F) Failed in StartService for [30]\"clr_optimization_v4.0.30319_32\" with error code 2[gle=0x80004005]";
    let folder = "2024-05-01 08:45:29, Error                 CSI    00000e47 (F) STATUS_OBJECT_NAME_NOT_FOUND #13367681# from Windows::Rtl::SystemImplementation::DirectFileSystemProvider::SysCreateFile(flags = (AllowSharingViolation), handle = {provider=NULL, handle=0, name= (\"null\")}, da = (SYNCHRONIZE|FILE_READ_ATTRIBUTES), oa = @0xa130e9e088->OBJECT_ATTRIBUTES {s:48; rd:NULL; on:[69]\"\\??\\C:\\ProgramData\\Microsoft\\Windows\\Start Menu\\Programs\\System Tools\"; a:(OBJ_CASE_INSENSITIVE)}, disp = Invalid)";
    let payload = format!("2024-05-01 08:45:29, Info                  CBS    Failed to find file: {COMPONENT}DWrite.dll [HRESULT = 0x80070002 - ERROR_FILE_NOT_FOUND]");
    let driver = [
        "2024-05-01 15:30:46, Info                  CBS    INSTALL index: 55, phase: 2, result 2, inf: coldmend.inf",
        "2024-05-01 15:30:46, Info                  CBS    Doqe: Recording result: 0x80070002, for Inf: coldmend.inf",
    ];
    let package = [
        format!("2024-05-01 13:24:25, Info                  CBS    Store corruption, manifest missing for package: {PACKAGE}"),
        format!("2024-05-01 13:24:25, Error                 CBS    Failed to resolve package '{PACKAGE}' [HRESULT = 0x800f0831 - CBS_E_STORE_CORRUPTION]"),
    ];
    let damaged = "(p)\tCSI Payload Corrupt\t\t\tamd64_prncacla.inf_31bf3856ad364e35_6.2.9200.16384_none_fd9c01be8b864efc\\Amd64\\CNBJ2530.DPB";
    let scan = [
        "=================================",
        "Checking System Update Readiness.",
        "",
        damaged,
        "Repair failed: Missing replacement payload.",
        "Summary:",
        "Operation: Detect and Repair ",
        "Operation result: 0x800f081f",
        "Total Detected Corruption:\t1",
        "Total Repaired Corruption:\t0",
    ];
    let agent = "2024-05-05\t18:52:06:762\t808\taac\tAgent\t  * WARNING: Exit code = 0x8024402C";
    vec![
        logs("CBS.log: a service could not be started, and is not there")
            .log(CBS, &[start])
            .problem("clr_optimization_v4.0.30319_32")
            .says("Failed in StartService"),
        logs("CBS.log: a folder was not found, and is not there")
            .log(CBS, &[folder])
            .gone(MENU)
            .problem("C:\\ProgramData\\Microsoft\\Windows\\Start Menu\\Programs\\System Tools"),
        logs("CBS.log: a folder was not found, and is there now")
            .log(CBS, &[folder])
            .note("C:\\ProgramData\\Microsoft\\Windows\\Start Menu\\Programs\\System Tools"),
        logs("CBS.log: a file of a component was not found, and is not there")
            .log(CBS, &[payload])
            .file("Windows/WinSxS/Manifests/x86_microsoft-windows-directwrite_31bf3856ad364e35_7.1.7601.23545_none_229deeb1ba2a85d3.manifest", b"DCM\x01")
            .problem(format!("{COMPONENT}\\DWrite.dll")),
        logs("CBS.log: a driver package could not be installed, and its inf is not there").log(CBS, &driver).problem("coldmend.inf"),
        logs("CBS.log: a package that Windows knows lacks its manifest")
            .log(CBS, &package)
            .reg("SOFTWARE", format!("[\\{SERVICING}\\Packages\\{PACKAGE}]\n\"CurrentState\"=dword:00000020\n"))
            .problem(PACKAGE)
            .says("(KB4088876)"),
        logs("CBS.log: a scan found damage in the component store, and none found it repaired")
            .log(CBS, &scan)
            .file("Windows/WinSxS/amd64_prncacla.inf_31bf3856ad364e35_6.2.9200.16384_none_fd9c01be8b864efc/Amd64/CNBJ2530.DPB", b"damaged")
            .suspect("component store"),
        logs("Setup's log: WIMMount could not be found, and its driver is not there")
            .on(SINCE_7)
            .log("$WINDOWS.~BT/Sources/Panther/setupact.log", &["2024-05-01 21:47:11, Warning               SP     Failed to get WimMount ImagePath, 0x80070002"])
            .gone("Windows/System32/drivers/wimmount.sys")
            .problem("WIMMount")
            .finds("service-file", "suspect", "WIMMount"),
        row("logs", "WindowsUpdate.log: no connection").on(&[Seven, EightOne, Server2012R2]).log(UPDATE_LOG, &[agent]).note("Windows\\WindowsUpdate.log"),
        row("logs", "WindowsUpdate.log: no connection (XP)").on(&[Xp, Server2003]).log(UPDATE_LOG, &[agent]).note("WINDOWS\\WindowsUpdate.log"),
    ]
}
