//! A proxy between a worker and a server: passes, stalls, cuts, and loses or delays what matters most, MySQL's COMMIT.
//!
//! It reads along only far enough to know a COMMIT, and only where nothing is encrypted.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    runtime::Runtime,
    sync::watch,
    task::JoinHandle,
    time::sleep,
};

/// What becomes of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// They go through.
    Pass,
    /// They wait, in both directions; new connections are taken and wait too.
    Stall,
    /// Connections end, and none is taken.
    Cut,
}

/// What becomes of a COMMIT, and of the connection that it came on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    /// It is done, and the answer is lost.
    AnswerLost,
    /// It never arrives.
    Lost,
    /// It never arrives, and nothing else does until the mode is set again.
    LostForGood,
    /// The client loses its connection now; the COMMIT arrives so much later.
    Late(Duration),
    /// It arrives so much later, and all goes well.
    Delayed(Duration),
}

/// The packet of a COMMIT. It comes last in what a client sends: the client waits for the answer before it says more.
const COMMIT: &[u8] = b"\x07\x00\x00\x00\x03COMMIT";

struct Shared {
    target: String,
    mode: watch::Sender<Mode>,
    commit: watch::Sender<Option<Commit>>,
    /// What a client may not say for now.
    hold: watch::Sender<Option<&'static [u8]>>,
    /// How many clients wait to say it.
    holding: AtomicU32,
    /// COMMITs that are still to be treated so.
    left: AtomicU32,
    hit: AtomicU32,
}

/// A listening proxy; it ends with its value.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.mode.send_replace(Mode::Cut);
        self.task.abort();
    }
}

impl Proxy {
    /// A proxy to `host:port`, passing.
    pub fn start(runtime: &Runtime, target: &str) -> Self {
        let shared = Shared {
            target: target.to_owned(),
            mode: watch::Sender::new(Mode::Pass),
            commit: watch::Sender::new(None),
            hold: watch::Sender::new(None),
            holding: AtomicU32::new(0),
            left: AtomicU32::new(0),
            hit: AtomicU32::new(0),
        };
        let shared = Arc::new(shared);
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port for the proxy");
        let address = listener.local_addr().expect("the proxy's address");
        let task = runtime.spawn(listen(listener, Arc::clone(&shared)));
        Self { address, shared, task }
    }

    /// `host:port` to connect to.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    pub fn set(&self, mode: Mode) {
        self.shared.mode.send_replace(mode);
    }

    /// Clients that say this wait, each alone, until something else is held, or nothing.
    pub fn hold(&self, text: Option<&'static str>) {
        self.shared.hold.send_replace(text.map(str::as_bytes));
    }

    /// How many wait.
    pub fn holding(&self) -> u32 {
        self.shared.holding.load(Ordering::SeqCst)
    }

    /// Treats the next COMMITs so.
    pub fn treat_commits(&self, commit: Commit, count: u32) {
        self.shared.commit.send_replace(Some(commit));
        self.shared.left.store(count, Ordering::SeqCst);
    }

    /// COMMITs treated so far.
    pub fn hits(&self) -> u32 {
        self.shared.hit.load(Ordering::SeqCst)
    }
}

impl Shared {
    /// Waits while what a client says is held.
    async fn held(&self, said: &[u8]) {
        let mut hold = self.hold.subscribe();
        let is_held = |it: &Option<&[u8]>| it.is_some_and(|text| said.windows(text.len()).any(|it| it == text));
        if !is_held(&hold.borrow()) {
            return;
        }
        self.holding.fetch_add(1, Ordering::SeqCst);
        // The sender lives as long as what is shared.
        let _ = hold.wait_for(|it| !is_held(it)).await;
        self.holding.fetch_sub(1, Ordering::SeqCst);
    }

    /// What is to become of a COMMIT that just came.
    fn treatment(&self) -> Option<Commit> {
        let treatment = (*self.commit.borrow())?;
        let taken = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |it| it.checked_sub(1)).is_ok();
        self.hit.fetch_add(u32::from(taken), Ordering::SeqCst);
        taken.then_some(treatment)
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        if *shared.mode.borrow() == Mode::Cut {
            continue;
        }
        tokio::spawn(connection(client, Arc::clone(&shared)));
    }
}

async fn connection(client: TcpStream, shared: Arc<Shared>) {
    let mut modes = shared.mode.subscribe();
    let work = async {
        passing(&shared).await;
        let Ok(server) = TcpStream::connect(&shared.target).await else { return };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let mute = watch::Sender::new(false);
        tokio::select! {
            () = upstream(from_client, to_server, &shared, &mute) => {}
            () = downstream(from_server, to_client, &shared, &mute) => {}
        }
    };
    tokio::select! {
        () = work => {}
        _ = modes.wait_for(|it| *it == Mode::Cut) => {}
    }
}

async fn passing(shared: &Shared) {
    // The sender lives as long as what is shared.
    let _ = shared.mode.subscribe().wait_for(|it| *it == Mode::Pass).await;
}

/// From the client to the server, with an eye on COMMIT.
async fn upstream(mut client: OwnedReadHalf, mut server: OwnedWriteHalf, shared: &Shared, mute: &watch::Sender<bool>) {
    let mut held = Vec::new();
    let mut chunk = vec![0; 64 << 10];
    while let Ok(read @ 1..) = client.read(&mut chunk).await {
        held.extend_from_slice(&chunk[..read]);
        passing(shared).await;
        shared.held(&held).await;
        let treatment = if held.ends_with(COMMIT) { shared.treatment() } else { None };
        match treatment {
            None => {}
            Some(Commit::Lost) => return,
            Some(Commit::LostForGood) => {
                shared.mode.send_replace(Mode::Cut);
                return;
            }
            Some(Commit::AnswerLost) => {
                mute.send_replace(true);
            }
            Some(Commit::Delayed(time)) => sleep(time).await,
            Some(Commit::Late(time)) => {
                tokio::spawn(arrive_late(server, held, time));
                return;
            }
        }
        if server.write_all(&held).await.is_err() {
            return;
        }
        held.clear();
    }
}

/// The client's side ends at once, the server's when the COMMIT has been sent and taken.
async fn arrive_late(mut server: OwnedWriteHalf, commit: Vec<u8>, time: Duration) {
    sleep(time).await;
    let _ = server.write_all(&commit).await;
    sleep(Duration::from_millis(500)).await;
}

async fn downstream(mut server: OwnedReadHalf, mut client: OwnedWriteHalf, shared: &Shared, mute: &watch::Sender<bool>) {
    let mut chunk = vec![0; 64 << 10];
    while let Ok(read @ 1..) = server.read(&mut chunk).await {
        passing(shared).await;
        if *mute.borrow() || client.write_all(&chunk[..read]).await.is_err() {
            return;
        }
    }
}
