// SPDX-License-Identifier: MIT
//! Cookies as they lie in a jar.
use super::pointer;
use crate::{c_name, sys, Error};
use std::ffi::{CStr, CString};
use std::mem::size_of;
use std::os::raw::{c_char, c_int, c_void};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What its server said of other sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// Nothing: as Lax, and for two minutes also with unsafe methods.
    Default,
    /// It is sent with requests of other sites.
    None,
    /// It is sent with links that are followed from other sites.
    Lax,
    /// It is sent with requests of its own site only.
    Strict,
}

/// A cookie. Name, value and path are bytes, as servers may send any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// Lower case, without a dot before it.
    pub host: String,
    /// The name.
    pub name: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
    /// The path; `/` is the whole host.
    pub path: Vec<u8>,
    /// The site of the page at the top; `None`: any.
    pub partition: Option<String>,
    /// It is sent over https and wss only.
    pub secure: bool,
    /// It is not shown to scripts.
    pub http_only: bool,
    /// It is sent to this host only, not to hosts below it.
    pub host_only: bool,
    /// What its server said of other sites.
    pub same_site: SameSite,
    /// When it expires; `None`: with the session.
    pub expires: Option<SystemTime>,
    /// Told by [`changes`](super::Jar::changes): it was deleted, has expired, or made room. With an empty name:
    /// some cookies of this host went, and it is no longer known which.
    pub gone: bool,
    /// When it was made. `put` does not look at this and the next three.
    pub created_at: Option<SystemTime>,
    /// When it was last sent, to the minute.
    pub used_at: Option<SystemTime>,
    /// Number of the change that made it: the order of cookies.
    pub created: i64,
    /// Number of the change that gave it what it holds now.
    pub changed: i64,
}

impl Cookie {
    /// A cookie of this host only, for the whole of it and for the session.
    pub fn new(host: &str, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Cookie {
        Cookie {
            host: host.into(),
            name: name.as_ref().into(),
            value: value.as_ref().into(),
            path: b"/".to_vec(),
            partition: None,
            secure: false,
            http_only: false,
            host_only: true,
            same_site: SameSite::Default,
            expires: None,
            gone: false,
            created_at: None,
            used_at: None,
            created: 0,
            changed: 0,
        }
    }

    /// # Safety
    /// The texts of `c` are zero-terminated, or NULL.
    unsafe fn of(c: &sys::shms_cookie) -> Cookie {
        let told = |flag| c.flags & flag != 0;
        Cookie {
            host: String::from_utf8_lossy(&bytes(c.host)).into_owned(),
            name: bytes(c.name),
            value: bytes(c.value),
            path: bytes(c.path),
            partition: Some(c.partition)
                .filter(|partition| !partition.is_null())
                .map(|partition| String::from_utf8_lossy(&bytes(partition)).into_owned()),
            secure: told(sys::SHMS_COOKIE_SECURE),
            http_only: told(sys::SHMS_COOKIE_HTTP_ONLY),
            host_only: told(sys::SHMS_COOKIE_HOST_ONLY),
            same_site: match c.same_site {
                sys::SHMS_SAME_SITE_NONE => SameSite::None,
                sys::SHMS_SAME_SITE_LAX => SameSite::Lax,
                sys::SHMS_SAME_SITE_STRICT => SameSite::Strict,
                _ => SameSite::Default,
            },
            expires: time(c.expires_ns),
            gone: told(sys::SHMS_COOKIE_GONE),
            created_at: time(c.created_ns),
            used_at: time(c.used_ns),
            created: c.created,
            changed: c.changed,
        }
    }

    pub(super) fn texts(&self) -> Result<Texts, Error> {
        let text = |bytes: &[u8]| CString::new(bytes).map_err(|_| Error::of(sys::SHMS_E_INVALID));
        Ok(Texts {
            host: c_name(&self.host)?,
            name: text(&self.name)?,
            value: text(&self.value)?,
            path: text(&self.path)?,
            partition: self.partition.as_deref().map(c_name).transpose()?,
        })
    }
}

/// The texts of a cookie for C.
pub(super) struct Texts {
    host: CString,
    name: CString,
    value: CString,
    path: CString,
    partition: Option<CString>,
}

impl Texts {
    /// It is valid as long as self is.
    pub(super) fn raw(&self, cookie: &Cookie) -> sys::shms_cookie {
        let flag = |on, flag| if on { flag } else { 0 };
        sys::shms_cookie {
            struct_size: size_of::<sys::shms_cookie>() as u32,
            flags: flag(cookie.secure, sys::SHMS_COOKIE_SECURE)
                | flag(cookie.http_only, sys::SHMS_COOKIE_HTTP_ONLY)
                | flag(cookie.host_only, sys::SHMS_COOKIE_HOST_ONLY),
            same_site: match cookie.same_site {
                SameSite::Default => sys::SHMS_SAME_SITE_DEFAULT,
                SameSite::None => sys::SHMS_SAME_SITE_NONE,
                SameSite::Lax => sys::SHMS_SAME_SITE_LAX,
                SameSite::Strict => sys::SHMS_SAME_SITE_STRICT,
            },
            reserved: 0,
            host: self.host.as_ptr(),
            name: self.name.as_ptr(),
            value: self.value.as_ptr(),
            path: self.path.as_ptr(),
            partition: pointer(&self.partition),
            expires_ns: cookie.expires.map_or(0, nanoseconds),
            created_ns: 0,
            used_ns: 0,
            created: 0,
            changed: 0,
        }
    }
}

/// What is before 1970 is over; 0 would be the session.
fn nanoseconds(when: SystemTime) -> i64 {
    let since = when.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_nanos();
    i64::try_from(since).unwrap_or(i64::MAX).max(1)
}

fn time(ns: i64) -> Option<SystemTime> {
    Some(ns).filter(|&ns| ns > 0).map(|ns| UNIX_EPOCH + Duration::from_nanos(ns as u64))
}

unsafe fn bytes(text: *const c_char) -> Vec<u8> {
    if text.is_null() {
        return Vec::new();
    }
    CStr::from_ptr(text).to_bytes().to_vec()
}

/// Called by C, so it must not panic: it only copies.
pub(super) unsafe extern "C" fn collect(cookie: *const sys::shms_cookie, context: *mut c_void) -> c_int {
    // SAFETY: what the jar passes on, and the library's cookie, valid during the call.
    let all = &mut *context.cast::<Vec<Cookie>>();
    all.push(Cookie::of(&*cookie));
    0
}
