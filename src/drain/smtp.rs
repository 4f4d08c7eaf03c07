//! Conversations with the mail server, a command at a time, so that it is known how far each mail came.
//!
//! It decides nothing about a mail: it says what was answered, or that nothing was, before or after the content.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use lettre::{
    address::Envelope,
    transport::smtp::{
        Error,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, TlsParameters},
        commands::{Data, Mail, Quit, Rcpt, Rset},
        extension::{ClientId, Extension, MailParameter},
        response::Response,
    },
};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use workers::fold::drain::Answer;

use super::message::Letter;
use crate::{
    config::smtp::{Safety, Smtp as Settings},
    fault::Fault,
};

/// A connection that rested longer is not used again: servers drop theirs without a word.
const RESTED: Duration = Duration::from_secs(20);
/// How long a conversation that rested may take to say that it is alive.
const AWAKE: Duration = Duration::from_secs(2);
/// How long a farewell may take.
const FAREWELL: Duration = Duration::from_secs(1);
/// Answers to who has not logged in as the server wants: the password's fault, never the mail's.
const NOT_LOGGED_IN: [u16; 4] = [530, 534, 535, 538];
/// How long the answer to a content is waited for after the worker was told to stop.
const AFTER_STOP: Duration = Duration::from_secs(15);
/// The server ends the conversation.
const CLOSING: u16 = 421;

/// The mail server.
pub struct Smtp {
    settings: Settings,
    name: ClientId,
    resting: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
}

/// Whether there is still time to send.
pub type Go = dyn Fn() -> bool + Send + Sync;

/// Why nothing was sent, through no fault of the mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsent {
    /// The server is away, or does not let this worker in.
    Away(Fault),
    /// `go` said no.
    Late,
    /// The worker stops.
    Stopping,
}

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Away(fault) => fault.fmt(f),
            Self::Late => f.write_str("its lease was over before it could be sent"),
            Self::Stopping => f.write_str("the worker stops"),
        }
    }
}

/// How a conversation came to its end before the content was asked for.
enum Refusal {
    /// The server answered, and it was no.
    Answered(u16, String),
    /// It broke.
    Broken(String),
    /// There was no answer in time.
    Silent,
    /// It is too late to send it.
    Late,
}

impl Smtp {
    /// The server of these settings; `host` is what this machine calls itself.
    pub fn new(settings: Settings, host: String) -> Self {
        Self { settings, name: ClientId::Domain(host), resting: Mutex::default() }
    }

