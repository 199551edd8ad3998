//! Socket options that no crate wraps: the only `setsockopt` of our own.

#![expect(unsafe_code, reason = "no crate wraps these options")]

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use libc::c_int;

/// Sets an option whose value is one `int`.
///
/// # Errors
/// As the system says: no such option, no permission.
pub(crate) fn set(socket: &impl AsFd, level: c_int, name: c_int, value: c_int) -> io::Result<()> {
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the descriptor is borrowed and so open, and the value is read only during the call,
    // from an `int` that outlives it and has the four bytes that are announced.
    let result = unsafe { libc::setsockopt(fd, level, name, (&raw const value).cast(), 4) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

const _: () = assert!(size_of::<c_int>() == 4);
