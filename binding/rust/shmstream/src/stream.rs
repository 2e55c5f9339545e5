// SPDX-License-Identifier: MIT
//! Streams and their sections.
use crate::error::{checked, timed};
use crate::{c_name, sys, Error};
use std::mem::{size_of, ManuallyDrop, MaybeUninit};
use std::os::raw::c_int;
use std::os::unix::io::BorrowedFd;
use std::ptr::{self, NonNull};
use std::time::Duration;

/// What to do about a name that exists, or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Create {
    /// Create it, or open what is there.
    OrOpen,
    /// It must not exist.
    Only,
    /// It must exist.
    Never,
}

impl Create {
    pub(crate) fn raw(self) -> u32 {
        match self {
            Create::OrOpen => sys::SHMS_CREATE_OR_OPEN,
            Create::Only => sys::SHMS_CREATE_ONLY,
            Create::Never => sys::SHMS_OPEN_ONLY,
        }
    }
}

/// How a stream is opened, as `std::fs::OpenOptions`. Begin with [`Stream::options`].
#[derive(Clone, Copy)]
pub struct Options(pub(crate) sys::shms_stream_options);

impl Options {
    pub(crate) fn new() -> Options {
        // SAFETY: zero is the default of each field, and a value of its type.
        let mut options: sys::shms_stream_options = unsafe { MaybeUninit::zeroed().assume_init() };
        options.struct_size = size_of::<sys::shms_stream_options>() as u32;
        Options(options)
    }

    /// The handle may only read.
    pub fn read_only(mut self, yes: bool) -> Options {
        self.0.access = if yes { sys::SHMS_ACCESS_READ } else { sys::SHMS_ACCESS_READ_WRITE };
        self
    }

    /// What to do about a name that exists, or does not.
    pub fn create(mut self, create: Create) -> Options {
        self.0.create = create.raw();
        self
    }

    /// The region stays without members until it is unlinked.
    pub fn keep(mut self, yes: bool) -> Options {
        self.0.keep = yes.into();
        self
    }

    /// Sections happen completely or not at all.
    pub fn atomic(mut self, yes: bool) -> Options {
        self.0.atomic = yes.into();
        self
    }

    /// Permission bits of a new region; 0o600 if it is not called.
    pub fn mode(mut self, mode: u32) -> Options {
        self.0.mode = mode;
        self
    }

    /// Bytes that the region can grow to.
    pub fn max_size(mut self, size: u64) -> Options {
        self.0.max_size = size;
        self
    }

    /// The longest wait of opening; 5 seconds if it is not called.
    pub fn open_timeout(mut self, timeout: Duration) -> Options {
        self.0.open_timeout_ms = timeout.as_millis().clamp(1, c_int::MAX as u128) as i32;
        self
    }

    /// Opens a name. A size of 0 opens what exists.
    pub fn open(&self, name: &str, size: u64) -> Result<Stream, Error> {
        let name = c_name(name)?;
        self.open_raw(name.as_ptr(), size)
    }

    /// A new region without a name.
    pub fn unnamed(&self, size: u64) -> Result<Stream, Error> {
        self.open_raw(ptr::null(), size)
    }

    fn open_raw(&self, name: *const std::os::raw::c_char, size: u64) -> Result<Stream, Error> {
        let mut options = self.0;
        let mut stream = ptr::null_mut();
        options.tasks = 1; // futures move between threads
                           // SAFETY: the name is NULL or zero-terminated, and the others live through the call.
        checked(|| unsafe { sys::shms_stream_open(name, size, &options, &mut stream) }.into())?;
        NonNull::new(stream).map(Stream).ok_or_else(|| Error::of(sys::SHMS_E_INVALID))
    }
}

/// A type that any bytes are a value of.
///
/// # Safety
/// Each pattern of bits must be a value of it, and it must have no padding.
pub unsafe trait Pod: Copy + 'static {}
macro_rules! pod { ($($type:ty)*) => { $(
    // SAFETY: an integer or a number.
    unsafe impl Pod for $type {}
)* } }
pod!(u8 i8 u16 i16 u32 i32 u64 i64 u128 i128 usize isize f32 f64);
// SAFETY: as its elements, without padding between them.
unsafe impl<T: Pod, const N: usize> Pod for [T; N] {}

/// An open stream: a name's memory, its lock and its version.
pub struct Stream(NonNull<sys::shms_stream>);

// SAFETY: all calls that are used here may be made by several threads at once, and with `tasks` any thread may end
// a section.
unsafe impl Send for Stream {}
// SAFETY: as above.
unsafe impl Sync for Stream {}

impl Stream {
    /// Creates or opens a name.
    pub fn open(name: &str, size: u64) -> Result<Stream, Error> {
        Options::new().open(name, size)
    }

    /// Options to open one.
    pub fn options() -> Options {
        Options::new()
    }

    fn raw(&self) -> *mut sys::shms_stream {
        self.0.as_ptr()
    }

