// SPDX-License-Identifier: MIT
//! shmstream/jar.h.
use std::marker::{PhantomData, PhantomPinned};
use std::os::raw::{c_char, c_int, c_void};

opaque!(shms_jar);

pub const SHMS_COOKIE_SECURE: u32 = 1;
pub const SHMS_COOKIE_HTTP_ONLY: u32 = 2;
pub const SHMS_COOKIE_HOST_ONLY: u32 = 4;
pub const SHMS_COOKIE_GONE: u32 = 8;
pub const SHMS_SAME_SITE_DEFAULT: u32 = 0;
pub const SHMS_SAME_SITE_NONE: u32 = 1;
pub const SHMS_SAME_SITE_LAX: u32 = 2;
pub const SHMS_SAME_SITE_STRICT: u32 = 3;
pub const SHMS_SITE_SAME: u32 = 0;
pub const SHMS_SITE_LAX: u32 = 1;
pub const SHMS_SITE_LAX_UNSAFE: u32 = 2;
pub const SHMS_SITE_CROSS: u32 = 3;
pub const SHMS_JAR_API: u32 = 1;
pub const SHMS_COOKIE_CONTROL: c_int = 1;
pub const SHMS_COOKIE_EMPTY: c_int = 2;
pub const SHMS_COOKIE_LONG: c_int = 3;
pub const SHMS_COOKIE_DOMAIN: c_int = 4;
pub const SHMS_COOKIE_SUFFIX: c_int = 5;
pub const SHMS_COOKIE_INSECURE: c_int = 6;
pub const SHMS_COOKIE_SHADOWS: c_int = 7;
pub const SHMS_COOKIE_HIDDEN: c_int = 8;
pub const SHMS_COOKIE_CROSS_SITE: c_int = 9;
pub const SHMS_COOKIE_PREFIX: c_int = 10;
pub const SHMS_COOKIE_UNWRITABLE: c_int = 11;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct shms_jar_options {
    pub struct_size: u32,
    pub access: u32,
    pub create: u32,
    pub owners: u32,
    pub owner_uid: u32,
    pub mode: u32,
    pub max_size: u64,
    pub open_timeout_ms: i32,
    pub host_cookies: u32,
    pub jar_cookies: u32,
    pub no_keep: u8,
    pub reserved: [u8; 3],
    pub suffix_list: *const c_char,
    pub now_ns: Option<unsafe extern "C" fn(context: *mut c_void) -> i64>,
    pub now_context: *mut c_void,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct shms_jar_request {
    pub struct_size: u32,
    pub flags: u32,
    pub site: u32,
    pub reserved: u32,
    pub url: *const c_char,
    pub partition: *const c_char,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct shms_cookie {
    pub struct_size: u32,
    pub flags: u32,
    pub same_site: u32,
    pub reserved: u32,
    pub host: *const c_char,
    pub name: *const c_char,
    pub value: *const c_char,
    pub path: *const c_char,
    pub partition: *const c_char,
    pub expires_ns: i64,
    pub created_ns: i64,
    pub used_ns: i64,
    pub created: i64,
    pub changed: i64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct shms_jar_stats {
    pub struct_size: u32,
    pub reserved: u32,
    pub cookies: u64,
    pub places: u64,
    pub size: u64,
    pub max_size: u64,
    pub version: i64,
}

pub type shms_cookie_fn = unsafe extern "C" fn(cookie: *const shms_cookie, context: *mut c_void) -> c_int;

extern "C" {
    pub fn shms_jar_open(
        name: *const c_char,
        options: *const shms_jar_options,
        ret: *mut *mut shms_jar,
    ) -> c_int;
    pub fn shms_jar_close(j: *mut shms_jar);
    pub fn shms_jar_set(
        j: *mut shms_jar,
        request: *const shms_jar_request,
        line: *const c_char,
        size: usize,
    ) -> c_int;
    pub fn shms_jar_reason(reason: c_int) -> *const c_char;
    pub fn shms_jar_get(
        j: *mut shms_jar,
        request: *const shms_jar_request,
        buf: *mut c_char,
        size: usize,
    ) -> i64;
    pub fn shms_jar_each(
        j: *mut shms_jar,
        host: *const c_char,
        callback: Option<shms_cookie_fn>,
        context: *mut c_void,
    ) -> i64;
    pub fn shms_jar_put(j: *mut shms_jar, cookie: *const shms_cookie) -> c_int;
    pub fn shms_jar_del(j: *mut shms_jar, cookie: *const shms_cookie) -> c_int;
    pub fn shms_jar_clear(j: *mut shms_jar, host: *const c_char) -> i64;
    pub fn shms_jar_changes(
        j: *mut shms_jar,
        since: *mut i64,
        callback: Option<shms_cookie_fn>,
        context: *mut c_void,
    ) -> i64;
    pub fn shms_jar_wait(j: *mut shms_jar, seen: *mut i64, timeout_ms: c_int) -> c_int;
    pub fn shms_jar_poll_fd(j: *mut shms_jar) -> c_int;
    pub fn shms_jar_version(j: *mut shms_jar) -> i64;
    pub fn shms_jar_info(j: *mut shms_jar, ret: *mut shms_jar_stats) -> c_int;
    pub fn shms_jar_lock(j: *mut shms_jar, host: *const c_char, timeout_ms: c_int) -> c_int;
    pub fn shms_jar_unlock(j: *mut shms_jar, host: *const c_char) -> c_int;
    pub fn shms_jar_import(j: *mut shms_jar, path: *const c_char, ret_left_out: *mut u64) -> i64;
    pub fn shms_jar_export(j: *mut shms_jar, path: *const c_char, ret_left_out: *mut u64) -> i64;
}
