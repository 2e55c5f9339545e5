// SPDX-License-Identifier: MIT
//! What calls from Rust cost, beside the bare calls of C and what std has for the same. A report: it asserts nothing.
//! bench [SECONDS] is how long one measurement may take. They take turns, and of each the best of ROUNDS counts, so that
//! what else the machine does weighs less.
use shmstream::{sys, Dict, Error, Receiver, Sender, Stream};
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command};
use std::sync::Mutex;
use std::time::Instant;
use std::{env, fs, ptr};

const ROUNDS: u32 = 5;

/// A value that the compiler does not know. std has that since Rust 1.66 only.
fn black_box<T>(value: T) -> T {
    let value = std::mem::ManuallyDrop::new(value);
    // SAFETY: it is read once, and not dropped where it was.
    unsafe { ptr::read_volatile(&*value) }
}

fn name(what: &str) -> String {
    format!("bench-rust-{}-{}", what, std::process::id())
}

/// Nanoseconds that one call takes.
fn per_call(seconds: f64, call: &mut dyn FnMut()) -> f64 {
    let mut n: u64 = 1;
    loop {
        let start = Instant::now();
        for _ in 0..n {
            call();
        }
        let took = start.elapsed().as_secs_f64();
        if took > seconds / f64::from(ROUNDS) / 4.0 {
            return took * 1e9 / n as f64;
        }
        n *= 2;
    }
}

fn line(what: &str, ours: f64, peer: &str, theirs: f64) {
    println!("{what:24} {ours:10.1} ns   {peer:26} {theirs:10.1} ns   ratio {:7.2}", theirs / ours);
}

fn beside(seconds: f64, what: &str, ours: &mut dyn FnMut(), peer: &str, theirs: &mut dyn FnMut()) {
    let mut best = (f64::INFINITY, f64::INFINITY);
    for _ in 0..ROUNDS {
        best.0 = best.0.min(per_call(seconds, ours));
        best.1 = best.1.min(per_call(seconds, theirs));
    }
    line(what, best.0, peer, best.1);
}

/// This program once more, which sends.
fn sender(how: &str, to: &str, size: usize, count: u64) -> Child {
    let words = ["send", how, to, &size.to_string(), &count.to_string()];
    Command::new(env::current_exe().unwrap()).args(words).spawn().unwrap()
}

fn send(how: &str, to: &str, size: usize, count: u64) -> Result<(), Error> {
    let message = vec![b'x'; size];
    if how == "channel" {
        let mut channel = Sender::open(to, 0)?;
        return (0..count).try_for_each(|_| channel.send(&message, None));
    }
    let mut socket = UnixStream::connect(to).unwrap();
    for _ in 0..count {
        socket.write_all(&message).unwrap();
    }
    Ok(())
}

/// Nanoseconds a message, from the first one on.
fn timed(count: u64, mut receive: impl FnMut()) -> f64 {
    receive();
    let start = Instant::now();
    for _ in 1..count {
        receive();
    }
    start.elapsed().as_secs_f64() * 1e9 / (count - 1) as f64
}

fn by_channel(size: usize, count: u64) -> f64 {
    let mut channel = Receiver::open(&name("flow"), 4 << 20).unwrap();
    let mut other = sender("channel", &name("flow"), size, count);
    let each = timed(count, || {
        black_box(channel.recv(None).unwrap());
    });
    other.wait().unwrap();
    each
}

fn by_socket(size: usize, count: u64) -> f64 {
    let path = env::temp_dir().join(name("socket"));
    let listener = UnixListener::bind(&path).unwrap();
    let mut other = sender("socket", path.to_str().unwrap(), size, count);
    let (mut socket, _) = listener.accept().unwrap();
    let mut room = vec![0; size];
    let each = timed(count, || socket.read_exact(&mut room).unwrap());
    fs::remove_file(&path).unwrap();
    other.wait().unwrap();
    each
}

fn locks(seconds: f64) -> Result<(), Error> {
    let stream = Stream::open(&name("lock"), 64)?;
    let bare_name = std::ffi::CString::new(name("bare")).unwrap();
    let mut bare = ptr::null_mut();
    assert_eq!(unsafe { sys::shms_stream_open(bare_name.as_ptr(), 64, ptr::null(), &mut bare) }, 0);
    let mutex = Mutex::new(0);
    let mut ours = || drop(stream.lock(None).unwrap());
    let mut in_c = || unsafe {
        black_box(sys::shms_stream_lock(bare, -1));
        black_box(sys::shms_stream_unlock(bare));
    };
    beside(seconds, "lock and drop", &mut ours, "lock and unlock of C", &mut in_c);
    let mut theirs = || drop(black_box(mutex.lock().unwrap()));
    beside(seconds, "", &mut ours, "Mutex, in one process", &mut theirs);
    unsafe { sys::shms_stream_close(bare) };
    Ok(())
}

fn gets(seconds: f64) -> Result<(), Error> {
    let dict = Dict::open(&name("dict"), 1 << 20)?;
    dict.set("key", [7; 64])?;
    let mut room = [0u8; 256];
    let raw_name = std::ffi::CString::new(name("dict")).unwrap();
    let mut raw = ptr::null_mut();
    assert_eq!(unsafe { sys::shms_dict_open(raw_name.as_ptr(), 0, ptr::null(), &mut raw) }, 0);
    let mut ours = || drop(black_box(dict.get("key").unwrap()));
    let mut in_c = || unsafe {
        let to = room.as_mut_ptr().cast();
        black_box(sys::shms_dict_get(raw, b"key".as_ptr().cast(), 3, to, 256, ptr::null_mut()));
    };
    beside(seconds, "get from a dict, a Vec", &mut ours, "get of C, into an array", &mut in_c);
    unsafe { sys::shms_dict_close(raw) };
    Ok(())
}

fn main() -> Result<(), Error> {
    let words: Vec<String> = env::args().collect();
    if words.get(1).map_or(false, |word| word == "send") {
        return send(&words[2], &words[3], words[4].parse().unwrap(), words[5].parse().unwrap());
    }
    let seconds: f64 = words.get(1).map_or(0.3, |word| word.parse().unwrap());
    println!("load {}", fs::read_to_string("/proc/loadavg").unwrap().split(' ').next().unwrap_or("?"));
    locks(seconds)?;
    gets(seconds)?;
    for (size, most) in [(64, 2e6), (65536, 2e4)] {
        let count = (most * seconds).max(10.0) as u64;
        let mut best = (f64::INFINITY, f64::INFINITY);
        for _ in 0..3 {
            best = (best.0.min(by_channel(size, count)), best.1.min(by_socket(size, count)));
        }
        line(&format!("send and receive {size} B"), best.0, "UnixStream", best.1);
    }
    Ok(())
}
