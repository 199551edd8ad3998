//! Socket options that no crate wraps: the only `setsockopt` and `getsockopt` of our own.

#![expect(unsafe_code, reason = "no crate wraps these options")]

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use libc::c_int;
use rustix::time::{ClockId, clock_getres};

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

/// How long ago at the least the kernel took in the FIN that was the peer's last packet; `None`
/// where that is not what ended the connection.
///
/// The kernel remembers the last acknowledgement, which each packet carries, to one of its ticks.
/// After a reset it does not remember that one, and nothing can be told.
pub(crate) fn since_fin(socket: &impl AsFd) -> Option<Duration> {
    let info = tcp_info(socket)?;
    let heard = Duration::from_millis(info.tcpi_last_ack_recv.into());
    // What is told is a difference of two ticks: the true one may be a tick shorter.
    let tick = Duration::try_from(clock_getres(ClockId::MonotonicCoarse)).ok()?;
    (info.tcpi_state == CLOSE_WAIT).then(|| heard.saturating_sub(tick))
}

fn tcp_info(socket: &impl AsFd) -> Option<libc::tcp_info> {
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: a `tcp_info` is numbers alone, for which zeros are as good as any.
    let mut info: libc::tcp_info = unsafe { std::mem::zeroed() };
    let mut size = libc::socklen_t::try_from(size_of_val(&info)).ok()?;
    // SAFETY: the descriptor is borrowed and so open; the kernel writes at most `size` bytes, which
    // is what `info` has, and both outlive the call.
    let result = unsafe {
        libc::getsockopt(
            fd,
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut info).cast(),
            &raw mut size,
        )
    };
    (result == 0).then_some(info)
}

/// The peer has said that nothing more comes, and we have not: `TCP_CLOSE_WAIT`.
const CLOSE_WAIT: u8 = 8;

const _: () = assert!(size_of::<c_int>() == 4);

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::time::Instant;

    use super::*;

    #[test]
    fn the_age_of_a_fin_is_known_and_never_too_high() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (peer, _) = listener.accept().unwrap();
        assert_eq!(since_fin(&ours), None, "it has not ended");
        let before = Instant::now();
        peer.shutdown(Shutdown::Write).unwrap();
        assert_eq!(ours.read(&mut [0; 1]).unwrap(), 0);
        // The age grows as time passes, behind the clock by less than what a tick may be.
        let pause = Duration::from_millis(60);
        while before.elapsed() < pause {
            std::thread::park_timeout(pause - before.elapsed());
        }
        let age = since_fin(&ours).unwrap();
        assert!(age <= before.elapsed(), "{age:?}");
        assert!(age >= pause - Duration::from_millis(25), "{age:?}");
    }

    #[test]
    fn of_a_reset_nothing_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (peer, _) = listener.accept().unwrap();
        socket2::SockRef::from(&peer)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(peer);
        assert!(ours.read(&mut [0; 1]).is_err());
        assert_eq!(since_fin(&ours), None);
    }
}
