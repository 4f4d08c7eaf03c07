//! CPU time and memory of processes, as /proc tells them.
//!
//! A server that ops/stack did not start has no process here, and its figures are left out.

use std::{fs, time::Instant};

use fleet::fault::Fault;

/// Ticks a second in /proc, on every Linux.
const TICKS: f64 = 100.0;

/// The servers of the stack that run on this machine, by name.
pub struct Servers(Vec<(String, u32)>);

impl Servers {
    /// Those that `ops/stack status --json` named, as ops/bench hands it over.
    ///
    /// # Errors
    /// It is something else.
    pub fn find() -> Result<Self, Fault> {
        let told = std::env::var("FLEET_BENCH_STACK").unwrap_or_else(|_| "{}".to_owned());
        let told: serde_json::Value = serde_json::from_str(&told).map_err(|it| Fault::fatal(format!("FLEET_BENCH_STACK: {it}")))?;
        let servers = told.get("servers").and_then(|it| it.as_array()).into_iter().flatten();
        let running = servers.filter_map(|it| {
            let pid = it.get("pid")?.as_u64().and_then(|it| u32::try_from(it).ok())?;
            Some((it.get("name")?.as_str()?.to_owned(), pid))
        });
        Ok(Self(running.collect()))
    }
}

/// CPU seconds used so far.
pub struct Usage {
    at: Instant,
    workers: f64,
    servers: Vec<(String, f64)>,
    own: f64,
    busy: f64,
}

/// CPU seconds used between two moments.
pub struct Spent {
    /// How far they lie apart.
    pub seconds: f64,
    /// By the workers.
    pub workers: f64,
    servers: Vec<(String, f64)>,
    /// By this program.
    pub own: f64,
    /// By everything else on the machine but this program.
    pub others: f64,
}

impl Usage {
    /// As it is now.
    pub fn now(workers: &[u32], servers: &Servers) -> Self {
        Self {
            at: Instant::now(),
            workers: workers.iter().map(|it| cpu(*it)).sum(),
            servers: servers.0.iter().map(|(name, pid)| (name.clone(), cpu(*pid))).collect(),
            own: cpu(std::process::id()),
            busy: busy(),
        }
    }

    /// What was used since.
    pub fn since(&self, before: &Self) -> Spent {
        let servers = self.servers.iter().zip(&before.servers).map(|((name, now), (_, then))| (name.clone(), now - then));
        let servers: Vec<(String, f64)> = servers.collect();
        let workers = self.workers - before.workers;
        let own = self.own - before.own;
        let known = workers + own + servers.iter().map(|it| it.1).sum::<f64>();
        let seconds = (self.at - before.at).as_secs_f64();
        Spent { seconds, workers, servers, own, others: (self.busy - before.busy - known).max(0.0) }
    }
}

impl Spent {
    /// By a server; `None` if it does not run here.
    pub fn server(&self, name: &str) -> Option<f64> {
        self.servers.iter().find(|it| it.0 == name).map(|it| it.1)
    }
}

/// CPU seconds of a process; 0 once it is gone.
fn cpu(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name, in brackets, may hold anything; user and system time are the 12th and 13th after it.
    let after = stat.rsplit_once(')').map_or("", |it| it.1);
    after.split_whitespace().skip(11).take(2).filter_map(|it| it.parse::<f64>().ok()).sum::<f64>() / TICKS
}

/// CPU seconds of the whole machine that were not idle.
fn busy() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields: Vec<f64> = stat.lines().next().unwrap_or_default().split_whitespace().skip(1).filter_map(|it| it.parse().ok()).collect();
    // user, nice, system, (idle, iowait,) irq, softirq
    let not_idle = fields.iter().enumerate().filter(|(place, _)| matches!(place, 0..=2 | 5 | 6));
    not_idle.map(|it| it.1).sum::<f64>() / TICKS
}

/// The most memory that a process has held, in MiB.
pub fn peak_rss(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|it| it.parse::<f64>().ok()).unwrap_or_default() / 1024.0
}
