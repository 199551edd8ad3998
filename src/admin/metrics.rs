//! `/metrics`: the text format of Prometheus.
//!
//! No label has more values than there are listeners or words of ours: nothing a client says
//! becomes a label.

use super::answer::Answer;
use super::desk::Facts;
use super::exposition::{Exposition, Kind};
use crate::codec::framing::Guess;
use crate::gate::{Gate, RestCause, Step};
use crate::reason::CloseReason;

const TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Everything that is counted.
pub(crate) fn metrics(gate: &Gate, facts: &Facts) -> Answer {
    let mut page = Exposition::default();
    let version = env!("CARGO_PKG_VERSION");
    page.family("build_info", Kind::Gauge, "What is running.")
        .label("version", version, 1);
    hardening(gate, &mut page);
    connections(gate, &mut page);
    traffic(gate, &mut page);
    messages(gate, &mut page);
    event_loop(gate, &mut page);
    memory(gate, facts, &mut page);
    configuration(gate, facts, &mut page);
    admin(facts, &mut page);
    process(gate, facts, &mut page);
    Answer::of(200, TYPE, page.into_bytes())
}

fn hardening(gate: &Gate, page: &mut Exposition) {
    let Some(hardened) = gate.hardened() else {
        return;
    };
    let on = |is: bool| if is { "on" } else { "off" };
    let text = "What the process can no longer do; missing: the kernel lacks it.";
    let abi = hardened.landlock_abi.to_string();
    page.family("hardening_info", Kind::Gauge, text).labels(
        &[
            ("root", if hardened.uid == 0 { "yes" } else { "no" }),
            ("capabilities", on(hardened.capabilities)),
            ("no_new_privs", on(hardened.no_new_privs)),
            ("landlock", hardened.landlock.word()),
            ("landlock_abi", &abi),
            ("seccomp", hardened.seccomp.word()),
            ("core_dumps", on(hardened.dumps)),
        ],
        1,
    );
}

fn connections(gate: &Gate, page: &mut Exposition) {
    let stats = gate.stats();
    let text = "Connections by listener and state.";
    let mut family = page.family("connections", Kind::Gauge, text);
    for (settings, crowd) in gate.listeners() {
        let states = [
            ("anonymous", crowd.open - crowd.logged_in),
            ("logged_in", crowd.logged_in),
            ("closing", crowd.closing),
        ];
        for (state, count) in states {
            let labels = [("listener", &settings.name[..]), ("state", state)];
            family.labels(&labels, u64::from(count));
        }
    }
    let limit = u64::from(gate.limits.connections);
    page.gauge("connections_limit", "Connections at most.", limit);
    page.gauge("users", "Users who are here.", gate.users().into());
    let text = "Users who are remembered although they are not here.";
    page.gauge("users_absent", text, gate.absent_users().into());
    page.gauge("topics", "Topics with members.", gate.topics() as u64);
    let text = "Connections accepted, refused ones included.";
    page.counter("connections_accepted_total", text, stats.accepted);
    page.family(
        "connections_closed_total",
        Kind::Counter,
        "Connections that ended, by reason.",
    )
    .each(
        "reason",
        CloseReason::ALL.map(|reason| (reason.word(), stats.closed(reason))),
    );
    page.family(
        "connections_rejected_total",
        Kind::Counter,
        "Newcomers that were not let in, by reason.",
    )
    .each(
        "reason",
        [
            ("full", stats.refused),
            ("fault", stats.accept_faults),
            ("address", stats.crowded),
            ("rate", stats.hurried),
            ("stranger", stats.strangers),
        ],
    );
    let text = "Connections whose first bytes were of another protocol.";
    page.family("connections_foreign_total", Kind::Counter, text)
        .each(
            "protocol",
            Guess::ALL.map(|guess| (guess.word(), stats.foreign[guess as usize])),
        );
    let text = "Logins that were refused because too many were tried, or yet undecided.";
    page.counter("logins_refused_total", text, stats.logins_refused);
    let text = "Logins whose token did not open the name.";
    page.counter("logins_failed_total", text, stats.logins_failed);
    let text = "Intervals in which a connection was not read for its rate.";
    page.counter("connections_throttled_total", text, stats.throttled);
    who_is_known(gate, page);
    accepting(gate, page);
    overload(gate, page);
    let readers = u64::from(gate.slow_readers());
    let text = "Connections whose output is above the soft limit.";
    page.gauge("slow_consumers", text, readers);
    let text = "Connections ended because they did not read.";
    let slow = stats.closed(CloseReason::SlowConsumer) + stats.closed(CloseReason::WriteTimeout);
    page.counter("slow_consumers_total", text, slow);
}

