//! The registry of bounds: each field of `Limits` and of the settings beside it, what kind of bound
//! it is, where it is told of, and whether it is a part of the ceiling.
//!
//! The structs are taken apart without `..`: a field that is new does not compile before it stands
//! here.

use std::time::Duration;

use super::Limits;
use crate::admin::AdminLimits;
use crate::config::Config;
use crate::gate::Ceiling;
use crate::net::SocketOptions;
use crate::server::Options;
use crate::settings::{Rate, Settings};

/// A field.
struct Bound<T> {
    field: &'static str,
    kind: Kind,
    memory: Memory,
    /// Its key, as `table.name`; or that only an application of the library sets it.
    place: &'static str,
    /// What happens at the limit, in the words of the reference: the key's help, which the man
    /// page, `--help` and the example of all settings repeat, or the field's own documentation.
    at_limit: &'static str,
    /// Makes it twice as large.
    double: fn(&mut T),
}

/// What is bounded.
#[derive(PartialEq, Eq, Debug)]
enum Kind {
    /// The work of a turn: the rest waits for the next one.
    Turn,
    /// Entries of a table or a queue.
    Table,
    Bytes,
    /// How long something may last.
    Time,
    /// So many in so long, or in a row.
    Rate,
    /// Nothing: what is done, and for whom.
    Rule,
}

/// Where the memory is counted that more of it would take.
#[derive(PartialEq, Eq, Debug)]
enum Memory {
    /// The ceiling grows with it.
    Ceiling,
    /// In what the program itself is taken for: so many bytes an entry, as it comes.
    Program(u64),
    /// It takes none, or what it takes is under a budget or a table that is counted.
    Elsewhere,
}

use Kind::{Bytes, Rule, Table, Time, Turn};
use Memory::{Ceiling as InCeiling, Elsewhere, Program};

const LIBRARY: &str = "library only";

/// What the next turn does.
const NEXT: &str = "wait for the next";

trait Twice {
    fn twice(&mut self);
}

impl Twice for u32 {
    fn twice(&mut self) {
        *self *= 2;
    }
}

impl Twice for usize {
    fn twice(&mut self) {
        *self *= 2;
    }
}

impl Twice for Duration {
    fn twice(&mut self) {
        *self *= 2;
    }
}

impl Twice for Option<u32> {
    fn twice(&mut self) {
        *self = Some(self.expect("it is set") * 2);
    }
}

impl Twice for Option<Rate> {
    fn twice(&mut self) {
        self.as_mut().expect("it is set").count *= 2;
    }
}

impl Twice for AdminLimits {
    fn twice(&mut self) {
        self.slots *= 2;
    }
}

macro_rules! twice {
    ($place:expr) => {
        $place.twice()
    };
}

/// What has no size of its own.
macro_rules! keep {
    ($place:expr) => {{
        let _ = &mut $place;
    }};
}

macro_rules! registry {
    ($of:ident, $change:ident,
        $($field:ident: $kind:expr, $memory:expr, $place:expr, $at_limit:expr;)*) => {{
        let $of { $($field: _),* } = $of::default();
        vec![$(Bound::<$of> {
            field: stringify!($field),
            kind: $kind,
            memory: $memory,
            place: $place,
            at_limit: $at_limit,
            double: |of| $change!(of.$field),
        }),*]
    }};
}

