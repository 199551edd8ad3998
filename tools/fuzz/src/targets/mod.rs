//! The targets, one file for each.

mod admin;
mod config;
mod framing;
mod http;
mod ids;
mod lists;
mod log;
mod messages;
mod outbox;
mod proxy;
mod rates;
mod resp;
mod session;
mod stage;
mod tokens;
mod wheel;
mod whole;

/// Something that reads bytes, and what must hold whatever they are.
#[derive(Debug)]
pub struct Target {
    /// Its name: that of its file, and of its corpus.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// Inputs are at most so long.
    pub size_max: usize,
    /// Memory that it may hold at once over an input of so many bytes.
    pub heap_max: fn(usize) -> usize,
    /// Panics where something is wrong.
    pub run: fn(&[u8]),
}

const KB: usize = 1 << 10;
const MB: usize = 1 << 20;

/// All targets.
pub const TARGETS: &[Target] = &[
    Target {
        name: "framing",
        about: "frames are the same however the bytes are cut, cost nothing, and can be written",
        size_max: 2 * KB,
        heap_max: |len| 64 * KB + 64 * len,
        run: framing::run,
    },
    Target {
        name: "messages",
        about: "a message costs what its bytes do; an answer about it is one frame",
        size_max: 2 * KB,
        heap_max: |len| 8 * KB + 32 * len,
        run: messages::run,
    },
    Target {
        name: "session",
        about: "connections over simulated sockets, their books swept after each turn",
        size_max: KB,
        heap_max: |_| 8 * MB,
        run: session::run,
    },
    Target {
        name: "http",
        about: "no head is read that a strict reading of RFC 9112 refuses",
        size_max: KB,
        heap_max: |len| 8 * KB + 4 * len,
        run: http::run,
    },
    Target {
        name: "admin",
        about: "whatever is asked of the admin interface is answered, and costs no client",
        size_max: KB,
        heap_max: |_| 8 * MB,
        run: admin::run,
    },
    Target {
        name: "config",
        about: "what is read is shown as it was read; a reload leaves what needs a restart, only",
        size_max: 2 * KB,
        heap_max: |len| MB + 1_024 * len,
        run: config::run,
    },
    Target {
        name: "proxy",
        about: "a PROXY header is one by a second reading of the specification, torn anywhere",
        size_max: 5 * KB,
        heap_max: |len| 8 * KB + 64 * len,
        run: proxy::run,
    },
    Target {
        name: "lists",
        about: "every address and user gets what a walk through all entries gives",
        size_max: KB,
        heap_max: |len| 64 * KB + KB * len,
        run: lists::run,
    },
    Target {
        name: "tokens",
        about: "a token opens a name only where a second reading of the RFCs lets it",
        size_max: 2 * KB,
        heap_max: |len| 64 * KB + 64 * len,
        run: tokens::run,
    },
    Target {
        name: "resp",
        about: "an answer of Redis is one by a second reader, torn anywhere, within its limit",
        size_max: 2 * KB,
        heap_max: |len| 8 * KB + 128 * len,
        run: resp::run,
    },
    Target {
        name: "wheel",
        about: "every key is asked once, in its window, as a sorted map would",
        size_max: KB,
        heap_max: |len| MB + 64 * len,
        run: wheel::run,
    },
    Target {
        name: "rates",
        about: "so many at once and so many more in any span, to the tick, whatever the clock does",
        size_max: 256,
        heap_max: |len| 8 * KB + 64 * len,
        run: rates::run,
    },
    Target {
        name: "ids",
        about: "an id of a connection that has gone means nobody; tokens survive packing",
        size_max: 256,
        heap_max: |_| 8 * MB,
        run: ids::run,
    },
    Target {
        name: "outbox",
        about: "what leaves is what was appended, wherever the socket cuts it",
        size_max: KB,
        // Two bytes append up to 5,656: to the outbox and to the model, each of which may be three
        // times as large while it grows.
        heap_max: |len| 64 * KB + 18 * KB * len,
        run: outbox::run,
    },
    Target {
        name: "whole",
        about: "a whole simulated world, made and cut by the bytes",
        size_max: 64,
        heap_max: |_| 64 * MB,
        run: whole::run,
    },
    Target {
        name: "log",
        about: "an event is one line, without control characters and marks of direction",
        size_max: 4 * KB,
        heap_max: |len| 64 * KB + 16 * len,
        run: log::run,
    },
];
