//! `POST /v1/push`: messages from the backend, one or up to a thousand.
//!
//! All of them are judged before the first is sent; then they are sent in order, in slices.

use std::borrow::Cow;
use std::collections::HashSet;
use std::time::Duration;
use std::vec::IntoIter;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use smol_str::SmolStr;

use super::answer::{Answer, Refusal};
use super::ask::{Ask, NO_MEMORY, Object};
use super::desk::Facts;
use super::page::push as push_row;
use super::work::{Left, Work};
use crate::codec::message::{Body, json_body};
use crate::codec::name::{check_topic, check_user};
use crate::gate::{Gate, Order, Push, Receipt, Target, body_len, own};
use crate::reason::ErrorCode;
use crate::time::SPAN_MAX;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish<'a> {
    to: Object<To>,
    #[serde(borrow)]
    body: &'a RawValue,
    #[serde(default)]
    ack: bool,
    ttl_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct To {
    user: Option<SmolStr>,
    users: Option<Vec<SmolStr>>,
    topic: Option<SmolStr>,
    everyone: Option<bool>,
}

/// A message that was judged.
#[derive(Debug)]
struct Parcel {
    to: Whom,
    body: Body<'static>,
    ack: bool,
    ttl: Option<Duration>,
}

#[derive(Debug)]
enum Whom {
    Users(IntoIter<SmolStr>),
    Topic(SmolStr),
    Everyone,
}

/// Messages that are being sent.
#[derive(Debug)]
struct Pushes {
    parcels: IntoIter<Parcel>,
    /// The one in hand, and what became of it so far.
    current: Option<(Parcel, Order)>,
    is_array: bool,
    rows: usize,
}

#[derive(Serialize)]
struct Told {
    id: u64,
    queued: u32,
    offline: u32,
    dropped: u32,
}

#[derive(Serialize)]
struct Refused {
    error: &'static str,
    text: &'static str,
}

/// Messages of one request at most.
const PUSHES_MAX: usize = 1_000;
const FULL: &str = "too much is under way, try again later";

/// Sends what is asked for.
pub(crate) fn push(ask: &Ask<'_>, gate: &mut Gate, facts: &Facts) -> Result<Answer, Refusal> {
    let first = ask.body.iter().find(|byte| !byte.is_ascii_whitespace());
    if first != Some(&b'[') {
        let parcel = judge(ask.json()?, gate, facts)?;
        // A single one that reaches few is answered at once, with a status of its own.
        if !matches!(&parcel.to, Whom::Users(names) if names.len() > 1) {
            return single(parcel, gate);
        }
        return Ok(Answer::Work(Box::new(Pushes::of(vec![parcel], false))));
    }
    let wishes: Vec<Object<Wish<'_>>> = ask.list()?;
    if wishes.len() > PUSHES_MAX {
        return Err(Refusal::too_large("at most 1,000 messages at once"));
    }
    let judged = wishes
        .into_iter()
        .map(|Object(wish)| judge(wish, gate, facts));
    let parcels = judged.collect::<Result<Vec<_>, _>>()?;
    Ok(Answer::Work(Box::new(Pushes::of(parcels, true))))
}

fn judge(wish: Wish<'_>, gate: &Gate, facts: &Facts) -> Result<Parcel, Refusal> {
    let body = json_body(wish.body.get()).map_err(|bad| Refusal::bad_request(bad.to_string()))?;
    if body_len(&body) > gate.frame_max() {
        return Err(Refusal::too_large("the body is above every frame_max"));
    }
    let ttl = wish.ttl_ms.map(Duration::from_millis);
    if ttl.is_some_and(|ttl| ttl > SPAN_MAX) {
        return Err(Refusal::bad_request("ttl_ms: at most 49 days"));
    }
    Ok(Parcel {
        to: whom(wish.to.0, facts)?,
        body: own(&body).ok_or_else(|| Refusal::overloaded(NO_MEMORY))?,
        ack: wish.ack,
        ttl,
    })
}

