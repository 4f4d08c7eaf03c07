//! A Redis server of a test's own: keys have no namespace, and tests kill and empty it.

use std::{
    fs, io,
    net::TcpListener,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use redis::{Client, Connection, FromRedisValue};

use super::wait::soon;

/// A running server, killed when this is dropped.
pub struct Redis {
    port: u16,
    program: PathBuf,
    folder: PathBuf,
    process: Child,
}

impl Redis {
    /// Starts one that keeps its files in a folder.
    pub fn start(folder: &Path) -> Self {
        let program = folder.join("redis-server");
        // Debian's redis-check-rdb is the server when it is called by the server's name.
        symlink(find("redis-check-rdb"), &program).expect("a link to the server");
        let port = free_port();
        let process = run(&program, folder, port);
        let redis = Self { port, program, folder: folder.to_owned(), process };
        redis.await_ready();
        redis
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Ends it as kill -9 does; nothing of it is kept.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Starts it again on the same port, empty.
    pub fn restart(&mut self) {
        self.process = run(&self.program, &self.folder, self.port);
        self.await_ready();
    }

    /// A connection.
    pub fn connect(&self) -> Result<Connection, String> {
        Client::open(self.url()).and_then(|it| it.get_connection()).map_err(|it| it.to_string())
    }

    /// The answer to a command.
    pub fn ask<T: FromRedisValue>(&self, words: &[&str]) -> T {
        let (name, arguments) = words.split_first().expect("a command");
        let mut connection = self.connect().expect("redis answers");
        redis::cmd(name).arg(arguments).query(&mut connection).unwrap_or_else(|it| panic!("redis: {words:?}: {it}"))
    }

    fn await_ready(&self) {
        soon("redis to answer", || self.connect().map(|_| ()));
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

fn run(program: &Path, folder: &Path, port: u16) -> Child {
    let log = fs::OpenOptions::new().create(true).append(true).open(folder.join("redis.log")).expect("a log for redis");
    let mut command = Command::new(program);
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]).current_dir(folder);
    command.stdin(Stdio::null()).stderr(Stdio::null()).stdout(log).spawn().expect("redis starts")
}

fn find(program: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|it| it.join(program)).find(|it| it.exists());
    found.unwrap_or_else(|| panic!("{program} is not on the PATH: apt-get install redis-tools"))
}

/// A port that nobody listens on now.
pub fn free_port() -> u16 {
    let bound: io::Result<u16> = TcpListener::bind("127.0.0.1:0").and_then(|it| Ok(it.local_addr()?.port()));
    bound.expect("a free port")
}
