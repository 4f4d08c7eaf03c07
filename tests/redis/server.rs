//! A private Redis, started for one test and gone with it.
//!
//! It runs as a cluster of one node, so that a command or script with keys of two slots is an error.

use std::{
    net::TcpListener,
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use fleet::store::redis::Caches;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sqlx::MySqlPool;
use tempfile::TempDir;

use super::model::ROLE;

/// A server and a plain connection to it.
pub struct Server {
    process: Child,
    port: u16,
    folder: TempDir,
    client: redis::Client,
}

impl Server {
    /// Starts one, and waits until it serves all slots.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let process = spawn(port, &folder);
        let client = redis::Client::open(format!("redis://127.0.0.1:{port}/")).unwrap();
        let server = Self { process, port, folder, client };
        server.serve_all_slots();
        server
    }

    fn serve_all_slots(&self) {
        wait_until("redis answers", || self.client.get_connection().is_ok());
        let state = || self.ask::<String>(&["CLUSTER", "INFO"]).contains("cluster_state:ok");
        if !state() {
            self.ask::<()>(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
        }
        wait_until("redis serves all slots", state);
    }

    /// Kills it, and starts an empty one on its port.
    pub fn replace(&mut self) {
        self.kill();
        self.folder = tempfile::tempdir().unwrap();
        self.process = spawn(self.port, &self.folder);
        self.serve_all_slots();
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Freezes it, or lets it go on.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.id().cast_signed()), signal).unwrap();
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// The caches of the tests' role.
    pub fn caches(&self, mysql: MySqlPool) -> Caches {
        Caches::new(&self.url(), &ROLE, mysql).unwrap()
    }

    /// The same, where no row is ever read.
    pub fn caches_alone(&self) -> Caches {
        self.caches(MySqlPool::connect_lazy("mysql://nobody@127.0.0.1:1/none").unwrap())
    }

    /// The answer to one command.
    pub fn ask<T: redis::FromRedisValue>(&self, words: &[&str]) -> T {
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query(&mut self.client.get_connection().unwrap()).unwrap()
    }

    /// Members and scores of a sorted set, best first.
    pub fn board(&self, key: &str) -> Vec<(String, f64)> {
        self.ask(&["ZRANGE", key, "0", "-1", "REV", "WITHSCORES"])
    }

    /// Members of a sorted set, best first.
    pub fn members(&self, key: &str) -> Vec<String> {
        self.board(key).into_iter().map(|(member, _)| member).collect()
    }

    /// All keys but those that say how whole Redis is.
    pub fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self.ask(&["KEYS", "*"]);
        keys.retain(|it| !it.starts_with("fleet:"));
        keys.sort();
        keys
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Debian's redis-check-rdb is the server when it is called by the server's name.
fn spawn(port: u16, folder: &TempDir) -> Child {
    let given = std::env::var_os("FLEET_TEST_REDIS_SERVER");
    let mut command = Command::new(given.unwrap_or_else(|| "redis-check-rdb".into()));
    command.arg0("redis-server").arg("--port").arg(port.to_string()).arg("--dir").arg(folder.path());
    command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    command.args(["--cluster-enabled", "yes", "--cluster-port"]).arg(free_port().to_string());
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(20), "{what}: not within 20 s");
        std::thread::sleep(Duration::from_millis(10));
    }
}
