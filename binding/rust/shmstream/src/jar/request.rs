// SPDX-License-Identifier: MIT
//! What is told of a request, and why a cookie was refused.
use super::pointer;
use crate::{c_name, sys, Error};
use std::ffi::{CStr, CString};
use std::fmt;
use std::mem::size_of;
use std::os::raw::c_int;

/// Where a request comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// From the site itself, or from no site: a program, a typed address.
    Same,
    /// Another site's link was followed: top-level, by a safe method (GET).
    Lax,
    /// The same by an unsafe method (POST).
    LaxUnsafe,
    /// Within a page of another site.
    Cross,
}

/// A request to a server, or a script's look at its cookies. A URL is one, too.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    url: &'a str,
    site: Site,
    api: bool,
    partition: Option<&'a str>,
}

impl<'a> Request<'a> {
    /// A request of the site itself, or of no site: http, https, ws or wss.
    pub fn new(url: &'a str) -> Request<'a> {
        Request { url, site: Site::Same, api: false, partition: None }
    }

    /// Where it comes from.
    pub fn site(mut self, site: Site) -> Request<'a> {
        self.site = site;
        self
    }

    /// A script asks, no HTTP request: HttpOnly cookies are hidden.
    pub fn api(mut self, yes: bool) -> Request<'a> {
        self.api = yes;
        self
    }

    /// The site of the page at the top, as `https://example.com`.
    pub fn partition(mut self, site: &'a str) -> Request<'a> {
        self.partition = Some(site);
        self
    }

    pub(super) fn texts(&self) -> Result<Texts, Error> {
        Ok(Texts {
            url: c_name(self.url)?,
            partition: self.partition.map(c_name).transpose()?,
            site: match self.site {
                Site::Same => sys::SHMS_SITE_SAME,
                Site::Lax => sys::SHMS_SITE_LAX,
                Site::LaxUnsafe => sys::SHMS_SITE_LAX_UNSAFE,
                Site::Cross => sys::SHMS_SITE_CROSS,
            },
            flags: if self.api { sys::SHMS_JAR_API } else { 0 },
        })
    }
}

impl<'a> From<&'a str> for Request<'a> {
    fn from(url: &'a str) -> Request<'a> {
        Request::new(url)
    }
}

impl<'a> From<&'a String> for Request<'a> {
    fn from(url: &'a String) -> Request<'a> {
        Request::new(url)
    }
}

/// A request with texts for C.
pub(super) struct Texts {
    url: CString,
    partition: Option<CString>,
    site: u32,
    flags: u32,
}

impl Texts {
    /// It is valid as long as self is.
    pub(super) fn raw(&self) -> sys::shms_jar_request {
        sys::shms_jar_request {
            struct_size: size_of::<sys::shms_jar_request>() as u32,
            flags: self.flags,
            site: self.site,
            reserved: 0,
            url: self.url.as_ptr(),
            partition: pointer(&self.partition),
        }
    }
}

/// Why the rules refused a cookie. That is no failure of the call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Refusal(c_int);

impl Refusal {
    pub(super) fn of(code: i64) -> Option<Refusal> {
        Some(Refusal(code as c_int)).filter(|refusal| refusal.0 != 0)
    }

    /// One of `sys::SHMS_COOKIE_...`.
    pub fn reason(&self) -> i32 {
        self.0
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SAFETY: the library gives a constant, zero-terminated text for each number.
        f.write_str(unsafe { CStr::from_ptr(sys::shms_jar_reason(self.0)) }.to_str().unwrap_or("refused"))
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refusal({}: {})", self.0, self)
    }
}
