//! The whole server over simulated sockets and a virtual clock, from seeds.
//!
//! - `world/`: the simulated world, its clients, its judge
//! - `seeds`: a seed is a run; the sweep, the replay
//! - `scenarios/`: named stories
//! - `contract`: that the simulated kernel keeps the rules of the real one
//! - `conformance`: that both nets tell the same of the same script
//! - `shrink`: makes a run that fails smaller

mod conformance;
mod contract;
mod scenarios;
mod seeds;
mod shrink;
mod world;
