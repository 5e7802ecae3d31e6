//! What the Windows executable is made of, read from its bytes: that it asks Windows 7 for nothing that is not there, is
//! small, says what it is, and tells nothing of the machine that built it. Nothing is run here.
//!
//! `COLDMEND_WINDOWS_EXE` names the executable; else it is what `scripts/build-windows` left in `dist`.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use goblin::pe::dll_characteristic::{
    IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE, IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA, IMAGE_DLLCHARACTERISTICS_NX_COMPAT,
};
use goblin::pe::optional_header::OptionalHeader;
use goblin::pe::subsystem::IMAGE_SUBSYSTEM_WINDOWS_CUI;
use goblin::pe::PE;

/// What is in every Windows from 7 on, in WinPE 3.0 as well. All else must be looked for when the program runs.
const LIBRARIES: [&str; 12] = [
    "advapi32.dll",
    "kernel32.dll",
    "msvcrt.dll",
    "ntdll.dll",
    "ole32.dll",
    "rpcrt4.dll",
    "setupapi.dll",
    "shell32.dll",
    "user32.dll",
    "userenv.dll",
    "version.dll",
    "ws2_32.dll",
];

/// Functions of those libraries that came with Windows 8 or later: those that Rust's library, the crates and people reach
/// for. An import of one, used or not, keeps the program from starting on Windows 7.
const LATER: &[&str] = &[
    // kernel32 and what lies behind it, Windows 8 and 8.1
    "CopyFile2",
    "CreateFile2",
    "CreateFileMappingFromApp",
    "DecodeSystemPointer2",
    "DeleteSynchronizationBarrier",
    "DiscardVirtualMemory",
    "EnterSynchronizationBarrier",
    "EnumerateDynamicTimeZoneInformation",
    "GetAppContainerNamedObjectPath",
    "GetCurrentPackageFullName",
    "GetCurrentPackageId",
    "GetCurrentPackageInfo",
    "GetCurrentPackagePath",
    "GetCurrentThreadStackLimits",
    "GetFirmwareType",
    "GetMemoryErrorHandlingCapabilities",
    "GetOverlappedResultEx",
    "GetPackageFamilyName",
    "GetPackageFullName",
    "GetPackageId",
    "GetProcessInformation",
    "GetProcessMitigationPolicy",
    "GetSystemTimePreciseAsFileTime",
    "GetThreadInformation",
    "InitializeSynchronizationBarrier",
    "IsNativeVhdBoot",
    "LoadPackagedLibrary",
    "MapViewOfFileFromApp",
    "OfferVirtualMemory",
    "PrefetchVirtualMemory",
    "QueryProtectedPolicy",
    "ReclaimVirtualMemory",
    "RegisterBadMemoryNotification",
    "SetProcessInformation",
    "SetProcessMitigationPolicy",
    "SetThreadInformation",
    "UnmapViewOfFileEx",
    "WaitOnAddress",
    "WakeByAddressAll",
    "WakeByAddressSingle",
    // … Windows 10 and 11
    "AddDllDirectory2",
    "ClosePseudoConsole",
    "CreatePseudoConsole",
    "CreateDirectory2",
    "CreateFile3",
    "CreateSymbolicLink2W",
    "DeleteFile2W",
    "FindFirstFileEx2W",
    "GetFileInformationByName",
    "GetMachineTypeAttributes",
    "GetNumaNodeProcessorMask2",
    "GetSystemCpuSetInformation",
    "GetTempPath2A",
    "GetTempPath2W",
    "GetThreadDescription",
    "IsWow64GuestMachineSupported",
    "IsWow64Process2",
    "MapViewOfFile3",
    "MapViewOfFileNuma2",
    "QueryInterruptTimePrecise",
    "QueryUnbiasedInterruptTimePrecise",
    "RemoveDirectory2W",
    "ResizePseudoConsole",
    "SetFileInformationByName",
    "SetProcessDefaultCpuSets",
    "SetThreadDescription",
    "SetThreadSelectedCpuSets",
    "VirtualAlloc2",
    "VirtualUnlockEx",
    "CreateWaitableTimerEx2",
    "AddMandatoryAce2",
    // random numbers, whose libraries are not in the list above
    "ProcessPrng",
    "BCryptGenRandom",
    // ntdll
    "NtAssociateWaitCompletionPacket",
    "NtCancelWaitCompletionPacket",
    "NtCreateWaitCompletionPacket",
    "NtAlertThreadByThreadId",
    "NtWaitForAlertByThreadId",
    "NtAllocateVirtualMemoryEx",
    "NtCreateSectionEx",
    "NtMapViewOfSectionEx",
    "NtQueryDirectoryFileEx",
    "NtQueryInformationByName",
    "NtFlushBuffersFileEx",
    "NtCancelTimer2",
    "NtCreateTimer2",
    "NtSetTimer2",
    "NtLoadKey3",
    "NtCompareObjects",
    "NtCompareSigningLevels",
    "NtSetInformationVirtualMemory",
    "RtlWaitOnAddress",
    "RtlWakeAddressAll",
    "RtlWakeAddressSingle",
    "RtlGetSystemTimePrecise",
    "RtlSetProtectedPolicy",
    // advapi32, user32, shell32, ws2_32
    "RegLoadAppKey2W",
    "OperationStart",
    "OperationEnd",
    "EventSetInformation",
    "QueryLocalUserServiceName",
    "CveEventWrite",
    "GetDpiForSystem",
    "GetDpiForWindow",
    "SetProcessDpiAwarenessContext",
    "GetHostNameW",
    "GetAddrInfoExCancel",
];