    /// Begins a section in which no other handle holds the lock.
    pub fn lock(&self, timeout: impl Into<Option<Duration>>) -> Result<Guard<'_>, Error> {
        // SAFETY: the handle is open as long as self lives; so it is below.
        let code = timed(timeout.into(), |ms| unsafe { sys::shms_stream_lock(self.raw(), ms) }.into())?;
        let panicking = std::thread::panicking();
        Ok(Guard { stream: self, owner_died: code == sys::SHMS_OWNER_DIED.into(), panicking })
    }

    /// The lock if it is free now.
    pub fn try_lock(&self) -> Result<Option<Guard<'_>>, Error> {
        or_none(self.lock(Duration::ZERO))
    }

    /// Takes the lock for reading: others may hold it so, too.
    pub fn lock_shared(&self, timeout: impl Into<Option<Duration>>) -> Result<SharedGuard<'_>, Error> {
        let code =
            timed(timeout.into(), |ms| unsafe { sys::shms_stream_lock_shared(self.raw(), ms) }.into())?;
        Ok(SharedGuard { stream: self, owner_died: code == sys::SHMS_OWNER_DIED.into() })
    }

    /// The lock for reading, if no writer has it now.
    pub fn try_lock_shared(&self) -> Result<Option<SharedGuard<'_>>, Error> {
        or_none(self.lock_shared(Duration::ZERO))
    }

    /// Copies what is there. Gives how many bytes there were, up to the length of `buf`.
    pub fn read_at(&self, buf: &mut [u8], at: u64) -> Result<usize, Error> {
        let at = offset(at)?;
        let n = checked(|| unsafe {
            sys::shms_stream_pread(self.raw(), buf.as_mut_ptr().cast(), buf.len(), at)
        })?;
        Ok(n as usize)
    }

    /// Writes without the lock: all or nothing. Inside a section use [`Guard::write_at`].
    pub fn write_at(&self, buf: &[u8], at: u64) -> Result<(), Error> {
        let at = offset(at)?;
        checked(|| unsafe { sys::shms_stream_pwrite(self.raw(), buf.as_ptr().cast(), buf.len(), at) })
            .map(drop)
    }

    /// Copies what was there at one moment between two sections, without the lock.
    pub fn snapshot(&self, buf: &mut [u8], at: u64) -> Result<usize, Error> {
        let at = offset(at)?;
        let n = checked(|| unsafe {
            sys::shms_stream_snapshot(self.raw(), buf.as_mut_ptr().cast(), buf.len(), at)
        })?;
        Ok(n as usize)
    }

    /// A value by [`snapshot`](Stream::snapshot).
    pub fn load<T: Pod>(&self, at: u64) -> Result<T, Error> {
        value(|bytes| self.snapshot(bytes, at))
    }

    /// An even number that moves with each section that changed something.
    pub fn version(&self) -> i64 {
        unsafe { sys::shms_stream_version(self.raw()) }
    }

    /// Waits until the version is not `seen`, which is then the version now. False: the time-out passed.
    pub fn wait(&self, seen: &mut i64, timeout: impl Into<Option<Duration>>) -> Result<bool, Error> {
        let result =
            timed(timeout.into(), |ms| unsafe { sys::shms_stream_wait(self.raw(), seen, ms) }.into());
        or_none(result).map(|got| got.is_some())
    }

    /// Tells of bytes that were written outside a section.
    pub fn notify(&self) -> Result<(), Error> {
        checked(|| unsafe { sys::shms_stream_notify(self.raw()) }.into()).map(drop)
    }

    /// A descriptor that becomes readable when the version has moved, for mio or tokio's `AsyncFd`. Then call
    /// [`wait`](Stream::wait) with no time until it gives false, and sleep again. Never read or close it.
    pub fn poll_fd(&self) -> Result<BorrowedFd<'_>, Error> {
        let fd = checked(|| unsafe { sys::shms_stream_poll_fd(self.raw()) }.into())?;
        // SAFETY: the descriptor is open as long as the handle.
        Ok(unsafe { BorrowedFd::borrow_raw(fd as c_int) })
    }

    /// The first byte of the memory, which is there as long as the stream, and of which the first
    /// [`len`](Stream::len) bytes may be touched.
    pub fn as_ptr(&self) -> *mut u8 {
        unsafe { sys::shms_stream_memory(self.raw()) }.cast()
    }

    /// Bytes.
    pub fn len(&self) -> u64 {
        unsafe { sys::shms_stream_size(self.raw()) }
    }

    /// Never true of an open region: it has a byte at least.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the region was there before this handle.
    pub fn existed(&self) -> bool {
        unsafe { sys::shms_stream_existed(self.raw()) == 1 }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        unsafe { sys::shms_stream_close(self.raw()) }
    }
}

fn offset(at: u64) -> Result<i64, Error> {
    i64::try_from(at).map_err(|_| Error::of(sys::SHMS_E_RANGE))
}