#[rustfmt::skip]
fn limits() -> Vec<Bound<Limits>> {
    let (one_more, displaces) = ("one more is refused", "one more displaces");
    let waits = "one more waits";
    registry! { Limits, twice,
        connections: Table, InCeiling, "limits.connections", one_more;
        refusals: Table, InCeiling, LIBRARY, "waits in the backlog";
        events: Turn, Program(64), LIBRARY, NEXT;
        accepts: Turn, Elsewhere, LIBRARY, "waits for the next turn";
        reads: Turn, Elsewhere, LIBRARY, NEXT;
        read_bytes: Turn, InCeiling, LIBRARY, NEXT;
        frames: Turn, Elsewhere, LIBRARY, NEXT;
        flushes: Turn, Elsewhere, LIBRARY, NEXT;
        expiries: Turn, Program(4), LIBRARY, NEXT;
        fanout: Turn, Elsewhere, LIBRARY, NEXT;
        reaps: Turn, Elsewhere, LIBRARY, NEXT;
        tasks: Turn, Program(512), LIBRARY, one_more;
        lag: Time, Elsewhere, LIBRARY, "newcomers have to wait";
        signatures: Turn, Elsewhere, LIBRARY, "waits for the next turn";
        undecided_logins: Table, Elsewhere, LIBRARY, "One more is told `error";
        resting: Table, Program(32), LIBRARY, "one more goes on";
        handshakes: Table, Program(32), LIBRARY, displaces;
        handshakes_kept: Table, Elsewhere, LIBRARY, "the others are ended";
        input_budget: Bytes, InCeiling, "limits.input_budget", "connection is closed";
        output_budget: Bytes, InCeiling, "limits.output_budget", "connection is closed";
        offline_budget: Bytes, InCeiling, "limits.offline_budget", "is dropped";
        topics: Table, InCeiling, "limits.topics", one_more;
        topics_per_connection: Table, InCeiling, LIBRARY, one_more;
        unacked_per_connection: Table, InCeiling, LIBRARY, "one more is parked or refused";
        absent_users: Table, InCeiling, LIBRARY, "displaces the one longest gone";
        pushes: Table, Program(512), LIBRARY, one_more;
        push_targets: Table, InCeiling, LIBRARY, "is refused";
        timers: Table, InCeiling, LIBRARY, one_more;
        spare_outboxes: Table, InCeiling, LIBRARY, "one more is given back";
        deaths: Table, InCeiling, LIBRARY, displaces;
        linger_bytes: Bytes, Elsewhere, LIBRARY, "before we stop listening";
        receipts: Table, InCeiling, LIBRARY, displaces;
        receipts_kept: Time, Elsewhere, LIBRARY, "then it is forgotten";
        address_connections: Table, Elsewhere, "limits.connections_per_address", one_more;
        accept_rate: Kind::Rate, Elsewhere, "limits.accept_rate", "wait in the backlog";
        address_accept_rate: Kind::Rate, Elsewhere, "limits.accept_rate_per_address", one_more;
        login_rate: Kind::Rate, Elsewhere, "limits.login_rate", one_more;
        address_login_rate: Kind::Rate, Elsewhere, "limits.login_rate_per_address", one_more;
        user_login_rate: Kind::Rate, Elsewhere, "limits.login_rate_per_user", one_more;
        user_takeover_rate: Kind::Rate, Elsewhere, "limits.takeover_rate_per_user", waits;
        sources: Table, InCeiling, LIBRARY, displaces;
        bans: Table, InCeiling, LIBRARY, one_more;
        admin: Rule, InCeiling, LIBRARY, "Bounds of the admin interface";
    }
}

#[rustfmt::skip]
fn admin() -> Vec<Bound<AdminLimits>> {
    let (refused, closed) = ("is refused", "is closed");
    registry! { AdminLimits, twice,
        slots: Table, InCeiling, LIBRARY, "One more displaces";
        head_bytes: Bytes, InCeiling, LIBRARY, refused;
        headers: Table, Program(64), LIBRARY, refused;
        body_bytes: Bytes, Elsewhere, LIBRARY, refused;
        bodies_budget: Bytes, InCeiling, LIBRARY, refused;
        slice_bytes: Bytes, InCeiling, LIBRARY, "the rest waits";
        rows: Turn, Elsewhere, LIBRARY, NEXT;
        page: Table, Elsewhere, LIBRARY, "`next` leads to the others";
        page_max: Table, InCeiling, LIBRARY, "`next` leads to the others";
        requests: Turn, Elsewhere, LIBRARY, NEXT;
        readers: Table, InCeiling, LIBRARY, refused;
        event_bytes: Bytes, InCeiling, LIBRARY, "is lost, and counted";
        head_timeout: Time, Elsewhere, LIBRARY, closed;
        body_timeout: Time, Elsewhere, LIBRARY, closed;
        idle_timeout: Time, Elsewhere, LIBRARY, closed;
        write_timeout: Time, Elsewhere, LIBRARY, closed;
        linger: Time, Elsewhere, LIBRARY, closed;
    }
}

