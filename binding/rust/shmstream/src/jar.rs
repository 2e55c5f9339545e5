// SPDX-License-Identifier: MIT
//! HTTP cookies that processes share, by the rules of RFC 6265bis. With the feature `jar`.
//!
//! ```
//! # fn main() -> Result<(), shmstream::Error> {
//! # let name = format!("rust-doc-cookies-{}", std::process::id());
//! use shmstream::Jar;
//!
//! let jar = Jar::open(&name)?; // it stays until it is unlinked
//! if let Some(refused) = jar.set("https://example.com/login", "sid=31d4; Path=/; Secure")? {
//!     println!("refused: {refused}");
//! }
//! assert_eq!(jar.get("https://example.com/")?, b"sid=31d4");
//! # shmstream::unlink(&name)
//! # }
//! ```
use crate::error::{checked, timed};
use crate::{c_name, c_path, sys, Create, Error};
use std::ffi::CString;
use std::mem::{size_of, MaybeUninit};
use std::os::raw::{c_char, c_int};
use std::os::unix::io::BorrowedFd;
use std::path::Path;
use std::ptr::{self, NonNull};
use std::time::Duration;

mod cookie;
mod lock;
mod request;

pub use cookie::{Cookie, SameSite};
pub use lock::HostGuard;
pub use request::{Refusal, Request, Site};

/// How a jar is made and opened.
#[derive(Clone)]
pub struct JarOptions {
    raw: sys::shms_jar_options,
    suffix_list: Option<CString>,
}

// SAFETY: the pointers of `raw` are NULL; what they will point to is in `suffix_list`.
unsafe impl Send for JarOptions {}
// SAFETY: as above.
unsafe impl Sync for JarOptions {}

impl Default for JarOptions {
    fn default() -> JarOptions {
        // SAFETY: zero is the default of each field, and a value of its type.
        let mut raw: sys::shms_jar_options = unsafe { MaybeUninit::zeroed().assume_init() };
        raw.struct_size = size_of::<sys::shms_jar_options>() as u32;
        JarOptions { raw, suffix_list: None }
    }
}

impl JarOptions {
    /// The handle may only read.
    pub fn read_only(mut self, yes: bool) -> JarOptions {
        self.raw.access = if yes { sys::SHMS_ACCESS_READ } else { sys::SHMS_ACCESS_READ_WRITE };
        self
    }

    /// The jar stays without members until it is unlinked. That is so unless all say no.
    pub fn keep(mut self, yes: bool) -> JarOptions {
        self.raw.no_keep = (!yes).into();
        self
    }

    /// What to do about a name that exists, or does not.
    pub fn create(mut self, create: Create) -> JarOptions {
        self.raw.create = create.raw();
        self
    }

    /// Permission bits of a new jar; 0o600 if it is not called.
    pub fn mode(mut self, mode: u32) -> JarOptions {
        self.raw.mode = mode;
        self
    }

    /// Bytes that it may grow to, 8 MiB or more; 64 MiB if it is not called.
    pub fn max_size(mut self, size: u64) -> JarOptions {
        self.raw.max_size = size;
        self
    }

    /// The longest wait of opening, and of a change; 5 seconds if it is not called.
    pub fn open_timeout(mut self, timeout: Duration) -> JarOptions {
        self.raw.open_timeout_ms = timeout.as_millis().clamp(1, c_int::MAX as u128) as i32;
        self
    }

    /// Cookies of one host that there may be: then the least used go.
    pub fn host_cookies(mut self, most: u32) -> JarOptions {
        self.raw.host_cookies = most;
        self
    }

    /// Cookies of the whole jar that there may be.
    pub fn jar_cookies(mut self, most: u32) -> JarOptions {
        self.raw.jar_cookies = most;
        self
    }

    /// A file of public suffixes, as publicsuffix.org has it, in place of libpsl's own.
    pub fn suffix_list(mut self, path: impl AsRef<Path>) -> Result<JarOptions, Error> {
        self.suffix_list = Some(c_path(path.as_ref())?);
        Ok(self)
    }

