// SPDX-License-Identifier: MIT
#![cfg(feature = "jar")]
mod common;
use common::Other;
use shmstream::jar::{Cookie, Jar, JarOptions, Request, SameSite, Site};
use shmstream::{sys, Create, Error};
use std::io::Read;
use std::time::{Duration, SystemTime};

const SHORT: Duration = Duration::from_millis(20);
const HOME: &str = "https://example.com/";

/// What other processes do.
#[test]
fn role() {
    let (role, name) = match common::role() {
        Some(role) => role,
        None => return,
    };
    let jar = JarOptions::default().keep(false).create(Create::Never).open(&name).unwrap();
    let guard = jar.lock("example.com", None).unwrap();
    match role.as_str() {
        "lock and die" => common::die(),
        "log in" => {
            println!("\nheld");
            std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
            assert!(jar.set(HOME, "sid=31d4; Path=/; Secure").unwrap().is_none());
            drop(guard);
        }
        other => panic!("no role {other}"),
    }
}

/// A jar that goes with its last handle.
fn fresh() -> (String, Jar) {
    let name = common::name();
    let jar = JarOptions::default().keep(false).open(&name).unwrap();
    (name, jar)
}

fn code<T>(result: Result<T, Error>) -> i32 {
    result.map(drop).expect_err("it should fail").code()
}

#[test]
fn cookies_come_and_go_with_requests() {
    let (_, jar) = fresh();
    assert!(jar.get(HOME).unwrap().is_empty());
    assert_eq!(jar.set(HOME, "a=1; Path=/; Secure; HttpOnly").unwrap(), None);
    assert_eq!(jar.set(&HOME.to_string(), b"b=\xff; Path=/down").unwrap(), None);
    assert_eq!(jar.get(HOME).unwrap(), b"a=1");
    assert_eq!(jar.get("https://example.com/down/").unwrap(), b"b=\xff; a=1");
    assert_eq!(jar.get("http://example.com/").unwrap(), b"", "a is Secure");
    assert_eq!(jar.get(Request::new(HOME).api(true)).unwrap(), b"", "a is HttpOnly");
    assert_eq!(
        jar.get(Request::new(HOME).site(Site::Cross)).unwrap(),
        b"",
        "SameSite is Lax, if nothing is said"
    );
    assert_eq!(jar.get(Request::new(HOME).site(Site::Lax)).unwrap(), b"a=1");
    let refused = jar.set(HOME, "c=1; Domain=other.org").unwrap().unwrap();
    assert_eq!(refused.reason(), sys::SHMS_COOKIE_DOMAIN);
    assert!(refused.to_string().len() > 5 && format!("{refused:?}").contains("4: "));
    let there = "https://a.example/";
    let here = Request::new(there).partition("https://top.example");
    assert_eq!(jar.set(here, "p=1; Secure; Partitioned; SameSite=None").unwrap(), None);
    assert_eq!((jar.get(here).unwrap(), jar.get(there).unwrap()), (b"p=1".to_vec(), Vec::new()));
    assert_eq!(jar.cookies("a.example").unwrap()[0].partition.as_deref(), Some("https://top.example"));
    for i in 0..40 {
        assert_eq!(jar.set(HOME, format!("long{i}={}; Path=/", "x".repeat(1000))).unwrap(), None);
    }
    assert!(jar.get(HOME).unwrap().len() > 40_000);
    for url in ["", "example.com", "ftp://example.com/", "https://a\0b/"] {
        assert_eq!(code(jar.set(url, "a=1")), sys::SHMS_E_INVALID, "{url}");
        assert_eq!(code(jar.get(url)), sys::SHMS_E_INVALID, "{url}");
    }
}

