// SPDX-License-Identifier: MIT
//! Finds libshmstream, and with the feature `jar` libshmstream-jar: in SHMSTREAM_LIB_DIR, which has them as .a or
//! .so, or by pkg-config. The folder of a build has the jar in src/jar.
use std::env;
use std::path::{Path, PathBuf};
use std::process::{exit, Command};

fn main() {
    println!("cargo:rerun-if-env-changed=SHMSTREAM_LIB_DIR");
    println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");
    let jar = env::var_os("CARGO_FEATURE_JAR").is_some();
    match env::var_os("SHMSTREAM_LIB_DIR").map(PathBuf::from) {
        Some(folder) => {
            // A static library is linked before the ones that it needs.
            if jar && link(&[folder.clone(), folder.join("src/jar")], "shmstream-jar") {
                println!("cargo:rustc-link-lib=psl");
                println!("cargo:rustc-link-lib=idn2");
            }
            link(&[folder], "shmstream");
        }
        None => installed(if jar { "shmstream-jar" } else { "shmstream" }),
    }
}

/// Links a library from the first of the folders that has it. Gives whether it is static.
fn link(folders: &[PathBuf], name: &str) -> bool {
    let (archive, shared) = (format!("lib{name}.a"), format!("lib{name}.so"));
    let has = |folder: &&PathBuf| folder.join(&archive).exists() || folder.join(&shared).exists();
    let folder: &Path = folders.iter().find(has).unwrap_or(&folders[0]);
    let archive = folder.join(archive);
    let is_static = archive.exists();
    println!("cargo:rerun-if-changed={}", archive.display());
    println!("cargo:rustc-link-search=native={}", folder.display());
    println!("cargo:rustc-link-lib={}={name}", if is_static { "static" } else { "dylib" });
    is_static
}

fn installed(name: &str) {
    let pkg_config = env::var("PKG_CONFIG").unwrap_or_else(|_| "pkg-config".into());
    let found = Command::new(pkg_config).args(["--libs", &format!("{name} >= 0.2")]).output();
    let flags = match found {
        Ok(output) if output.status.success() => String::from_utf8_lossy(&output.stdout).into_owned(),
        _ => {
            eprintln!("lib{name} is not installed (pkg-config {name}), and SHMSTREAM_LIB_DIR is not set");
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
