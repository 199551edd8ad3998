//! The real kernel.
