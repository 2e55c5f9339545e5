// SPDX-License-Identifier: MIT
//! Codes and structs are the header's. SHMS_INCLUDE: the folder of shmstream.h.
use shmstream_sys as sys;
use std::mem::{align_of, size_of, MaybeUninit};
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

fn include() -> Option<PathBuf> {
    let folder = env::var_os("SHMS_INCLUDE").map(PathBuf::from);
    if folder.is_none() {
        println!("not checked: SHMS_INCLUDE is not set");
    }
    folder
}

#[test]
fn codes() {
    let header = match include() {
        Some(folder) => fs::read_to_string(folder.join("shmstream.h")).unwrap(),
        None => return,
    };
    let rows: Vec<(String, i32)> = header
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("X(SHMS_"))
        .filter_map(|row| {
            let mut parts = row.split(", ");
            Some((format!("SHMS_{}", parts.next()?), parts.next()?.parse().ok()?))
        })
        .collect();
    assert!(rows.len() > 20);
    let ours: Vec<_> = sys::CODES.iter().map(|&(name, value)| (name.to_string(), value)).collect();
    assert_eq!(rows, ours);
}

/// Offset of a field, without a reference to it.
macro_rules! at {
    ($type:ident, $field:ident) => {{
        let whole = MaybeUninit::<sys::$type>::uninit();
        let start = whole.as_ptr();
        // SAFETY: only addresses inside `whole` are taken.
        let field = unsafe { std::ptr::addr_of!((*start).$field) };
        (
            concat!("offsetof(", stringify!($type), ",", stringify!($field), ")"),
            field as usize - start as usize,
        )
    }};
}

macro_rules! sizes {
    ($($type:ident)*) => { [$(
        (concat!("sizeof(", stringify!($type), ")"), size_of::<sys::$type>()),
        (concat!("_Alignof(", stringify!($type), ")"), align_of::<sys::$type>()),
    )*] };
}

#[cfg(not(feature = "jar"))]
fn jar(_: &mut [(&'static str, usize)], _: &mut [&'static str]) {}

#[cfg(feature = "jar")]
fn jar(facts: &mut Vec<(&'static str, usize)>, headers: &mut Vec<&'static str>) {
    headers.push("jar");
    facts.extend(sizes!(shms_jar_options shms_jar_request shms_cookie shms_jar_stats));
    facts.extend([
        at!(shms_jar_options, max_size),
        at!(shms_jar_options, jar_cookies),
        at!(shms_jar_options, no_keep),
        at!(shms_jar_options, suffix_list),
        at!(shms_jar_options, now_context),
        at!(shms_jar_request, url),
        at!(shms_jar_request, partition),
        at!(shms_cookie, same_site),
        at!(shms_cookie, path),
        at!(shms_cookie, partition),
        at!(shms_cookie, expires_ns),
        at!(shms_cookie, changed),
        at!(shms_jar_stats, cookies),
        at!(shms_jar_stats, version),
    ]);
    macro_rules! numbers { ($($name:ident)*) => { [$((stringify!($name), sys::$name as usize)),*] } }
    facts.extend(numbers!(SHMS_COOKIE_SECURE SHMS_COOKIE_HTTP_ONLY SHMS_COOKIE_HOST_ONLY SHMS_COOKIE_GONE
        SHMS_SAME_SITE_NONE SHMS_SAME_SITE_LAX SHMS_SAME_SITE_STRICT SHMS_SITE_LAX SHMS_SITE_LAX_UNSAFE
        SHMS_SITE_CROSS SHMS_JAR_API SHMS_COOKIE_CONTROL SHMS_COOKIE_EMPTY SHMS_COOKIE_LONG SHMS_COOKIE_DOMAIN
        SHMS_COOKIE_SUFFIX SHMS_COOKIE_INSECURE SHMS_COOKIE_SHADOWS SHMS_COOKIE_HIDDEN SHMS_COOKIE_CROSS_SITE
        SHMS_COOKIE_PREFIX SHMS_COOKIE_UNWRITABLE));
}

#[test]
fn structs() {
    let folder = match include() {
        Some(folder) => folder,
        None => return,
    };
    let mut facts = sizes!(shms_stream_options shms_channel_options shms_message shms_dict_options
        shms_dict_record shms_dict_how)
    .to_vec();
    facts.extend([
        at!(shms_stream_options, max_size),
        at!(shms_stream_options, open_timeout_ms),
        at!(shms_stream_options, keep),
        at!(shms_stream_options, atomic),
        at!(shms_stream_options, tasks),
        at!(shms_stream_options, init),
        at!(shms_channel_options, one_sender),
        at!(shms_channel_options, region),
        at!(shms_message, missed),
        at!(shms_dict_options, value_max),
        at!(shms_dict_options, keep),
        at!(shms_dict_options, secret),
        at!(shms_dict_options, now_ns),
        at!(shms_dict_record, expires_ns),
        at!(shms_dict_record, origin),
        at!(shms_dict_how, ttl_ms),
        at!(shms_dict_how, origin),
        ("SHMS_RECORD_GONE", sys::SHMS_RECORD_GONE as usize),
        ("SHMS_RECORD_EXPIRED", sys::SHMS_RECORD_EXPIRED as usize),
        ("SHMS_RECORD_EVICTED", sys::SHMS_RECORD_EVICTED as usize),
    ]);
    let mut headers = vec!["channel", "dict"];
    jar(&mut facts, &mut headers);
    let checks =
        facts.iter().map(|(what, value)| format!("_Static_assert({what} == {value}, \"{what}\");\n"));
    let program: String =
        headers.iter().map(|name| format!("#include <shmstream/{name}.h>\n")).chain(checks).collect();
    let source = env::temp_dir().join(format!("shms-header-{}.c", std::process::id()));
    fs::write(&source, program).unwrap();
    let cc = env::var("CC").unwrap_or_else(|_| "cc".into());
    let compiled =
        Command::new(cc).args(["-std=c11", "-fsyntax-only", "-I"]).arg(folder).arg(&source).status();
    fs::remove_file(&source).unwrap();
    assert!(compiled.unwrap().success());
}
