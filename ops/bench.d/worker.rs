//! Workers as processes of their own: started, asked for their metrics, stopped, killed.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    time::Duration,
};

use fleet::fault::Fault;
use tokio::{
    process::{Child, Command},
    time::timeout,
};
use workers::fold::Role;

use crate::scrape::Scrape;

/// How long a worker may take to stop.
const STOP: Duration = Duration::from_secs(35);

/// A worker process. It ends with this program at the latest.
pub struct Worker {
    child: Child,
    /// Its process.
    pub pid: u32,
    address: SocketAddr,
}

/// Where workers log.
pub fn logs() -> PathBuf {
    std::env::var_os("FLEET_BENCH_LOGS").map_or_else(std::env::temp_dir, PathBuf::from)
}

/// The program that stands beside this one.
pub fn fleet() -> Result<PathBuf, Fault> {
    let own = std::env::current_exe().map_err(Fault::fatal)?;
    let fleet = own.with_file_name("fleet");
    if fleet.exists() { Ok(fleet) } else { Err(Fault::fatal(format!("no fleet beside {}: build both", own.display()))) }
}

impl Worker {
    /// Starts a worker of a role; it takes its configuration from this program's environment.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(role: &Role, number: usize) -> Result<Self, Fault> {
        Self::start_all(&[role], number)
    }

    /// Starts a worker of several roles.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_all(roles: &[&Role], number: usize) -> Result<Self, Fault> {
        let names = roles.iter().map(|it| it.name).collect::<Vec<_>>().join(",");
        let address = free_address()?;
        let path = logs().join(format!("{}-{number}.log", names.replace(',', "-")));
        let log = File::create(&path).map_err(|it| Fault::fatal(format!("{}: {it}", path.display())))?;
        let mut command = Command::new(fleet()?);
        command.args(["run", "--role", &names]).env("FLEET_HTTP", address.to_string());
        command.stdout(log.try_clone().map_err(Fault::fatal)?).stderr(log).kill_on_drop(true);
        let child = command.spawn().map_err(|it| Fault::fatal(format!("fleet run: {it}")))?;
        let pid = child.id().ok_or_else(|| Fault::fatal("fleet run: ended at once"))?;
        Ok(Self { child, pid, address })
    }

    /// Its metrics; none if it does not answer.
    pub async fn scrape(&self) -> Scrape {
        let text = async { reqwest::get(format!("http://{}/metrics", self.address)).await?.text().await };
        text.await.map(|it| Scrape::parse(&it)).unwrap_or_default()
    }

    /// Whether it has ended by itself.
    ///
    /// # Errors
    /// It has: the end of its log.
    pub fn check(&mut self, role: &Role, number: usize) -> Result<(), Fault> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            _ => {
                let log = fs::read_to_string(logs().join(format!("{}-{number}.log", role.name))).unwrap_or_default();
                Err(Fault::fatal(format!("the worker ended: {}", log.lines().last().unwrap_or("without a word"))))
            }
        }
    }

    /// Kills it at once.
    pub fn kill(&mut self) {
        // It may have ended already, which is as good.
        let _ = self.child.start_kill();
    }

    /// Asks it to stop, and waits for that.
    ///
    /// # Errors
    /// It does not.
    pub async fn stop(mut self) -> Result<(), Fault> {
        let asked = Command::new("kill").args(["-TERM", &self.pid.to_string()]).status().await;
        asked.map_err(|it| Fault::fatal(format!("kill: {it}")))?;
        let ended = timeout(STOP, self.child.wait()).await;
        ended.map_err(|_| Fault::fatal("a worker did not stop within 35 s"))?.map_err(Fault::fatal)?;
        Ok(())
    }
}

/// A port that was free a moment ago.
fn free_address() -> Result<SocketAddr, Fault> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|it| Fault::fatal(format!("a port: {it}")))?;
    listener.local_addr().map_err(Fault::fatal)
}