fn who_is_known(gate: &Gate, page: &mut Exposition) {
    let text = "Addresses, and names of users, that are counted for their limits.";
    page.gauge("sources", text, gate.sources() as u64);
    let text = "Bans of the admin interface.";
    page.gauge("bans", text, gate.banned() as u64);
    let text = "Entries of black and white lists.";
    page.gauge("list_entries", text, gate.listed() as u64);
}

fn accepting(gate: &Gate, page: &mut Exposition) {
    let rests = gate.rests();
    let text = "Times a listener rested, for whatever cause.";
    page.counter("accept_pauses_total", text, gate.stats().accept_pauses);
    let text = "How long listeners rested, by what for.";
    let mut family = page.family("accept_paused_seconds_total", Kind::Counter, text);
    for cause in RestCause::ALL {
        family.seconds("cause", cause.word(), rests.lasted(cause));
    }
    let text = "Listeners that rest now, by what for.";
    page.family("accept_paused", Kind::Gauge, text).each(
        "cause",
        RestCause::ALL.map(|cause| (cause.word(), u64::from(rests.resting(cause)))),
    );
}

fn overload(gate: &Gate, page: &mut Exposition) {
    let (done, step) = (&gate.stats().overload, gate.step());
    let text = "How far overload has led: 0 is nowhere, 5 as far as it goes.";
    page.gauge("overload_step", text, step as u64);
    let text = "Whether that much is done because of overload, by what is done.";
    page.family("overload_active", Kind::Gauge, text).each(
        "step",
        Step::ALL[1..]
            .iter()
            .map(|one| (one.word(), u64::from(step >= *one))),
    );
    let text = "Times a higher step was taken because of overload.";
    page.counter("overload_steps_total", text, done.taken);
    let text = "What was done because of overload: connections that were not read for a while, \
                messages dropped or refused, newcomers and others ended.";
    page.family("overload_actions_total", Kind::Counter, text)
        .each(
            "step",
            [
                (Step::Readers.word(), done.rested),
                (Step::Pushes.word(), done.pushes),
                (Step::Handshakes.word(), done.handshakes),
                (Step::Evictions.word(), done.evicted),
            ],
        );
}

fn traffic(gate: &Gate, page: &mut Exposition) {
    let stats = gate.stats();
    page.counter(
        "bytes_received_total",
        "Bytes read from clients.",
        stats.bytes_in,
    );
    page.counter(
        "bytes_sent_total",
        "Bytes that sockets took.",
        stats.bytes_out,
    );
    let other = stats.frames_in.saturating_sub(stats.beats);
    page.family("frames_received_total", Kind::Counter, "Frames received.")
        .each("type", [("heartbeat", stats.beats), ("other", other)]);
    let other = stats.frames_out.saturating_sub(stats.beats_out);
    let text = "Frames put into outboxes.";
    page.family("frames_sent_total", Kind::Counter, text)
        .each("type", [("heartbeat", stats.beats_out), ("other", other)]);
    page.counter(
        "heartbeats_received_total",
        "Heartbeats received.",
        stats.beats,
    );
    let text = "Connections ended for their silence.";
    let silent = stats.closed(CloseReason::IdleTimeout);
    page.counter("heartbeat_timeouts_total", text, silent);
    let text = "Requests that were no message of the protocol.";
    page.counter("bad_requests_total", text, stats.bad_requests);
}

fn messages(gate: &Gate, page: &mut Exposition) {
    let stats = gate.stats();
    let letters = &stats.letters;
    let text = "What became of messages that want an ack.";
    page.family("acknowledged_messages_total", Kind::Counter, text)
        .each(
            "event",
            [
                ("made", letters.made),
                ("acked", letters.acked),
                ("resent", letters.resent),
                ("parked", letters.parked),
                ("expired", letters.expired),
                ("dropped", letters.dropped),
            ],
        );
    let text = "Messages that some receiver did not get.";
    page.family("messages_dropped_total", Kind::Counter, text)
        .each(
            "reason",
            [("newest", stats.dropped_newest), ("unfit", stats.unfit)],
        );
    let text = "Messages that wait for users who are not here.";
    page.gauge("messages_parked", text, gate.parked() as u64);
}

