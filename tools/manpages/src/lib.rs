//! What is made from the tables of the command line and of the configuration: man pages,
//! completions, and an example of every setting. Each file lies in the repository as well; a test
//! finds those that are no longer what the tables say.

use std::io::Write as _;

use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};
use pulsegate::config::{Config, Setting};

/// A file that is made: its path in the repository, and what it holds.
pub type Made = (&'static str, String);

/// Everything that is made.
#[must_use]
pub fn all() -> Vec<Made> {
    vec![
        ("tools/package/man/pulsegate.8", daemon_page()),
        ("tools/package/man/pulsegate.toml.5", file_page()),
        (
            "tools/package/completions/pulsegate.bash",
            completion(Shell::Bash),
        ),
        (
            "tools/package/completions/_pulsegate",
            completion(Shell::Zsh),
        ),
        (
            "tools/package/completions/pulsegate.fish",
            completion(Shell::Fish),
        ),
        ("tools/examples/full.toml", full_example()),
    ]
}

fn completion(shell: Shell) -> String {
    let mut command = pulsegate::cli::command();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "pulsegate", &mut script);
    tidy(script)
}

/// As text, without spaces at the ends of lines.
fn tidy(bytes: Vec<u8>) -> String {
    let text = String::from_utf8(bytes).expect("what is made is UTF-8");
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n") + "\n"
}

/// Sections of the daemon's page that no table holds: a title, and paragraphs of a term and its
/// meaning.
const SECTIONS: &[(&str, &[(&str, &str)])] = &[
    (
        "EXIT STATUS",
        &[
            (
                "0",
                "It has done what it was asked; the daemon was told to leave and has left.",
            ),
            (
                "1",
                "It could not run: an address can not be bound, the descriptor limit leaves no \
                 room, the poll is broken, output can not be written. Of a command that speaks to \
                 a daemon: none is there, or it refused; the message says where and why. Of \
                 connect: no connection came about, or it was lost for good.",
            ),
            (
                "2",
                "The command line, the configuration or a script is wrong; each complaint names \
                 its file and line. Another start does not mend it.",
            ),
            (
                "3",
                "A step of a script of connect did not come to what it says; the message names \
                 its line.",
            ),
            (
                "101",
                "A bug was found and the daemon would not go on with broken books.",
            ),
        ],
    ),
    (
        "SCRIPTS",
        &[
            (
                "REQUEST",
                "A script of connect has a step a line; empty lines and those that begin with # \
                 are passed over, and it ends at the first step that fails. A request, as a \
                 person types it, must be done in time.",
            ),
            ("try REQUEST", "Say it, whatever the answer."),
            ("sleep DURATION", "Wait; with --speed N an Nth of it."),
            (
                "expect [within DURATION] TEXT",
                "Something must come, or have come since what was expected last, that holds TEXT.",
            ),
            (
                "never TEXT",
                "From here on nothing may come that holds TEXT.",
            ),
            ("repeat N, end", "What stands between them, N times."),
            (
                "write \"BYTES\"",
                "With --raw: these bytes in one piece, with \\n, \\r, \\t, \\\", \\\\ and \\xHH.",
            ),
        ],
    ),
    (
        "SIGNALS",
        &[
            (
                "SIGTERM, SIGINT",
                "Leave: not ready from now on, no newcomers, goodbyes spread over drain.over, and \
                 whoever is left drain.timeout after the last of them is cut. A second one ends \
                 it at once.",
            ),
            (
                "SIGHUP",
                "Read the configuration again. All of it holds or nothing: a file with a mistake \
                 changes nothing and is told by line. Settings that need a restart are named.",
            ),
        ],
    ),
    (
        "ENVIRONMENT",
        &[
            ("PULSEGATE_CONFIG", "The configuration file."),
            (
                "PULSEGATE_*",
                "A setting, by the name of its flag; wins over the file.",
            ),
            (
                "PULSEGATE_ADMIN",
                "Where commands find the daemon's admin interface: http://HOST:PORT or \
                 unix:/PATH.",
            ),
            (
                "PULSEGATE_ADMIN_TOKEN, PULSEGATE_ADMIN_TOKEN_FILE",
                "The token that they show, or the file that holds it.",
            ),
            (
                "NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID",
                "Of a service manager: it is told READY=1, RELOADING=1, STOPPING=1, STATUS= and, \
                 by the loop itself every half interval, WATCHDOG=1.",
            ),
            (
                "LISTEN_FDS, LISTEN_PID, LISTEN_FDNAMES",
                "Listening sockets that were handed over: those named like a listener take the \
                 place of what it would bind.",
            ),
        ],
    ),
    (
        "FILES",
        &[(
            "/etc/pulsegate/pulsegate.toml",
            "The configuration of the packaged service.",
        )],
    ),
];