    /// Whether the server holds a conversation with us now.
    ///
    /// # Errors
    /// Transient: it is away, or does not let this worker in.
    pub async fn reach(&self) -> Result<(), Fault> {
        let connection = match self.awoken().await {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        self.rest(connection);
        Ok(())
    }

    /// Hands a mail over. Right before its content is asked for, `go` is asked; if that says no, nothing was sent.
    /// When `stop` turns true before that, nothing is sent either; after it the answer is waited for a while.
    ///
    /// # Errors
    /// Nothing was sent, and no mail is to blame.
    pub async fn send(&self, letter: &Letter, go: &Go, stop: watch::Receiver<bool>) -> Result<Answer, Unsent> {
        let begun = tokio::select! {
            biased;
            () = stopped(stop.clone()) => return Err(Unsent::Stopping),
            begun = self.begin(&letter.envelope, go) => begun.map_err(Unsent::Away)?,
        };
        let connection = match begun {
            Ok(connection) => connection,
            Err(Refusal::Answered(code, text)) => return Ok(Answer::Reply { code, text }),
            Err(Refusal::Broken(why)) => return Ok(Answer::Unreached(why)),
            Err(Refusal::Silent) => return Ok(Answer::Unreached("no answer in time".to_owned())),
            Err(Refusal::Late) => return Err(Unsent::Late),
        };
        crate::failpoint!("before-content");
        tokio::select! {
            () = async { stopped(stop).await; sleep(AFTER_STOP).await } => Ok(Answer::Lost("the worker stopped before the answer to the content".to_owned())),
            answer = timeout(self.settings.patience, self.content(connection, &letter.bytes)) =>
                Ok(answer.unwrap_or_else(|_| Answer::Lost("no answer to the content in time".to_owned()))),
        }
    }

    async fn content(&self, mut connection: AsyncSmtpConnection, bytes: &[u8]) -> Answer {
        match connection.message(bytes).await {
            Ok(response) => {
                self.rest(connection);
                Answer::Reply { code: response.code().into(), text: text(&response) }
            }
            Err(error) => match answered(&error) {
                Some((code, text)) => {
                    self.rest(connection);
                    Answer::Reply { code, text }
                }
                None => Answer::Lost(error.to_string()),
            },
        }
    }

    /// Says good-bye to all connections that rest.
    pub async fn close(&self) {
        let resting = std::mem::take(&mut *self.resting.lock().unwrap_or_else(PoisonError::into_inner));
        for (mut connection, _) in resting {
            let _ = timeout(FAREWELL, connection.command(Quit)).await;
        }
    }

    /// A conversation in which the content is asked for. One that rested may break all the same: then a fresh one is tried.
    async fn begin(&self, envelope: &Envelope, go: &Go) -> Result<Result<AsyncSmtpConnection, Refusal>, Fault> {
        if let Some(connection) = self.awoken().await {
            match self.introduce(connection, envelope, go).await? {
                Err(Refusal::Broken(_) | Refusal::Answered(CLOSING, _)) => {}
                decided => return Ok(decided),
            }
        }
        let fresh = self.connect().await?;
        self.introduce(fresh, envelope, go).await
    }

    /// Sender, recipient, DATA; after a no the conversation rests, and begins anew with the next mail.
    async fn introduce(
        &self,
        mut connection: AsyncSmtpConnection,
        envelope: &Envelope,
        go: &Go,
    ) -> Result<Result<AsyncSmtpConnection, Refusal>, Fault> {
        let introduced = timeout(self.settings.patience, steps(&mut connection, envelope, go)).await;
        let refused = match introduced.unwrap_or(Err(Refusal::Silent)) {
            Ok(()) => return Ok(Ok(connection)),
            Err(refused) => refused,
        };
        match &refused {
            Refusal::Answered(code, text) if NOT_LOGGED_IN.contains(code) => {
                return Err(self.away(&format!("it does not let us in: {code} {text}")));
            }
            Refusal::Answered(CLOSING, _) | Refusal::Broken(_) | Refusal::Silent => {}
            Refusal::Answered(..) | Refusal::Late => self.rest(connection),
        }
        Ok(Err(refused))
    }

    /// A conversation that rested, begun anew: nothing of its last mail is left, and it is known to be alive.
    async fn awoken(&self) -> Option<AsyncSmtpConnection> {
        let mut connection = self.rested()?;
        let awake = timeout(self.settings.patience.min(AWAKE), connection.command(Rset)).await;
        awake.is_ok_and(|it| it.is_ok()).then_some(connection)
    }

    fn rested(&self) -> Option<AsyncSmtpConnection> {
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        resting.retain(|(_, since)| since.elapsed() < RESTED);
        resting.pop().map(|(connection, _)| connection)
    }

    fn rest(&self, connection: AsyncSmtpConnection) {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner).push((connection, Instant::now()));
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Fault> {
        let connected = timeout(self.settings.patience, self.greet()).await;
        connected.unwrap_or_else(|_| Err(self.away("it does not answer in time")))
    }

    async fn greet(&self) -> Result<AsyncSmtpConnection, Fault> {
        let Settings { host, port, safety, login, .. } = &self.settings;
        let away = |error: Error| self.away(&error.to_string());
        let tls = || TlsParameters::new(host.clone()).map_err(away);
        let at_once = if *safety == Safety::Tls { Some(tls()?) } else { None };
        let mut connection =
            AsyncSmtpConnection::connect_tokio1((host.as_str(), *port), None, &self.name, at_once, None).await.map_err(away)?;
        if *safety == Safety::StartTls {
            connection.starttls(tls()?, &self.name).await.map_err(away)?;
        }
        if let Some((user, password)) = login {
            let credentials = Credentials::new(user.clone(), password.clone());
            let refused = |error: Error| self.away(&format!("it does not let us in: {error}"));
            connection.auth(DEFAULT_MECHANISMS, &credentials).await.map_err(refused)?;
        }
        Ok(connection)
    }

    fn away(&self, why: &str) -> Fault {
        Fault::transient(format!("mail server {}: {why}", self.settings.url))
    }
}

/// Sender, recipient, DATA.
async fn steps(connection: &mut AsyncSmtpConnection, envelope: &Envelope, go: &Go) -> Result<(), Refusal> {
    let mut parameters = Vec::new();
    if envelope.to().iter().chain(envelope.from()).any(|it| !it.to_string().is_ascii()) {
        if !connection.server_info().supports_feature(Extension::SmtpUtfEight) {
            return Err(Refusal::Answered(553, "5.6.7 the mail server takes no addresses beyond ASCII".to_owned()));
        }
        parameters.push(MailParameter::SmtpUtfEight);
    }
    connection.command(Mail::new(envelope.from().cloned(), parameters)).await.map_err(|it| refusal(&it))?;
    for to in envelope.to() {
        connection.command(Rcpt::new(to.clone(), Vec::new())).await.map_err(|it| refusal(&it))?;
    }
    if !go() {
        return Err(Refusal::Late);
    }
    connection.command(Data).await.map_err(|it| refusal(&it))?;
    Ok(())
}

/// Comes true when the worker is told to stop.
async fn stopped(mut stop: watch::Receiver<bool>) {
    if stop.wait_for(|it| *it).await.is_err() {
        // Whoever would say it is gone, and so is the process.
        std::future::pending::<()>().await;
    }
}

fn refusal(error: &Error) -> Refusal {
    answered(error).map_or_else(|| Refusal::Broken(error.to_string()), |(code, text)| Refusal::Answered(code, text))
}

/// The code and the text of an answer that was no.
fn answered(error: &Error) -> Option<(u16, String)> {
    let code = error.status()?;
    let text = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    Some((code.into(), text))
}

fn text(response: &Response) -> String {
    response.message().collect::<Vec<_>>().join(" ")
}
