// SPDX-License-Identifier: MIT
//! Codes as errors, and time-outs.
use crate::sys;
use std::ffi::CStr;
use std::os::raw::c_int;
use std::time::Duration;
use std::{error, fmt, io};

/// What a call gave instead of success.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Error {
    code: c_int,
    os: c_int,
}

impl Error {
    pub(crate) fn of(code: c_int) -> Error {
        Error { code, os: 0 }
    }

    /// The code of the library, one of `sys::SHMS_E_...`.
    pub fn code(&self) -> i32 {
        self.code
    }

    /// The errno behind it, if there is one.
    pub fn raw_os_error(&self) -> Option<i32> {
        Some(self.os).filter(|&os| os != 0)
    }

    /// Whether the time-out passed.
    pub fn is_timeout(&self) -> bool {
        self.code == sys::SHMS_E_TIMEOUT
    }

    /// The nearest kind of the standard library.
    pub fn kind(&self) -> io::ErrorKind {
        match self.code {
            sys::SHMS_E_INVALID | sys::SHMS_E_RANGE => io::ErrorKind::InvalidInput,
            sys::SHMS_E_NOT_FOUND => io::ErrorKind::NotFound,
            sys::SHMS_E_EXISTS => io::ErrorKind::AlreadyExists,
            sys::SHMS_E_DENIED | sys::SHMS_E_READ_ONLY => io::ErrorKind::PermissionDenied,
            sys::SHMS_E_TIMEOUT => io::ErrorKind::TimedOut,
            sys::SHMS_E_NOMEM => io::ErrorKind::OutOfMemory,
            sys::SHMS_E_CORRUPT | sys::SHMS_E_FORMAT => io::ErrorKind::InvalidData,
            sys::SHMS_E_UNSUPPORTED => io::ErrorKind::Unsupported,
            sys::SHMS_E_CLOSED | sys::SHMS_E_DIED => io::ErrorKind::BrokenPipe,
            _ => io::ErrorKind::Other,
        }
    }

    fn text(&self) -> &'static str {
        // SAFETY: the library gives a constant, zero-terminated text for each number.
        unsafe { CStr::from_ptr(sys::shms_strerror(self.code)) }.to_str().unwrap_or("unknown code")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())?;
        match self.raw_os_error() {
            Some(os) => write!(f, " ({})", io::Error::from_raw_os_error(os)),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Error({}: {})", self.code, self)
    }
}

impl error::Error for Error {}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        io::Error::new(error.kind(), error)
    }
}

/// Calls; what is negative is an error, with the errno of this thread right after it.
pub(crate) fn checked(call: impl FnOnce() -> i64) -> Result<i64, Error> {
    match call() {
        // SAFETY: no condition.
        code if code < 0 => Err(Error { code: code as c_int, os: unsafe { sys::shms_last_oserror() } }),
        result => Ok(result),
    }
}

/// Calls with milliseconds; once more where a time-out is longer than an int has them. Parts of one count as one.
pub(crate) fn timed(timeout: Option<Duration>, mut call: impl FnMut(c_int) -> i64) -> Result<i64, Error> {
    let mut left = match timeout {
        None => return checked(|| call(-1)),
        Some(timeout) => (timeout.as_nanos() + 999_999) / 1_000_000,
    };
    loop {
        let part = left.min(c_int::MAX as u128);
        left -= part;
        match checked(|| call(part as c_int)) {
            Err(error) if error.is_timeout() && left > 0 => continue,
            result => return result,
        }
    }
}
