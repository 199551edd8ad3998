//! Time.
//!
//! # Two clocks
//! The loop reads one clock, `CLOCK_BOOTTIME`, in [`Net::now`](crate::net::Net::now): it goes on
//! while the machine is suspended. From its readings the gate keeps two times:
//! - **real** time: lifetimes, bans, times-to-live, a handler's timers
//! - **live** time: everything that counts a peer's silence. Where the loop came more than 500 ms
//!   later than it asked to (it was stopped, the machine slept, one piece of work took that long),
//!   the whole delay is real time but not live time.
//!
//! Live time only ever falls back behind real time, so every live deadline gets later by a pause,
//! never earlier. Sleeping long because nothing is due is no pause.
//!
//! # Deadlines
//! A heartbeat stores when it came and nothing else. What must happen by when is derived from such
//! facts whenever it is asked. The timing wheel has one entry per connection that says when to
//! ask; asking early is harmless, so the wheel is told only where a deadline becomes earlier. The
//! wheel is as lazy in itself: a deadline that moves to later is written down, and its key moves
//! when its old place comes up ([`Wheel`](crate::wheel::Wheel)). A
//! deadline more than a second away is asked about at the second (1.024 s) before it, and only
//! then exactly: healthy connections never get that far, so 15,000 of them wake the loop once a
//! second, and the dead are still found to the tick.
//!
//! Stamps round down to the tick of 2 ms, spans round up and add one tick: never early, and late
//! by at most two ticks and what the kernel adds in rounding the poll's timeout to a millisecond.
//!
//! Idle and frame deadlines stand still while we ourselves do not read a connection: its output
//! waits above the low-water mark, an answer is owed to it or its denial comes late, its rates are
//! used up, or it rests in overload. The stamps are moved by the length of the pause when reading
//! goes on. Whose frames were read and still wait for their turn is not silent either: they come
//! first, then a last look at its socket; `login_timeout` they put off by a second at most, but
//! for a login that we did not get to.
//!
//! # Ticks wrap
//! A tick is 32 bits wide: the counter wraps after 99 days. Ticks are compared by distance, no
//! span may be longer than 49 days, and the counter starts half a minute before the wrap, so that
//! every run crosses it. A connection without any deadline is looked at every half minute, and
//! every one once in eight hours: what it did longer ago than any span counts as just that old. (A
//! machine that sleeps for most of a day may look too late at what is 49 days old by then.)
