//! The ways into the loop that are not sockets: tasks from other threads, and a handler's timers.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use pulsegate::{Gate, Handler, Limits, Push, RemoteError, Settings, Target, TimerId};

use crate::client::PATIENCE;
use crate::library::House;

#[test]
fn many_threads_get_the_results_of_their_own_tasks() {
    let house = House::new((), Limits::default(), Settings::default());
    let threads: Vec<_> = (0..8_u64)
        .map(|thread| {
            let remote = house.remote.clone();
            std::thread::spawn(move || {
                for number in 0..200 {
                    let sum = remote.call(move |_, ()| thread * 1_000 + number);
                    assert_eq!(sum, Ok(thread * 1_000 + number));
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(house.ask(|gate, ()| gate.stats().tasks) >= 1_600);
}

#[test]
fn a_task_pushes_to_a_user_and_learns_whom_it_reached() {
    let house = House::new((), Limits::default(), Settings::default());
    let mut ann = house.line();
    ann.say("login ann");
    ann.hears("ok heartbeat=20000 proto=1");
    let receipt = house.ask(|gate, ()| gate.push(Target::User("ann"), &Push::text("hello")));
    let receipt = receipt.unwrap();
    assert_eq!(
        (receipt.queued, receipt.offline, receipt.dropped),
        (1, 0, 0)
    );
    ann.hears(format!("msg {} - hello", receipt.id));
    assert_eq!(house.ask(|gate, ()| gate.kick("ann")), 1);
    ann.hears("close kicked");
}

#[test]
fn a_full_queue_refuses_a_task_and_an_ended_loop_says_so() {
    let limits = Limits {
        tasks: 1,
        ..Limits::default()
    };
    let house = House::new((), limits, Settings::default());
    let (let_go, held): (Sender<()>, Receiver<()>) = channel();
    let (began, is_running) = channel();
    house
        .remote
        .post(move |_, ()| {
            began.send(()).unwrap();
            // The loop stands still, so that what is handed in meanwhile must wait.
            let _ = held.recv_timeout(PATIENCE);
        })
        .unwrap();
    is_running.recv_timeout(PATIENCE).unwrap();
    let posted: Vec<_> = (0..8).map(|_| house.remote.post(|_, ()| ())).collect();
    assert!(
        posted[0].is_ok() && posted.contains(&Err(RemoteError::Full)),
        "{posted:?}"
    );
    let_go.send(()).unwrap();
    let remote = house.remote.clone();
    drop(house);
    assert_eq!(remote.call(|_, ()| ()), Err(RemoteError::Gone));
}

/// Sets timers and tells when they came, by the loop's own clock.
struct Alarm {
    told: Sender<(TimerId, Duration)>,
}

impl Handler for Alarm {
    fn on_timer(&mut self, gate: &mut Gate, timer: TimerId) {
        self.told.send((timer, gate.now())).unwrap();
    }
}

#[test]
fn a_handler_s_timers_come_in_order_and_never_early() {
    let (told, tells) = channel();
    let limits = Limits {
        timers: 3,
        ..Limits::default()
    };
    let house = House::new(Alarm { told }, limits, Settings::default());
    let (set, timers, surplus) = house.ask(|gate, _| {
        let after = [120, 40, 80].map(Duration::from_millis);
        let timers = after.map(|after| gate.set_timer(after).unwrap());
        (gate.now(), timers, gate.set_timer(Duration::ZERO))
    });
    assert_eq!(surplus, None, "no more than the limit");
    assert!(house.ask(move |gate, _| gate.cancel_timer(timers[2])));
    for (timer, after) in [(timers[1], 40), (timers[0], 120)] {
        let (came, at) = tells.recv_timeout(PATIENCE).unwrap();
        assert_eq!(came, timer);
        assert!(at >= set + Duration::from_millis(after), "{at:?} is early");
    }
    assert!(
        !house.ask(move |gate, _| gate.cancel_timer(timers[0])),
        "it has come"
    );
    assert!(
        tells.try_recv().is_err(),
        "what was taken back does not come"
    );
}
