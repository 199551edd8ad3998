//! The page for people: what a browser is told about it, and what a browser makes of it.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use super::access::guarded;
use super::daemon;
use crate::client::eventually;
use crate::daemon::Daemon;

/// How long a browser may take: it starts a dozen processes.
const BROWSER_PATIENCE: Duration = Duration::from_secs(90);

#[test]
fn the_page_and_its_kind() {
    let reply = daemon("", "").http().get("/");
    let kind = Some("text/html; charset=utf-8");
    assert_eq!(reply.header("content-type"), kind);
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    assert_eq!(reply.header("referrer-policy"), Some("no-referrer"));
    assert!(reply.text().starts_with("<!doctype html>"));
}

#[test]
fn the_page_may_run_its_own_script_and_no_other() {
    let reply = daemon("", "").http().get("/");
    let policy = reply.header("content-security-policy").unwrap();
    let mut rules = HashMap::new();
    for rule in policy.split("; ") {
        let (name, value) = rule.split_once(' ').unwrap();
        rules.insert(name, value.trim());
    }
    for closed in ["default-src", "base-uri", "form-action", "frame-ancestors"] {
        assert_eq!(rules[closed], "'none'", "{policy}");
    }
    assert_eq!(rules["connect-src"], "'self'");
    let text = reply.text();
    for (tag, rule) in [("script", "script-src"), ("style", "style-src")] {
        let (_, rest) = text.split_once(&format!("<{tag}>")).unwrap();
        let (inner, rest) = rest.split_once(&format!("</{tag}>")).unwrap();
        assert!(!rest.contains(&format!("<{tag}")), "a second {tag}");
        let advice = "the page has changed: put its new hash into src/admin/dashboard.rs";
        let hash = format!("'sha256-{}'", sha256(inner));
        assert_eq!(rules[rule], hash, "{rule}: {advice}");
    }
    // Nothing is fetched from elsewhere, and no text is taken for markup.
    for word in [
        "https://",
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "eval(",
        "src=",
    ] {
        assert!(!text.contains(word), "{word}");
    }
}

#[test]
fn a_browser_shows_who_is_connected() {
    let daemon = daemon("", "");
    let name = "<b>bold<img>";
    let mut clients = [daemon.user("alice"), daemon.user(name), daemon.line()];
    clients[2].asks("ping", "pong");
    daemon.line().asks("quit", "close quit");
    let mut http = daemon.http();
    eventually("one has left", || {
        let closed = &http.json("/v1/stats")["closed"]["quit"];
        (*closed == 1).then_some(())
    });
    let Some(dom) = browse(&daemon) else { return };
    assert_eq!(text_of(&dom, "open"), "3", "{dom}");
    assert_eq!(text_of(&dom, "online"), "2");
    assert_eq!(text_of(&dom, "state"), "running");
    assert!(text_of(&dom, "lag").ends_with('s'), "{dom}");
    assert!(dom.contains("limit 100 ms"), "{dom}");
    assert!(dom.contains("<dt>whole process, measured</dt>"), "{dom}");
    assert!(dom.contains("<title>3 – pulsegate</title>"), "{dom}");
    assert!(dom.contains("<dt>quit</dt>"), "{dom}");
    assert!(
        dom.contains("<div id=\"turned\"><p class=\"none\">Nobody.</p>"),
        "{dom}"
    );
    assert!(dom.contains("<path class=\"one\" d=\"M"), "no line: {dom}");
    // Names are text, whatever they look like.
    assert!(dom.contains("&lt;b&gt;bold&lt;img&gt;</td>"), "{dom}");
    assert!(!dom.contains("<b>bold") && !dom.contains("<img>"), "{dom}");
    let body = dom.split_once("<body").unwrap().1;
    assert!(body.starts_with(" data-state=\"running\">"), "{dom}");
}

#[test]
fn a_browser_asks_for_the_token() {
    let (daemon, _file) = guarded();
    let _client = daemon.user("alice");
    let Some(dom) = browse(&daemon) else { return };
    assert_eq!(text_of(&dom, "state"), "locked", "{dom}");
    assert!(
        dom.contains("<section id=\"door\" class=\"card\">"),
        "{dom}"
    );
    assert!(dom.contains("<main id=\"main\" hidden=\"\">"), "{dom}");
    assert!(
        !dom.contains("alice") && !dom.contains("data-fault"),
        "{dom}"
    );
}

#[test]
fn a_browser_shows_that_it_drains() {
    let daemon = daemon("", "");
    let _client = daemon.user("alice");
    let reply = daemon.http().post("/v1/drain", "{\"over_ms\":600000}");
    assert_eq!(reply.status, 200, "{}", reply.text());
    let Some(dom) = browse(&daemon) else { return };
    assert_eq!(text_of(&dom, "state"), "draining", "{dom}");
    assert!(
        text_of(&dom, "banner").contains("1 connection is left"),
        "{dom}"
    );
}

