//! What hostile bytes cost: no stack, no quadratic time.

use pulsegate::codec::framing::FrameError;
use pulsegate::codec::message::{BadRequest, Body, Request, check_json, parse_json};

fn request(body: &str) -> Result<Request<'_>, BadRequest> {
    parse_json(body.as_bytes()).unwrap().request
}

#[test]
fn nesting_is_never_followed_by_recursion() {
    // A stack that any recursion over the nesting would overflow.
    let small = std::thread::Builder::new().stack_size(128 * 1_024);
    let nested = || {
        for (open, inner, close) in [
            ("[", "", "]"),
            ("{\"a\":", "1", "}"),
            ("[{\"a\":[", "", "]}]"),
        ] {
            let deep = [&open.repeat(60_000), inner, &close.repeat(60_000)].concat();
            let frame = format!(r#"{{"type":"data","x":{deep},"body":{deep}}}"#);
            let body = Body::Json((&deep).into());
            assert_eq!(request(&frame), Ok(Request::Data { body }));
            assert_eq!(check_json(frame.as_bytes()), Ok(()));
            let cut = &frame.as_bytes()[..frame.len() - 2];
            assert_eq!(parse_json(cut), Err(FrameError::Json));
            assert_eq!(check_json(cut), Err(FrameError::Json));
            assert!(request(&deep).is_err());
        }
    };
    small.spawn(nested).unwrap().join().unwrap();
}

#[test]
fn keys_are_not_compared_each_with_each() {
    // That would take minutes.
    let keys: String = (0..200_000).map(|n| format!(r#""k{n}":0,"#)).collect();
    let once = format!(r#"{{{keys}"type":"ping"}}"#);
    assert_eq!(request(&once), Ok(Request::Ping));
    let twice = format!(r#"{{{keys}"type":"ping","k7":1}}"#);
    assert_eq!(request(&twice), Err(BadRequest::DuplicateKey));
}