fn whom(to: To, facts: &Facts) -> Result<Whom, Refusal> {
    let said = [
        to.user.is_some(),
        to.users.is_some(),
        to.topic.is_some(),
        to.everyone.is_some(),
    ];
    if said.into_iter().filter(|is| *is).count() != 1 || to.everyone == Some(false) {
        let text = "to: one of {\"user\":U}, {\"users\":[…]}, {\"topic\":T}, {\"everyone\":true}";
        return Err(Refusal::bad_request(text));
    }
    if let Some(topic) = to.topic {
        check_topic(&topic).map_err(|error| Refusal::bad_request(format!("topic: {error}")))?;
        return Ok(Whom::Topic(topic));
    }
    if to.everyone.is_some() {
        return Ok(Whom::Everyone);
    }
    let mut names = to.users.unwrap_or_default();
    names.extend(to.user);
    if names.len() > facts.limits.page_max as usize {
        return Err(Refusal::too_large("users: too many in one message"));
    }
    // Who is named twice gets one message and is counted once.
    let mut known = HashSet::with_capacity(names.len());
    names.retain(|name| known.insert(name.clone()));
    for name in &names {
        check_user(name).map_err(|error| Refusal::bad_request(format!("user: {error}")))?;
    }
    Ok(Whom::Users(names.into_iter()))
}

/// One message to one user, a topic or everyone.
fn single(mut parcel: Parcel, gate: &mut Gate) -> Result<Answer, Refusal> {
    let mut order = gate.begin_order();
    while !parcel.send(gate, &mut order) {}
    if order.is_refused {
        return Err(Refusal::overloaded(FULL));
    }
    Ok(Answer::json(&told(order.receipt)))
}

fn told(receipt: Receipt) -> Told {
    Told {
        id: receipt.id,
        queued: receipt.queued,
        offline: receipt.offline,
        dropped: receipt.dropped,
    }
}

impl Parcel {
    /// Sends to the next receiver; whether there is none after it.
    fn send(&mut self, gate: &mut Gate, order: &mut Order) -> bool {
        let push = Push {
            from: None,
            body: lend(&self.body),
            ack: self.ack,
            ttl: self.ttl,
        };
        match &mut self.to {
            Whom::Users(names) => {
                if let Some(name) = names.next() {
                    let pushed = gate.push_order(order, Target::User(&name), &push);
                    // He gets nothing, whatever kept it from him.
                    order.receipt.dropped += u32::from(pushed.is_err());
                }
                names.len() == 0
            }
            Whom::Topic(topic) => {
                order.is_refused = gate.push_order(order, Target::Topic(topic), &push).is_err();
                true
            }
            Whom::Everyone => {
                order.is_refused = gate.push_order(order, Target::Everyone, &push).is_err();
                true
            }
        }
    }
}

impl Pushes {
    fn of(parcels: Vec<Parcel>, is_array: bool) -> Self {
        Self {
            parcels: parcels.into_iter(),
            current: None,
            is_array,
            rows: 0,
        }
    }

    /// What became of a message, as the next row.
    fn tell(&mut self, order: &Order, out: &mut Vec<u8>) {
        let before: &[u8] = match (self.is_array, self.rows) {
            (false, _) => b"",
            (true, 0) => b"[",
            (true, _) => b",\n",
        };
        out.extend_from_slice(before);
        self.rows += 1;
        if order.is_refused {
            let refused = Refused {
                error: ErrorCode::Overloaded.word(),
                text: FULL,
            };
            push_row(&refused, out);
        } else {
            push_row(&told(order.receipt), out);
        }
    }
}

impl Work for Pushes {
    fn go_on(
        &mut self,
        gate: &mut Gate,
        _: &Facts,
        budget: &mut u32,
        room: usize,
        out: &mut Vec<u8>,
    ) -> Left {
        while *budget > 0 && out.len() < room {
            *budget -= 1;
            let next = match self.current.take() {
                None => self
                    .parcels
                    .next()
                    .map(|parcel| (parcel, gate.begin_order())),
                current => current,
            };
            let Some((mut parcel, mut order)) = next else {
                let end: &[u8] = match (self.is_array, self.rows) {
                    (false, _) => b"\n",
                    (true, 0) => b"[]\n",
                    (true, _) => b"]\n",
                };
                out.extend_from_slice(end);
                return Left::Nothing;
            };
            if parcel.send(gate, &mut order) {
                // Users were looked at one by one.
                if !matches!(parcel.to, Whom::Users(_)) {
                    let reached = order.receipt.queued + order.receipt.dropped;
                    *budget = budget.saturating_sub(reached);
                }
                self.tell(&order, out);
            } else {
                self.current = Some((parcel, order));
            }
        }
        Left::More
    }
}

/// The same body, borrowed.
fn lend<'a>(body: &'a Body<'_>) -> Body<'a> {
    match body {
        Body::Text(text) => Body::Text(Cow::Borrowed(text)),
        Body::Json(text) => Body::Json(Cow::Borrowed(text)),
        Body::Bytes(bytes) => Body::Bytes(Cow::Borrowed(bytes)),
    }
}
