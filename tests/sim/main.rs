//! The whole server over simulated sockets and a virtual clock, from seeds.

mod contract;
mod seeds;
mod world;
