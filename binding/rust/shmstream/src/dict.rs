// SPDX-License-Identifier: MIT
//! Records by key.
use crate::error::{checked, timed};
use crate::{c_name, sys, Create, Error};
use std::mem::{size_of, MaybeUninit};
use std::os::raw::c_int;
use std::ptr::{self, NonNull};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

mod feed;
mod keylock;
mod saved;

pub use feed::Change;
pub use keylock::KeyGuard;

/// How a dict is made and opened.
#[derive(Clone, Copy)]
pub struct DictOptions(sys::shms_dict_options);

impl Default for DictOptions {
    fn default() -> DictOptions {
        // SAFETY: zero is the default of each field, and a value of its type.
        let mut options: sys::shms_dict_options = unsafe { MaybeUninit::zeroed().assume_init() };
        options.struct_size = size_of::<sys::shms_dict_options>() as u32;
        DictOptions(options)
    }
}

impl DictOptions {
    /// The handle may only read.
    pub fn read_only(mut self, yes: bool) -> DictOptions {
        self.0.access = if yes { sys::SHMS_ACCESS_READ } else { sys::SHMS_ACCESS_READ_WRITE };
        self
    }

    /// The dict stays without members until it is unlinked.
    pub fn keep(mut self, yes: bool) -> DictOptions {
        self.0.keep = yes.into();
        self
    }

    /// Bytes that it may grow to.
    pub fn max_size(mut self, size: u64) -> DictOptions {
        self.0.max_size = size;
        self
    }

    /// A full dict drops what was not used for long.
    pub fn evict(mut self, yes: bool) -> DictOptions {
        self.0.policy = if yes { sys::SHMS_EVICT_LRU } else { sys::SHMS_EVICT_NONE };
        self
    }

    /// The longest value in bytes.
    pub fn value_max(mut self, size: u32) -> DictOptions {
        self.0.value_max = size;
        self
    }

    /// What to do about a name that exists, or does not.
    pub fn create(mut self, create: Create) -> DictOptions {
        self.0.create = create.raw();
        self
    }

    /// Permission bits of a new dict; 0o600 if it is not called.
    pub fn mode(mut self, mode: u32) -> DictOptions {
        self.0.mode = mode;
        self
    }

    /// The longest wait of opening, and of a change; 5 seconds if it is not called.
    pub fn open_timeout(mut self, timeout: Duration) -> DictOptions {
        self.0.open_timeout_ms = timeout.as_millis().clamp(1, c_int::MAX as u128) as i32;
        self
    }

    /// The longest key in bytes.
    pub fn key_max(mut self, size: u32) -> DictOptions {
        self.0.key_max = size;
        self
    }

    /// Bytes of a cell, in which memory is given.
    pub fn cell_size(mut self, size: u32) -> DictOptions {
        self.0.cell_size = size;
        self
    }

    /// How many changes it can look back: a power of two.
    pub fn ring(mut self, changes: u32) -> DictOptions {
        self.0.ring = changes;
        self
    }

    /// What this handle replaces, evicts or finds expired is wiped, and core dumps leave the dict out.
    pub fn secret(mut self, yes: bool) -> DictOptions {
        self.0.secret = yes.into();
        self
    }

    /// Creates or opens a name. A size of 0 opens what exists.
    pub fn open(&self, name: &str, size: u64) -> Result<Dict, Error> {
        let name = c_name(name)?;
        let mut dict = ptr::null_mut();
        // SAFETY: the name is zero-terminated, and all lives through the call.
        checked(|| unsafe { sys::shms_dict_open(name.as_ptr(), size, &self.0, &mut dict) }.into())?;
        NonNull::new(dict).map(Dict).ok_or_else(|| Error::of(sys::SHMS_E_INVALID))
    }
}

/// On which condition a change is made, and when the record expires.
#[derive(Clone, Copy, Debug, Default)]
pub struct How(sys::shms_dict_how);

impl How {
    /// Only if there is no record: else the code is `SHMS_E_EXISTS`.
    pub fn if_absent(mut self) -> How {
        self.0.if_version = -1;
        self
    }

    /// Only if the record has this version: else the code is `SHMS_E_CHANGED`.
    pub fn if_version(mut self, version: i64) -> How {
        self.0.if_version = version;
        self
    }

    /// How long the record lives, rounded up to milliseconds. With a duration of zero the call fails
    /// (`SHMS_E_INVALID`).
    pub fn ttl(mut self, ttl: Duration) -> How {
        let ms = (ttl.as_nanos() + 999_999) / 1_000_000;
        // For C, 0 is for ever.
        self.0.ttl_ms = if ms == 0 { -1 } else { i64::try_from(ms).unwrap_or(i64::MAX) };
        self
    }

    fn raw(self) -> sys::shms_dict_how {
        sys::shms_dict_how { struct_size: size_of::<sys::shms_dict_how>() as u32, ..self.0 }
    }
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its key.
    pub key: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
    /// The number of the change that made it.
    pub version: i64,
    /// When it expires; `None`: never.
    pub expires: Option<SystemTime>,
}

impl Record {
    fn of(key: &[u8], value: Vec<u8>, what: &sys::shms_dict_record) -> Record {
        Record { key: key.to_vec(), value, version: what.version, expires: expiry(what.expires_ns) }
    }
}

/// An open dict.
pub struct Dict(NonNull<sys::shms_dict>);

// SAFETY: all calls that are used here may be made by several threads at once.
unsafe impl Send for Dict {}
// SAFETY: as above.
unsafe impl Sync for Dict {}

impl Dict {
    /// Creates or opens a name.
    pub fn open(name: &str, size: u64) -> Result<Dict, Error> {
        DictOptions::default().open(name, size)
    }

    fn raw(&self) -> *mut sys::shms_dict {
        self.0.as_ptr()
    }

