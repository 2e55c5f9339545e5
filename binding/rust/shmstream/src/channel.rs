// SPDX-License-Identifier: MIT
//! Messages between processes.
use crate::error::{checked, timed};
use crate::{c_name, sys, Error, Options};
use std::mem::{size_of, ManuallyDrop};
use std::os::raw::{c_int, c_void};
use std::os::unix::io::BorrowedFd;
use std::ptr::{self, NonNull};
use std::time::Duration;

/// What a full ring of a broadcast does about the slowest receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slow {
    /// Senders wait for it.
    Block,
    /// The oldest message goes.
    Drop,
    /// It is put out when the sender's time-out has passed.
    Expel,
}

/// How a channel is made and opened; a queue, if nothing else is said.
#[derive(Clone, Copy)]
pub struct ChannelOptions {
    channel: sys::shms_channel_options,
    region: Options,
}

impl Default for ChannelOptions {
    fn default() -> ChannelOptions {
        let channel = sys::shms_channel_options {
            struct_size: size_of::<sys::shms_channel_options>() as u32,
            kind: sys::SHMS_QUEUE,
            slow: sys::SHMS_SLOW_BLOCK,
            history: 0,
            one_sender: 0,
            one_receiver: 0,
            reserved: [0; 6],
            region: ptr::null(),
        };
        ChannelOptions { channel, region: Options::new() }
    }
}

impl ChannelOptions {
    /// Each message goes to every receiver.
    pub fn broadcast(mut self, slow: Slow) -> ChannelOptions {
        self.channel.kind = sys::SHMS_BROADCAST;
        self.channel.slow = match slow {
            Slow::Block => sys::SHMS_SLOW_BLOCK,
            Slow::Drop => sys::SHMS_SLOW_DROP,
            Slow::Expel => sys::SHMS_SLOW_EXPEL,
        };
        self
    }

    /// A new receiver of a broadcast begins with so many of the last messages.
    pub fn history(mut self, messages: u32) -> ChannelOptions {
        self.channel.history = messages;
        self
    }

    /// A promise: one sending handle at a time.
    pub fn one_sender(mut self, yes: bool) -> ChannelOptions {
        self.channel.one_sender = yes.into();
        self
    }

    /// A promise: one receiving handle at a time.
    pub fn one_receiver(mut self, yes: bool) -> ChannelOptions {
        self.channel.one_receiver = yes.into();
        self
    }

    /// The channel stays, with its messages, when nobody has it open.
    pub fn keep(mut self, yes: bool) -> ChannelOptions {
        self.region = self.region.keep(yes);
        self
    }

    /// Opens it to send. A size of 0 opens what exists.
    pub fn sender(&self, name: &str, size: u64) -> Result<Sender, Error> {
        self.open(name, size, sys::SHMS_SEND).map(Sender)
    }

    /// Opens it to receive.
    pub fn receiver(&self, name: &str, size: u64) -> Result<Receiver, Error> {
        self.open(name, size, sys::SHMS_RECEIVE).map(|raw| Receiver { raw, room: Vec::new() })
    }

    fn open(&self, name: &str, size: u64, role: c_int) -> Result<Raw, Error> {
        let name = c_name(name)?;
        let mut options = self.channel;
        let mut channel = ptr::null_mut();
        options.region = &self.region.0;
        // SAFETY: the name is zero-terminated, and all lives through the call.
        checked(|| {
            unsafe { sys::shms_channel_open(name.as_ptr(), size, role, &options, &mut channel) }.into()
        })?;
        NonNull::new(channel).map(Raw).ok_or_else(|| Error::of(sys::SHMS_E_INVALID))
    }
}

struct Raw(NonNull<sys::shms_channel>);

// SAFETY: a handle may move between threads; that it is not Sync keeps it to one at a time.
unsafe impl Send for Raw {}

impl Raw {
    fn get(&self) -> *mut sys::shms_channel {
        self.0.as_ptr()
    }

    fn poll_fd(&self) -> Result<BorrowedFd<'_>, Error> {
        // SAFETY: the handle is open as long as self lives, and the descriptor as long as the handle.
        let fd = checked(|| unsafe { sys::shms_channel_poll_fd(self.get()) }.into())?;
        Ok(unsafe { BorrowedFd::borrow_raw(fd as c_int) })
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        unsafe { sys::shms_channel_close(self.get()) }
    }
}

/// An end that sends. When the last one is dropped, receivers are told the end.
pub struct Sender(Raw);

