//! The pool against a real redis-server, started here and ended here.
//!
//! Where it is not installed, this is skipped, and the test says so; where `PULSEGATE_NO_SKIP` is
//! set, as it is in CI, that is a failure.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use pulsegate::pool::redis::{Redis, RedisError, Settings};
use pulsegate::pool::{Options, Pool, PoolError, Pooled};

use super::rest;
use crate::client::eventually;

/// A redis-server; it ends with this value.
struct Server {
    path: PathBuf,
    addr: SocketAddr,
    args: &'static [&'static str],
    child: Child,
}

impl Server {
    /// Starts it with `args` beside the usual ones; `None` where it is not installed.
    fn start(args: &'static [&'static str]) -> Option<Self> {
        let Some(path) = find("redis-server") else {
            skip("redis-server is not installed");
            return None;
        };
        let addr = free_address();
        let child = spawn(&path, addr, args);
        let server = Self {
            path,
            addr,
            args,
            child,
        };
        server.listens();
        Some(server)
    }

    fn listens(&self) {
        eventually("redis-server listens", || {
            TcpStream::connect(self.addr).ok()
        });
    }

    fn stop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn go_on(&mut self) {
        self.child = spawn(&self.path, self.addr, self.args);
    }

    fn pool(&self, options: Options) -> Pool<Redis> {
        Pool::new(self.settings(), options).unwrap()
    }

    fn settings(&self) -> Settings {
        Settings::new(self.addr.to_string())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(path: &PathBuf, addr: SocketAddr, args: &[&str]) -> Child {
    let (ip, port) = (addr.ip().to_string(), addr.port().to_string());
    Command::new(path)
        .args(["--bind", &ip, "--port", &port, "--save", ""])
        .args(args)
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path);
    let folders = folders.chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

fn skip(why: &str) {
    let may_skip = std::env::var_os("PULSEGATE_NO_SKIP").is_none();
    assert!(may_skip, "PULSEGATE_NO_SKIP is set, and {why}");
    // Not by a macro for printing: what those write is kept from sight while a test passes.
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

/// An address of this process alone, so that its port stays free until it is listened on.
fn free_address() -> SocketAddr {
    let pid = std::process::id();
    let [_, high, middle, low] = (pid % 0x3F_FFFF).to_be_bytes();
    let own = Ipv4Addr::new(127, 64 + high, middle, low.max(1));
    let listener = TcpListener::bind((own, 0)).unwrap();
    listener.local_addr().unwrap()
}

#[test]
fn idle_for_several_of_the_servers_timeouts_no_connection_ends() {
    let Some(server) = Server::start(&["--timeout", "3"]) else {
        return;
    };
    let kept = server.pool(Options {
        min: 4,
        ..Options::default()
    });
    // beside it, one that does not know of timeouts: the server does end it
    let mut lonely = Redis::connect(&server.settings()).unwrap();
    eventually("the minimum is there", || {
        (kept.stats().idle == 4).then_some(())
    });
    assert_eq!(
        kept.beat(),
        Some(Duration::from_millis(2_625)),
        "it has asked"
    );
    rest(Duration::from_secs(10));
    assert!(!lonely.is_open());
    assert!(lonely.call::<String>(&["PING"]).is_err());
    let mut held: Vec<_> = (0..4).map(|_| kept.checkout().unwrap()).collect();
    for redis in &mut held {
        redis.call::<()>(&["SET", "key", "value"]).unwrap();
    }
    drop(held);
    let stats = kept.stats();
    assert_eq!((stats.opened, stats.broken), (4, 0), "{stats:?}");
    assert!((12..=20).contains(&stats.beats), "{stats:?}");
}

#[test]
fn a_restart_of_the_server_costs_the_calls_in_flight_and_no_other() {
    let Some(mut server) = Server::start(&[]) else {
        return;
    };
    let pool = server.pool(Options {
        min: 4,
        max: 4,
        wait_max: Duration::from_secs(20),
        ..Options::default()
    });
    let (is_over, calls) = (AtomicBool::new(false), AtomicU32::new(0));
    let most = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| call_until(&pool, &is_over, &calls)))
            .collect();
        let more = |calls: &AtomicU32| {
            let before = calls.load(Ordering::Relaxed);
            eventually("they are answered", || {
                (calls.load(Ordering::Relaxed) > before + 200).then_some(())
            });
        };
        more(&calls);
        for _ in 0..3 {
            server.stop();
            rest(Duration::from_millis(100));
            server.go_on();
            more(&calls);
        }
        is_over.store(true, Ordering::Relaxed);
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum::<u32>()
    });
    // four are in flight at most, three times
    assert!(most <= 12, "{most} calls failed");
    let stats = pool.stats();
    assert_eq!((stats.timed_out, stats.refused), (0, 0), "{stats:?}");
}

/// Calls until it is over; how many calls failed. A checkout never does.
fn call_until(pool: &Pool<Redis>, is_over: &AtomicBool, calls: &AtomicU32) -> u32 {
    let mut failed = 0;
    while !is_over.load(Ordering::Relaxed) {
        let mut redis = pool.checkout().unwrap();
        match redis.call::<i64>(&["INCR", "calls"]) {
            Ok(_) => calls.fetch_add(1, Ordering::Relaxed),
            Err(_) => {
                failed += 1;
                0
            }
        };
    }
    failed
}