/// All that connections of a listener hold is under the budgets of all of them.
#[rustfmt::skip]
fn settings() -> Vec<Bound<Settings>> {
    let closed = "closed when";
    registry! { Settings, keep,
        name: Rule, Elsewhere, "listener.name", "the name";
        bind: Rule, Elsewhere, "listener.bind", "listens";
        framing: Rule, Elsewhere, "listener.framing", "how bytes become frames";
        dialect: Rule, Elsewhere, "listener.dialect", "what a frame means";
        login: Rule, Elsewhere, "listener.login", "whether clients log in";
        login_check: Rule, Elsewhere, "listener.login_check", "is checked";
        allow: Rule, Elsewhere, "listener.allow", "what clients may do";
        slow_consumer: Rule, Elsewhere, "listener.slow_consumer", "close, drop-newest";
        idle_timeout: Time, Elsewhere, "listener.idle_timeout", closed;
        login_timeout: Time, Elsewhere, "listener.login_timeout", closed;
        frame_timeout: Time, Elsewhere, "listener.frame_timeout", closed;
        lifetime: Time, Elsewhere, "listener.lifetime", "closed so long after accept";
        write_timeout: Time, Elsewhere, "listener.write_timeout", closed;
        output_age: Time, Elsewhere, "listener.output_age", closed;
        ping_after: Time, Elsewhere, "listener.ping_after", "sends ping";
        ack_timeout: Time, Elsewhere, "listener.ack_timeout", "sent again";
        ack_attempts: Kind::Rate, Elsewhere, "listener.ack_attempts", "then it is parked";
        offline_ttl: Time, Elsewhere, "listener.offline_ttl", "are kept";
        offline_max: Table, Elsewhere, "listener.offline_max", "one more is refused";
        frame_max: Bytes, Elsewhere, "listener.frame_max", "closed where one is longer";
        login_frame_max: Bytes, Elsewhere, "listener.login_frame_max", "the same";
        outbox_low: Bytes, Elsewhere, "listener.outbox_low", "is not read";
        outbox_soft: Bytes, Elsewhere, "listener.outbox_soft", "it is a slow consumer";
        outbox_soft_for: Time, Elsewhere, "listener.outbox_soft_for", "above outbox-soft";
        outbox_max: Bytes, Elsewhere, "listener.outbox_max", "slow consumer at once";
        bad_requests_max: Kind::Rate, Elsewhere, "listener.bad_requests_max", "closed at";
        failed_logins_max: Kind::Rate, Elsewhere, "listener.failed_logins_max", "closed at";
        login_delay: Time, Elsewhere, "listener.login_delay", "is answered so long after";
        linger: Time, Elsewhere, "listener.linger", "has to read its goodbye";
        reconnect: Rule, Elsewhere, "listener.reconnect", "should come back";
        trusted_proxies: Rule, Elsewhere, "listener.trusted_proxies", "nobody else may connect";
        proxy_timeout: Time, Elsewhere, "listener.proxy_timeout", closed;
        message_rate: Kind::Rate, Elsewhere, "listener.message_rate", "is not read";
        byte_rate: Kind::Rate, Elsewhere, "listener.byte_rate", "the same";
        rate_interval: Time, Elsewhere, "listener.rate_interval", "such an interval";
        rate_strikes: Kind::Rate, Elsewhere, "listener.rate_strikes", closed;
        socket: Rule, Elsewhere, LIBRARY, "set on the socket";
    }
}

#[rustfmt::skip]
fn sockets() -> Vec<Bound<SocketOptions>> {
    registry! { SocketOptions, keep,
        backlog: Table, Elsewhere, "listener.backlog", "until they are accepted";
        keepalive: Time, Elsewhere, "listener.keepalive", "after so much silence";
        user_timeout: Time, Elsewhere, "listener.user_timeout", "may stay unacknowledged";
        send_buffer: Bytes, Elsewhere, "listener.send_buffer", "the kernel's send buffer";
        receive_buffer: Bytes, Elsewhere, "listener.receive_buffer", "the kernel's receive buffer";
        unsent_max: Bytes, Elsewhere, "listener.unsent_max", "before it has sent them";
    }
}

#[rustfmt::skip]
fn options() -> Vec<Bound<Options>> {
    registry! { Options, keep,
        limits: Rule, Elsewhere, LIBRARY, "Bounds on tables, bytes and work";
        users: Rule, Elsewhere, "users.policy", "a user's second login";
        coalesce: Time, Elsewhere, "loop.coalesce", "rests so long between turns";
        drain_over: Time, Elsewhere, "drain.over", "spread over so long";
        drain_timeout: Time, Elsewhere, "drain.timeout", "is cut";
        wheel_slots: Table, Program(8), LIBRARY, "a turn takes so many times 2 ms";
    }
}

/// The documentation of a struct's field, on one line.
fn documentation(source: &str, of: &str, field: &str) -> String {
    let head = format!("pub struct {of} {{\n");
    let (_, body) = source.split_once(&head).expect(of);
    let (body, _) = body.split_once("\n}\n").expect("it ends");
    let field = format!("pub {field}: ");
    let mut said = String::new();
    for line in body.lines().map(str::trim) {
        match line.strip_prefix("///") {
            Some(text) => said.push_str(text),
            None if line.starts_with(&field) => return said,
            None => said.clear(),
        }
    }
    panic!("{of} has no {field}");
}

/// Complaints about those that the reference does not tell of, or not what happens at the limit.
fn untold<T>(of: &str, source: &str, registry: &[Bound<T>]) -> Vec<String> {
    let known = Config::settings();
    let told = |bound: &Bound<T>| {
        let said = documentation(source, of, bound.field);
        assert!(said.len() > 10, "{of}.{} says nothing", bound.field);
        if bound.place == LIBRARY {
            return said;
        }
        let (table, name) = bound.place.split_once('.').expect(bound.place);
        let mut keys = known.iter();
        let key = keys.find(|key| key.table == table && key.name == name);
        key.map_or_else(String::new, |key| key.help.to_owned())
    };
    let wrong = registry
        .iter()
        .filter(|&bound| !told(bound).contains(bound.at_limit));
    let wrong = wrong.map(|bound| {
        let (field, place, text) = (bound.field, bound.place, told(bound));
        format!(
            "{of}.{field} ({place}): {:?} is not in {text:?}",
            bound.at_limit
        )
    });
    wrong.collect()
}

