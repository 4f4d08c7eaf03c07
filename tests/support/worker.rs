//! Workers: child processes of the real binary, with their signals, their HTTP and their log.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use serde_json::Value as Json;

use super::{
    http::{self, Metrics},
    wait::{SOON, soon, wait_until},
};

/// Lines of a worker's log that a failed test shows.
const SHOWN: usize = 60;

/// A running worker; killed when this is dropped.
pub struct Worker {
    name: String,
    log: PathBuf,
    process: Child,
    ended: Option<ExitStatus>,
}

impl Worker {
    /// Starts a command that runs until it is told otherwise, its log in a folder.
    pub fn start(mut command: Command, name: String, folder: &Path) -> Self {
        let log = folder.join(format!("{name}.log"));
        let file = fs::File::create(&log).expect("a worker's log");
        let out = file.try_clone().expect("a worker's log");
        let process = command.stdin(Stdio::null()).stdout(out).stderr(file).spawn().expect("the worker starts");
        Self { name, log, process, ended: None }
    }

    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// All that it has said.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.process.id()).expect("a process id");
        kill(Pid::from_raw(pid), signal).unwrap_or_else(|it| panic!("{}: {signal}: {it}", self.name));
    }

    /// As kill -9.
    pub fn kill(mut self) {
        self.end_now();
    }

    fn end_now(&mut self) {
        if self.ended.is_none() {
            let _ = self.process.kill();
            self.ended = self.process.wait().ok();
        }
    }

    /// Freezes it, wherever it is.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Lets it go on.
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    pub fn terminate(&self) {
        self.signal(Signal::SIGTERM);
    }

    /// Whether it is frozen, by others or by itself.
    pub fn is_frozen(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('T'))
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.process.try_wait().expect("the worker's status");
        }
        self.ended
    }

    /// Waits for its end: how it ended, and after how long.
    pub fn wait(&mut self, limit: Duration) -> (ExitStatus, Duration) {
        let started = Instant::now();
        let name = self.name.clone();
        let status = wait_until(&format!("the end of {name}"), limit, || self.ended().ok_or_else(|| "it is still running".to_owned()));
        (status, started.elapsed())
    }

    /// Asks it to end, and waits until it did, in order.
    pub fn stop(mut self) {
        // A signal that comes before it listens to any ends it as it ends every program.
        soon(&format!("{} to have started", self.name), || self.address());
        self.terminate();
        let (status, _) = self.wait(SOON);
        assert!(status.success(), "{} ended with {status}", self.name);
    }

    /// `host:port` of its HTTP, as its log says.
    pub fn address(&self) -> Result<String, String> {
        let log = self.log();
        let rest = log.split("serving metrics and health at http://").nth(1).ok_or("its log names no HTTP address")?;
        Ok(rest.split_whitespace().next().unwrap_or_default().to_owned())
    }

    pub fn get(&self, path: &str) -> Result<http::Answer, String> {
        http::get(&self.address()?, path)
    }

    pub fn metrics(&self) -> Result<Metrics, String> {
        Ok(Metrics::parse(&self.get("/metrics")?.body))
    }

    /// The sum of a metric's series with these labels, once it answers.
    pub fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        soon(&format!("metrics of {}", self.name), || self.metrics()).sum(name, labels)
    }

    /// The lanes, as /state tells of them.
    pub fn lanes(&self) -> Result<Vec<Json>, String> {
        let answer = self.get("/state")?;
        let state: Json = serde_json::from_str(&answer.body).map_err(|it| format!("/state: {it}"))?;
        state["lanes"].as_array().cloned().ok_or_else(|| format!("/state: {state}"))
    }

    /// The lanes, once every one of them works.
    pub fn lanes_at_work(&self) -> Result<Vec<Json>, String> {
        let lanes = self.lanes()?;
        let working = lanes.iter().all(|it| it["state"] == "idle" || it["state"] == "flowing");
        if working { Ok(lanes) } else { Err(format!("its lanes are {lanes:?}")) }
    }

    /// The partitions that it has lanes for.
    pub fn partitions(&self) -> Result<Vec<i64>, String> {
        Ok(self.lanes()?.iter().filter_map(|it| it["partition"].as_i64()).collect())
    }

    /// Waits until the lane of a partition is in this state; why it is.
    pub fn await_state(&self, partition: i32, wanted: &str) -> String {
        soon(&format!("lane {partition} of {} to be {wanted}", self.name), || {
            let lanes = self.lanes()?;
            let lane = lanes.iter().find(|it| it["partition"] == partition).ok_or("it has no such lane")?;
            let detail = lane["detail"].as_str().unwrap_or_default().to_owned();
            if lane["state"] == wanted { Ok(detail) } else { Err(format!("it is {}: {detail}", lane["state"])) }
        })
    }

    /// A figure of its memory in KiB: `VmRSS` now, `VmHWM` at most so far.
    pub fn memory_kib(&self, figure: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the worker's memory");
        let line = status.lines().find_map(|it| it.strip_prefix(figure)).expect("the figure");
        line.trim_matches(|it: char| !it.is_ascii_digit()).parse().expect("a number of KiB")
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.end_now();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            println!("--- {} ({:?}), the end of its log:", self.name, self.ended);
            lines.iter().skip(lines.len().saturating_sub(SHOWN)).for_each(|it| println!("    {it}"));
        }
    }
}
