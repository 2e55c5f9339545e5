// SPDX-License-Identifier: MIT
//! The C interface of libshmstream, as far as the crate `shmstream` uses it. The headers say what each call does.
#![allow(non_camel_case_types)]

use std::marker::{PhantomData, PhantomPinned};
// std::ffi has the integers of C since Rust 1.64 only.
use std::os::raw::{c_char, c_int, c_void};

macro_rules! opaque {
    ($($name:ident)*) => { $(
        #[repr(C)]
        pub struct $name {
            bytes: [u8; 0],
            marker: PhantomData<(*mut u8, PhantomPinned)>,
        }
    )* };
}
opaque!(shms_stream shms_channel shms_dict);

#[cfg(feature = "jar")]
mod jar;
#[cfg(feature = "jar")]
pub use jar::*;

macro_rules! codes {
    ($($name:ident = $value:literal),* $(,)?) => {
        $(pub const $name: c_int = $value;)*
        /// Every code with its name, to be checked against the header.
        pub const CODES: &[(&str, c_int)] = &[$((stringify!($name), $value)),*];
    };
}
codes! {
    SHMS_OWNER_DIED = 1,
    SHMS_OK = 0,
    SHMS_E_INVALID = -1,
    SHMS_E_NOT_FOUND = -2,
    SHMS_E_EXISTS = -3,
    SHMS_E_DENIED = -4,
    SHMS_E_TIMEOUT = -5,
    SHMS_E_RANGE = -6,
    SHMS_E_SIZE = -7,
    SHMS_E_NOSPACE = -8,
    SHMS_E_NOMEM = -9,
    SHMS_E_NOT_OWNER = -10,
    SHMS_E_DEADLOCK = -11,
    SHMS_E_READ_ONLY = -12,
    SHMS_E_CORRUPT = -13,
    SHMS_E_FORMAT = -14,
    SHMS_E_LOST = -15,
    SHMS_E_FULL = -16,
    SHMS_E_OS = -17,
    SHMS_E_UNSUPPORTED = -18,
    SHMS_E_CLOSED = -19,
    SHMS_E_KIND = -20,
    SHMS_E_DIED = -21,
    SHMS_E_MISSED = -22,
    SHMS_E_CHANGED = -23,
}

pub const SHMS_ACCESS_READ_WRITE: u32 = 0;
pub const SHMS_ACCESS_READ: u32 = 1;
pub const SHMS_CREATE_OR_OPEN: u32 = 0;
pub const SHMS_CREATE_ONLY: u32 = 1;
pub const SHMS_OPEN_ONLY: u32 = 2;
pub const SHMS_SEND: c_int = 1;
pub const SHMS_RECEIVE: c_int = 2;
pub const SHMS_QUEUE: u32 = 0;
pub const SHMS_BROADCAST: u32 = 1;
pub const SHMS_SLOW_BLOCK: u32 = 0;
pub const SHMS_SLOW_DROP: u32 = 1;
pub const SHMS_SLOW_EXPEL: u32 = 2;
pub const SHMS_DICT_KEY_MOST: usize = 1024;
pub const SHMS_EVICT_NONE: u32 = 1;
pub const SHMS_EVICT_LRU: u32 = 2;
pub const SHMS_RECORD_GONE: u32 = 1;
pub const SHMS_RECORD_EXPIRED: u32 = 2;
pub const SHMS_RECORD_EVICTED: u32 = 4;