/// Measures what it holds: whatever is wider than its frame, and may not be moved to the side.
const MEASURE: &str = "<script>addEventListener('load', () => {
  const page = document.querySelector('iframe').contentDocument;
  const wide = [...page.querySelectorAll('body *')].filter((node) =>
    node.getBoundingClientRect().right > WIDTH && !node.closest('.scroll'));
  const told = wide.map((node) => `${node.tagName} ${node.textContent.slice(0, 40)}`);
  document.body.textContent = `measured ${page.querySelectorAll('.bars').length}: ${told}`;
});</script>";

#[test]
fn a_phone_shows_all_of_it() {
    let daemon = daemon("", "");
    let _client = daemon.user("alice");
    daemon.line().asks("quit", "close quit");
    let Some(dom) = browse(&daemon) else { return };
    // As it was shown, without its script, in a frame of a phone's width.
    let (head, rest) = dom.split_once("<script>").unwrap();
    let (_, tail) = rest.split_once("</script>").unwrap();
    let shown = format!("{head}{tail}")
        .replace('&', "&amp;")
        .replace('"', "&quot;");
    let folder = tempfile::tempdir().unwrap();
    for width in ["390", "360"] {
        let frame = format!("<iframe srcdoc=\"{shown}\" width={width} height=4000></iframe>");
        let measure = MEASURE.replace("WIDTH", width);
        let file = folder.path().join(format!("{width}.html"));
        let text = format!("<!doctype html><meta charset=utf-8><body>{frame}{measure}");
        std::fs::write(&file, text).unwrap();
        let told = look(&format!("file://{}", file.display())).unwrap();
        assert!(told.contains("measured 2: <"), "{width}: {told}");
    }
}

/// What a browser makes of the page; nothing where there is none to ask.
fn browse(daemon: &Daemon) -> Option<String> {
    look(&format!("http://{}/", daemon.addr("admin")))
}

/// The same of any page, after three seconds of the browser's own time, which stands still while it
/// waits for an answer.
fn look(url: &str) -> Option<String> {
    let profile = tempfile::tempdir().unwrap();
    let child = Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
        ])
        .args([
            "--enable-logging=stderr",
            "--virtual-time-budget=3000",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(url)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        let may_skip = std::env::var_os("PULSEGATE_NO_SKIP").is_none();
        assert!(may_skip, "chromium is not installed");
        eprintln!("skipped: chromium is not installed, so nobody looks at the page");
        return None;
    };
    let (dom, said) = hear(&mut child);
    for fault in ["Uncaught", "Content Security Policy", "CONSOLE"] {
        assert!(!said.contains(fault), "{fault}: {said}");
    }
    assert!(!dom.contains("data-fault"), "{dom}");
    assert!(dom.contains("</html>"), "nothing is shown: {dom}\n{said}");
    Some(dom)
}

/// What it shows and what it says, to its end, which may not be long in coming.
fn hear(child: &mut Child) -> (String, String) {
    let shown = read(child.stdout.take().unwrap());
    let said = read(child.stderr.take().unwrap());
    let dom = shown.recv_timeout(BROWSER_PATIENCE);
    let _ = child.kill();
    let _ = child.wait();
    let said = said.recv_timeout(BROWSER_PATIENCE).unwrap();
    let dom = dom.unwrap_or_else(|_| panic!("the browser does not come to an end: {said}"));
    (dom, said)
}

/// Reads to the end, at a pace of its own.
fn read(mut from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

/// The text of the element of that id, which holds no other.
#[track_caller]
fn text_of<'a>(dom: &'a str, id: &str) -> &'a str {
    let (_, rest) = dom.split_once(&format!("id=\"{id}\"")).unwrap();
    let (_, rest) = rest.split_once('>').unwrap();
    rest.split_once('<').unwrap().0
}

/// The hash of a text as a policy names it: in base 64.
fn sha256(text: &str) -> String {
    let mut child = Command::new("sha256sum")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(text.as_bytes()).unwrap();
    drop(stdin);
    let told = child.wait_with_output().unwrap().stdout;
    let hex = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let hash: Vec<u8> = told[..64].chunks(2).map(hex).collect();
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut base64 = String::new();
    for three in hash.chunks(3) {
        let mut bits = [0; 4];
        bits[1..=three.len()].copy_from_slice(three);
        let bits = u32::from_be_bytes(bits);
        for at in 0..4 {
            let digit = digits[(bits >> (18 - 6 * at) & 63) as usize];
            base64.push(if at <= three.len() {
                char::from(digit)
            } else {
                '='
            });
        }
    }
    base64
}
