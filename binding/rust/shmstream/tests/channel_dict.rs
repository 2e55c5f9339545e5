// SPDX-License-Identifier: MIT
mod common;
use common::{name, Other};
use shmstream::{sys, ChannelOptions, Dict, DictOptions, Error, How, Receiver, Sender, Slow};
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(20);

/// What other processes do.
#[test]
fn role() {
    let (role, name) = match common::role() {
        Some(role) => role,
        None => return,
    };
    let mut sender = Sender::open(&name, 0).unwrap();
    for i in 0..1000 {
        sender.send(format!("message {i}").as_bytes(), None).unwrap();
    }
    if role == "send and die" {
        common::die();
    }
}

fn code<T>(result: Result<T, Error>) -> i32 {
    result.map(drop).expect_err("it should fail").code()
}

#[test]
fn messages_between_processes_and_their_end() {
    let name = name();
    let mut receiver = Receiver::open(&name, 4096).unwrap();
    assert!(receiver.recv(SHORT).unwrap_err().is_timeout());
    let other = Other::start("send", &name);
    for (i, message) in receiver.by_ref().enumerate() {
        assert_eq!(message.unwrap(), format!("message {i}").into_bytes());
    }
    assert_eq!(receiver.recv(None).unwrap(), None);
    other.ends_well();

    let name = common::name();
    let mut receiver = Receiver::open(&name, 4096).unwrap();
    let other = Other::start("send and die", &name);
    let last = receiver.find(Result::is_err).unwrap();
    assert_eq!(code(last), sys::SHMS_E_DIED);
    other.ends_killed();
}

#[test]
fn lengths_peeks_and_bad_input() {
    let name = name();
    let mut receiver = Receiver::open(&name, 1 << 20).unwrap();
    let mut sender = Sender::open(&name, 0).unwrap();
    for length in [0, 1, 64, 100_000] {
        sender.send(&vec![7; length], None).unwrap();
        assert_eq!(receiver.recv(None).unwrap().unwrap(), vec![7; length]);
    }
    sender.send(b"job", None).unwrap();
    let job = receiver.peek(None).unwrap().unwrap();
    assert_eq!((job.to_vec(), job.len(), job.is_empty()), (b"job".to_vec(), 3, false));
    drop(job); // put back
    receiver.peek(None).unwrap().unwrap().release().unwrap();
    assert_eq!(receiver.info().unwrap().tries, 1);
    assert!(receiver.peek(SHORT).map(drop).unwrap_err().is_timeout());
    assert_eq!(code(sender.send(&vec![0; 2 << 20], None)), sys::SHMS_E_RANGE);
    while sender.send(&[0; 4096], Duration::ZERO).is_ok() {}
    assert!(sender.send(&[0; 4096], SHORT).unwrap_err().is_timeout());
    common::is_a_descriptor(sender.poll_fd());
    common::is_a_descriptor(receiver.poll_fd());
    assert_eq!(code(Receiver::open(&name, 1)), sys::SHMS_E_INVALID);
    assert_eq!(code(Dict::open(&name, 1 << 20)), sys::SHMS_E_KIND);
}

#[test]
fn a_broadcast_tells_what_was_missed() {
    let name = name();
    let options = ChannelOptions::default().broadcast(Slow::Drop);
    let mut receivers = [options.receiver(&name, 4096).unwrap(), options.receiver(&name, 4096).unwrap()];
    let mut sender = options.sender(&name, 4096).unwrap();
    sender.send(b"all", None).unwrap();
    for receiver in &mut receivers {
        assert_eq!(receiver.recv(None).unwrap(), Some(&b"all"[..]));
    }
    for _ in 0..200 {
        sender.send(&[0; 64], None).unwrap();
    }
    assert_eq!(code(receivers[0].recv(None)), sys::SHMS_E_MISSED);
    assert!(receivers[0].info().unwrap().missed > 100);
}

#[test]
fn records() {
    let name = name();
    let (dict, other) = (Dict::open(&name, 1 << 20).unwrap(), Dict::open(&name, 0).unwrap());
    let mut seen = other.version();
    assert!(!other.wait(&mut seen, SHORT).unwrap());
    let version = dict.set("colour", "blue").unwrap();
    assert!(other.wait(&mut seen, None).unwrap());
    assert_eq!(other.get("colour").unwrap().unwrap(), b"blue");
    let large = vec![1; 50_000];
    dict.set("large", &large).unwrap();
    assert_eq!(other.get("large").unwrap().unwrap(), large);
    assert_eq!(other.get("none").unwrap(), None);
    assert_eq!(code(dict.set_how("colour", "red", How::default().if_absent())), sys::SHMS_E_EXISTS);
    dict.set_how("colour", "red", How::default().if_version(version)).unwrap();
    assert_eq!(code(dict.set_how("colour", "red", How::default().if_version(version))), sys::SHMS_E_CHANGED);
    dict.set_how("session", "", How::default().ttl(Duration::from_secs(3600))).unwrap();
    assert!(dict.record("session").unwrap().unwrap().expires.is_some());
    dict.set_how("short", "", How::default().ttl(Duration::from_nanos(1))).unwrap(); // 1 ms, not for ever
    let short = dict.record("short").unwrap();
    assert!(short.map_or(true, |record| record.expires.is_some()));
    assert_eq!(code(dict.set_how("none", "", How::default().ttl(Duration::ZERO))), sys::SHMS_E_INVALID);
    dict.delete("short").unwrap();
    assert_eq!((dict.add("n", 5).unwrap(), dict.add("n", -7).unwrap()), (5, -2));
    let mut keys: Vec<_> = other.records().map(|record| record.unwrap().key).collect();
    keys.sort();
    assert_eq!(keys, [&b"colour"[..], b"large", b"n", b"session"]);
    assert!(dict.delete("n").unwrap() && !dict.delete("n").unwrap());
    for key in ["", &"k".repeat(5000)] {
        assert!(dict.set(key, "x").is_err() && dict.get(key).is_err());
    }
    let cache = DictOptions::default().evict(true).open(&common::name(), 16384).unwrap();
    for i in 0..1000 {
        cache.set(i.to_string(), "x".repeat(200)).unwrap();
    }
}