#[test]
fn cookies_one_by_one() {
    let (_, jar) = fresh();
    let later = SystemTime::now() + Duration::from_secs(3600);
    let mut cookie = Cookie::new("example.com", "sid", "31d4");
    cookie.secure = true;
    cookie.host_only = false;
    cookie.same_site = SameSite::Strict;
    cookie.expires = Some(later);
    assert_eq!(jar.put(&cookie).unwrap(), None);
    assert_eq!(jar.put(&Cookie::new("other.org", "n", "1")).unwrap(), None);
    let found = &jar.cookies("example.com").unwrap()[0];
    assert_eq!((&found.name[..], &found.value[..], &found.path[..]), (&b"sid"[..], &b"31d4"[..], &b"/"[..]));
    assert!(found.secure && !found.host_only && !found.http_only && !found.gone);
    assert_eq!((found.same_site, found.expires), (SameSite::Strict, Some(later)));
    assert!(found.created_at.is_some() && found.created > 0 && found.changed >= found.created);
    assert_eq!((jar.cookies(None).unwrap().len(), jar.info().unwrap().cookies), (2, 2));
    let refused = jar.put(&Cookie::new("example.com", "__Secure-x", "1")).unwrap().unwrap();
    assert_eq!(refused.reason(), sys::SHMS_COOKIE_PREFIX);
    assert_eq!(code(jar.put(&Cookie::new("example.com", "a\0b", "1"))), sys::SHMS_E_INVALID);
    assert_eq!(code(jar.cookies("")), sys::SHMS_E_INVALID);

    cookie.path = b"/deeper".to_vec();
    assert!(!jar.delete(&cookie).unwrap());
    assert_eq!(jar.put(&cookie).unwrap(), None);
    assert!(jar.delete(&cookie).unwrap());
    assert!(jar.delete_name("example.com", "sid").unwrap());
    assert!(!jar.delete_name("example.com", "sid").unwrap());
    assert_eq!((jar.clear("example.com").unwrap(), jar.clear(None).unwrap()), (0, 1));
    cookie.expires = Some(SystemTime::UNIX_EPOCH);
    assert_eq!(jar.put(&cookie).unwrap(), None);
    assert!(jar.cookies(None).unwrap().is_empty(), "what is over is not put in");
}

#[test]
fn changes_and_waits() {
    let (name, jar) = fresh();
    let other = JarOptions::default().keep(false).open(&name).unwrap();
    let mut since = other.version();
    let mut seen = since;
    assert!(!other.wait(&mut seen, SHORT).unwrap());
    jar.set(HOME, "a=1").unwrap();
    assert!(other.wait(&mut seen, None).unwrap());
    let told = other.changes(&mut since).unwrap();
    assert_eq!((told.len(), &told[0].name[..], told[0].gone), (1, &b"a"[..], false));
    jar.clear("example.com").unwrap();
    assert!(other.changes(&mut since).unwrap()[0].gone);
    assert_eq!(since, other.version());
    assert_eq!(code(other.changes(&mut -1)), sys::SHMS_E_INVALID);
    common::is_a_descriptor(other.poll_fd());
    if let Ok(fd) = other.poll_fd() {
        while other.wait(&mut seen, Duration::ZERO).unwrap() || common::readable(fd, 0) {}
        jar.set(HOME, "a=2").unwrap();
        assert!(common::readable(fd, -1));
    }
}

#[test]
fn one_process_logs_in_for_all() {
    let (name, jar) = fresh();
    let mut other = Other::start("log in", &name);
    other.says("held");
    assert!(jar.try_lock("example.com").unwrap().is_none());
    assert!(jar.lock("example.com", SHORT).map(drop).unwrap_err().is_timeout());
    assert!(jar.try_lock("other.org").unwrap().is_some());
    other.keys = None;
    let guard = jar.lock("example.com", None).unwrap();
    assert!(!guard.owner_died());
    assert_eq!(jar.get(HOME).unwrap(), b"sid=31d4");
    assert_eq!(code(jar.lock("example.com", None)), sys::SHMS_E_DEADLOCK);
    guard.unlock().unwrap();
    other.ends_well();

    Other::start("lock and die", &name).ends_killed();
    assert!(jar.lock("example.com", None).unwrap().owner_died());
    assert!(!jar.lock("example.com", None).unwrap().owner_died(), "once");
}

#[test]
fn cookies_txt() {
    let (_, jar) = fresh();
    let file = std::env::temp_dir().join(format!("shms-rust-{}.txt", common::name()));
    jar.set(HOME, "a=1; Max-Age=3600; Path=/; Secure").unwrap();
    assert_eq!(jar.export(&file).unwrap().cookies, 1);
    assert_eq!(jar.clear(None).unwrap(), 1);
    let moved = jar.import(&file).unwrap();
    assert_eq!((moved.cookies, moved.left_out), (1, 0));
    assert_eq!(jar.get(HOME).unwrap(), b"a=1");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(code(jar.import(&file)), sys::SHMS_E_NOT_FOUND);
    let options = JarOptions::default().suffix_list(&file).unwrap();
    assert_eq!(code(options.open(&common::name())), sys::SHMS_E_NOT_FOUND);
    assert_eq!(
        code(JarOptions::default().create(Create::Never).open(&common::name())),
        sys::SHMS_E_NOT_FOUND
    );
}