fn or_none<T>(result: Result<T, Error>) -> Result<Option<T>, Error> {
    match result {
        Err(error) if error.is_timeout() => Ok(None),
        result => result.map(Some),
    }
}

/// A value whose bytes are read; less of them than it has is out of range.
fn value<T: Pod>(read: impl FnOnce(&mut [u8]) -> Result<usize, Error>) -> Result<T, Error> {
    let mut value = MaybeUninit::<T>::zeroed();
    // SAFETY: the bytes of the value, all of them written.
    let bytes = unsafe { std::slice::from_raw_parts_mut(value.as_mut_ptr().cast::<u8>(), size_of::<T>()) };
    if read(bytes)? < size_of::<T>() {
        return Err(Error::of(sys::SHMS_E_RANGE));
    }
    // SAFETY: any bytes are a value of a Pod.
    Ok(unsafe { value.assume_init() })
}

/// A section: the lock is held until this is dropped. Any thread may do that. If it is dropped by a panic, what
/// was written is rolled back where the region is atomic.
#[must_use = "the lock is released at once"]
pub struct Guard<'a> {
    stream: &'a Stream,
    owner_died: bool,
    panicking: bool, // already when it was taken: by a destructor, whose section is no failure
}

impl Guard<'_> {
    /// An owner died inside its section: the data may be half-written. Told until [`repaired`](Guard::repaired).
    pub fn owner_died(&self) -> bool {
        self.owner_died
    }

    /// The data is whole again.
    pub fn repaired(&mut self) -> Result<(), Error> {
        checked(|| unsafe { sys::shms_stream_repaired(self.stream.raw()) }.into())?;
        self.owner_died = false;
        Ok(())
    }

    /// Copies what is there.
    pub fn read_at(&self, buf: &mut [u8], at: u64) -> Result<usize, Error> {
        self.stream.read_at(buf, at)
    }

    /// Writes all or nothing.
    pub fn write_at(&mut self, buf: &[u8], at: u64) -> Result<(), Error> {
        self.stream.write_at(buf, at)
    }

    /// A value that is there.
    pub fn load<T: Pod>(&self, at: u64) -> Result<T, Error> {
        value(|bytes| self.stream.read_at(bytes, at))
    }

    /// Writes a value.
    pub fn store<T: Pod>(&mut self, at: u64, value: &T) -> Result<(), Error> {
        // SAFETY: a Pod has no padding, so all its bytes are there.
        let bytes = unsafe { std::slice::from_raw_parts((value as *const T).cast::<u8>(), size_of::<T>()) };
        self.write_at(bytes, at)
    }

    /// Changes the size of the region.
    pub fn resize(&mut self, size: u64) -> Result<(), Error> {
        checked(|| unsafe { sys::shms_stream_resize(self.stream.raw(), size) }.into()).map(drop)
    }

    /// The memory itself, without copies. Its changes are not rolled back.
    ///
    /// # Safety
    /// No process, and no other thread, writes these bytes without the lock, or makes the region smaller, while
    /// the slice lives.
    pub unsafe fn bytes_mut(&mut self) -> &mut [u8] {
        std::slice::from_raw_parts_mut(self.stream.as_ptr(), self.stream.len() as usize)
    }

    /// Ends the section and undoes what its calls wrote. If the region is not atomic and something was written,
    /// that is an error, and the section ends with what it wrote.
    pub fn rollback(self) -> Result<(), Error> {
        let guard = ManuallyDrop::new(self);
        let result = checked(|| unsafe { sys::shms_stream_rollback(guard.stream.raw()) }.into()).map(drop);
        if result.is_err() {
            unsafe { sys::shms_stream_unlock(guard.stream.raw()) };
        }
        result
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        // SAFETY: the stream outlives the guard.
        unsafe {
            let panics = std::thread::panicking() && !self.panicking;
            if !panics || sys::shms_stream_rollback(self.stream.raw()) < 0 {
                sys::shms_stream_unlock(self.stream.raw());
            }
        }
    }
}

/// The lock, held for reading until this is dropped.
#[must_use = "the lock is released at once"]
pub struct SharedGuard<'a> {
    stream: &'a Stream,
    owner_died: bool,
}

impl SharedGuard<'_> {
    /// As [`Guard::owner_died`]; a reader cannot repair.
    pub fn owner_died(&self) -> bool {
        self.owner_died
    }

    /// Copies what is there.
    pub fn read_at(&self, buf: &mut [u8], at: u64) -> Result<usize, Error> {
        self.stream.read_at(buf, at)
    }

    /// A value that is there.
    pub fn load<T: Pod>(&self, at: u64) -> Result<T, Error> {
        value(|bytes| self.stream.read_at(bytes, at))
    }
}

impl Drop for SharedGuard<'_> {
    fn drop(&mut self) {
        unsafe { sys::shms_stream_unlock(self.stream.raw()) };
    }
}
