//! `GET /`: the page for people.
//!
//! It is served to whoever can connect, for it holds no data: it asks the interface like everybody
//! else, and its reader for the token where there is one.

use super::answer::{Answer, Whole};

const PAGE: &str = include_str!("page.html");

/// The page's own script and style and no others, known by their hashes; nothing from elsewhere,
/// nothing sent elsewhere, and no frame of somebody else's around it.
const POLICY: &str = "default-src 'none'; \
    script-src 'sha256-OWz19DN7DcHD4IV8pVUiA5zZMEas3i7MWbGcb2v44EA='; \
    style-src 'sha256-3CuXzju2FjJCFh/XlSnnBOj4e0OUEgwTbZWXihCk/xc='; \
    img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// The page.
pub(crate) fn dashboard() -> Answer {
    Answer::Whole(Whole {
        status: 200,
        kind: "text/html; charset=utf-8",
        body: PAGE.into(),
        allow: "",
        policy: POLICY,
    })
}
