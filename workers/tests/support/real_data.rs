//! Real data for tests: it lies outside the project, in the folder FLEET_SHARED or else beside the checkout in `shared/data`.
//!
//! Where a file is absent, one line says which test did not check what.

#![expect(clippy::disallowed_methods, reason = "the real data lies outside the tree")]

use std::path::PathBuf;

/// A file's text. One that is not UTF-8 is in Latin-1, whose bytes are the first 256 characters.
pub fn text(path: &str) -> Option<String> {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data"));
    let folder = std::env::var_os("FLEET_SHARED").map_or_else(beside, PathBuf::from);
    let bytes = std::fs::read(folder.join(path)).ok();
    if bytes.is_none() {
        println!("not checked, for want of the file {path}: {}", std::thread::current().name().unwrap_or_default());
    }
    bytes.map(|it| String::from_utf8(it).unwrap_or_else(|bad| bad.into_bytes().into_iter().map(char::from).collect()))
}
