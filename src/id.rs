//! Ids: who an event, a timer or a request is about.
//!
//! A connection's id is the index of its slot and a serial that grows with each use of the slot,
//! so that an id kept too long never reaches the connection that came after. Ids are plain
//! numbers: copying one costs nothing and keeps nothing alive.

use std::fmt;

/// A connection: slot index and serial.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId {
    /// The slot; below [`Limits::connections`](crate::Limits) plus the reserve for refusals.
    pub index: u32,
    /// The use of the slot, 31 bits; a slot's serials never repeat within 2^31 uses.
    pub serial: u32,
}

/// A listener: its place in the order of binding.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ListenerId(pub u16);

/// What readiness is about, packed into the 64 bits that mio carries for us.
///
/// Bit 63 tells connections (0) from everything else (1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Token {
    /// A connection's socket.
    Conn(ConnId),
    /// A listening socket.
    Listener(ListenerId),
    /// A connection to the admin interface: its slot there, and the use of it.
    Admin {
        /// The slot.
        slot: u16,
        /// The use of the slot, 30 bits.
        serial: u32,
    },
    /// The listening socket of the admin interface.
    AdminDoor,
    /// Another thread handed in a task.
    Waker,
    /// A signal arrived.
    Signal,
}

impl ConnId {
    /// The largest serial; then a slot starts again at zero.
    pub const SERIAL_MAX: u32 = (1 << 31) - 1;

    /// The id as one number, as the admin interface shows it.
    #[must_use]
    pub fn to_u64(self) -> u64 {
        u64::from(self.serial) << 32 | u64::from(self.index)
    }

    /// The id in such a number; `None` where bit 63 is set.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the two halves are cut apart"
    )]
    pub fn from_u64(number: u64) -> Option<Self> {
        let (serial, index) = ((number >> 32) as u32, number as u32);
        (serial <= Self::SERIAL_MAX).then_some(Self { index, serial })
    }
}

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "c{}.{}", self.index, self.serial)
    }
}

impl fmt::Debug for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

const OTHER: u64 = 1 << 63;
const WAKER: u64 = OTHER | 1 << 32;
const SIGNAL: u64 = OTHER | 2 << 32;
const ADMIN_DOOR: u64 = OTHER | 3 << 32;
const ADMIN: u64 = OTHER | 1 << 62;
/// The bits of an admin connection that are not used.
const ADMIN_SPARE: u64 = 0xFFFF << 16;

impl Token {
    /// The 64 bits for the kernel.
    #[must_use]
    pub fn pack(self) -> u64 {
        match self {
            Self::Conn(conn) => conn.to_u64(),
            Self::Listener(listener) => OTHER | u64::from(listener.0),
            Self::Admin { slot, serial } => ADMIN | u64::from(serial) << 32 | u64::from(slot),
            Self::AdminDoor => ADMIN_DOOR,
            Self::Waker => WAKER,
            Self::Signal => SIGNAL,
        }
    }

    /// What those 64 bits mean; `None` for bits that [`Token::pack`] never makes.
    #[must_use]
    pub fn unpack(bits: u64) -> Option<Self> {
        match bits {
            _ if bits & OTHER == 0 => ConnId::from_u64(bits).map(Self::Conn),
            WAKER => Some(Self::Waker),
            SIGNAL => Some(Self::Signal),
            ADMIN_DOOR => Some(Self::AdminDoor),
            _ if bits & ADMIN == ADMIN => {
                let serial = u32::try_from((bits & !ADMIN) >> 32).ok()?;
                let slot = u16::try_from(bits & 0xFFFF).ok()?;
                (bits & ADMIN_SPARE == 0).then_some(Self::Admin { slot, serial })
            }
            _ => u16::try_from(bits & !OTHER)
                .ok()
                .map(|n| Self::Listener(ListenerId(n))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_packing() {
        let conns = [(0, 0), (7, 3), (u32::MAX, ConnId::SERIAL_MAX)];
        for (index, serial) in conns {
            let token = Token::Conn(ConnId { index, serial });
            assert_eq!(Token::unpack(token.pack()), Some(token));
        }
        for token in [
            Token::Listener(ListenerId(0)),
            Token::Listener(ListenerId(u16::MAX)),
            Token::Admin { slot: 0, serial: 0 },
            Token::Admin {
                slot: u16::MAX,
                serial: (1 << 30) - 1,
            },
            Token::AdminDoor,
            Token::Waker,
            Token::Signal,
        ] {
            assert_eq!(Token::unpack(token.pack()), Some(token));
        }
        assert_eq!(Token::unpack(u64::MAX), None);
        assert_eq!(ConnId::from_u64(u64::MAX), None);
    }
}
