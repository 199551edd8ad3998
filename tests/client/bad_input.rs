//! Places that are no gate: an error that says what and where, within the deadline.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use pulsegate::client::{Client, Error, Event, Login, Lost, Nonsense, Options, Refused};
use pulsegate::codec::framing::Framing;
use socket2::{Domain, SockRef, Socket, Type};

use crate::client::PATIENCE;
use crate::daemon::Daemon;
use crate::support::{FRAMINGS, brisk, next};

const SHORT: Duration = Duration::from_millis(400);

/// Options that lose their patience soon.
fn short(framing: Framing) -> Options {
    Options {
        connect_timeout: SHORT,
        login_timeout: SHORT,
        read_timeout: SHORT,
        write_timeout: SHORT,
        ..brisk(framing)
    }
}

/// The error of a first connection, which names the place and comes within the deadline.
#[track_caller]
fn error(place: &str, framing: Framing) -> Error {
    let began = Instant::now();
    let login = Some(Login::new("ann"));
    let error = Client::connect(place, login, short(framing)).unwrap_err();
    let took = began.elapsed();
    // Twice: the connection and the login have a deadline each.
    assert!(took < 2 * SHORT + Duration::from_secs(2), "{took:?}");
    assert!(error.to_string().starts_with(place), "{error}");
    error
}

/// A server that does this with each connection.
fn server(serve: impl Fn(std::net::TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            serve(stream);
        }
    });
    at
}

#[test]
fn a_wrong_address_is_told() {
    for place in [
        "",
        "nonsense",
        "127.0.0.1",
        "127.0.0.1:port",
        "127.0.0.1:99999",
        ":::",
    ] {
        let error = error(place, Framing::Line);
        assert!(matches!(error.lost, Lost::NameNotFound(_)), "{error}");
    }
    // The broadcast address: the system itself says no, nothing is sent.
    let error = error("255.255.255.255:7373", Framing::Line);
    assert!(matches!(error.lost, Lost::Unreachable(_)), "{error}");
}

#[test]
fn a_name_that_is_not_found_is_told() {
    let error = error("no-such-host.invalid:7373", Framing::Line);
    assert!(
        matches!(error.lost, Lost::NameNotFound(_) | Lost::ConnectTimeout(_)),
        "{error}"
    );
}

#[test]
fn a_port_where_nobody_listens_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = error(&at, Framing::Line);
    assert_eq!(error.lost, Lost::Refused);
    assert_eq!(
        error.to_string(),
        format!("{at}: connection refused: nobody listens there")
    );
}

#[test]
fn a_connection_that_does_not_come_about_is_told_in_time() {
    // A backlog of one that is full: the kernel leaves further newcomers unanswered.
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket
        .bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .unwrap();
    socket.listen(0).unwrap();
    let at = socket.local_addr().unwrap().as_socket().unwrap();
    let mut crowd = Vec::new();
    for _ in 0..8 {
        let filler = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        filler.set_nonblocking(true).unwrap();
        let _ = filler.connect(&at.into());
        crowd.push(filler);
    }
    let error = error(&at.to_string(), Framing::Line);
    assert_eq!(error.lost, Lost::ConnectTimeout(SHORT));
}

#[test]
fn a_tls_port_is_told() {
    let at = server(|mut stream| {
        let _ = stream.read(&mut [0; 64]);
        // A fatal alert, unexpected_message, as TLS servers answer what is no ClientHello.
        let _ = stream.write_all(b"\x15\x03\x03\0\x02\x02\x0A");
        let _ = stream.read(&mut [0; 64]);
    });
    for (_, framing) in FRAMINGS {
        let error = error(&at.to_string(), framing);
        assert_eq!(error.lost, Lost::Nonsense(Nonsense::Tls), "{framing:?}");
    }
}

#[test]
fn a_server_that_answers_nonsense_is_told() {
    for (answer, wanted) in [
        (
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            "a web server: it answers with HTTP",
        ),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "an SSH server"),
    ] {
        let at = server(move |mut stream| {
            let _ = stream.write_all(answer);
            let _ = stream.read_to_end(&mut Vec::new());
        });
        for (_, framing) in FRAMINGS {
            let error = error(&at.to_string(), framing);
            assert_eq!(error.to_string(), format!("{at}: {wanted}"), "{framing:?}");
        }
    }
    let at = server(|mut stream| {
        let _ = stream.write_all(b"220 mail.example.org ESMTP\r\n");
        let _ = stream.read_to_end(&mut Vec::new());
    });
    for (_, framing) in FRAMINGS {
        let error = error(&at.to_string(), framing).to_string();
        assert!(error.contains("220 mail.example.org"), "{error}");
    }
}

#[test]
fn a_gate_of_another_framing_is_told() {
    let daemon = Daemon::new("frame_timeout = \"200ms\"");
    for (name, _) in FRAMINGS {
        for (other, framing) in FRAMINGS {
            if name != other {
                let error = error(&daemon.addr(name).to_string(), framing);
                assert!(
                    matches!(
                        error.lost,
                        Lost::Nonsense(_) | Lost::Unanswered | Lost::NoAnswer(_)
                    ),
                    "{other} to {name}: {error}"
                );
            }
        }
    }
}

#[test]
fn a_server_that_says_nothing_is_told_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap().to_string();
    for (_, framing) in FRAMINGS {
        assert_eq!(error(&at, framing).lost, Lost::NoAnswer(SHORT));
    }
}

#[test]
fn a_server_that_closes_without_an_answer_is_told() {
    let at = server(drop).to_string();
    for (_, framing) in FRAMINGS {
        assert_eq!(error(&at, framing).lost, Lost::Unanswered);
    }
}

#[test]
fn a_half_open_connection_is_noticed_within_heartbeat_and_deadline() {
    let at = server(|mut stream| {
        let _ = stream.read(&mut [0; 64]);
        let _ = stream.write_all(b"ok heartbeat=100 proto=1\n");
        // From here on it neither reads nor writes, as a machine that has lost its power.
        std::mem::forget(stream);
    });
    let login = Some(Login::new("ann"));
    let ann = Client::connect(&at.to_string(), login, short(Framing::Line)).unwrap();
    assert_eq!(next(&ann), Event::Connected);
    let began = Instant::now();
    assert_eq!(next(&ann), Event::Lost(Lost::Silent(SHORT)));
    let took = began.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[test]
fn a_server_that_takes_no_bytes_is_noticed() {
    let at = server(|mut stream| {
        SockRef::from(&stream).set_recv_buffer_size(4_096).unwrap();
        let _ = stream.read(&mut [0; 64]);
        let _ = stream.write_all(b"ok heartbeat=60000 proto=1\n");
        // It talks and never listens.
        let mut id = 0_u64;
        while stream
            .write_all(format!("msg {id} bob x\n").as_bytes())
            .is_ok()
        {
            id += 1;
            std::thread::park_timeout(Duration::from_millis(50));
        }
    });
    let login = Some(Login::new("ann"));
    let ann = Client::connect(&at.to_string(), login, short(Framing::Line)).unwrap();
    let text = "x".repeat(60_000);
    let deadline = Instant::now() + PATIENCE;
    let mut was_full = false;
    // What the kernel takes besides grows for a while: it is filled up until nothing goes.
    let lost = loop {
        assert!(Instant::now() < deadline, "nobody notices");
        was_full |= ann.send("bob", &text) == Err(Refused::Full);
        if let Some(event @ Event::Lost(_)) = ann.recv_timeout(Duration::from_millis(1)) {
            break event;
        }
    };
    assert!(was_full);
    assert_eq!(lost, Event::Lost(Lost::Stuck(SHORT)));
}