fn event_loop(gate: &Gate, page: &mut Exposition) {
    let (stats, pace) = (gate.stats(), gate.pace());
    let text = "How long the work of a turn takes, without the wait.";
    page.histogram("event_loop_iteration_seconds", text, &pace.turns);
    let text = "How long whoever becomes ready waits for the loop, lately.";
    page.seconds("event_loop_lag_seconds", Kind::Gauge, text, pace.lag.mean());
    let text = "The lag above which newcomers have to wait.";
    let limit = gate.limits.lag;
    page.seconds("event_loop_lag_limit_seconds", Kind::Gauge, text, limit);
    let text = "How long after its deadline a silent connection is ended.";
    page.histogram("heartbeat_lateness_seconds", text, &pace.lateness);
    page.counter("event_loop_events_total", "Readiness events.", stats.events);
    let text = "Connections that had more work than their share of a turn.";
    page.counter("event_loop_requeued_total", text, stats.requeued);
    let text = "How long the loop was stopped or far too late, in all.";
    page.seconds(
        "event_loop_stalled_seconds_total",
        Kind::Counter,
        text,
        gate.stalled(),
    );
    let text = "Entries of the timing wheel.";
    page.gauge("timer_wheel_entries", text, gate.wheel.len() as u64);
    let text = "The latest that a deadline was noticed.";
    let lag = pace.lateness.longest();
    page.seconds("timer_wheel_lag_seconds", Kind::Gauge, text, lag);
    let text = "Lines of the log that were dropped.";
    page.counter("log_lines_dropped_total", text, crate::log::dropped());
    let text = "Errors of sockets which peers and networks do not cause.";
    page.counter("socket_faults_total", text, stats.socket_faults);
    let text = "Panics that cost one connection each: bugs.";
    page.counter("panics_total", text, stats.panics);
}

fn memory(gate: &Gate, facts: &Facts, page: &mut Exposition) {
    let [input, output, offline] = gate.bytes_held().map(|bytes| bytes as u64);
    let limits = &gate.limits;
    page.gauge("send_queue_bytes", "Bytes that wait for sockets.", output);
    let text = "Bytes held, by what for.";
    page.family("buffer_pool_bytes", Kind::Gauge, text).each(
        "state",
        [("input", input), ("output", output), ("offline", offline)],
    );
    let text = "Bytes that may be held, by what for.";
    page.family("buffer_pool_limit_bytes", Kind::Gauge, text)
        .each(
            "state",
            [
                ("input", limits.input_budget as u64),
                ("output", limits.output_budget as u64),
                ("offline", limits.offline_budget as u64),
            ],
        );
    let ceiling = gate.ceiling();
    let text = "Memory reckoned: budgets as counted, tables by entries, the program at its most.";
    page.family("memory_bytes", Kind::Gauge, text)
        .each("part", gate.memory(facts.held).parts());
    let text = "Memory that may be in use, by what for; the sum is the ceiling.";
    page.family("memory_limit_bytes", Kind::Gauge, text)
        .each("part", ceiling.parts());
    let text = "The most memory that the process reaches under its limits.";
    page.gauge("memory_ceiling_bytes", text, ceiling.total());
}

fn configuration(gate: &Gate, facts: &Facts, page: &mut Exposition) {
    let stats = gate.stats();
    let text = "Reloads of the configuration, by what came of them.";
    page.family("config_reloads_total", Kind::Counter, text)
        .each(
            "result",
            [
                ("success", stats.reloads),
                ("failure", stats.reloads_refused),
            ],
        );
    let text = "When the configuration in force was taken over, since 1970.";
    let name = "config_last_reload_timestamp_seconds";
    page.seconds(name, Kind::Gauge, text, facts.configured.0);
}

fn admin(facts: &Facts, page: &mut Exposition) {
    let text = "Connections to the admin interface.";
    page.gauge("admin_connections", text, facts.peers as u64);
    let [good, _, wrong, failed] = facts.answered;
    let text = "Requests to the admin interface, by the first digit of the answer.";
    page.family("admin_requests_total", Kind::Counter, text)
        .each("code", [("2xx", good), ("4xx", wrong), ("5xx", failed)]);
}

fn process(gate: &Gate, facts: &Facts, page: &mut Exposition) {
    let process = &facts.process;
    let sockets = u64::from(gate.sockets()) + facts.peers as u64;
    let text = "Sockets of connections, clients' and the admin interface's; see process_open_fds.";
    page.gauge("open_fds", text, sockets);
    let text = "Descriptors that the process may have.";
    page.gauge("fd_limit", text, process.descriptors_max);
    page.bare();
    let text = "Processor time used.";
    page.seconds(
        "process_cpu_seconds_total",
        Kind::Counter,
        text,
        process.cpu,
    );
    let text = "Memory in use.";
    page.gauge("process_resident_memory_bytes", text, process.resident);
    let text = "Address space in use.";
    page.gauge("process_virtual_memory_bytes", text, process.address_space);
    let text = "Address space that the process may use.";
    let most = process.address_space_max;
    page.gauge("process_virtual_memory_max_bytes", text, most);
    page.gauge("process_threads", "Threads.", process.threads);
    let text = "Descriptors that the process has.";
    page.gauge("process_open_fds", text, process.descriptors);
    let text = "Descriptors that the process may have.";
    page.gauge("process_max_fds", text, process.descriptors_max);
    let text = "When the process began, since 1970.";
    page.seconds("process_start_time_seconds", Kind::Gauge, text, facts.began);
}