    /// Creates or opens a name.
    pub fn open(&self, name: &str) -> Result<Jar, Error> {
        let name = c_name(name)?;
        let mut options = self.raw;
        let mut jar = ptr::null_mut();
        options.suffix_list = pointer(&self.suffix_list);
        // SAFETY: all texts are zero-terminated, and all lives through the call.
        checked(|| unsafe { sys::shms_jar_open(name.as_ptr(), &options, &mut jar) }.into())?;
        NonNull::new(jar).map(Jar).ok_or_else(|| Error::of(sys::SHMS_E_INVALID))
    }
}

fn pointer(text: &Option<CString>) -> *const c_char {
    text.as_ref().map_or(ptr::null(), |text| text.as_ptr())
}

/// What a call did with a cookies.txt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Cookies that were read or written.
    pub cookies: u64,
    /// Lines, or cookies, that were left out.
    pub left_out: u64,
}

/// An open jar.
pub struct Jar(NonNull<sys::shms_jar>);

// SAFETY: all calls that are used here may be made by several threads at once.
unsafe impl Send for Jar {}
// SAFETY: as above.
unsafe impl Sync for Jar {}

impl Jar {
    /// Creates or opens a name. The jar stays until it is unlinked.
    pub fn open(name: &str) -> Result<Jar, Error> {
        JarOptions::default().open(name)
    }

    fn raw(&self) -> *mut sys::shms_jar {
        self.0.as_ptr()
    }