#[test]
fn every_bound_is_told_of_with_what_happens_at_it() {
    // P4
    let ours = include_str!("../limits.rs");
    let mut wrong = untold("Limits", ours, &limits());
    let source = include_str!("../admin/limits.rs");
    wrong.extend(untold("AdminLimits", source, &admin()));
    wrong.extend(untold(
        "Settings",
        include_str!("../settings.rs"),
        &settings(),
    ));
    wrong.extend(untold(
        "SocketOptions",
        include_str!("../net/mod.rs"),
        &sockets(),
    ));
    wrong.extend(untold("Options", include_str!("../server.rs"), &options()));
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    // The listener's table of keys is the settings of a listener, and nothing is in it twice.
    let places = settings().into_iter().map(|bound| bound.place);
    let places = places.chain(sockets().into_iter().map(|bound| bound.place));
    let mut places: Vec<&str> = places.filter(|place| *place != LIBRARY).collect();
    places.sort_unstable();
    let keys = Config::settings()
        .into_iter()
        .filter(|key| key.table == "listener");
    let mut keys: Vec<String> = keys.map(|key| format!("listener.{}", key.name)).collect();
    keys.sort_unstable();
    assert_eq!(places, keys);
    // So is every key of `[limits]` a bound of this registry.
    let places: Vec<&str> = limits().into_iter().map(|bound| bound.place).collect();
    for key in Config::settings()
        .iter()
        .filter(|key| key.table == "limits")
    {
        assert!(
            places.contains(&&*format!("limits.{}", key.name)),
            "{}",
            key.name
        );
    }
}

/// Every limit set.
fn all_set() -> Limits {
    let rate = Some(Rate {
        count: 100,
        per: Duration::from_secs(1),
    });
    Limits {
        address_connections: Some(100),
        accept_rate: rate,
        address_accept_rate: rate,
        login_rate: rate,
        address_login_rate: rate,
        user_login_rate: rate,
        ..Limits::default()
    }
}

#[test]
fn twice_of_what_takes_memory_is_a_higher_ceiling_and_of_nothing_else() {
    // P4
    let total = |limits: &Limits| Ceiling::of(limits).total();
    let base = total(&all_set());
    let judge = |field: &str, memory: &Memory, limits: &Limits| {
        let grows = total(limits) > base;
        assert_eq!(
            grows,
            *memory == InCeiling,
            "{field}: {} from {base}",
            total(limits)
        );
    };
    for bound in limits() {
        let mut limits = all_set();
        (bound.double)(&mut limits);
        assert_ne!(limits, all_set(), "{}", bound.field);
        judge(bound.field, &bound.memory, &limits);
        assert!(
            bound.memory != InCeiling || bound.kind != Time,
            "{}",
            bound.field
        );
    }
    for bound in admin() {
        let mut limits = all_set();
        (bound.double)(&mut limits.admin);
        assert_ne!(limits, all_set(), "{}", bound.field);
        judge(bound.field, &bound.memory, &limits);
    }
}

#[test]
fn tables_that_count_as_the_program_fit_into_what_it_is_taken_for() {
    let Limits {
        events,
        expiries,
        tasks,
        resting,
        handshakes,
        pushes,
        admin: AdminLimits { headers, .. },
        ..
    } = Limits::default();
    let mut entries = vec![
        ("events", events),
        ("expiries", expiries),
        ("tasks", tasks),
        ("resting", resting),
        ("handshakes", handshakes),
        ("pushes", pushes),
    ];
    entries.push(("headers", u32::try_from(headers).expect("few")));
    entries.push(("wheel_slots", Options::default().wheel_slots));
    let costs = limits()
        .into_iter()
        .map(|bound| (bound.field, bound.memory));
    let costs = costs.chain(admin().into_iter().map(|bound| (bound.field, bound.memory)));
    let costs = costs.chain(
        options()
            .into_iter()
            .map(|bound| (bound.field, bound.memory)),
    );
    let mut sum = 0;
    for (field, memory) in costs {
        let Program(bytes) = memory else { continue };
        let found = entries.iter().find(|(name, _)| *name == field);
        sum += bytes * u64::from(found.expect(field).1);
    }
    // It takes less than 6 MB of the 8 that it counts with.
    assert!((1..2 << 20).contains(&sum), "{sum}");
}
