//! `check`: judges one file, by itself, and touches nothing.

use std::net::TcpListener;

use crate::daemon::LINE;
use crate::program::{Outcome, folder, run, run_in};

fn good(says: &str) -> Outcome {
    Outcome {
        code: Some(0),
        stdout: format!("{says}\n"),
        stderr: String::new(),
    }
}

#[test]
fn an_address_that_is_taken_is_good() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap();
    let config = format!("[[listener]]\nbind = \"{addr}\"\n");
    let outcome = run(&["check", "c.toml"], &config);
    assert_eq!(
        outcome,
        good(&format!("c.toml: good; 1 listener: clients on {addr}"))
    );
}

#[test]
fn what_is_good_is_told_in_a_line() {
    let config = "\
[[listener]]
name = \"a\"
bind = [\"127.0.0.1:1\", \"[::1]:1\"]
[[listener]]
name = \"b\"
bind = \"127.0.0.1:2\"
";
    let says = "c.toml: good; 2 listeners: a on 127.0.0.1:1 and [::1]:1, b on 127.0.0.1:2";
    assert_eq!(run(&["check", "c.toml"], config), good(says));
}

#[test]
fn the_lists_that_a_file_names_are_judged_with_it() {
    let config = format!("[lists]\nblack = [\"black\", \"gone\"]\nwhite = \"white\"\n{LINE}");
    let white = "# the office\n192.0.2.0/24\n\nuser alice\n";
    let folder = folder(&[
        ("c.toml", &config[..]),
        ("black", "10.0.0.0/8\nnowhere\n10.0.0.0/99\n"),
        ("white", white),
    ]);
    let check = || run_in(folder.path(), &["check", "c.toml"], &[]);
    let outcome = check();
    assert_eq!((outcome.code, &outcome.stdout[..]), (Some(2), ""));
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("pulsegate: black:2: this is not"));
    assert!(lines[1].starts_with("pulsegate: gone: "), "{lines:?}");
    // As an editor of another system leaves it.
    for (name, text) in [("black", "\u{feff}10.0.0.0/8\r\n"), ("gone", "")] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let says = "c.toml: good; 1 listener: clients on 127.0.0.1:0; 3 entries in lists";
    assert_eq!(check(), good(says));
}

#[test]
fn the_files_that_logins_are_checked_by_are_judged_with_it() {
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let secret = "c2VzYW1lLXNlc2FtZS1zZXNhbWUtc2VzYW1lLXNlc2FtZQ";
    let config = "[logins]\nusers_file = \"users\"\nkeys_file = \"keys.json\"\n\
                  [[listener]]\nbind = \"0.0.0.0:0\"\nlogin_check = \"jwt\"\n";
    let folder = folder(&[]);
    let inner = folder.path().join("etc");
    std::fs::create_dir(&inner).unwrap();
    let write = |name: &str, text: &str| std::fs::write(inner.join(name), text).unwrap();
    write("c.toml", config);
    write("users", "# both\nalice sesame\n");
    write(
        "keys.json",
        "{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2VzYW1l\"}]}",
    );
    let check = || run_in(folder.path(), &["check", "etc/c.toml"], &[]);
    let outcome = check();
    assert_eq!((outcome.code, &outcome.stdout[..]), (Some(2), ""));
    let at = |name: &str| format!("pulsegate: {}", inner.join(name).display());
    let lines: Vec<&str> = outcome.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(
        lines[0].starts_with(&format!("{}:2: behind a name ", at("users"))),
        "{lines:?}"
    );
    assert!(lines[1].starts_with(&format!("{}: key 1: \"k\" has", at("keys.json"))));
    assert!(!outcome.stderr.contains("sesame") && !outcome.stderr.contains("c2Vz"));

    write("users", &format!("alice {ABC}\nbob {ABC} # the same\n"));
    write(
        "keys.json",
        &format!("{{\"keys\":[{{\"kty\":\"oct\",\"k\":\"{secret}\"}}]}}"),
    );
    let outcome = check();
    let says = "etc/c.toml: good; 1 listener: clients on 0.0.0.0:0; login checks users=2 keys=1\n";
    assert_eq!(
        (outcome.code, &outcome.stdout[..]),
        (Some(0), says),
        "{outcome:#?}"
    );
    // Logins are checked: strangers may come. But the secret must not lie about.
    assert!(
        outcome
            .stderr
            .ends_with("holds a secret and can be read by others: chmod 600\n")
    );
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:#?}");
    let said = run_in(folder.path(), &["config", "-c", "etc/c.toml"], &[]).stdout;
    assert!(!said.contains(ABC) && !said.contains(secret), "{said}");
}