    /// Takes the value of a Set-Cookie header in, of the answer to a request: a URL, or a [`Request`]. Gives why
    /// the rules refused it, if they did.
    pub fn set<'r>(
        &self,
        request: impl Into<Request<'r>>,
        line: impl AsRef<[u8]>,
    ) -> Result<Option<Refusal>, Error> {
        let (line, request) = (line.as_ref(), request.into().texts()?);
        // SAFETY: the handle is open as long as self lives; lengths are those of the slices. So it is below.
        let code = checked(|| {
            unsafe { sys::shms_jar_set(self.raw(), &request.raw(), line.as_ptr().cast(), line.len()) }.into()
        })?;
        Ok(Refusal::of(code))
    }

    /// The value of the Cookie header for a request; empty where there is none to send.
    pub fn get<'r>(&self, request: impl Into<Request<'r>>) -> Result<Vec<u8>, Error> {
        let request = request.into().texts()?;
        let mut line = vec![0u8; 1024];
        loop {
            let (data, size) = (line.as_mut_ptr().cast(), line.len());
            let n =
                checked(|| unsafe { sys::shms_jar_get(self.raw(), &request.raw(), data, size) })? as usize;
            let whole = n < line.len(); // with the zero byte behind it
            line.resize(if whole { n } else { n + 1 }, 0);
            if whole {
                return Ok(line);
            }
        }
    }

    /// The cookies of a host, or with `None` all; those of one host from the oldest on.
    pub fn cookies<'h>(&self, host: impl Into<Option<&'h str>>) -> Result<Vec<Cookie>, Error> {
        let host = host.into().map(c_name).transpose()?;
        let mut all = Vec::<Cookie>::new();
        checked(|| unsafe {
            let to = (&mut all as *mut Vec<Cookie>).cast();
            sys::shms_jar_each(self.raw(), pointer(&host), Some(cookie::collect), to)
        })?;
        Ok(all)
    }

    /// Puts a cookie in, past the rules that need a request. Gives why it was refused, if it was.
    pub fn put(&self, cookie: &Cookie) -> Result<Option<Refusal>, Error> {
        let texts = cookie.texts()?;
        let code = checked(|| unsafe { sys::shms_jar_put(self.raw(), &texts.raw(cookie)) }.into())?;
        Ok(Refusal::of(code))
    }

    /// Deletes the cookie of this host, partition, name and path; false if there is none.
    pub fn delete(&self, cookie: &Cookie) -> Result<bool, Error> {
        let texts = cookie.texts()?;
        self.delete_raw(&texts.raw(cookie))
    }

    /// Deletes the cookies of a host with a name, in all paths; false if there is none.
    pub fn delete_name(&self, host: &str, name: impl AsRef<[u8]>) -> Result<bool, Error> {
        let cookie = Cookie::new(host, name, "");
        let texts = cookie.texts()?;
        self.delete_raw(&sys::shms_cookie { path: ptr::null(), ..texts.raw(&cookie) })
    }

    fn delete_raw(&self, cookie: &sys::shms_cookie) -> Result<bool, Error> {
        match checked(|| unsafe { sys::shms_jar_del(self.raw(), cookie) }.into()) {
            Err(error) if error.code() == sys::SHMS_E_NOT_FOUND => Ok(false),
            got => got.map(|_| true),
        }
    }

    /// Deletes all cookies of a host, or with `None` all; gives how many they were.
    pub fn clear<'h>(&self, host: impl Into<Option<&'h str>>) -> Result<u64, Error> {
        let host = host.into().map(c_name).transpose()?;
        checked(|| unsafe { sys::shms_jar_clear(self.raw(), pointer(&host)) }).map(|n| n as u64)
    }

    /// The cookies that changed since a version, which moves on: as they are now, or [`gone`](Cookie::gone). If
    /// more came than the jar remembers, the code is `SHMS_E_MISSED`, and `since` the version now: look at all
    /// [`cookies`](Jar::cookies), and go on from there.
    pub fn changes(&self, since: &mut i64) -> Result<Vec<Cookie>, Error> {
        let mut all = Vec::<Cookie>::new();
        checked(|| unsafe {
            let to = (&mut all as *mut Vec<Cookie>).cast();
            sys::shms_jar_changes(self.raw(), since, Some(cookie::collect), to)
        })?;
        Ok(all)
    }

    /// The number of the last change.
    pub fn version(&self) -> i64 {
        unsafe { sys::shms_jar_version(self.raw()) }
    }

    /// Waits until the version is not `seen`, which is then the version now. False: the time-out passed.
    pub fn wait(&self, seen: &mut i64, timeout: impl Into<Option<Duration>>) -> Result<bool, Error> {
        match timed(timeout.into(), |ms| unsafe { sys::shms_jar_wait(self.raw(), seen, ms) }.into()) {
            Err(error) if error.is_timeout() => Ok(false),
            got => got.map(|_| true),
        }
    }

    /// A descriptor that becomes readable when the jar has changed, for mio or tokio's `AsyncFd`. Then call
    /// [`wait`](Jar::wait) with no time until it gives false, and sleep again. Never read or close it.
    pub fn poll_fd(&self) -> Result<BorrowedFd<'_>, Error> {
        let fd = checked(|| unsafe { sys::shms_jar_poll_fd(self.raw()) }.into())?;
        // SAFETY: the descriptor is open as long as the handle.
        Ok(unsafe { BorrowedFd::borrow_raw(fd as c_int) })
    }

    /// Takes the cookies of a cookies.txt in (Netscape's format, of curl, wget, yt-dlp).
    pub fn import(&self, path: impl AsRef<Path>) -> Result<Moved, Error> {
        self.moved(path.as_ref(), sys::shms_jar_import)
    }

    /// Writes all cookies to a cookies.txt, which is replaced as a whole. The format knows no SameSite.
    pub fn export(&self, path: impl AsRef<Path>) -> Result<Moved, Error> {
        self.moved(path.as_ref(), sys::shms_jar_export)
    }

    fn moved(
        &self,
        path: &Path,
        call: unsafe extern "C" fn(*mut sys::shms_jar, *const c_char, *mut u64) -> i64,
    ) -> Result<Moved, Error> {
        let path = c_path(path)?;
        let mut left_out = 0;
        let n = checked(|| unsafe { call(self.raw(), path.as_ptr(), &mut left_out) })?;
        Ok(Moved { cookies: n as u64, left_out })
    }

    /// What can be told about the jar.
    pub fn info(&self) -> Result<sys::shms_jar_stats, Error> {
        let mut stats = sys::shms_jar_stats {
            struct_size: size_of::<sys::shms_jar_stats>() as u32,
            ..Default::default()
        };
        checked(|| unsafe { sys::shms_jar_info(self.raw(), &mut stats) }.into())?;
        Ok(stats)
    }
}

impl Drop for Jar {
    fn drop(&mut self) {
        unsafe { sys::shms_jar_close(self.raw()) }
    }
}
