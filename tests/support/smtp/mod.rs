//! A mail server for tests: it holds a real SMTP conversation, answers as it is told to, and keeps every mail that it took.
//!
//! It delivers nothing, and checks nothing of a mail: tests do.

mod conversation;
mod tls;

use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{net::TcpListener, runtime::Runtime, sync::Notify, task::JoinHandle};

use conversation::hold;
pub use tls::Tls;

/// Where in a conversation something happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// After the recipient was named.
    Recipient,
    /// After DATA, before the content.
    Data,
    /// After the content's last line.
    Content,
}

/// What happens there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// This is answered; a mail whose content is answered with 2xx is taken.
    Answer(At, &'static str),
    /// The connection ends without an answer, and nothing is taken.
    Close(At),
    /// The mail is taken, and the connection ends without an answer.
    TakeAndClose,
    /// Nothing is said for so long, then all goes on.
    Stall(At, Duration),
    /// This is answered, and then nothing more is said.
    AnswerAndFreeze(At, &'static str),
}

/// A mail that was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's recipient.
    pub to: String,
    /// The content, without the dots of the transport.
    pub content: Vec<u8>,
}

/// What a server is told, and what it has seen.
#[derive(Default)]
struct Shared {
    scripts: Mutex<BTreeMap<String, VecDeque<Act>>>,
    taken: Mutex<Vec<Taken>>,
    login: Mutex<Option<(String, String)>>,
    tls: Option<Tls>,
    clear_logins: AtomicUsize,
    connections: AtomicUsize,
    barred: AtomicUsize,
    tries: AtomicUsize,
    contents: AtomicUsize,
    open: AtomicUsize,
    most_open: AtomicUsize,
    hang_up: Notify,
}

/// A listening server; it ends with its value.
pub struct Smtp {
    address: SocketAddr,
    shared: Arc<Shared>,
    runtime: Arc<Runtime>,
    listening: Option<JoinHandle<()>>,
}

impl Drop for Smtp {
    fn drop(&mut self) {
        self.go_away();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Smtp {
    /// A server that takes every mail.
    pub fn start(runtime: &Arc<Runtime>) -> Self {
        Self::start_with(runtime, None)
    }

    /// The same, with TLS.
    pub fn start_with(runtime: &Arc<Runtime>, tls: Option<Tls>) -> Self {
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port for mails");
        let address = listener.local_addr().expect("the mail server's address");
        let mut server =
            Self { address, shared: Arc::new(Shared { tls, ..Shared::default() }), runtime: Arc::clone(runtime), listening: None };
        server.listening = Some(runtime.spawn(listen(listener, Arc::clone(&server.shared))));
        server
    }

    /// `host:port` to connect to.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// Its URL, in the clear.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// What happens to the next mails of a recipient, one after the other; later ones are taken.
    pub fn script(&self, recipient: &str, acts: impl IntoIterator<Item = Act>) {
        lock(&self.shared.scripts).entry(recipient.to_owned()).or_default().extend(acts);
    }

    /// All mails are taken from now on.
    pub fn take_all(&self) {
        lock(&self.shared.scripts).clear();
    }

    /// From now on it takes mails only of who knows this name and password.
    pub fn demand(&self, user: &str, password: &str) {
        *lock(&self.shared.login) = Some((user.to_owned(), password.to_owned()));
    }

    /// It takes mails of everybody again.
    pub fn admit_all(&self) {
        *lock(&self.shared.login) = None;
    }

    /// Connections are refused from now on; those that are open stay.
    pub fn go_away(&mut self) {
        if let Some(listening) = self.listening.take() {
            listening.abort();
            // A task that was aborted has nothing to tell.
            let _ = self.runtime.block_on(listening);
        }
    }

    /// Ends all connections that are open.
    pub fn hang_up(&self) {
        self.shared.hang_up.notify_waiters();
    }

    /// Connections are taken again, at the same address.
    pub fn come_back(&mut self) {
        self.go_away();
        let listener = self.runtime.block_on(TcpListener::bind(self.address)).expect("the same port again");
        self.listening = Some(self.runtime.spawn(listen(listener, Arc::clone(&self.shared))));
    }

    /// Every mail taken, in order.
    pub fn taken(&self) -> Vec<Taken> {
        lock(&self.shared.taken).clone()
    }

    /// How many mails it took for each recipient.
    pub fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for mail in lock(&self.shared.taken).iter() {
            *counts.entry(mail.to.clone()).or_default() += 1;
        }
        counts
    }

    /// Passwords that came in the clear.
    pub fn clear_logins(&self) -> usize {
        self.shared.clear_logins.load(Ordering::SeqCst)
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// Mails so far of those who had not logged in as they must.
    pub fn barred(&self) -> usize {
        self.shared.barred.load(Ordering::SeqCst)
    }

    /// Recipients named so far, whatever was answered.
    pub fn tries(&self) -> usize {
        self.shared.tries.load(Ordering::SeqCst)
    }

    /// Contents received so far, whatever was answered.
    pub fn contents(&self) -> usize {
        self.shared.contents.load(Ordering::SeqCst)
    }

    /// The most mails that were under way at once, from the recipient's name to the last answer.
    pub fn most_at_once(&self) -> usize {
        self.shared.most_open.load(Ordering::SeqCst)
    }
}

async fn listen(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        shared.connections.fetch_add(1, Ordering::SeqCst);
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            tokio::select! {
                // Who was told to hang up answers nothing more.
                biased;
                () = shared.hang_up.notified() => {}
                () = hold(stream, Arc::clone(&shared)) => {}
            }
        });
    }
}
