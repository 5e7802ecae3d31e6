//! Gives `coldmend.exe` its version resource and its manifest. Builds for other systems end here at once.

use std::env;

use winresource::WindowsResource;

fn main() -> std::io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    let target = |what: &str| env::var(format!("CARGO_CFG_TARGET_{what}")).unwrap_or_default();
    if target("OS") != "windows" {
        return Ok(());
    }
    println!("cargo::rerun-if-changed=windows/coldmend.manifest");
    for tool in ["WINDRES", "AR", "CROSS_COMPILE"] {
        println!("cargo::rerun-if-env-changed={tool}");
    }

    // The crate knows the names of MinGW's tools, but not for the targets that are for Windows 7.
    if cfg!(not(windows)) && target("ENV") == "gnu" && env::var_os("CROSS_COMPILE").is_none() {
        let machine = if target("ARCH") == "x86" { "i686".to_owned() } else { target("ARCH") };
        env::set_var("CROSS_COMPILE", format!("{machine}-w64-mingw32-"));
    }
    let mut resource = WindowsResource::new();
    resource
        .set_language(0x0409)
        .set("ProductName", "coldmend")
        .set("FileDescription", "Mends a Windows installation that is not running")
        .set("InternalName", "coldmend")
        .set("OriginalFilename", "coldmend.exe")
        .set("LegalCopyright", "GPL-2.0-or-later")
        .set_manifest_file("windows/coldmend.manifest");
    resource.compile_for("coldmend").map_err(|why| {
        let needed = "the version resource needs windres (of MinGW; Debian and Ubuntu: scripts/setup windows)";
        std::io::Error::new(why.kind(), format!("{needed}: {why}"))
    })
}
