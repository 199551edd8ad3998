//! What a client is like: a mix of a few independent habits.
//!
//! Each habit is drawn by itself, so that a flooder who reads slowly and leaves with a reset
//! comes about without anybody having thought of it.

use crate::world::agenda::{MILLI, Nanos, SECOND};
use crate::world::dice::Dice;

/// The habits of one client.
#[derive(Clone, Debug)]
pub(crate) struct Persona {
    pub(crate) speech: Speech,
    pub(crate) cut: Cut,
    pub(crate) reading: Reading,
    pub(crate) ending: Ending,
    pub(crate) acks: Acks,
    /// Whether it is one of those for whom liveness is promised.
    pub(crate) is_good: bool,
}

/// What it says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Speech {
    /// Logs in, beats, and uses every message there is.
    Normal,
    /// Nothing at all.
    Silent,
    /// Logs in, then nothing.
    Fading,
    /// Requests as fast as the window lets them through.
    Flood,
    /// A frame that is begun and never finished, a byte now and then.
    Endless,
    /// A frame that claims to be longer than allowed.
    Giant,
    /// Bytes of no protocol, or of another.
    Foreign(u8),
    /// Messages that do not exist.
    Nonsense,
}

/// How what it says is cut into segments.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cut {
    /// As it comes.
    Whole,
    /// Pieces of random size, so long apart.
    Torn(Nanos),
    /// One byte at a time, so long apart.
    Drip(Nanos),
    /// Several requests in one segment.
    Glued,
}

/// How it reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reading {
    Eager,
    /// So many bytes, so often.
    Slow(usize, Nanos),
    Never,
}

/// How it leaves, each time after a while; then it comes back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    /// It does not.
    Stay,
    /// FIN, and reads on.
    HalfClose,
    /// Closes its socket.
    Leave,
    Reset,
    /// Its cable is cut.
    Vanish,
    /// The message `quit`.
    Quit,
}

/// What it does with messages that want an ack.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Acks {
    Always,
    Sometimes,
    Never,
}

/// The kinds of misbehaviour that a seed lets into its world: each with a chance of one half.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mask {
    pub(crate) speech: bool,
    pub(crate) cut: bool,
    pub(crate) reading: bool,
    pub(crate) ending: bool,
    pub(crate) acks: bool,
    pub(crate) storms: bool,
    pub(crate) namesakes: bool,
    pub(crate) movers: bool,
    pub(crate) kicks: bool,
}

impl Mask {
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let mut flip = || dice.one_in(2);
        Self {
            speech: flip(),
            cut: flip(),
            reading: flip(),
            ending: flip(),
            acks: flip(),
            storms: flip(),
            namesakes: flip(),
            movers: flip(),
            kicks: flip(),
        }
    }
}

impl Persona {
    /// A client that behaves: whom the server must serve whatever the others do.
    pub(crate) fn good(dice: &mut Dice, mask: Mask) -> Self {
        let cut = match dice.below(4) {
            0 if mask.cut => Cut::Torn(dice.span(0, 20 * MILLI)),
            1 if mask.cut => Cut::Glued,
            _ => Cut::Whole,
        };
        Self {
            speech: Speech::Normal,
            cut,
            reading: Reading::Eager,
            ending: Ending::Stay,
            acks: Acks::Always,
            is_good: true,
        }
    }

    /// Anybody.
    pub(crate) fn any(dice: &mut Dice, mask: Mask) -> Self {
        Self {
            speech: if mask.speech {
                speech(dice)
            } else {
                Speech::Normal
            },
            cut: if mask.cut { cut(dice) } else { Cut::Whole },
            reading: if mask.reading {
                reading(dice)
            } else {
                Reading::Eager
            },
            ending: if mask.ending {
                ending(dice)
            } else {
                Ending::Stay
            },
            acks: if mask.acks {
                *dice.pick(&[Acks::Always, Acks::Sometimes, Acks::Never])
            } else {
                Acks::Always
            },
            is_good: false,
        }
    }
}

fn speech(dice: &mut Dice) -> Speech {
    match dice.below(11) {
        0 => Speech::Silent,
        1 => Speech::Fading,
        2 | 7 => Speech::Flood,
        3 => Speech::Endless,
        4 => Speech::Giant,
        5 => Speech::Foreign(dice.below(5) as u8),
        6 => Speech::Nonsense,
        _ => Speech::Normal,
    }
}

fn cut(dice: &mut Dice) -> Cut {
    match dice.below(4) {
        0 => Cut::Torn(dice.span(0, SECOND)),
        1 => Cut::Drip(dice.span(0, SECOND)),
        2 => Cut::Glued,
        _ => Cut::Whole,
    }
}

fn reading(dice: &mut Dice) -> Reading {
    match dice.below(3) {
        0 => Reading::Slow(dice.size(1, 64), dice.span(MILLI, 2 * SECOND)),
        1 => Reading::Never,
        _ => Reading::Eager,
    }
}

fn ending(dice: &mut Dice) -> Ending {
    *dice.pick(&[
        Ending::Stay,
        Ending::HalfClose,
        Ending::Leave,
        Ending::Reset,
        Ending::Vanish,
        Ending::Quit,
    ])
}
