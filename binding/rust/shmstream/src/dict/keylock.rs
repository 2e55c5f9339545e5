// SPDX-License-Identifier: MIT
//! Locks of keys.
use super::Dict;
use crate::error::{checked, timed};
use crate::{sys, Error};
use std::os::raw::c_int;
use std::time::Duration;

impl Dict {
    /// Locks a key, whether it has a record or not. One handle has it at a time; readers and writers of the
    /// record do not mind it, only callers of `lock` do. The threads of one handle share its locks: to lock once
    /// more through this handle is an error (`SHMS_E_DEADLOCK`), so threads that compete open a dict each.
    ///
    /// ```
    /// # fn main() -> Result<(), shmstream::Error> {
    /// # let dict = shmstream::Dict::open(&format!("rust-doc-lock-{}", std::process::id()), 1 << 20)?;
    /// let job = dict.lock("nightly", std::time::Duration::from_secs(1))?;
    /// if job.owner_died() {
    ///     // the process that had it was killed: look how far it came
    /// }
    /// drop(job); // given back
    /// # Ok(())
    /// # }
    /// ```
    pub fn lock(
        &self,
        key: impl AsRef<[u8]>,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<KeyGuard<'_>, Error> {
        let key: Box<[u8]> = key.as_ref().into();
        // SAFETY: the handle is open as long as self lives, and the length is the key's; so it is below.
        let code = timed(timeout.into(), |ms| {
            unsafe { sys::shms_dict_lock(self.raw(), key.as_ptr().cast(), key.len(), ms) }.into()
        })?;
        Ok(KeyGuard { dict: self, key, owner_died: code == sys::SHMS_OWNER_DIED.into(), given_back: false })
    }

    /// The lock of a key, if nobody else has it now.
    pub fn try_lock(&self, key: impl AsRef<[u8]>) -> Result<Option<KeyGuard<'_>>, Error> {
        match self.lock(key, Duration::ZERO) {
            Err(error) if error.is_timeout() => Ok(None),
            got => got.map(Some),
        }
    }
}

/// The lock of a key, until this is dropped, on any thread.
#[must_use = "the lock is released at once"]
pub struct KeyGuard<'a> {
    dict: &'a Dict,
    key: Box<[u8]>,
    owner_died: bool,
    given_back: bool,
}

impl KeyGuard<'_> {
    /// The one that held it before died with it. That is told once.
    pub fn owner_died(&self) -> bool {
        self.owner_died
    }

    /// The key.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// Gives it back, and tells if that fails. Dropping it does the same, and is silent.
    pub fn unlock(mut self) -> Result<(), Error> {
        checked(|| self.give_back().into()).map(drop)
    }

    /// Once.
    fn give_back(&mut self) -> c_int {
        if std::mem::replace(&mut self.given_back, true) {
            return sys::SHMS_OK;
        }
        unsafe { sys::shms_dict_unlock(self.dict.raw(), self.key.as_ptr().cast(), self.key.len()) }
    }
}

impl Drop for KeyGuard<'_> {
    fn drop(&mut self) {
        self.give_back();
    }
}