#[test]
fn idle_through_a_restart_costs_no_call_at_all() {
    let Some(mut server) = Server::start(&[]) else {
        return;
    };
    let pool = server.pool(Options {
        max: 4,
        wait_max: Duration::from_secs(20),
        ..Options::default()
    });
    let held: Vec<_> = (0..4).map(|_| pool.checkout().unwrap()).collect();
    drop(held);
    server.stop();
    server.go_on();
    // not even those that begin before it listens again
    for turn in 1..=8 {
        let mut redis = pool.checkout().unwrap();
        assert_eq!(redis.call::<i64>(&["INCR", "turn"]).unwrap(), turn);
    }
}

#[test]
fn where_the_server_may_not_be_asked_the_beat_is_the_one_that_was_set() {
    let acl = "user default on nopass ~* &* +@all -config";
    let Some(server) = Server::start(&["--timeout", "3"]) else {
        return;
    };
    let mut admin = Redis::connect(&server.settings()).unwrap();
    let words: Vec<&str> = acl.split(' ').skip(1).collect();
    admin
        .call::<()>(&[&["ACL", "SETUSER"], &words[..]].concat())
        .unwrap();
    let pool = server.pool(Options {
        beat: Some(Duration::from_millis(400)),
        ..Options::default()
    });
    drop(pool.checkout().unwrap());
    assert_eq!(pool.beat(), Some(Duration::from_millis(400)));
    eventually("it beats", || (pool.stats().beats > 2).then_some(()));
    assert_eq!(pool.stats().broken, 0);
}

/// The first word of the refusal that left a caller without a connection.
fn refusal(server: &Server, error: &PoolError<RedisError>) -> String {
    let PoolError::Connect(error) = error else {
        panic!("{error}");
    };
    let told = error.to_string();
    assert!(told.starts_with(&server.addr.to_string()), "where: {told}");
    let RedisError::Greeting { error, .. } = &**error else {
        panic!("{error}");
    };
    let RedisError::Refused(why) = &**error else {
        panic!("{error}");
    };
    why.split(' ').next().unwrap_or_default().to_owned()
}

#[test]
fn what_the_server_refuses_costs_the_call_and_not_the_connection() {
    let Some(server) = Server::start(&["--requirepass", "open sesame"]) else {
        return;
    };
    let wrong = server.pool(Options::default());
    let error = wrong.checkout_within(Duration::ZERO).unwrap_err();
    assert_eq!(refusal(&server, &error), "NOAUTH");
    let settings = Settings {
        password: Some("open sesame".into()),
        database: 3,
        ..server.settings()
    };
    let pool = Pool::<Redis>::new(settings, Options::default()).unwrap();
    let mut redis = pool.checkout().unwrap();
    redis.call::<()>(&["SET", "key", "a\r\nb"]).unwrap();
    let error = redis.call::<i64>(&["INCR", "key"]).unwrap_err();
    assert!(matches!(error, RedisError::Refused(_)), "{error}");
    let error = redis.call::<i64>(&["GET", "key"]).unwrap_err();
    assert!(matches!(error, RedisError::Type), "{error}");
    let value: Option<String> = redis.call(&["GET", "key"]).unwrap();
    assert_eq!(value.as_deref(), Some("a\r\nb"));
    assert_eq!(
        redis.call::<Option<String>>(&["GET", "none"]).unwrap(),
        None
    );
    drop(redis);
    assert_eq!((pool.stats().opened, pool.stats().broken), (1, 0));
}

#[test]
fn a_wrong_password_is_told_at_once_and_not_tried_again_by_itself() {
    let Some(server) = Server::start(&["--requirepass", "open sesame"]) else {
        return;
    };
    let with = |password: &str, options| {
        let settings = Settings {
            password: Some(password.into()),
            ..server.settings()
        };
        Pool::<Redis>::new(settings, options).unwrap()
    };
    let options = Options {
        min: 2,
        wait_max: Duration::from_secs(60),
        retry_max: Duration::from_millis(50),
        ..Options::default()
    };
    let wrong = with("open barley", options);
    eventually("it is refused", || (wrong.stats().failed > 0).then_some(()));
    rest(Duration::from_secs(1));
    assert_eq!(wrong.stats().failed, 1);
    let began = Instant::now();
    let error = wrong.checkout().unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(20), "told at once");
    assert_eq!(refusal(&server, &error), "WRONGPASS");
    // Once that is put right, who asks gets one.
    let right = with("open sesame", Options::default());
    let set = ["CONFIG", "SET", "requirepass", "open barley"];
    right.checkout().unwrap().call::<()>(&set).unwrap();
    drop(eventually("it is let in", || wrong.checkout().ok()));
}

#[test]
fn who_answers_nothing_or_nonsense_is_told_from_a_redis_within_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = Settings {
        deadline: Duration::from_millis(100),
        ..Settings::new(listener.local_addr().unwrap().to_string())
    };
    let began = Instant::now();
    // Where, and what.
    let fails = |what: &RedisError| {
        let error = Redis::connect(&settings).unwrap_err();
        assert_eq!(error.to_string(), format!("{}: {what}", settings.addr));
    };
    fails(&RedisError::Late);
    assert!(began.elapsed() < Duration::from_secs(5));
    let answers = std::thread::spawn(move || {
        let (_silent, _) = listener.accept().unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .unwrap();
        (stream, listener)
    });
    fails(&RedisError::Garbled);
    drop(answers.join().unwrap());
    let error = Redis::connect(&settings).unwrap_err();
    assert!(error.to_string().starts_with("127.0.0.1:"), "{error}");
}
