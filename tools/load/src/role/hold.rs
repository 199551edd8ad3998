//! Stays open and says nothing.

use super::Role;

/// Silent.
pub(crate) struct Hold;

impl Role for Hold {}
