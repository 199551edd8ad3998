//! `POST /v1/kick`: ends the connections of a user, or one.

use serde::{Deserialize, Serialize};

use super::answer::{Answer, Refusal};
use super::ask::Ask;
use crate::gate::{End, EndedBy, Gate};
use crate::id::ConnId;
use crate::reason::CloseReason;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    user: Option<String>,
    connection: Option<u64>,
}

#[derive(Serialize)]
struct Told {
    kicked: usize,
}

/// Ends them.
pub(crate) fn kick(ask: &Ask<'_>, gate: &mut Gate) -> Result<Answer, Refusal> {
    let wish: Wish = ask.json()?;
    let kicked = match (wish.user, wish.connection) {
        (Some(user), None) => gate.kick_by(&user, EndedBy::Operator),
        (None, Some(id)) => {
            let conn = ConnId::from_u64(id);
            let end = End::by(CloseReason::Kicked, EndedBy::Operator);
            let is_kicked = conn.is_some_and(|conn| gate.close_by(conn, end));
            usize::from(is_kicked)
        }
        _ => {
            let text = "say {\"user\":NAME} or {\"connection\":ID}";
            return Err(Refusal::bad_request(text));
        }
    };
    Ok(Answer::json(&Told { kicked }))
}
