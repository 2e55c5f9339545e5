// SPDX-License-Identifier: MIT
//! Of dicts: changes, waits, locks of keys, files.
mod common;
use common::{name, Other};
use shmstream::{sys, Create, Dict, DictOptions, Error, How};
use std::io::Read;
use std::thread;
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(20);

/// What other processes do.
#[test]
fn role() {
    let (role, name) = match common::role() {
        Some(role) => role,
        None => return,
    };
    let dict = Dict::open(&name, 0).unwrap();
    match role.as_str() {
        "lock and die" => {
            let _guard = dict.lock("job", None).unwrap();
            common::die();
        }
        "lock and hold" => {
            let guard = dict.lock("job", None).unwrap();
            println!("\nheld");
            std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
            drop(guard);
        }
        "set" => {
            println!("\nopen");
            std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
            dict.set("colour", "blue").unwrap();
        }
        other => panic!("no role {other}"),
    }
}

fn code<T>(result: Result<T, Error>) -> i32 {
    result.map(drop).expect_err("it should fail").code()
}

#[test]
fn changes_in_their_order() {
    let name = name();
    let (dict, other) = (Dict::open(&name, 1 << 20).unwrap(), Dict::open(&name, 0).unwrap());
    let mut since = other.version();
    assert_eq!(other.changes(&mut since).unwrap(), []);
    dict.set("first", "1").unwrap();
    let version = dict.set_how("second", "2", How::default().ttl(Duration::from_secs(3600))).unwrap();
    dict.delete("first").unwrap();
    let changes = other.changes(&mut since).unwrap();
    let told: Vec<_> = changes.iter().map(|c| (&c.key[..], c.gone)).collect();
    assert_eq!(told, [(&b"second"[..], false), (b"first", true)]);
    assert_eq!((changes[0].version, changes[0].expires.is_some()), (version, true));
    assert!(!changes[1].expired && !changes[1].evicted && changes[1].expires.is_none());
    assert_eq!(since, other.version());
    assert_eq!(other.changes(&mut since).unwrap(), []);
    assert_eq!(code(other.changes(&mut -1)), sys::SHMS_E_INVALID);
}

#[test]
fn what_was_missed_is_told() {
    let dict = DictOptions::default().ring(64).open(&name(), 1 << 20).unwrap();
    let mut since = dict.version();
    for i in 0..100 {
        dict.set("n", i.to_string()).unwrap();
        dict.set(i.to_string(), "").unwrap();
    }
    assert_eq!(code(dict.changes(&mut since)), sys::SHMS_E_MISSED);
    assert_eq!(since, dict.version(), "it goes on from now");
    dict.delete("n").unwrap();
    assert_eq!(dict.changes(&mut since).unwrap().len(), 1);
}

#[test]
fn options() {
    let name = name();
    let options = DictOptions::default().create(Create::Never);
    assert_eq!(code(options.open(&name, 0)), sys::SHMS_E_NOT_FOUND);
    let timeout = Duration::from_secs(1);
    let options = DictOptions::default().create(Create::Only).mode(0o640).open_timeout(timeout);
    let dict = options.key_max(8).cell_size(128).value_max(1000).open(&name, 1 << 20).unwrap();
    assert_eq!(code(options.open(&name, 1 << 20)), sys::SHMS_E_EXISTS);
    dict.set("12345678", "").unwrap();
    assert_eq!(code(dict.set("123456789", "")), sys::SHMS_E_RANGE);
    assert_eq!(code(dict.set("a", [0; 1001])), sys::SHMS_E_RANGE);
    assert_eq!(code(Dict::open(&name, 0)), sys::SHMS_E_DENIED, "it is more open than is accepted");
    let options = DictOptions::default().mode(0o640);
    assert_eq!(code(options.cell_size(64).open(&name, 0)), sys::SHMS_E_INVALID);
    let reads = options.read_only(true).open(&name, 0).unwrap();
    assert_eq!(code(reads.set("a", "")), sys::SHMS_E_READ_ONLY);
}

#[test]
fn an_evicted_record_is_told() {
    let dict = DictOptions::default().evict(true).open(&name(), 1 << 18).unwrap();
    let mut since = dict.version();
    let evicted = (0..5000).find_map(|i| {
        dict.set(i.to_string(), "x".repeat(200)).unwrap();
        match dict.changes(&mut since) {
            Ok(changes) => changes.into_iter().find(|change| change.gone),
            // A full dict forgets what is gone when it needs the room.
            Err(error) if error.code() == sys::SHMS_E_MISSED => None,
            Err(error) => panic!("{error}"),
        }
    });
    assert!(evicted.map_or(false, |change| change.evicted && !change.expired));
}

