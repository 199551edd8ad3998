//! The pool over the client of this library, against a gate.

use std::time::Duration;

use pulsegate::client::{Client, Destination, Login, Options as Speaking};
use pulsegate::net::mio::MioNet;
use pulsegate::pool::{Options, Pool, PoolError, PoolStats};
use pulsegate::{Options as Serving, Server, Settings, UserPolicy};

use super::rest;
use crate::client::eventually;

#[test]
fn connections_to_a_gate_outlive_its_idle_timeout_and_a_kick() {
    let serving = Serving {
        users: UserPolicy::Devices(8),
        ..Serving::default()
    };
    let mut server = Server::new(MioNet::new(64).unwrap(), (), serving).unwrap();
    let settings = Settings {
        bind: vec![([127, 0, 0, 1], 0).into()],
        idle_timeout: Some(Duration::from_secs(3)),
        ..Settings::default()
    };
    let place = server.listen(settings).unwrap()[0].to_string();
    let remote = server.remote();
    let serving = std::thread::spawn(move || server.run());

    let to = Destination {
        place,
        login: Some(Login::new("backend")),
        options: Speaking::default(),
    };
    let min = 4;
    let pool = Pool::<Client>::new(
        to,
        Options {
            min,
            ..Options::default()
        },
    )
    .unwrap();
    let all_idle = |told: fn(PoolStats) -> bool| {
        eventually("all are there, and idle", || {
            let stats = pool.stats();
            (stats.idle == min && told(stats)).then_some(())
        });
    };
    all_idle(|_| true);
    assert_eq!(
        pool.beat(),
        Some(Duration::from_millis(2_625)),
        "the login has told"
    );
    rest(Duration::from_secs(7));
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
    remote.post(|gate, _| gate.shut_down()).unwrap();
    serving.join().unwrap().unwrap();
}

#[test]
fn a_pool_does_not_oust_itself_for_ever_where_a_user_has_one_place() {
    let mut server = Server::new(MioNet::new(64).unwrap(), (), Serving::default()).unwrap();
    let settings = Settings {
        bind: vec![([127, 0, 0, 1], 0).into()],
        idle_timeout: Some(Duration::from_secs(1)),
        ..Settings::default()
    };
    let place = server.listen(settings).unwrap()[0].to_string();
    let remote = server.remote();
    let serving = std::thread::spawn(move || server.run());
    let to = Destination {
        place,
        login: Some(Login::new("backend")),
        options: Speaking::default(),
    };
    let options = Options {
        min: 2,
        ..Options::default()
    };
    let pool = Pool::<Client>::new(to, options).unwrap();
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
    remote.post(|gate, _| gate.shut_down()).unwrap();
    serving.join().unwrap().unwrap();
}

fn publish_with_each(pool: &Pool<Client>, count: u32) {
    let held: Vec<_> = (0..count).map(|_| pool.checkout().unwrap()).collect();
    for client in &held {
        let request = client.publish("news", "hello").unwrap();
        client.wait(request, Duration::from_secs(5)).unwrap();
    }
}
