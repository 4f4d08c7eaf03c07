//! The commands on real servers: what each prints, and with which code it ends, where all is well and where it is not.

mod contract;
mod lag;
mod letters;
mod produce;
mod start;
mod verify;

use serde_json::Value as Json;

use crate::support::{World, world::told};

/// Runs a command, which must end with this code and say all of these; what it said.
fn ends(world: &World, arguments: &[&str], code: i32, says: &[&str]) -> String {
    let output = world.run(arguments);
    let told = told(&output);
    assert_eq!(output.status.code(), Some(code), "fleet {}: {told}", arguments.join(" "));
    for said in says {
        assert!(told.contains(said), "fleet {} does not say {said}: {told}", arguments.join(" "));
    }
    told
}

/// Runs a command for data, which must end with this code; its standard output, which is one JSON document.
fn json(world: &World, arguments: &[&str], code: i32) -> Json {
    let output = world.run(&[arguments, &["--json"]].concat());
    assert_eq!(output.status.code(), Some(code), "fleet {}: {}", arguments.join(" "), told(&output));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|it| panic!("fleet {}: {it}: {}", arguments.join(" "), told(&output)))
}
