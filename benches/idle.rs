//! A bench.

fn main() {}
