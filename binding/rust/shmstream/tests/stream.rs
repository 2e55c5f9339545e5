// SPDX-License-Identifier: MIT
mod common;
use common::{name, Other};
use shmstream::{sys, Create, Error, Stream};
use std::fs;
use std::io::Read;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::thread;
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(20);
const TASKS: u32 = 4;
const ROUNDS: u32 = 2000;

/// What other processes do.
#[test]
fn role() {
    let (role, name) = match common::role() {
        Some(role) => role,
        None => return,
    };
    match role.as_str() {
        "count" => count(&Stream::open(&name, 4).unwrap()),
        "die" => {
            let stream = Stream::open(&name, 0).unwrap();
            stream.lock(None).unwrap().write_at(b"half", 0).unwrap();
            let _guard = stream.lock(None).unwrap();
            stream.write_at(b"half", 0).unwrap();
            common::die();
        }
        "hold" => {
            let stream = Stream::open(&name, 0).unwrap();
            let mut guard = stream.lock(None).unwrap();
            println!("\nheld");
            std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
            guard.store(0, &7u32).unwrap();
        }
        other => panic!("no role {other}"),
    }
}

fn count(stream: &Stream) {
    thread::scope(|scope| {
        for _ in 0..TASKS {
            scope.spawn(|| {
                for _ in 0..ROUNDS {
                    let mut guard = stream.lock(None).unwrap();
                    let n: u32 = guard.load(0).unwrap();
                    guard.store(0, &(n + 1)).unwrap();
                }
            });
        }
    });
}

fn code<T>(result: Result<T, Error>) -> i32 {
    result.map(drop).expect_err("it should fail").code()
}

#[test]
fn visits() {
    let name = name();
    for visit in 1..=3u32 {
        let stream = Stream::options().keep(true).open(&name, 4).unwrap();
        assert_eq!(stream.existed(), visit > 1);
        let mut guard = stream.lock(Duration::from_secs(1)).unwrap();
        let visits: u32 = guard.load(0).unwrap();
        guard.store(0, &(visits + 1)).unwrap();
        drop(guard);
        assert_eq!(stream.load::<u32>(0).unwrap(), visit);
    }
    shmstream::unlink(&name).unwrap();
    assert_eq!(code(shmstream::unlink(&name)), sys::SHMS_E_NOT_FOUND);
}

#[test]
fn time_out_and_shared() {
    let name = name();
    let (one, two) = (Stream::open(&name, 16).unwrap(), Stream::open(&name, 0).unwrap());
    let guard = one.lock(None).unwrap();
    let error = two.lock(SHORT).map(drop).unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::TimedOut);
    assert_eq!(error.to_string(), "timed out");
    assert!(two.lock(Duration::from_nanos(1)).is_err());
    assert!(two.try_lock().unwrap().is_none());
    assert!(one.try_lock().unwrap().is_none(), "one handle waits for itself");
    drop(guard);
    let (first, second) = (two.lock_shared(None).unwrap(), two.try_lock_shared().unwrap());
    assert!(second.is_some());
    assert!(one.try_lock().unwrap().is_none());
    drop((first, second));
    drop(one.lock(Duration::MAX).unwrap());
}

#[test]
fn a_guard_ends_in_another_thread() {
    let stream = Stream::open(&name(), 16).unwrap();
    let guard = stream.lock(None).unwrap();
    thread::scope(|scope| {
        scope.spawn(move || drop(guard));
    });
    assert!(stream.try_lock().unwrap().is_some());
}

#[test]
fn the_owner_is_killed_and_that_is_told() {
    let name = name();
    let stream = Stream::open(&name, 16).unwrap();
    Other::start("die", &name).ends_killed();
    let mut guard = stream.lock(None).unwrap();
    assert!(guard.owner_died());
    assert_eq!(guard.load::<[u8; 4]>(0).unwrap(), *b"half");
    drop(guard);
    assert_eq!(code(stream.load::<u32>(0)), sys::SHMS_E_CORRUPT);
    guard = stream.lock(None).unwrap();
    assert!(guard.owner_died());
    guard.repaired().unwrap();
    drop(guard);
    assert!(!stream.lock(None).unwrap().owner_died());
}

#[test]
fn a_section_of_a_destructor_stays_while_a_panic_is_on_its_way() {
    struct Log<'a>(&'a Stream);
    impl Drop for Log<'_> {
        fn drop(&mut self) {
            self.0.lock(None).unwrap().store(0, &7u32).unwrap();
        }
    }
    let stream = Stream::options().atomic(true).open(&name(), 16).unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let _log = Log(&stream);
        panic!("on purpose");
    }));
    assert!(panicked.is_err());
    assert_eq!(stream.load::<u32>(0).unwrap(), 7);
}

