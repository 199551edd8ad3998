//! The pool over the client of this library, against a gate.

use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use pulsegate::client::{Client, Destination, Login, Options as Speaking};
use pulsegate::net::mio::MioNet;
use pulsegate::pool::{Options, Pool, PoolError, PoolStats};
use pulsegate::{Options as Serving, Remote, Server, Settings, UserPolicy};

use super::rest;
use crate::client::eventually;

/// A gate in this process.
struct Gate {
    remote: Remote<()>,
    serving: JoinHandle<io::Result<()>>,
    to: Destination,
}

impl Gate {
    fn start(users: UserPolicy, idle_timeout: Duration) -> Self {
        let serving = Serving {
            users,
            ..Serving::default()
        };
        let mut server = Server::new(MioNet::new(64).unwrap(), (), serving).unwrap();
        let settings = Settings {
            bind: vec![([127, 0, 0, 1], 0).into()],
            idle_timeout: Some(idle_timeout),
            ..Settings::default()
        };
        let to = Destination {
            place: server.listen(settings).unwrap()[0].to_string(),
            login: Some(Login::new("backend")),
            options: Speaking::default(),
        };
        let remote = server.remote();
        let serving = std::thread::spawn(move || server.run());
        Self {
            remote,
            serving,
            to,
        }
    }

    fn pool(&self, min: u32) -> Pool<Client> {
        let options = Options {
            min,
            ..Options::default()
        };
        Pool::new(self.to.clone(), options).unwrap()
    }

    fn stop(self) {
        self.remote.post(|gate, _| gate.shut_down()).unwrap();
        self.serving.join().unwrap().unwrap();
    }
}

#[test]
fn connections_to_a_gate_outlive_its_idle_timeout_and_a_kick() {
    let gate = Gate::start(UserPolicy::Devices(8), Duration::from_secs(6));
    let remote = &gate.remote;
    let min = 4;
    let pool = gate.pool(min);
    let all_idle = |told: fn(PoolStats) -> bool| {
        eventually("all are there, and idle", || {
            let stats = pool.stats();
            (stats.idle == min && told(stats)).then_some(())
        });
    };
    all_idle(|_| true);
    assert_eq!(
        pool.beat(),
        Some(Duration::from_millis(5_250)),
        "the login has told"
    );
    rest(Duration::from_secs(13));
    publish_with_each(&pool, min);
    let stats = pool.stats();
    assert_eq!((stats.opened, stats.broken), (4, 0), "{stats:?}");

    let kicked = remote.call(|gate, _| gate.kick("backend"));
    assert_eq!(kicked, Ok(4));
    eventually("the gate has seen them off", || {
        (remote.call(|gate, _| gate.connections()) == Ok(0)).then_some(())
    });
    eventually("the kick has been heard", || {
        matches!(pool.checkout(), Err(PoolError::Unwanted)).then_some(())
    });
    eventually("all are gone", || (pool.stats().pooled == 0).then_some(()));
    // It is not undone by itself, only by somebody who asks, and not at once.
    rest(Duration::from_millis(1_500));
    assert_eq!(pool.stats().opened, 4);
    publish_with_each(&pool, min);
    assert_eq!(pool.stats().opened, 8);

    drop(pool);
    gate.stop();
}

#[test]
fn a_pool_does_not_oust_itself_for_ever_where_a_user_has_one_place() {
    let gate = Gate::start(UserPolicy::Replace, Duration::from_secs(6));
    let pool = gate.pool(2);
    eventually("the second has ousted the first", || {
        (pool.stats().broken == 1).then_some(())
    });
    rest(Duration::from_secs(3));
    let stats = pool.stats();
    assert_eq!(
        (stats.opened, stats.broken, stats.idle),
        (2, 1, 1),
        "{stats:?}"
    );
    publish_with_each(&pool, 1);

    drop(pool);
    gate.stop();
}

#[test]
fn a_pool_does_not_knock_for_ever_where_a_user_may_come_in_once() {
    let gate = Gate::start(UserPolicy::Reject, Duration::from_secs(6));
    let pool = gate.pool(2);
    let refused = || (pool.stats().failed == 1 && pool.stats().idle == 1).then_some(());
    eventually("the second is refused", refused);
    rest(Duration::from_secs(3));
    let stats = pool.stats();
    assert_eq!((stats.opened, stats.failed), (1, 1), "{stats:?}");
    publish_with_each(&pool, 1);

    // One who holds all there is leaves none to be had, and the next one is told why.
    let held = pool.checkout().unwrap();
    let error = eventually("it is refused", || {
        pool.checkout_within(Duration::ZERO).err()
    });
    assert!(error.to_string().contains("user-taken"), "{error}");
    drop(held);
    drop(pool);
    gate.stop();
}

fn publish_with_each(pool: &Pool<Client>, count: u32) {
    let held: Vec<_> = (0..count).map(|_| pool.checkout().unwrap()).collect();
    for client in &held {
        let request = client.publish("news", "hello").unwrap();
        client.wait(request, Duration::from_secs(5)).unwrap();
    }
}
