// SPDX-License-Identifier: MIT
//! What has changed in a dict, and waiting for it.
use super::{expiry, Dict};
use crate::error::{checked, timed};
use crate::{sys, Error};
use std::os::raw::{c_int, c_void};
use std::os::unix::io::BorrowedFd;
use std::time::{Duration, SystemTime};

/// What became of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The key. Its value is not told; get it.
    pub key: Vec<u8>,
    /// The number of the change.
    pub version: i64,
    /// When the record expires; `None`: never.
    pub expires: Option<SystemTime>,
    /// The key has no record any more: deleted, unless one of the next two is set.
    pub gone: bool,
    /// Its time was over.
    pub expired: bool,
    /// It made room for others.
    pub evicted: bool,
}

impl Change {
    /// # Safety
    /// `key` has so many bytes.
    unsafe fn of(key: *const c_void, size: usize, record: &sys::shms_dict_record) -> Change {
        let told = |flag| record.flags & flag != 0;
        Change {
            key: std::slice::from_raw_parts(key.cast::<u8>(), size).to_vec(),
            version: record.version,
            expires: expiry(record.expires_ns),
            gone: told(sys::SHMS_RECORD_GONE),
            expired: told(sys::SHMS_RECORD_EXPIRED),
            evicted: told(sys::SHMS_RECORD_EVICTED),
        }
    }
}

/// Called by C, so it must not panic: it only copies.
unsafe extern "C" fn collect(
    key: *const c_void,
    size: usize,
    record: *const sys::shms_dict_record,
    context: *mut c_void,
) -> c_int {
    // SAFETY: what `changes` passes on, and the library's key and record, valid during the call.
    let all = &mut *context.cast::<Vec<Change>>();
    all.push(Change::of(key, size, &*record));
    0
}

impl Dict {
    /// The changes since a version, which moves on, in their order; of each key the last one, at least. If more
    /// came than the dict remembers, the code is `SHMS_E_MISSED`, and `since` the version now: look at all
    /// [`records`](Dict::records), and go on from there.
    ///
    /// ```
    /// # fn main() -> Result<(), shmstream::Error> {
    /// # let dict = shmstream::Dict::open(&format!("rust-doc-feed-{}", std::process::id()), 1 << 20)?;
    /// let mut since = dict.version();
    /// dict.set("colour", "blue")?;
    /// dict.delete("colour")?;
    /// let changes = dict.changes(&mut since)?;
    /// assert_eq!((&changes[0].key[..], changes[0].gone), (&b"colour"[..], true));
    /// assert_eq!(since, dict.version());
    /// # Ok(())
    /// # }
    /// ```
    pub fn changes(&self, since: &mut i64) -> Result<Vec<Change>, Error> {
        let mut all = Vec::<Change>::new();
        // SAFETY: the handle is open as long as self lives; the callback is done with `all` when the call ends.
        checked(|| unsafe {
            sys::shms_dict_changes(self.raw(), since, Some(collect), (&mut all as *mut Vec<Change>).cast())
        })?;
        Ok(all)
    }

    /// Waits until the record of a key has another version than `seen`, which is then the version now; 0 is that
    /// of a key without a record. False: the time-out passed.
    pub fn wait_key(
        &self,
        key: impl AsRef<[u8]>,
        seen: &mut i64,
        timeout: impl Into<Option<Duration>>,
    ) -> Result<bool, Error> {
        let key = key.as_ref();
        let wait = |ms| {
            // SAFETY: as above; the length is that of the slice.
            unsafe { sys::shms_dict_wait(self.raw(), key.as_ptr().cast(), key.len(), seen, ms) }.into()
        };
        match timed(timeout.into(), wait) {
            Err(error) if error.is_timeout() => Ok(false),
            got => got.map(|_| true),
        }
    }

    /// A descriptor that becomes readable when the dict has changed, for mio or tokio's `AsyncFd`. Then call
    /// [`wait`](Dict::wait) with no time until it gives false, and sleep again. Never read or close it.
    pub fn poll_fd(&self) -> Result<BorrowedFd<'_>, Error> {
        let fd = checked(|| unsafe { sys::shms_dict_poll_fd(self.raw()) }.into())?;
        // SAFETY: the descriptor is open as long as the handle.
        Ok(unsafe { BorrowedFd::borrow_raw(fd as c_int) })
    }
}