#[test]
fn a_warning_goes_to_stderr_and_the_file_is_good() {
    let config = "[[listener]]\nname = \"a\"\nbind = \"0.0.0.0:0\"\n";
    let outcome = run(&["check", "c.toml"], config);
    let warning = "pulsegate: warning: listener \"a\" on 0.0.0.0:0 takes logins from anybody \
                   under any name: tokens are not checked\n";
    assert_eq!((outcome.code, &outcome.stderr[..]), (Some(0), warning));
    assert_eq!(outcome.stdout, "c.toml: good; 1 listener: a on 0.0.0.0:0\n");
    for nobody in [
        "login = \"none\"",
        "dialect = \"echo\"",
        "bind = \"[::1]:0\"",
    ] {
        let config = format!("[[listener]]\n{nobody}\n");
        assert_eq!(run(&["check", "c.toml"], &config).stderr, "", "{nobody}");
    }
}

#[test]
fn variables_and_flags_are_no_part_of_a_file() {
    let folder = folder(&[("c.toml", LINE)]);
    let variables = [
        ("PULSEGATE_IDLE_TIMEOUT", "nonsense"),
        ("PULSEGATE_CONFIG", "none.toml"),
    ];
    let outcome = run_in(folder.path(), &["check", "c.toml"], &variables);
    assert_eq!(
        outcome,
        good("c.toml: good; 1 listener: clients on 127.0.0.1:0")
    );
    let outcome = run_in(folder.path(), &["--linger", "5s", "check", "c.toml"], &[]);
    assert_eq!(outcome.code, Some(2));
    let says = "pulsegate: check judges a file by itself: leave --linger out\n";
    assert_eq!(outcome.stderr, says);
    assert_eq!(run_in(folder.path(), &["check"], &[]).code, Some(2));
}

#[test]
fn a_path_begins_at_the_folder_of_its_file_and_the_token_must_be_there() {
    let config = "[log]\n[admin]\ntoken_file = \"admin.token\"\nbind = \"unix:gate.sock\"\n";
    let folder = folder(&[]);
    let inner = folder.path().join("etc");
    std::fs::create_dir(&inner).unwrap();
    std::fs::write(inner.join("c.toml"), config).unwrap();
    let check = || run_in(folder.path(), &["check", "etc/c.toml"], &[]);
    let outcome = check();
    assert_eq!((outcome.code, &outcome.stdout[..]), (Some(2), ""));
    let token = inner.join("admin.token");
    let says = format!(
        "pulsegate: etc/c.toml:3: admin interface: token_file {}: No such file",
        token.display()
    );
    assert!(outcome.stderr.starts_with(&says), "{outcome:#?}");
    let serve = run_in(folder.path(), &["serve", "-c", "etc/c.toml"], &[]);
    assert_eq!(serve.code, Some(2));
    assert!(serve.stderr.contains(token.to_str().unwrap()), "{serve:#?}");

    std::fs::write(&token, "short\n").unwrap();
    let outcome = check();
    assert_eq!(outcome.code, Some(0), "{outcome:#?}");
    assert!(outcome.stderr.contains("it can be guessed"), "{outcome:#?}");
    let said = run_in(folder.path(), &["config", "-c", "etc/c.toml"], &[]).stdout;
    let socket = format!("\"unix:{}\"", inner.join("gate.sock").display());
    assert!(said.contains(&socket), "{said}");
}

#[test]
fn serve_judges_the_files_that_are_named_as_check_does() {
    // 2: a service manager does not start it again for that.
    for (config, file) in [
        ("[lists]\nblack = \"bad\"\n", ("bad", "nowhere\n")),
        ("[logins]\nusers_file = \"bad\"\n", ("bad", "who\n")),
        ("[admin]\ntoken_file = \"gone\"\n", ("bad", "")),
    ] {
        let config = format!("{config}[process]\nuser = \"root\"\n{LINE}");
        let folder = folder(&[("c.toml", &config[..]), file]);
        let serve = run_in(folder.path(), &["serve", "--config", "c.toml"], &[]);
        let check = run_in(folder.path(), &["check", "c.toml"], &[]);
        assert_eq!((serve.code, check.code), (Some(2), Some(2)), "{serve:#?}");
        // `check` knows the line too.
        let told = serve.stderr.lines().last().unwrap_or_default();
        let told = told.strip_prefix("pulsegate: ").unwrap_or_default();
        assert!(
            !told.is_empty() && check.stderr.contains(told),
            "{serve:#?} {check:#?}"
        );
    }
}
