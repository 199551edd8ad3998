//! Writes what is made into the repository: `cargo run -p pulsegate-manpages`.

use std::path::Path;
use std::{fs, io};

fn main() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (path, text) in pulsegate_manpages::all() {
        fs::write(root.join(path), text)?;
    }
    Ok(())
}