/// A good part more than it has (5.4 MB), so that what makes it larger is noticed. A rescue stick and the memory of WinPE have room for it.
const LARGEST: usize = 6_000_000;

/// The executables to look at, or nothing, with a line that says so.
fn executables(test: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let paths: Vec<PathBuf> = match std::env::var_os("COLDMEND_WINDOWS_EXE") {
        // A name that leads nowhere is a mistake, not a reason to skip.
        Some(path) => vec![root.join(path)],
        None => ["x86_64", "i686"]
            .iter()
            .map(|machine| root.join(format!("dist/windows-{machine}/coldmend.exe")))
            .filter(|path| path.is_file())
            .collect(),
    };
    if paths.is_empty() {
        println!("skipped: {test} needs a Windows executable: scripts/build-windows, or COLDMEND_WINDOWS_EXE");
    }
    paths
        .into_iter()
        .map(|path| {
            let bytes = std::fs::read(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
            (path, bytes)
        })
        .collect()
}

/// What an executable imports that a Windows 7 may lack.
fn not_in_windows_7<'a>(imports: impl IntoIterator<Item = (&'a str, &'a str)>) -> BTreeSet<String> {
    imports
        .into_iter()
        .filter(|(library, function)| {
            let known = LIBRARIES.contains(&library.to_ascii_lowercase().as_str());
            !known || LATER.contains(function)
        })
        .map(|(library, function)| format!("{library}: {function}"))
        .collect()
}

/// Pieces of paths in `bytes` that only the building machine can have left there, with what stands around them.
fn build_paths(bytes: &[u8]) -> Vec<String> {
    let mut places = [
        "/home/",
        "/root/",
        "/work/",
        "/tmp/",
        "/build/",
        "/usr/src/",
        "/usr/lib/",
        "registry/src",
        "rustlib",
        ".cargo/",
        ".rustup/",
        "index.crates.io",
    ]
    .map(str::to_owned)
    .to_vec();
    places.push(env!("CARGO_MANIFEST_DIR").to_owned());
    places.extend(std::env::var("HOME").ok().filter(|home| home.len() > 1));
    // One character a byte, so that all of it can be searched as text.
    let text: String = bytes.iter().map(|&byte| if byte.is_ascii() { char::from(byte) } else { '\0' }).collect();
    let around = |at: usize| bytes[at.saturating_sub(30)..bytes.len().min(at + 60)].escape_ascii();
    let found = places.iter().flat_map(|place| {
        text.match_indices(place.as_str()).map(move |(at, _)| format!("{place} in …{}…", around(at)))
    });
    found.collect()
}

