// SPDX-License-Identifier: MIT
//! Memory that several processes share, by name: a lock that survives its owner's death, messages, records by key.
//!
//! ```
//! # fn main() -> Result<(), shmstream::Error> {
//! # let name = format!("rust-doc-visits-{}", std::process::id());
//! use shmstream::Stream;
//! use std::time::Duration;
//!
//! let stream = Stream::options().keep(true).open(&name, 4)?; // create, or open what is there
//! let mut section = stream.lock(Duration::from_secs(1))?;
//! let visits: u32 = section.load(0)?;
//! section.store(0, &(visits + 1))?;
//! drop(section);
//! # assert_eq!(stream.load::<u32>(0)?, 1);
//! # shmstream::unlink(&name)
//! # }
//! ```
//!
//! # Rules
//! - A time-out is a [`Duration`](std::time::Duration), or `None`, which waits for ever.
//! - That an owner died is no error: [`Guard::owner_died`] tells.
//! - A section belongs to the task that has its guard, not to a thread. A second lock through one handle waits for
//!   the first one; so does [`Stream::snapshot`] in its own section: use [`Guard::load`] and [`Stream::read_at`].
//! - Never is there a safe `&[u8]` over shared memory, because another process may change it. Copies are safe;
//!   slices are `unsafe`, under the lock.
//!
//! A guard cannot outlive its stream:
//!
//! ```compile_fail,E0505
//! let stream = shmstream::Stream::open("x", 4).unwrap();
//! let guard = stream.lock(None).unwrap();
//! drop(stream);
//! drop(guard);
//! ```
//!
//! And a channel is used by one thread at a time:
//!
//! ```compile_fail,E0277
//! fn shared<T: Sync>(_: T) {}
//! shared(shmstream::Receiver::open("x", 4096).unwrap());
//! ```
//!
//! The feature `jar` has HTTP cookies that processes share, and links libshmstream-jar, too.
#![warn(missing_docs)]

mod channel;
mod dict;
mod error;
#[cfg(feature = "jar")]
pub mod jar;
mod stream;

pub use channel::{ChannelOptions, Message, Receiver, Sender, Slow};
pub use dict::{Change, Dict, DictOptions, How, KeyGuard, Record};
pub use error::Error;
#[cfg(feature = "jar")]
pub use jar::Jar;
pub use stream::{Create, Guard, Options, Pod, SharedGuard, Stream};

/// The C interface, with the codes.
pub use shmstream_sys as sys;

use std::ffi::CString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// Removes a name. Those that have it open go on with their memory.
pub fn unlink(name: &str) -> Result<(), Error> {
    let name = c_name(name)?;
    // SAFETY: the name is zero-terminated.
    error::checked(|| unsafe { sys::shms_stream_unlink(name.as_ptr()) }.into()).map(drop)
}

/// A name with a zero byte is no name.
fn c_name(name: &str) -> Result<CString, Error> {
    CString::new(name).map_err(|_| Error::of(sys::SHMS_E_INVALID))
}

/// A path with a zero byte is no path.
fn c_path(path: &Path) -> Result<CString, Error> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Error::of(sys::SHMS_E_INVALID))
}
