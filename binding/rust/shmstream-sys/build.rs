// SPDX-License-Identifier: MIT
//! Finds libshmstream: in SHMSTREAM_LIB_DIR, which has libshmstream.a or .so, or by pkg-config.
use std::env;
use std::path::Path;
use std::process::{exit, Command};

fn main() {
    println!("cargo:rerun-if-env-changed=SHMSTREAM_LIB_DIR");
    println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");
    if let Ok(folder) = env::var("SHMSTREAM_LIB_DIR") {
        let archive = Path::new(&folder).join("libshmstream.a");
        let kind = if archive.exists() { "static" } else { "dylib" };
        println!("cargo:rerun-if-changed={}", archive.display());
        println!("cargo:rustc-link-search=native={folder}");
        println!("cargo:rustc-link-lib={kind}=shmstream");
        return;
    }
    let pkg_config = env::var("PKG_CONFIG").unwrap_or_else(|_| "pkg-config".into());
    let found = Command::new(pkg_config).args(["--libs", "shmstream >= 0.2"]).output();
    let flags = match found {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).into_owned(),
        _ => {
            eprintln!(
                "libshmstream is not installed (pkg-config shmstream), and SHMSTREAM_LIB_DIR is not set"
            );
            exit(1);
        }
    };
    for flag in flags.split_whitespace() {
        if let Some(folder) = flag.strip_prefix("-L") {
            println!("cargo:rustc-link-search=native={folder}");
        } else if let Some(library) = flag.strip_prefix("-l") {
            println!("cargo:rustc-link-lib={library}");
        }
    }
}
