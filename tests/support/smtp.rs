//! A mail server for tests: it holds a real SMTP conversation, answers as it is told to, and keeps every mail that it took.
//!
//! It delivers nothing, and checks nothing of a mail: tests do.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    task::JoinHandle,
    time::sleep,
};

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
    connections: AtomicUsize,
    tries: AtomicUsize,
    contents: AtomicUsize,
    open: AtomicUsize,
    most_open: AtomicUsize,
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
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port for mails");
        let address = listener.local_addr().expect("the mail server's address");
        let mut server = Self { address, shared: Arc::default(), runtime: Arc::clone(runtime), listening: None };
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

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
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
        let conversation =
            Conversation { stream: BufReader::new(stream), shared: Arc::clone(&shared), is_known: false, from: String::new() };
        tokio::spawn(conversation.hold());
    }
}

/// One connection.
struct Conversation {
    stream: BufReader<TcpStream>,
    shared: Arc<Shared>,
    is_known: bool,
    from: String,
}

/// The mail being handed over, and what shall happen to it.
struct Incoming {
    to: String,
    act: Option<Act>,
    _under_way: UnderWay,
}

/// One of the mails that are under way.
struct UnderWay(Arc<Shared>);

impl UnderWay {
    fn new(shared: &Arc<Shared>) -> Self {
        let open = shared.open.fetch_add(1, Ordering::SeqCst) + 1;
        shared.most_open.fetch_max(open, Ordering::SeqCst);
        Self(Arc::clone(shared))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The connection is to end.
fn over() -> io::Error {
    io::ErrorKind::ConnectionAborted.into()
}

impl Conversation {
    async fn hold(mut self) {
        // It ends when either side has had enough.
        let _ = self.talk().await;
    }

    async fn talk(&mut self) -> io::Result<()> {
        self.say("220 mail.test ESMTP").await?;
        let mut incoming = None;
        loop {
            let line = self.hear().await?;
            let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match verb.to_ascii_uppercase().as_str() {
                "EHLO" => self.say("250-mail.test\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 AUTH PLAIN LOGIN").await?,
                "AUTH" => self.log_in(rest).await?,
                "NOOP" => self.say("250 2.0.0 ok").await?,
                "RSET" => {
                    incoming = None;
                    self.say("250 2.0.0 ok").await?;
                }
                "QUIT" => return self.say("221 2.0.0 bye").await,
                _ if self.is_barred() => self.say("530 5.7.0 authentication required").await?,
                "MAIL" => {
                    self.from = path(rest);
                    self.say("250 2.1.0 ok").await?;
                }
                "RCPT" => incoming = self.recipient(path(rest)).await?,
                "DATA" => match incoming.take() {
                    Some(incoming) => self.data(incoming).await?,
                    None => self.say("503 5.5.1 no recipient").await?,
                },
                _ => self.say("502 5.5.2 what?").await?,
            }
        }
    }

    async fn say(&mut self, line: &str) -> io::Result<()> {
        self.stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).await
    }

    async fn hear(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line).await? == 0 {
            return Err(over());
        }
        Ok(line.trim_end().to_owned())
    }

    fn is_barred(&self) -> bool {
        !self.is_known && lock(&self.shared.login).is_some()
    }

    /// AUTH PLAIN with its initial answer: a name and a password between NULs, in base 64.
    async fn log_in(&mut self, rest: &str) -> io::Result<()> {
        let given = rest.strip_prefix("PLAIN ").unwrap_or_default();
        self.is_known = lock(&self.shared.login).as_ref().is_none_or(|(user, password)| {
            let wanted = format!("\0{user}\0{password}");
            base64(wanted.as_bytes()) == given
        });
        self.say(if self.is_known { "235 2.7.0 welcome" } else { "535 5.7.8 authentication credentials invalid" }).await
    }

    async fn recipient(&mut self, to: String) -> io::Result<Option<Incoming>> {
        self.shared.tries.fetch_add(1, Ordering::SeqCst);
        let act = lock(&self.shared.scripts).get_mut(&to).and_then(VecDeque::pop_front);
        let incoming = Incoming { to, act, _under_way: UnderWay::new(&self.shared) };
        if self.act(At::Recipient, &incoming).await? {
            return Ok(None);
        }
        self.say("250 2.1.5 ok").await?;
        Ok(Some(incoming))
    }

    /// Does what is to be done here; whether the mail is answered by that.
    async fn act(&mut self, at: At, incoming: &Incoming) -> io::Result<bool> {
        match &incoming.act {
            Some(Act::Answer(here, line)) if *here == at => self.say(line).await.map(|()| true),
            Some(Act::Close(here)) if *here == at => Err(over()),
            Some(Act::Stall(here, time)) if *here == at => {
                sleep(*time).await;
                Ok(false)
            }
            _ => Ok(false),
        }
    }

    async fn data(&mut self, incoming: Incoming) -> io::Result<()> {
        if self.act(At::Data, &incoming).await? {
            return Ok(());
        }
        self.say("354 go on").await?;
        let content = self.content().await?;
        self.shared.contents.fetch_add(1, Ordering::SeqCst);
        let mail = Taken { from: self.from.clone(), to: incoming.to.clone(), content };
        match &incoming.act {
            Some(Act::TakeAndClose) => {
                lock(&self.shared.taken).push(mail);
                return Err(over());
            }
            Some(Act::Answer(At::Content, line)) if line.starts_with('2') => lock(&self.shared.taken).push(mail.clone()),
            _ => {}
        }
        if self.act(At::Content, &incoming).await? {
            return Ok(());
        }
        lock(&self.shared.taken).push(mail);
        self.say("250 2.0.0 taken").await
    }

    async fn content(&mut self) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        loop {
            let mut line = Vec::new();
            if self.stream.read_until(b'\n', &mut line).await? == 0 {
                return Err(over());
            }
            if line == b".\r\n" {
                return Ok(content);
            }
            content.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
    }
}

/// The address between `<` and `>`.
fn path(rest: &str) -> String {
    let inner = rest.split_once('<').and_then(|(_, it)| it.split_once('>'));
    inner.map_or_else(String::new, |(it, _)| it.to_owned())
}

/// Bytes in base 64.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0_u32, |bits, it| bits << 8 | u32::from(*it)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= three.len() { char::from(letter) } else { '=' });
        }
    }
    text
}
