//! One conversation of the mail server: what it says to what it hears.
//!
//! What happens to which mail, the server was told before.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, atomic::Ordering},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::TcpStream,
    time::sleep,
};

use super::{Act, At, Shared, Taken, lock};

/// Bytes in both directions, encrypted or not.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Talks on a connection until either side has had enough.
pub(super) async fn hold(stream: TcpStream, shared: Arc<Shared>) {
    let at_once = shared.tls.clone().filter(|it| it.at_once);
    let (stream, is_safe): (Box<dyn Stream>, bool) = match at_once {
        None => (Box::new(stream), false),
        Some(tls) => match tls.acceptor.accept(stream).await {
            Ok(stream) => (Box::new(stream), true),
            // Who does not trust us hangs up.
            Err(_) => return,
        },
    };
    let mut conversation = Conversation { stream: BufReader::new(stream), is_safe, shared, is_known: false, from: String::new() };
    let _ = conversation.talk().await;
}

/// One connection.
struct Conversation {
    stream: BufReader<Box<dyn Stream>>,
    is_safe: bool,
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
    async fn talk(&mut self) -> io::Result<()> {
        self.say("220 mail.test ESMTP").await?;
        let mut incoming = None;
        loop {
            let line = self.hear().await?;
            let (verb, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match verb.to_ascii_uppercase().as_str() {
                "EHLO" => self.greet().await?,
                "STARTTLS" => self.encrypt().await?,
                "AUTH" => self.log_in(rest).await?,
                "NOOP" => self.say("250 2.0.0 ok").await?,
                "RSET" => {
                    incoming = None;
                    self.from.clear();
                    self.say("250 2.0.0 ok").await?;
                }
                "QUIT" => return self.say("221 2.0.0 bye").await,
                _ if self.is_barred() => {
                    self.shared.barred.fetch_add(1, Ordering::SeqCst);
                    self.say("530 5.7.0 authentication required").await?;
                }
                "MAIL" if !self.from.is_empty() => self.say("503 5.5.1 one mail after the other").await?,
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

    async fn greet(&mut self) -> io::Result<()> {
        let more = if self.shared.tls.is_some() && !self.is_safe { "250-STARTTLS\r\n" } else { "" };
        self.say(&format!("250-mail.test\r\n250-8BITMIME\r\n{more}250-ENHANCEDSTATUSCODES\r\n250 AUTH PLAIN LOGIN")).await
    }

    async fn encrypt(&mut self) -> io::Result<()> {
        let Some(tls) = self.shared.tls.clone().filter(|_| !self.is_safe) else { return self.say("502 5.5.1 not here").await };
        self.say("220 2.0.0 go on").await?;
        let plain = std::mem::replace(&mut self.stream, BufReader::new(Box::new(tokio::io::empty()))).into_inner();
        self.stream = BufReader::new(Box::new(tls.acceptor.accept(plain).await.map_err(io::Error::other)?));
        self.is_safe = true;
        Ok(())
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
        if !self.is_safe {
            self.shared.clear_logins.fetch_add(1, Ordering::SeqCst);
        }
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
            Some(Act::AnswerAndFreeze(here, line)) if *here == at => {
                self.say(line).await?;
                std::future::pending().await
            }
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
        let mail = Taken { from: std::mem::take(&mut self.from), to: incoming.to.clone(), content };
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