#[test]
fn a_wait_for_one_key() {
    let name = name();
    let dict = Dict::open(&name, 1 << 20).unwrap();
    let mut seen = 0;
    assert!(!dict.wait_key("colour", &mut seen, SHORT).unwrap());
    dict.set("shape", "round").unwrap();
    assert!(!dict.wait_key("colour", &mut seen, SHORT).unwrap(), "another key's change");
    let mut other = Other::start("set", &name);
    other.says("open");
    other.keys = None;
    assert!(dict.wait_key("colour", &mut seen, None).unwrap());
    assert_eq!(seen, dict.record("colour").unwrap().unwrap().version);
    other.ends_well();
    assert_eq!(code(dict.wait_key("", &mut seen, None)), sys::SHMS_E_INVALID);
}

#[test]
fn a_poll_descriptor_tells_of_changes() {
    let name = name();
    let (dict, other) = (Dict::open(&name, 1 << 20).unwrap(), Dict::open(&name, 0).unwrap());
    common::is_a_descriptor(dict.poll_fd());
    if let Ok(fd) = dict.poll_fd() {
        let mut seen = dict.version();
        // It may wake without a change, but not for ever.
        while dict.wait(&mut seen, Duration::ZERO).unwrap() || common::readable(fd, 0) {}
        other.set("colour", "blue").unwrap();
        assert!(common::readable(fd, -1));
        assert!(dict.wait(&mut seen, Duration::ZERO).unwrap());
        while dict.wait(&mut seen, Duration::ZERO).unwrap() || common::readable(fd, 0) {}
    }
}

#[test]
fn a_key_is_locked_once() {
    let name = name();
    let (dict, other) = (Dict::open(&name, 1 << 20).unwrap(), Dict::open(&name, 0).unwrap());
    let guard = dict.lock("job", None).unwrap();
    assert_eq!((guard.owner_died(), guard.key()), (false, &b"job"[..]));
    assert!(other.try_lock("job").unwrap().is_none());
    assert!(other.lock("job", SHORT).map(drop).unwrap_err().is_timeout());
    assert!(other.try_lock("other").unwrap().is_some());
    assert_eq!(code(dict.lock("job", None)), sys::SHMS_E_DEADLOCK);
    other.set("job", "is not held up by a lock").unwrap();
    thread::scope(|scope| {
        scope.spawn(move || drop(guard)); // any thread
    });
    other.lock("job", None).unwrap().unlock().unwrap();
    let guard = dict.try_lock("job").unwrap().unwrap();
    assert_eq!(unsafe { sys::shms_dict_unlock(std::ptr::null_mut(), b"job".as_ptr().cast(), 3) }, -1);
    guard.unlock().unwrap();
    assert!(other.try_lock("job").unwrap().is_some());
    for key in ["", &"k".repeat(5000)] {
        assert!(dict.lock(key, None).is_err());
    }
    assert_eq!(dict.records().count(), 1, "locks are no records");
}

#[test]
fn the_holder_of_a_key_is_killed_and_that_is_told() {
    let name = name();
    let dict = Dict::open(&name, 1 << 20).unwrap();
    Other::start("lock and die", &name).ends_killed();
    let guard = dict.lock("job", None).unwrap();
    assert!(guard.owner_died());
    drop(guard);
    assert!(!dict.lock("job", None).unwrap().owner_died(), "once");

    let mut other = Other::start("lock and hold", &name);
    other.says("held");
    assert!(dict.try_lock("job").unwrap().is_none());
    other.keys = None;
    assert!(!dict.lock("job", None).unwrap().owner_died(), "it was given back");
    other.ends_well();
}

#[test]
fn a_dict_as_a_file() {
    let file = std::env::temp_dir().join(format!("shms-rust-{}.dict", name()));
    let dict = DictOptions::default().secret(true).open(&name(), 1 << 20).unwrap();
    dict.set("colour", "blue").unwrap();
    dict.set("shape", "round").unwrap();
    assert_eq!(dict.save(&file).unwrap(), 2);
    let other = Dict::open(&name(), 1 << 20).unwrap();
    other.set("colour", "red").unwrap();
    other.set("size", "large").unwrap();
    assert_eq!(other.load(&file).unwrap(), 2);
    assert_eq!((other.get("colour").unwrap().unwrap(), other.records().count()), (b"blue".to_vec(), 3));
    std::fs::write(&file, "no dict").unwrap();
    assert_eq!(code(other.load(&file)), sys::SHMS_E_FORMAT);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(code(other.load(&file)), sys::SHMS_E_NOT_FOUND);
    assert_eq!(code(other.save("a\0b")), sys::SHMS_E_INVALID);
}
