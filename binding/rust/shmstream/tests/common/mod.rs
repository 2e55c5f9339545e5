// SPDX-License-Identifier: MIT
//! What the tests share: names, and other processes, which are this program in a role.
#![allow(dead_code)]
use std::env;
use std::io::{BufRead, BufReader};
use std::os::unix::io::{AsRawFd, BorrowedFd};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A name that no other test has.
pub fn name() -> String {
    // Only a count: nothing is ordered by it.
    format!("test-rust-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Another process.
pub struct Other {
    pub child: Child,
    pub keys: Option<ChildStdin>,
    screen: BufReader<ChildStdout>,
}

impl Other {
    /// It runs the test `role` of this program, which does what `role` says.
    pub fn start(role: &str, name: &str) -> Other {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "role", "--nocapture", "--quiet"])
            .env("SHMS_ROLE", role)
            .env("SHMS_NAME", name)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (keys, screen) = (child.stdin.take(), BufReader::new(child.stdout.take().unwrap()));
        Other { child, keys, screen }
    }

    /// Reads until it says that.
    pub fn says(&mut self, words: &str) {
        let mut line = String::new();
        while line.trim_end() != words {
            line.clear();
            assert!(self.screen.read_line(&mut line).unwrap() > 0, "it has ended, and never said {words}");
        }
    }

    pub fn ends_well(mut self) {
        self.keys = None;
        assert!(self.child.wait().unwrap().success());
    }

    pub fn ends_killed(mut self) {
        use std::os::unix::process::ExitStatusExt;
        assert_eq!(self.child.wait().unwrap().signal(), Some(9));
    }
}

/// The role of this process and the name it works on, if it is another one.
pub fn role() -> Option<(String, String)> {
    Some((env::var("SHMS_ROLE").ok()?, env::var("SHMS_NAME").ok()?))
}

/// Ends this process as a crash would.
pub fn die() -> ! {
    Command::new("kill").args(["-KILL", &std::process::id().to_string()]).status().unwrap();
    unreachable!()
}

/// Or the user has no more of them: inotify has a limit, which other programs of this user share.
pub fn is_a_descriptor(fd: Result<BorrowedFd<'_>, shmstream::Error>) {
    const EMFILE: i32 = 24;
    match fd {
        Ok(fd) => assert!(fd.as_raw_fd() > 2),
        Err(error) => assert_eq!(error.raw_os_error(), Some(EMFILE), "{error:?}"),
    }
}

#[repr(C)]
struct PollFd {
    fd: i32,
    events: i16,
    revents: i16,
}
const POLLIN: i16 = 1;
extern "C" {
    fn poll(fds: *mut PollFd, count: std::os::raw::c_ulong, timeout_ms: std::os::raw::c_int) -> i32;
}

/// Whether it becomes readable before so many milliseconds have passed.
pub fn readable(fd: BorrowedFd<'_>, timeout_ms: i32) -> bool {
    let mut one = PollFd { fd: fd.as_raw_fd(), events: POLLIN, revents: 0 };
    // SAFETY: one struct, which lives through the call.
    unsafe { poll(&mut one, 1, timeout_ms) == 1 }
}
