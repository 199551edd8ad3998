//! The load tool as its users run it: the real binary against a server on a thread of the test.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the verdict")]

mod comparing;
mod doctor;
mod foreign;
mod house;
mod ports;
mod refusals;
mod results;
mod scenarios;
mod schema;
mod screen;
mod showing;
mod tool;
mod trouble;
mod truth;