pub type shms_init_fn = unsafe extern "C" fn(s: *mut shms_stream, context: *mut c_void) -> c_int;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct shms_stream_options {
    pub struct_size: u32,
    pub access: u32,
    pub create: u32,
    pub owners: u32,
    pub owner_uid: u32,
    pub mode: u32,
    pub max_size: u64,
    pub open_timeout_ms: i32,
    pub keep: u8,
    pub sparse: u8,
    pub huge_pages: u8,
    pub lock_memory: u8,
    pub atomic: u8,
    pub no_bell: u8,
    pub no_guard: u8,
    pub tasks: u8,
    pub reserved: [u8; 4],
    pub init: Option<shms_init_fn>,
    pub init_context: *mut c_void,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct shms_channel_options {
    pub struct_size: u32,
    pub kind: u32,
    pub slow: u32,
    pub history: u32,
    pub one_sender: u8,
    pub one_receiver: u8,
    pub reserved: [u8; 6],
    pub region: *const shms_stream_options,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct shms_message {
    pub struct_size: u32,
    pub tries: u32,
    pub number: u64,
    pub missed: u64,
    pub size: u64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub struct shms_dict_options {
    pub struct_size: u32,
    pub access: u32,
    pub create: u32,
    pub owners: u32,
    pub owner_uid: u32,
    pub mode: u32,
    pub max_size: u64,
    pub open_timeout_ms: i32,
    pub cell_size: u32,
    pub ring: u32,
    pub policy: u32,
    pub key_max: u32,
    pub value_max: u32,
    pub keep: u8,
    pub no_bell: u8,
    pub no_guard: u8,
    pub secret: u8,
    pub reserved: [u8; 4],
    pub now_ns: Option<unsafe extern "C" fn(context: *mut c_void) -> i64>,
    pub now_context: *mut c_void,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct shms_dict_record {
    pub struct_size: u32,
    pub flags: u32,
    pub version: i64,
    pub expires_ns: i64,
    pub size: u64,
    pub stamp_ns: i64,
    pub origin: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct shms_dict_how {
    pub struct_size: u32,
    pub flags: u32,
    pub if_version: i64,
    pub expires_ns: i64,
    pub ttl_ms: i64,
    pub stamp_ns: i64,
    pub origin: u64,
}

pub type shms_dict_change_fn = unsafe extern "C" fn(
    key: *const c_void,
    key_size: usize,
    record: *const shms_dict_record,
    context: *mut c_void,
) -> c_int;

extern "C" {
    pub fn shms_stream_open(
        name: *const c_char,
        size: u64,
        options: *const shms_stream_options,
        ret: *mut *mut shms_stream,
    ) -> c_int;
    pub fn shms_stream_close(s: *mut shms_stream);
    pub fn shms_stream_unlink(name: *const c_char) -> c_int;
    pub fn shms_stream_memory(s: *mut shms_stream) -> *mut c_void;
    pub fn shms_stream_size(s: *mut shms_stream) -> u64;
    pub fn shms_stream_existed(s: *mut shms_stream) -> c_int;
    pub fn shms_stream_lock(s: *mut shms_stream, timeout_ms: c_int) -> c_int;
    pub fn shms_stream_lock_shared(s: *mut shms_stream, timeout_ms: c_int) -> c_int;
    pub fn shms_stream_unlock(s: *mut shms_stream) -> c_int;
    pub fn shms_stream_rollback(s: *mut shms_stream) -> c_int;
    pub fn shms_stream_repaired(s: *mut shms_stream) -> c_int;
    pub fn shms_stream_pread(s: *mut shms_stream, buf: *mut c_void, n: usize, offset: i64) -> i64;
    pub fn shms_stream_pwrite(s: *mut shms_stream, buf: *const c_void, n: usize, offset: i64) -> i64;
    pub fn shms_stream_resize(s: *mut shms_stream, size: u64) -> c_int;
    pub fn shms_stream_snapshot(s: *mut shms_stream, buf: *mut c_void, n: usize, offset: i64) -> i64;
    pub fn shms_stream_version(s: *mut shms_stream) -> i64;
    pub fn shms_stream_wait(s: *mut shms_stream, seen: *mut i64, timeout_ms: c_int) -> c_int;
    pub fn shms_stream_notify(s: *mut shms_stream) -> c_int;
    pub fn shms_stream_poll_fd(s: *mut shms_stream) -> c_int;
    pub fn shms_strerror(code: c_int) -> *const c_char;
    pub fn shms_last_oserror() -> c_int;

    pub fn shms_channel_open(
        name: *const c_char,
        size: u64,
        role: c_int,
        options: *const shms_channel_options,
        ret: *mut *mut shms_channel,
    ) -> c_int;
    pub fn shms_channel_close(c: *mut shms_channel);
    pub fn shms_channel_send(c: *mut shms_channel, buf: *const c_void, n: usize, timeout_ms: c_int) -> c_int;
    pub fn shms_channel_recv(c: *mut shms_channel, buf: *mut c_void, n: usize, timeout_ms: c_int) -> i64;
    pub fn shms_channel_peek(c: *mut shms_channel, ret: *mut *const c_void, timeout_ms: c_int) -> i64;
    pub fn shms_channel_release(c: *mut shms_channel) -> c_int;
    pub fn shms_channel_abort(c: *mut shms_channel) -> c_int;
    pub fn shms_channel_message(c: *mut shms_channel, message: *mut shms_message) -> c_int;
    pub fn shms_channel_poll_fd(c: *mut shms_channel) -> c_int;

    pub fn shms_dict_open(
        name: *const c_char,
        size: u64,
        options: *const shms_dict_options,
        ret: *mut *mut shms_dict,
    ) -> c_int;
    pub fn shms_dict_close(d: *mut shms_dict);
    pub fn shms_dict_get(
        d: *mut shms_dict,
        key: *const c_void,
        key_size: usize,
        buf: *mut c_void,
        size: usize,
        ret: *mut shms_dict_record,
    ) -> i64;
    pub fn shms_dict_set(
        d: *mut shms_dict,
        key: *const c_void,
        key_size: usize,
        value: *const c_void,
        value_size: usize,
        how: *const shms_dict_how,
    ) -> i64;
    pub fn shms_dict_del(
        d: *mut shms_dict,
        key: *const c_void,
        key_size: usize,
        how: *const shms_dict_how,
    ) -> i64;
    pub fn shms_dict_add(
        d: *mut shms_dict,
        key: *const c_void,
        key_size: usize,
        delta: i64,
        start: i64,
        how: *const shms_dict_how,
        ret_value: *mut i64,
    ) -> i64;
    pub fn shms_dict_next(
        d: *mut shms_dict,
        cursor: *mut u64,
        key: *mut c_void,
        key_size: *mut usize,
        value: *mut c_void,
        value_size: *mut usize,
        ret: *mut shms_dict_record,
    ) -> c_int;
    pub fn shms_dict_wait(
        d: *mut shms_dict,
        key: *const c_void,
        key_size: usize,
        seen: *mut i64,
        timeout_ms: c_int,
    ) -> c_int;
    pub fn shms_dict_version(d: *mut shms_dict) -> i64;
    pub fn shms_dict_changes(
        d: *mut shms_dict,
        since: *mut i64,
        callback: Option<shms_dict_change_fn>,
        context: *mut c_void,
    ) -> i64;
    pub fn shms_dict_poll_fd(d: *mut shms_dict) -> c_int;
    pub fn shms_dict_lock(d: *mut shms_dict, key: *const c_void, key_size: usize, timeout_ms: c_int)
        -> c_int;
    pub fn shms_dict_unlock(d: *mut shms_dict, key: *const c_void, key_size: usize) -> c_int;
    pub fn shms_dict_save(d: *mut shms_dict, path: *const c_char) -> i64;
    pub fn shms_dict_load(d: *mut shms_dict, path: *const c_char) -> i64;
}
