//! What is promised, what shows it, and what is not promised.
//!
//! Each promise names tests, to be run as `cargo test --release NAME`; all of them, and those of
//! every row of the catalogue of attacks and faults, stand in `tests/rows.txt`.
//!
//! - **P1** A silent peer is closed no earlier than its deadline and at most two ticks (4 ms) after
//!   it on the loop's own clock: `no_silent_peer_is_closed_early_or_more_than_two_ticks_late`. How
//!   late it was is in `heartbeat_lateness_seconds`; the kernel may wake the loop later than it
//!   asked to, and for 99 of a hundred that leaves less than 10 ms where deadlines are spread:
//!   `a_thousand_silent_peers_are_closed_never_early_and_not_late_by_the_daemons_own_clock`.
//! - **P2** A peer that keeps its heartbeat is never timed out: not in a reconnect storm, not in a
//!   broadcast, not after the machine was paused:
//!   `a_stopped_daemon_blames_nobody_for_its_own_silence`.
//! - **P3** The number printed at start is the most memory the process reaches, whatever clients
//!   send: `all_budgets_attacked_at_once_stay_below_the_ceiling_and_are_used_again`.
//! - **P4** Every queue, table and buffer has a bound: a field of [`Limits`](crate::Limits) or of
//!   [`Settings`](crate::Settings), which says what happens at it, and is set by a key of the
//!   configuration or by an application of the library:
//!   `every_bound_is_told_of_with_what_happens_at_it`. Twice of what takes memory is a higher
//!   ceiling: `twice_of_what_takes_memory_is_a_higher_ceiling_and_of_nothing_else`. At all of them
//!   at once: `with_tiny_limits_every_turn_leaves_work_and_all_of_it_is_done`.
//! - **P5** Running out of descriptors never spins, never touches established connections and never
//!   makes a listener deaf:
//!   `without_descriptors_newcomers_wait_nobody_spins_and_nobody_is_disturbed`. Who waits is let in
//!   within 200 ms of the first descriptor that is free:
//!   `accepting_goes_on_within_200_ms_of_the_first_free_descriptor`. The admin port still answers,
//!   by the descriptors kept back from clients and, where the system has none at all, by a spare
//!   one that serves newcomers one at a time:
//!   `it_answers_when_clients_have_all_descriptors_that_they_may`.
//! - **P6** Where a login is required, a stranger costs at most a place, `login_frame_max` and one
//!   read of input, 4 KiB of answers that wait (less where `outbox_low` is less), and
//!   `login_timeout`; no user and no topic is remembered for his sake:
//!   `a_stranger_costs_a_place_a_frame_of_a_login_and_five_seconds`.
//! - **P9** Messages to a user go to that user's live connections and nobody else's:
//!   `the_late_end_of_an_old_connection_does_not_touch_the_new_owner`,
//!   `what_the_old_connection_had_not_got_is_not_sent_to_a_stranger`.
//! - **P10** A client that does not read is closed after the stated bytes or seconds and delays
//!   nobody: `who_does_not_read_is_closed_as_a_slow_consumer`.
//! - **P11** No sequence of bytes from a client stops the process or disturbs another connection; a
//!   panic over a request ends its connection alone:
//!   `a_panic_over_one_request_costs_that_connection_and_no_other`. What fuzzing has found worth
//!   keeping is played again: `every_input_of_the_corpora_passes` (`tools/fuzz`).
//! - **P12** An idle daemon sleeps; no input is left unread and no output unsent while progress is
//!   possible: `an_idle_daemon_rests`.
//! - **P13** A reload that fails changes nothing:
//!   `a_broken_file_changes_nothing_and_is_told_by_line`. One that shortens deadlines ends nobody
//!   early and nobody late: `a_shorter_deadline_is_kept_by_all_and_by_nobody_early`. A restart with
//!   a socket that a service manager holds (`LISTEN_FDS`) refuses no newcomer; those who are
//!   connected are told goodbye:
//!   `a_restart_with_a_socket_that_is_handed_over_refuses_nobody`.
//! - **P14** The goodbyes of a shutdown are spread evenly over the time that is set for it, and so
//!   are the arrivals elsewhere: `a_hundred_thousand_leave_evenly_and_arrive_evenly`.
//! - **P15** Without a configuration nothing listens beyond loopback, and every deadline and budget
//!   is on: `without_a_configuration_nothing_is_open_to_the_world_and_every_bound_is_on`. So it is
//!   with the daemon as it runs, which has given up what the kernel lets it give up, says so, takes
//!   nobody's word for an address and logs no client:
//!   `told_nothing_it_listens_on_loopback_alone_gives_up_what_it_can_and_logs_no_client`. Root is
//!   gone once everything is bound, where a user is set:
//!   `started_as_root_it_becomes_who_is_configured_and_keeps_nothing`.
//! - **P16** A failing simulation prints one seed, and a smaller plan that fails in the same way,
//!   with the commands that repeat them: `the_same_seed_is_the_same_run`,
//!   `a_failing_run_shrinks_to_a_small_plan_that_fails_in_the_same_way`.
//!
//! Not promised: protection from volumetric floods (the kernel's and the network's work),
//! exactly-once delivery, order across reconnects, survival of unacknowledged messages over a
//! restart (they are kept in memory), an upgrade that keeps the connections there are (a new
//! program can not take over from one that runs: it is a restart), and anything about messages that
//! did not ask for an ack.