#[test]
fn a_panic_or_rollback_undoes_an_atomic_section() {
    let stream = Stream::options().atomic(true).open(&name(), 16).unwrap();
    stream.lock(None).unwrap().store(0, &5u32).unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut guard = stream.lock(None).unwrap();
        guard.store(0, &6u32).unwrap();
        panic!("on purpose");
    }));
    assert!(panicked.is_err());
    assert_eq!(stream.load::<u32>(0).unwrap(), 5);
    let mut guard = stream.lock(None).unwrap();
    guard.store(0, &7u32).unwrap();
    guard.rollback().unwrap();
    assert_eq!(stream.load::<u32>(0).unwrap(), 5);

    let plain = Stream::open(&name(), 16).unwrap();
    let mut guard = plain.lock(None).unwrap();
    guard.store(0, &7u32).unwrap();
    assert_eq!(code(guard.rollback()), sys::SHMS_E_UNSUPPORTED);
    assert_eq!(plain.load::<u32>(0).unwrap(), 7);
    assert!(plain.try_lock().unwrap().is_some());
}

#[test]
fn two_processes_with_four_tasks_each_count_exactly() {
    let name = name();
    let stream = Stream::open(&name, 4).unwrap();
    let others = [Other::start("count", &name), Other::start("count", &name)];
    others.into_iter().for_each(Other::ends_well);
    assert_eq!(stream.load::<u32>(0).unwrap(), 2 * TASKS * ROUNDS);
}

#[test]
fn changes_of_another_process() {
    let name = name();
    let stream = Stream::open(&name, 16).unwrap();
    let mut other = Other::start("hold", &name);
    other.says("held");
    let mut seen = stream.version();
    assert!(!stream.wait(&mut seen, SHORT).unwrap());
    common::is_a_descriptor(stream.poll_fd());
    other.ends_well();
    assert!(stream.wait(&mut seen, None).unwrap());
    assert_eq!(seen, stream.version());
    assert_eq!(stream.load::<u32>(0).unwrap(), 7);
}

#[test]
fn memory_and_size() {
    let stream = Stream::options().max_size(1 << 20).open(&name(), 64).unwrap();
    let mut guard = stream.lock(None).unwrap();
    // SAFETY: no other process has this region.
    unsafe { guard.bytes_mut()[60..].copy_from_slice(b"last") };
    guard.resize(4096).unwrap();
    assert_eq!(code(guard.resize(2 << 20)), sys::SHMS_E_RANGE);
    drop(guard);
    assert_eq!(stream.len(), 4096);
    assert!(!stream.is_empty());
    let mut buf = [0; 8];
    assert_eq!(stream.read_at(&mut buf, 4092).unwrap(), 4);
    assert_eq!(stream.snapshot(&mut buf, 60).unwrap(), 8);
    assert_eq!(&buf, b"last\0\0\0\0");
    assert_eq!(stream.read_at(&mut buf, 4096).unwrap(), 0);
}

#[test]
fn bad_input_is_an_error() {
    let long = "x".repeat(300);
    for bad in ["", "a\0b", "a\\b", &long] {
        assert_eq!(code(Stream::open(bad, 16)), sys::SHMS_E_INVALID, "{bad}");
        assert_eq!(code(shmstream::unlink(bad)), sys::SHMS_E_INVALID, "{bad}");
    }
    let name = name();
    assert_eq!(code(Stream::open(&name, u64::MAX)), sys::SHMS_E_INVALID);
    assert_eq!(code(Stream::open(&name, 0)), sys::SHMS_E_NOT_FOUND);
    assert_eq!(code(Stream::options().create(Create::Never).open(&name, 16)), sys::SHMS_E_NOT_FOUND);
    assert_eq!(code(Stream::options().mode(0o777).open(&name, 16)), sys::SHMS_E_INVALID);
    let stream = Stream::options().create(Create::Only).open(&name, 16).unwrap();
    assert_eq!(code(Stream::options().create(Create::Only).open(&name, 16)), sys::SHMS_E_EXISTS);
    assert_eq!(code(Stream::open(&name, 17)), sys::SHMS_E_SIZE);
    for at in [13, 16, 1 << 40, i64::MAX as u64, u64::MAX] {
        assert_eq!(code(stream.write_at(b"four", at)), sys::SHMS_E_RANGE, "{at}");
        assert_eq!(code(stream.load::<u32>(at)), sys::SHMS_E_RANGE, "{at}");
    }
    let reader = Stream::options().read_only(true).open(&name, 0).unwrap();
    assert_eq!(code(reader.write_at(b"x", 0)), sys::SHMS_E_READ_ONLY);
    assert_eq!(code(stream.lock(None).unwrap().resize(0)), sys::SHMS_E_INVALID);
    assert!(Stream::options().unnamed(64).unwrap().try_lock().unwrap().is_some());
}

#[test]
fn nothing_is_left() {
    let name = name();
    drop(Stream::open(&name, 16).unwrap());
    let stream = Stream::open(&name, 16).unwrap();
    common::is_a_descriptor(stream.poll_fd());
    assert!(!stream.existed());
    drop(stream);
    let left: Vec<_> = fs::read_dir("/dev/shm")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|file| file.ends_with(&name))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
