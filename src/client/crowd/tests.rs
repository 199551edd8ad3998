//! A crowd over a net that counts, whose peers close at once.

use std::path::Path;

use super::*;
use crate::client::event::GaveUp;
use crate::client::options::Retry;
use crate::net::{Signal, SocketOptions, Wake};

/// Streams are numbers; every connection comes about and is closed by its peer.
#[derive(Default)]
struct Slamming {
    registered: Vec<Token>,
    closed: Vec<usize>,
}

impl Net for Slamming {
    type Listener = ();
    type Stream = usize;

    fn wait(&mut self, ready: &mut Vec<Ready>, _: Option<Duration>) -> io::Result<()> {
        ready.extend(self.registered.last().map(|token| Ready {
            token: *token,
            readable: true,
            writable: true,
            closed: true,
        }));
        Ok(())
    }

    fn rest(&mut self, _: Duration) {}

    fn now(&mut self) -> Duration {
        Duration::from_secs(1)
    }

    fn wall(&mut self) -> Duration {
        Duration::ZERO
    }

    fn entropy(&mut self) -> u64 {
        1
    }

    fn signal(&mut self) -> Option<Signal> {
        None
    }

    fn waker(&mut self) -> io::Result<Arc<dyn Wake>> {
        Err(ErrorKind::Unsupported.into())
    }

    fn listen(
        &mut self,
        _: SocketAddr,
        _: &SocketOptions,
        _: Token,
    ) -> io::Result<((), SocketAddr)> {
        Err(ErrorKind::Unsupported.into())
    }

    fn listen_unix(&mut self, _: &Path, _: Token) -> io::Result<()> {
        Err(ErrorKind::Unsupported.into())
    }

    fn accept(&mut self, (): &()) -> io::Result<(usize, SocketAddr)> {
        Err(ErrorKind::WouldBlock.into())
    }

    fn dial(&mut self, _: SocketAddr, _: Option<IpAddr>, _: Option<Duration>) -> io::Result<usize> {
        Ok(self.registered.len())
    }

    fn register(&mut self, _: &mut usize, token: Token) -> io::Result<()> {
        self.registered.push(token);
        Ok(())
    }

    fn read(&mut self, _: &mut usize, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }

    fn peek(&mut self, _: &mut usize) -> io::Result<bool> {
        Ok(false)
    }

    fn write(&mut self, _: &mut usize, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        Ok(slices.iter().map(|slice| slice.len()).sum())
    }

    fn shutdown_write(&mut self, _: &mut usize) -> io::Result<()> {
        Ok(())
    }

    fn close(&mut self, stream: usize, _: Ending) -> io::Result<()> {
        self.closed.push(stream);
        Ok(())
    }

    fn unlisten(&mut self, (): ()) {}
}

#[test]
fn who_comes_back_at_once_closes_what_was_lost() {
    let retry = Retry {
        base: Duration::ZERO,
        attempts: Some(4),
        ..Retry::FOR_EVER
    };
    let options = Options {
        retry,
        ..Options::default()
    };
    let mut crowd = Crowd::new(Slamming::default(), options);
    crowd.add(([127, 0, 0, 1], 1).into(), None, Some(Login::new("ann")));
    let mut turns = 0;
    loop {
        crowd.turn(Duration::ZERO).unwrap();
        let mut ends = std::iter::from_fn(|| crowd.event());
        if ends.any(|(_, event)| event == Event::GaveUp(GaveUp::Attempts(4))) {
            break;
        }
        turns += 1;
        assert!(turns < 100, "it does not come to its end");
    }
    let net = crowd.net_mut();
    assert_eq!(net.registered.len(), 5);
    assert_eq!(net.closed, [0, 1, 2, 3, 4]);
}