fn daemon_page() -> String {
    let man = Man::new(pulsegate::cli::command())
        .section("8")
        .manual("pulsegate")
        .date("");
    let mut page = Vec::new();
    let rendered = man
        .render_title(&mut page)
        .and_then(|()| man.render_name_section(&mut page))
        .and_then(|()| page.write_all(synopsis().as_bytes()))
        .and_then(|()| man.render_description_section(&mut page))
        .and_then(|()| man.render_options_section(&mut page));
    rendered.expect("a vector takes everything");
    let mut more = Roff::new();
    for (title, entries) in SECTIONS {
        more.control("SH", [*title]);
        for (term, meaning) in *entries {
            more.control("TP", []);
            more.text([bold(*term)]).text([roman(*meaning)]);
        }
    }
    more.control("SH", ["SEE ALSO"]);
    more.text([
        bold("pulsegate.toml"),
        roman("(5), "),
        bold("systemd.service"),
        roman("(5)"),
    ]);
    tidy(page) + &more.render()
}

/// The commands with what they do: every setting is an option of two of them.
fn synopsis() -> String {
    let mut text = Roff::new();
    text.control("SH", ["SYNOPSIS"]);
    let command = pulsegate::cli::command();
    for subcommand in command.get_subcommands() {
        let name = subcommand.get_name();
        let mut takes = String::new();
        for argument in subcommand.get_positionals() {
            let names = argument.get_value_names().unwrap_or_default();
            let value = names.first().map_or("", |name| name.as_str());
            takes += &match argument.is_required_set() {
                true => format!(" {value}"),
                false => format!(" [{value}]"),
            };
        }
        if takes.is_empty() || name != "check" {
            takes += " [OPTIONS]";
        }
        let about = subcommand.get_about().map(ToString::to_string);
        text.control("TP", []);
        text.text([bold(format!("pulsegate {name}")), roman(takes)]);
        text.text([roman(about.unwrap_or_default() + ".")]);
    }
    text.render()
}

fn file_page() -> String {
    let mut page = Roff::new();
    page.control("TH", ["pulsegate.toml", "5", "", "pulsegate", "pulsegate"]);
    page.control("SH", ["NAME"]);
    page.text([roman("pulsegate.toml - the configuration of pulsegate")]);
    page.control("SH", ["DESCRIPTION"]);
    for text in [
        "A TOML file. Durations are written \"500ms\", \"60s\", \"1m30s\", \"off\" where it makes \
         sense, and rounded up to 10 ms; sizes \"64KiB\" or in bytes. Unknown keys are mistakes, \
         and every mistake is told with its line.",
        "Each [[listener]] is a listener; [defaults] holds its settings for all of them, but for \
         its name and its addresses. Without any there is one, on 127.0.0.1:7373.",
        "At SIGHUP the file is read again. A setting marked \"restart\" holds from the next start \
         on, every other one at once; limits.connections may not grow beyond the start. Shorter \
         deadlines hold for the connections that are there; a bound that shrinks ends nobody.",
    ] {
        page.control("PP", []);
        page.text([roman(text)]);
    }
    let mut head = String::new();
    for setting in &Config::settings() {
        let table = table(setting);
        if table != head {
            page.control("SH", [table.to_uppercase().as_str()]);
            head = table;
        }
        page.control("TP", []);
        let restart = if setting.needs_restart {
            ", restart"
        } else {
            ""
        };
        page.text([
            bold(setting.name),
            roman(" = "),
            italic(setting.takes),
            roman(format!(" (default {}{restart})", shown(setting))),
        ]);
        page.text([roman(sentence(setting.help))]);
    }
    page.control("SH", ["SEE ALSO"]);
    page.text([bold("pulsegate"), roman("(8)")]);
    page.render()
}

fn table(setting: &Setting) -> String {
    match setting.table {
        "listener" => format!("[[listener]], {}", setting.title.replace("Listeners, ", "")),
        table => format!("[{table}]"),
    }
}

fn shown(setting: &Setting) -> &str {
    match &setting.default[..] {
        "\"\"" => "none",
        default => default,
    }
}

fn sentence(help: &str) -> String {
    let mut chars = help.chars();
    let first = chars.next().map(|char| char.to_uppercase().to_string());
    first.unwrap_or_default() + chars.as_str() + "."
}

fn full_example() -> String {
    let mut text = String::from(
        "# Every setting with what holds where nobody sets it; made from the program's tables.\n",
    );
    let mut head = "";
    for setting in &Config::settings() {
        if setting.table != head {
            head = setting.table;
            text += &match head {
                "listener" => String::from("\n[[listener]]\n"),
                table => format!("\n[{table}]\n"),
            };
        }
        let Setting { name, default, .. } = setting;
        text += &format!("# {}\n{name} = {default}\n", sentence(setting.help));
    }
    text
}