impl Sender {
    /// Creates or opens a queue, to send.
    pub fn open(name: &str, size: u64) -> Result<Sender, Error> {
        ChannelOptions::default().sender(name, size)
    }

    /// Sends one message, whole or not at all; waits for room.
    pub fn send(&mut self, message: &[u8], timeout: impl Into<Option<Duration>>) -> Result<(), Error> {
        let data = message.as_ptr().cast();
        timed(timeout.into(), |ms| {
            unsafe { sys::shms_channel_send(self.0.get(), data, message.len(), ms) }.into()
        })
        .map(drop)
    }

    /// A descriptor that becomes readable when there may be room.
    pub fn poll_fd(&self) -> Result<BorrowedFd<'_>, Error> {
        self.0.poll_fd()
    }
}

/// An end that receives.
pub struct Receiver {
    raw: Raw,
    room: Vec<u8>,
}

impl Receiver {
    /// Creates or opens a queue, to receive.
    pub fn open(name: &str, size: u64) -> Result<Receiver, Error> {
        ChannelOptions::default().receiver(name, size)
    }

    /// Receives one message; `None` when all senders have closed.
    pub fn recv(&mut self, timeout: impl Into<Option<Duration>>) -> Result<Option<&[u8]>, Error> {
        let timeout = timeout.into();
        loop {
            let (raw, data, size) = (self.raw.get(), self.room.as_mut_ptr().cast(), self.room.len());
            let got = timed(timeout, |ms| unsafe { sys::shms_channel_recv(raw, data, size, ms) });
            match got {
                Ok(n) => return Ok(Some(&self.room[..n as usize])),
                Err(error) if error.code() == sys::SHMS_E_CLOSED => return Ok(None),
                // Another receiver may take the one that did not fit, and the next one be longer still.
                Err(error) if error.code() == sys::SHMS_E_SIZE => {
                    self.room.resize(self.info()?.size as usize, 0)
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Receives one message in place. If it is dropped without [`release`](Message::release), or this process
    /// dies, it is delivered again.
    pub fn peek(&mut self, timeout: impl Into<Option<Duration>>) -> Result<Option<Message<'_>>, Error> {
        let mut data: *const c_void = ptr::null();
        let raw = self.raw.get();
        match timed(timeout.into(), |ms| unsafe { sys::shms_channel_peek(raw, &mut data, ms) }) {
            Ok(size) => Ok(Some(Message { receiver: self, data: data.cast(), size: size as usize })),
            Err(error) if error.code() == sys::SHMS_E_CLOSED => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What else is known of the message that came last, or was missed.
    pub fn info(&self) -> Result<sys::shms_message, Error> {
        let mut message =
            sys::shms_message { struct_size: size_of::<sys::shms_message>() as u32, ..Default::default() };
        checked(|| unsafe { sys::shms_channel_message(self.raw.get(), &mut message) }.into())?;
        Ok(message)
    }

    /// A descriptor that becomes readable when there may be a message. A death it does not tell.
    pub fn poll_fd(&self) -> Result<BorrowedFd<'_>, Error> {
        self.raw.poll_fd()
    }
}

/// Messages until all senders have closed.
impl Iterator for Receiver {
    type Item = Result<Vec<u8>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        self.recv(None).map(|message| message.map(<[u8]>::to_vec)).transpose()
    }
}

/// A message that is still in the ring.
pub struct Message<'a> {
    receiver: &'a mut Receiver,
    data: *const u8,
    size: usize,
}

impl Message<'_> {
    /// Bytes.
    pub fn len(&self) -> usize {
        self.size
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.size == 0
    }

    /// The bytes themselves; a hostile sender may change them.
    pub fn as_ptr(&self) -> *const u8 {
        self.data
    }

    /// A copy.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut copy = Vec::with_capacity(self.size);
        // SAFETY: the library keeps the bytes readable until release or abort. Copied as raw memory, which others
        // may change meanwhile.
        unsafe {
            ptr::copy_nonoverlapping(self.data, copy.as_mut_ptr(), self.size);
            copy.set_len(self.size);
        }
        copy
    }

    /// Done with it: it is not delivered again.
    pub fn release(self) -> Result<(), Error> {
        let message = ManuallyDrop::new(self);
        checked(|| unsafe { sys::shms_channel_release(message.receiver.raw.get()) }.into()).map(drop)
    }
}

impl Drop for Message<'_> {
    fn drop(&mut self) {
        unsafe { sys::shms_channel_abort(self.receiver.raw.get()) };
    }
}
