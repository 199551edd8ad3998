//! What is promised, what shows it, and what is not promised.
//!
//! Each promise names a test, to be run as `cargo test --release NAME`; all of them, and those of
//! every row of the catalogue of attacks and faults, stand in `tests/rows.txt`.
//!
//! - **P1** A silent peer is closed no earlier than its deadline and at most two ticks (4 ms) after
//!   it on the loop's own clock: `no_silent_peer_is_closed_early_or_more_than_two_ticks_late`.
//! - **P2** A peer that keeps its heartbeat is never timed out: not in a reconnect storm, not in a
//!   broadcast, not after the machine was paused:
//!   `a_stopped_daemon_blames_nobody_for_its_own_silence`.
//! - **P3** The number printed at start is the most memory the process reaches, whatever clients
//!   send: `all_budgets_attacked_at_once_stay_below_the_ceiling_and_are_used_again`.
//! - **P4** Every queue, table and buffer has a bound: a field of [`Limits`](crate::Limits) or of
//!   [`Settings`](crate::Settings):
//!   `with_tiny_limits_every_turn_leaves_work_and_all_of_it_is_done`.
//! - **P5** Running out of descriptors neither spins nor goes deaf nor touches established
//!   connections: `without_descriptors_newcomers_wait_nobody_spins_and_nobody_is_disturbed`.
//! - **P6** Where a login is required, a stranger costs at most a place, `login_frame_max` and one
//!   read of input, 4 KiB of answers that wait (less where `outbox_low` is less), and
//!   `login_timeout`; no user and no topic is remembered for his sake:
//!   `a_stranger_costs_a_place_a_frame_of_a_login_and_five_seconds`.
//! - **P9** Messages to a user go to that user's live connections and nobody else's:
//!   `the_late_end_of_an_old_connection_does_not_touch_the_new_owner`.
//! - **P10** A client that does not read is closed after the stated bytes or seconds and delays
//!   nobody: `who_does_not_read_is_closed_as_a_slow_consumer`.
//! - **P11** No sequence of bytes from a client stops the process or disturbs another connection; a
//!   panic over a request ends its connection alone:
//!   `a_panic_over_one_request_costs_that_connection_and_no_other`.
//! - **P12** An idle daemon sleeps; no input is left unread and no output unsent while progress is
//!   possible: `an_idle_daemon_rests`.
//! - **P13** A reload that fails changes nothing; one that shortens deadlines ends nobody early and
//!   nobody late: `a_shorter_deadline_is_kept_by_all_and_by_nobody_early`.
//! - **P14** The goodbyes of a shutdown are spread evenly over the time that is set for it, and so
//!   are the arrivals elsewhere: `a_hundred_thousand_leave_evenly_and_arrive_evenly`.
//! - **P15** Without a configuration nothing listens beyond loopback, and every deadline and budget
//!   is on: `without_a_configuration_nothing_is_open_to_the_world_and_every_bound_is_on`. Root is
//!   gone once everything is bound, where a user is set:
//!   `started_as_root_it_becomes_who_is_configured_and_keeps_nothing`.
//! - **P16** A failing simulation prints one seed, and a smaller plan that fails in the same way,
//!   with the commands that repeat them: `the_same_seed_is_the_same_run`.
//!
//! Not promised: protection from volumetric floods (the kernel's and the network's work),
//! exactly-once delivery, order across reconnects, survival of unacknowledged messages over a
//! restart (they are kept in memory), and anything about messages that did not ask for an ack.
