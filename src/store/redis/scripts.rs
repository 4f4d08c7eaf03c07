//! The scripts that run inside Redis: each touches keys of one hash slot only, and may run twice.
//!
//! What they do stands in the `.lua` files beside this one; nothing here sends them.

use std::sync::LazyLock;

use redis::{Cmd, Pipeline};

/// A script, and the digest by which a server that knows it is asked to run it.
pub struct Script {
    code: &'static str,
    digest: LazyLock<String>,
}

/// Declares a script from its file.
macro_rules! script {
    ($file:literal) => {
        Script {
            code: include_str!(concat!("scripts/", $file)),
            digest: LazyLock::new(|| redis::Script::new(include_str!(concat!("scripts/", $file))).get_hash().to_owned()),
        }
    };
}

/// Sets a versioned document.
pub static DOCUMENT: Script = script!("document.lua");
/// Adds members to a board.
pub static BOARD: Script = script!("board.lua");
/// Keeps a board alive.
pub static KEEP: Script = script!("keep.lua");
/// Deletes a board.
pub static DROP: Script = script!("drop.lua");
/// Notes versions before they are written.
pub static NOTE: Script = script!("note.lua");
/// Holds a lock, or lets it go.
pub static HOLD: Script = script!("hold.lua");
/// Ends a rebuild.
pub static FINISH: Script = script!("finish.lua");

static ALL: [&Script; 7] = [&DOCUMENT, &BOARD, &KEEP, &DROP, &NOTE, &HOLD, &FINISH];

impl Script {
    /// The command that runs it on these keys; its arguments are to be added.
    pub fn on(&self, keys: &[&str]) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(self.digest.as_str()).arg(keys.len()).arg(keys);
        command
    }
}

/// Makes all scripts known to a server.
pub fn load() -> Pipeline {
    let mut pipeline = redis::pipe();
    for script in ALL {
        pipeline.cmd("SCRIPT").arg("LOAD").arg(script.code).ignore();
    }
    pipeline
}