/// What is wrong with the headers.
fn faults_of_headers(header: &OptionalHeader, wide: bool) -> Vec<String> {
    let windows = &header.windows_fields;
    let mut faults = Vec::new();
    if windows.subsystem != IMAGE_SUBSYSTEM_WINDOWS_CUI {
        faults.push(format!("subsystem {} is not that of console programs", windows.subsystem));
    }
    for (what, version) in [
        ("subsystem", (windows.major_subsystem_version, windows.minor_subsystem_version)),
        ("system", (windows.major_operating_system_version, windows.minor_operating_system_version)),
    ] {
        if version > (6, 1) {
            faults.push(format!("{what} version {}.{} is above that of Windows 7, 6.1", version.0, version.1));
        }
    }
    let mut wanted = vec![
        ("DYNAMIC_BASE (ASLR)", IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE),
        ("NX_COMPAT (DEP)", IMAGE_DLLCHARACTERISTICS_NX_COMPAT),
    ];
    if wide {
        wanted.push(("HIGH_ENTROPY_VA", IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA));
    }
    for (name, flag) in wanted {
        if windows.dll_characteristics & flag == 0 {
            faults.push(format!("{name} is not set"));
        }
    }
    faults
}

#[test]
fn windows_7_has_all_that_is_imported() {
    for (path, bytes) in executables("windows_7_has_all_that_is_imported") {
        let pe = PE::parse(&bytes).unwrap();
        let libraries: BTreeSet<String> = pe.libraries.iter().map(|name| name.to_ascii_lowercase()).collect();
        println!("{}: {} functions of {libraries:?}", path.display(), pe.imports.len());
        assert!(pe.imports.len() > 50, "the import table was not understood");
        // The table's own list of libraries as well: one from which nothing is taken is loaded all the same.
        let tables = pe.libraries.iter().map(|library| (*library, "(the library)"));
        let functions = pe.imports.iter().map(|import| (import.dll, import.name.as_ref()));
        let lacking = not_in_windows_7(tables.chain(functions));
        assert!(lacking.is_empty(), "{}: not in every Windows 7: {lacking:#?}", path.display());
    }
}

#[test]
fn it_is_small() {
    for (path, bytes) in executables("it_is_small") {
        println!("{}: {} bytes", path.display(), bytes.len());
        assert!(bytes.len() < LARGEST, "{}: {} bytes, and {LARGEST} is the limit", path.display(), bytes.len());
    }
}

#[test]
fn the_headers_suit_a_console_of_windows_7() {
    for (path, bytes) in executables("the_headers_suit_a_console_of_windows_7") {
        let pe = PE::parse(&bytes).unwrap();
        let faults = faults_of_headers(&pe.header.optional_header.unwrap(), pe.is_64);
        assert!(faults.is_empty(), "{}: {faults:#?}", path.display());
        // ASLR needs the table that tells what to move.
        assert!(pe.sections.iter().any(|section| section.name().unwrap() == ".reloc"), "{}: no .reloc", path.display());
        assert!(pe.debug_data.is_none(), "{}: has debug data", path.display());
    }
}

#[test]
fn it_says_what_it_is() {
    for (path, bytes) in executables("it_says_what_it_is") {
        let pe = PE::parse(&bytes).unwrap();
        let version = pe.resource_data.and_then(|data| data.version_info);
        let version = version.unwrap_or_else(|| panic!("{}: no version resource", path.display()));
        let said = version.string_info;
        let here = Some(env!("CARGO_PKG_VERSION").to_owned());
        assert_eq!(said.product_name().as_deref(), Some("coldmend"));
        assert_eq!(said.file_description().as_deref(), Some("Mends a Windows installation that is not running"));
        assert_eq!(said.original_filename().as_deref(), Some("coldmend.exe"));
        assert_eq!(said.legal_copyright().as_deref(), Some("GPL-2.0-or-later"));
        assert_eq!(said.file_version(), here, "{}: built from another version?", path.display());
        assert_eq!(said.product_version(), here);

        let number = |part: &str| part.parse::<u32>().unwrap();
        let fixed = version.fixed_info.unwrap();
        let wanted = (
            number(env!("CARGO_PKG_VERSION_MAJOR")) << 16 | number(env!("CARGO_PKG_VERSION_MINOR")),
            number(env!("CARGO_PKG_VERSION_PATCH")) << 16,
        );
        assert!(fixed.is_valid());
        // Not by goblin's `file_version`, which gives the date (0.10.7).
        assert_eq!((fixed.file_version_ms, fixed.file_version_ls), wanted);
        assert_eq!((fixed.product_version_ms, fixed.product_version_ls), wanted);
    }
}