    /// A value into a room: its length, even if that is too short.
    fn look(
        &self,
        key: &[u8],
        room: &mut [u8],
        what: &mut sys::shms_dict_record,
    ) -> Result<Option<usize>, Error> {
        // SAFETY: the handle is open as long as self lives; lengths are those of the slices. So it is below.
        let got = checked(|| unsafe {
            let (data, size) = (room.as_mut_ptr().cast(), room.len());
            sys::shms_dict_get(self.raw(), key.as_ptr().cast(), key.len(), data, size, what)
        });
        match got {
            Err(error) if error.code() == sys::SHMS_E_NOT_FOUND => Ok(None),
            got => got.map(|n| Some(n as usize)),
        }
    }

    fn value(&self, key: &[u8], what: &mut sys::shms_dict_record) -> Result<Option<Vec<u8>>, Error> {
        let mut near = [0u8; 512]; // most values fit: one call
        let mut far = Vec::new();
        let mut found = self.look(key, &mut near, what)?;
        while let Some(n) = found {
            if far.is_empty() && n <= near.len() {
                return Ok(Some(near[..n].to_vec()));
            }
            if n <= far.len() {
                far.truncate(n);
                return Ok(Some(far));
            }
            far.resize(n, 0);
            found = self.look(key, &mut far, what)?; // it may be a longer one meanwhile
        }
        Ok(None)
    }

    /// The record of a key.
    pub fn record(&self, key: impl AsRef<[u8]>) -> Result<Option<Record>, Error> {
        let (key, mut what) = (key.as_ref(), empty_record());
        Ok(self.value(key, &mut what)?.map(|value| Record::of(key, value, &what)))
    }

    /// The value of a key.
    pub fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Vec<u8>>, Error> {
        self.value(key.as_ref(), &mut empty_record())
    }

    /// Sets the value of a key; gives the version of the record.
    pub fn set(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Result<i64, Error> {
        self.set_how(key, value, How::default())
    }

    /// Sets the value of a key on a condition, or with an expiry.
    pub fn set_how(&self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>, how: How) -> Result<i64, Error> {
        let (key, value, how) = (key.as_ref(), value.as_ref(), how.raw());
        checked(|| unsafe {
            let (data, size) = (value.as_ptr().cast(), value.len());
            sys::shms_dict_set(self.raw(), key.as_ptr().cast(), key.len(), data, size, &how)
        })
    }

    /// Deletes a key; gives whether it had a record.
    pub fn delete(&self, key: impl AsRef<[u8]>) -> Result<bool, Error> {
        let (key, how) = (key.as_ref(), How::default().raw());
        match checked(|| unsafe { sys::shms_dict_del(self.raw(), key.as_ptr().cast(), key.len(), &how) }) {
            Err(error) if error.code() == sys::SHMS_E_NOT_FOUND => Ok(false),
            got => got.map(|_| true),
        }
    }

    /// Adds to a counter, which begins with 0; gives the sum.
    pub fn add(&self, key: impl AsRef<[u8]>, delta: i64) -> Result<i64, Error> {
        let (key, how, mut sum) = (key.as_ref(), How::default().raw(), 0);
        checked(|| unsafe {
            sys::shms_dict_add(self.raw(), key.as_ptr().cast(), key.len(), delta, 0, &how, &mut sum)
        })?;
        Ok(sum)
    }

    /// All records, in no order.
    pub fn records(&self) -> impl Iterator<Item = Result<Record, Error>> + '_ {
        let mut cursor = 0;
        let mut ended = false;
        std::iter::from_fn(move || {
            if ended {
                return None;
            }
            let next = self.next(&mut cursor).transpose();
            ended = !matches!(next, Some(Ok(_)));
            next
        })
    }

    fn next(&self, cursor: &mut u64) -> Result<Option<Record>, Error> {
        let mut key = [0u8; sys::SHMS_DICT_KEY_MOST];
        let mut value = vec![0u8; 256];
        let mut what = empty_record();
        loop {
            let (mut at, mut key_size, mut size) = (*cursor, key.len(), value.len());
            let found = checked(|| {
                let (key, data) = (key.as_mut_ptr().cast(), value.as_mut_ptr().cast());
                unsafe {
                    sys::shms_dict_next(self.raw(), &mut at, key, &mut key_size, data, &mut size, &mut what)
                }
                .into()
            })?;
            if found == 0 {
                return Ok(None);
            }
            let whole = size <= value.len();
            value.resize(size, 0);
            if whole {
                *cursor = at;
                return Ok(Some(Record::of(&key[..key_size], value, &what)));
            }
        }
    }

    /// The number of the last change.
    pub fn version(&self) -> i64 {
        unsafe { sys::shms_dict_version(self.raw()) }
    }

    /// Waits until the version is not `seen`, which is then the version now. False: the time-out passed.
    pub fn wait(&self, seen: &mut i64, timeout: impl Into<Option<Duration>>) -> Result<bool, Error> {
        let wait = |ms| unsafe { sys::shms_dict_wait(self.raw(), ptr::null(), 0, seen, ms) }.into();
        match timed(timeout.into(), wait) {
            Err(error) if error.is_timeout() => Ok(false),
            got => got.map(|_| true),
        }
    }
}

impl Drop for Dict {
    fn drop(&mut self) {
        unsafe { sys::shms_dict_close(self.raw()) }
    }
}

fn expiry(ns: i64) -> Option<SystemTime> {
    Some(ns).filter(|&ns| ns > 0).map(|ns| UNIX_EPOCH + Duration::from_nanos(ns as u64))
}

fn empty_record() -> sys::shms_dict_record {
    sys::shms_dict_record { struct_size: size_of::<sys::shms_dict_record>() as u32, ..Default::default() }
}
