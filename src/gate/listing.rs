//! What the admin interface looks through: users, topics and members by slot.

use smol_str::SmolStr;

use super::Gate;
use super::conn::Membership;

#[expect(
    clippy::cast_possible_truncation,
    reason = "tables are bounded by limits of type u32"
)]
impl Gate {
    /// The name in a user's entry.
    pub(crate) fn user_at(&self, user: u32) -> &str {
        &self.users.at(user).name
    }

    /// Slots of users; every one in use is below.
    pub(crate) fn user_slots(&self) -> u32 {
        self.users.slots() as u32
    }

    /// The user in a slot and how many connections he has.
    pub(crate) fn user_in(&self, slot: u32) -> Option<(&SmolStr, usize)> {
        let user = self.users.get(slot)?;
        Some((&user.name, self.users.conns(slot).len()))
    }

    /// Messages that wait for a user.
    pub(crate) fn parked_for(&self, user: &str) -> usize {
        let user = self.users.find(user);
        user.map_or(0, |user| self.users.mailbox(user).len())
    }

    /// Slots of topics; every one in use is below.
    pub(crate) fn topic_slots(&self) -> u32 {
        self.topics.slots() as u32
    }

    /// The name of the topic in a slot.
    pub(crate) fn topic_in(&self, slot: u32) -> Option<&SmolStr> {
        self.topics.get(slot).map(|topic| &topic.name)
    }

    /// Whether the connection in a slot is a member of that topic.
    pub(crate) fn is_member_of(&self, slot: u32, topic: &str) -> bool {
        let joined = self.conns.at(slot).topics();
        if joined.is_empty() {
            return false;
        }
        let Some(topic) = self.topics.find(topic) else {
            return false;
        };
        joined.iter().any(|held: &Membership| held.topic == topic)
    }
}
