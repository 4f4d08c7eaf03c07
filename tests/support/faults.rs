//! A set of servers to be killed and frozen, one test at a time: the instance `faults` of `ops/stack`, or, beside another
//! instance than the main one, `<instance>-faults`.
//!
//! It is left as it was found: running.

use std::{
    collections::BTreeMap,
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value as Json;

use super::servers::{Servers, project};

const SERVERS: [&str; 3] = ["kafka", "registry", "mysql"];

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The instance, for as long as this is held.
pub struct Faults {
    _turn: MutexGuard<'static, ()>,
    frozen: Mutex<Vec<i32>>,
}

impl Faults {
    /// Waits for the instance's turn, and brings it up where it is not.
    pub fn take() -> Self {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let faults = Self { _turn: turn, frozen: Mutex::default() };
        faults.up();
        faults
    }

    pub fn servers(&self) -> Servers {
        let text = stack(&["env"]);
        let exports = text.lines().filter_map(|it| it.strip_prefix("export ")?.split_once('='));
        let variables: BTreeMap<&str, &str> = exports.collect();
        Servers::of(|name| variables.get(name).map(|it| (*it).to_owned()))
    }

    fn up(&self) {
        stack(&[&["up"], &SERVERS[..]].concat());
    }

    /// Ends a server as kill -9 does.
    pub fn kill(&self, server: &str) {
        stack(&["kill", server]);
    }

    /// Starts a killed server on the data it left, and waits until it serves.
    pub fn start(&self, server: &str) {
        stack(&["start", server]);
    }

    /// Freezes a server: its sockets stay, and nothing answers.
    pub fn freeze(&self, server: &str) {
        let pid = pid(server);
        signal(pid, Signal::SIGSTOP);
        self.frozen.lock().unwrap_or_else(PoisonError::into_inner).push(pid);
    }

    pub fn thaw(&self, server: &str) {
        let pid = pid(server);
        signal(pid, Signal::SIGCONT);
        self.frozen.lock().unwrap_or_else(PoisonError::into_inner).retain(|it| *it != pid);
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        for pid in self.frozen.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGCONT);
        }
        // A test that failed may have left a server dead.
        if std::thread::panicking() {
            let _ = command(&[&["up"], &SERVERS[..]].concat()).status();
        }
    }
}

fn signal(pid: i32, signal: Signal) {
    kill(Pid::from_raw(pid), signal).unwrap_or_else(|it| panic!("{signal} to {pid}: {it}"));
}

fn pid(server: &str) -> i32 {
    let text = command(&["status", "--json"]).output().expect("ops/stack status").stdout;
    let status: Json = serde_json::from_slice(&text).expect("ops/stack status --json");
    let all = status["servers"].as_array().expect("a list of servers");
    let found = all.iter().find(|it| it["name"] == server).unwrap_or_else(|| panic!("{server} is not in {status}"));
    found["pid"].as_i64().and_then(|it| i32::try_from(it).ok()).unwrap_or_else(|| panic!("{server} does not run: {found}"))
}

fn stack(arguments: &[&str]) -> String {
    let output = command(arguments).output().expect("ops/stack runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ops/stack {}: {said}", arguments.join(" "));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn instance() -> String {
    match std::env::var("FLEET_STACK") {
        Ok(name) if name != "main" => format!("{name}-faults"),
        _ => "faults".to_owned(),
    }
}

/// ops/stack, on the instance's own servers whatever the environment says.
fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(project("ops/stack"));
    for variable in
        ["FLEET_BROKERS", "FLEET_REGISTRY_URL", "FLEET_MYSQL_URL", "FLEET_REDIS_URL", "FLEET_PROMETHEUS_URL", "FLEET_STACK_PORT"]
    {
        command.env_remove(variable);
    }
    command.env("FLEET_STACK", instance()).args(arguments);
    command
}