#[test]
fn the_manifest_asks_for_no_more_than_it_should() {
    for (path, bytes) in executables("the_manifest_asks_for_no_more_than_it_should") {
        let pe = PE::parse(&bytes).unwrap();
        let manifest = pe.resource_data.and_then(|data| data.manifest_data);
        let manifest = manifest.unwrap_or_else(|| panic!("{}: no manifest", path.display()));
        let text = std::str::from_utf8(manifest.data).unwrap();
        let document = roxmltree::Document::parse(text.trim_end_matches('\0')).unwrap();
        let all = |name: &str| document.descendants().filter(|node| node.has_tag_name(name)).collect::<Vec<_>>();
        let (level, systems) = (all("requestedExecutionLevel"), all("supportedOS"));
        // `has_tag_name` with a plain name takes any namespace.
        assert_eq!(level.len(), 1);
        assert_eq!(level[0].attribute("level"), Some("asInvoker"));
        assert_eq!(level[0].attribute("uiAccess"), Some("false"));
        let systems: Vec<_> = systems.iter().filter_map(|node| node.attribute("Id")).collect();
        assert_eq!(
            systems,
            [
                "{35138b9a-5d96-4fbd-8e2d-a2440225f93a}",
                "{4a2f28e3-53b9-4441-ba9c-d69d4a4a6e38}",
                "{1f676c76-80e1-4239-95bb-83d0f6d0da78}",
                "{8e0f7a12-bfb3-4fe8-b9a5-48fd50a15a9a}",
            ]
        );
        // Windows looks for these two in the namespaces of the year in which they came.
        for (name, year, value) in [("longPathAware", 2016, "true"), ("activeCodePage", 2019, "UTF-8")] {
            let space = format!("http://schemas.microsoft.com/SMI/{year}/WindowsSettings");
            let set = document.descendants().find(|node| node.has_tag_name((space.as_str(), name)));
            assert_eq!(set.and_then(|node| node.text()), Some(value), "{name}");
        }
    }
}

#[test]
fn it_tells_nothing_of_the_machine_that_built_it() {
    for (path, bytes) in executables("it_tells_nothing_of_the_machine_that_built_it") {
        let found = build_paths(&bytes);
        assert!(found.is_empty(), "{}: {found:#?}", path.display());
    }
}

#[test]
fn bad_imports_are_seen() {
    let good = [("KERNEL32.dll", "CreateFileW"), ("ntdll.dll", "NtCreateFile"), ("msvcrt.dll", "memcpy")];
    assert!(not_in_windows_7(good).is_empty());
    for bad in [
        // What Rust's usual target takes.
        ("bcryptprimitives.dll", "ProcessPrng"),
        ("api-ms-win-core-synch-l1-2-0.dll", "WaitOnAddress"),
        // What MinGW takes when it is not told to link statically, or uses the newer C library.
        ("libgcc_s_seh-1.dll", "_Unwind_Resume"),
        ("libwinpthread-1.dll", "pthread_create"),
        ("api-ms-win-crt-runtime-l1-1-0.dll", "_initterm"),
        ("ucrtbase.dll", "malloc"),
        // There from Windows 7 on, but not in every WinPE.
        ("virtdisk.dll", "OpenVirtualDisk"),
        ("bcrypt.dll", "BCryptGenRandom"),
        // The right library, and too new.
        ("kernel32.dll", "GetSystemTimePreciseAsFileTime"),
        ("KERNEL32.DLL", "GetTempPath2W"),
        ("kernel32.dll", "SetThreadDescription"),
        ("ntdll.dll", "NtCreateWaitCompletionPacket"),
    ] {
        let seen = not_in_windows_7(good.into_iter().chain([bad]));
        assert_eq!(seen, BTreeSet::from([format!("{}: {}", bad.0, bad.1)]));
    }
}

#[test]
fn paths_are_seen() {
    assert!(build_paths(b"coldmend/src/main.rs \0 rust/library/std/src/io.rs \0 C:\\Windows").is_empty());
    for bad in ["/home/anna/coldmend/src/main.rs", "x/.cargo/registry/src/y", "/usr/lib/rustlib/src/rust/library"] {
        assert!(!build_paths(format!("\0\0{bad}\0").as_bytes()).is_empty(), "{bad}");
    }
}

#[test]
fn bad_headers_are_seen() {
    let Some((_, bytes)) = executables("bad_headers_are_seen").into_iter().next() else { return };
    let pe = PE::parse(&bytes).unwrap();
    let mut header = pe.header.optional_header.unwrap();
    header.windows_fields.subsystem = 2;
    header.windows_fields.major_subsystem_version = 10;
    header.windows_fields.dll_characteristics = 0;
    assert_eq!(faults_of_headers(&header, true).len(), 5);
}
