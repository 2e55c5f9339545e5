// SPDX-License-Identifier: MIT
//! Locks of hosts.
use super::Jar;
use crate::error::{checked, timed};
use crate::{c_name, sys, Error};
use std::ffi::CString;
use std::os::raw::c_int;
use std::time::Duration;

impl Jar {
    /// Locks a host, so that one process at a time does what all need once: log in, refresh a token. Cookies can
    /// be read and changed meanwhile. The threads of one handle share its locks: to lock once more through this
    /// handle is an error (`SHMS_E_DEADLOCK`).
    pub fn lock(&self, host: &str, timeout: impl Into<Option<Duration>>) -> Result<HostGuard<'_>, Error> {
        let host = c_name(host)?;
        // SAFETY: the handle is open as long as self lives, and the text is zero-terminated; so it is below.
        let code =
            timed(timeout.into(), |ms| unsafe { sys::shms_jar_lock(self.raw(), host.as_ptr(), ms) }.into())?;
        Ok(HostGuard { jar: self, host: Some(host), owner_died: code == sys::SHMS_OWNER_DIED.into() })
    }

    /// The lock of a host, if nobody else has it now.
    pub fn try_lock(&self, host: &str) -> Result<Option<HostGuard<'_>>, Error> {
        match self.lock(host, Duration::ZERO) {
            Err(error) if error.is_timeout() => Ok(None),
            got => got.map(Some),
        }
    }
}

/// The lock of a host, until this is dropped, on any thread.
#[must_use = "the lock is released at once"]
pub struct HostGuard<'a> {
    jar: &'a Jar,
    host: Option<CString>,
    owner_died: bool,
}

impl HostGuard<'_> {
    /// The one that held it before died with it. That is told once.
    pub fn owner_died(&self) -> bool {
        self.owner_died
    }

    /// Gives it back, and tells if that fails. Dropping it does the same, and is silent.
    pub fn unlock(mut self) -> Result<(), Error> {
        checked(|| self.give_back().into()).map(drop)
    }

    /// Once.
    fn give_back(&mut self) -> c_int {
        match self.host.take() {
            Some(host) => unsafe { sys::shms_jar_unlock(self.jar.raw(), host.as_ptr()) },
            None => sys::SHMS_OK,
        }
    }
}

impl Drop for HostGuard<'_> {
    fn drop(&mut self) {
        self.give_back();
    }
}
