//! The mail server: its address, who sends, and how much.
//!
//! Without an address no mail is sent: queues wait, and nothing else does.

use std::{fmt, net::IpAddr, path::PathBuf, time::Duration};

use lettre::{Address, message::Mailbox};

use super::secret::{self, ServerUrl};
use crate::fault::Fault;

const MAIL: &str = "Mail";
const URL: &str = "FLEET_SMTP_URL";

/// The flags about mail.
#[derive(clap::Args)]
pub struct Flags {
    /// Mail server, smtps://user:password@host:465, smtp+starttls://user:password@host:587, or smtp:// on this machine;
    /// without one mails wait
    #[arg(long, global = true, help_heading = MAIL, env = URL, hide_env_values = true, value_name = "URL", hide_short_help = true)]
    smtp_url: Option<String>,

    /// A file that holds the mail server's URL
    #[arg(long, global = true, help_heading = MAIL, env = "FLEET_SMTP_URL_FILE", value_name = "FILE", hide_short_help = true)]
    smtp_url_file: Option<PathBuf>,

    /// Who mails are from: an address, or a name and the address in angle brackets
    #[arg(long, global = true, help_heading = MAIL, env = "FLEET_SMTP_FROM", value_name = "MAILBOX", hide_short_help = true)]
    smtp_from: Option<String>,

    /// Mails an hour at most, of all workers together; bulk mail gets at most 80 % of it
    #[arg(long, global = true, help_heading = MAIL, env = "FLEET_SMTP_RATE", value_name = "N", default_value_t = 10_000,
          hide_short_help = true, value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    smtp_rate: u32,

    /// Mails at once at most, after a rest
    #[arg(long, global = true, help_heading = MAIL, env = "FLEET_SMTP_BURST", value_name = "N", default_value_t = 1_000,
          hide_short_help = true, value_parser = clap::value_parser!(u32).range(1..=100_000_000))]
    smtp_burst: u32,

    /// How long the mail server may take to begin a conversation, for a mail's way up to its content, and for its content, in seconds
    #[arg(long, global = true, help_heading = MAIL, env = "FLEET_SMTP_TIMEOUT", value_name = "SECONDS", default_value_t = 60,
          hide_short_help = true, value_parser = clap::value_parser!(u16).range(1..=600))]
    smtp_timeout: u16,

    /// Where a person ends bulk mail by one POST, https://; recipient, list and mail are added as its query
    #[arg(long, global = true, help_heading = MAIL, env = "FLEET_SMTP_UNSUBSCRIBE_URL", value_name = "URL", hide_short_help = true)]
    smtp_unsubscribe_url: Option<String>,
}

/// How the connection is kept from being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Safety {
    /// Not at all: on this machine alone.
    Plain,
    /// STARTTLS, without which nothing is said.
    StartTls,
    /// TLS from the first byte.
    Tls,
}

/// All that is configured about mail. Its `Debug` form holds no secret.
#[derive(Clone)]
pub struct Smtp {
    /// The server, as it may be printed.
    pub url: ServerUrl,
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is kept.
    pub safety: Safety,
    /// Name and password.
    pub login: Option<(String, String)>,
    /// Who mails are from.
    pub from: Mailbox,
    /// The address of that.
    pub address: Address,
    /// Mails an hour, of all workers together.
    pub rate: u32,
    /// Mails at once.
    pub burst: u32,
    /// How long either half of a mail's handing over may take.
    pub patience: Duration,
    /// Where a person ends bulk mail.
    pub unsubscribe: String,
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smtp").field("url", &self.url).field("rate", &self.rate).field("burst", &self.burst).finish_non_exhaustive()
    }
}

impl Smtp {
    /// Checks the flags; `None` when they name no server.
    pub(super) fn new(args: Flags) -> Result<Option<Self>, Fault> {
        let Some(text) = secret::given(URL, args.smtp_url, args.smtp_url_file)? else { return Ok(None) };
        let (url, parts) = server(&text)?;
        let login = login(&url, &parts)?;
        let (host, port, safety) = place(&url, &parts)?;
        let (from, address) = from(args.smtp_from.as_deref().unwrap_or_default())?;
        Ok(Some(Self {
            url,
            host,
            port,
            safety,
            login,
            from,
            address,
            rate: args.smtp_rate,
            burst: args.smtp_burst,
            patience: Duration::from_secs(args.smtp_timeout.into()),
            unsubscribe: unsubscribe(args.smtp_unsubscribe_url.as_deref().unwrap_or_default())?,
        }))
    }
}

fn server(text: &str) -> Result<(ServerUrl, url::Url), Fault> {
    let url = ServerUrl::parse(URL, text, &["smtps", "smtp+starttls", "smtp"])?;
    let parts = url::Url::parse(url.secret()).map_err(|_| url.bad(URL, "is not a URL"))?;
    if parts.query().is_some() || !matches!(parts.path(), "" | "/") {
        return Err(url.bad(URL, "has a path or parameters: it takes none"));
    }
    Ok((url, parts))
}

fn place(url: &ServerUrl, parts: &url::Url) -> Result<(String, u16, Safety), Fault> {
    let (safety, port) = match parts.scheme() {
        "smtps" => (Safety::Tls, 465),
        "smtp+starttls" => (Safety::StartTls, 587),
        _ => (Safety::Plain, 25),
    };
    let host = parts.host_str().filter(|it| !it.is_empty()).ok_or_else(|| url.bad(URL, "names no host"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    if safety == Safety::Plain && !is_loopback(&host) {
        return Err(url.bad(URL, "leaves this machine in the clear: take smtps:// or smtp+starttls://"));
    }
    Ok((host, parts.port().unwrap_or(port), safety))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|it| it.is_loopback())
}

fn login(url: &ServerUrl, parts: &url::Url) -> Result<Option<(String, String)>, Fault> {
    let plain = |text: &str| {
        let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
        decoded.map(String::from).map_err(|_| url.bad(URL, "holds a name or password that is not UTF-8"))
    };
    match (parts.username(), parts.password()) {
        ("", None) => Ok(None),
        ("", Some(_)) => Err(url.bad(URL, "has a password and no name")),
        (_, None) => Err(url.bad(URL, "has a name and no password")),
        (user, Some(password)) => Ok(Some((plain(user)?, plain(password)?))),
    }
}

fn unsubscribe(text: &str) -> Result<String, Fault> {
    const NAME: &str = "FLEET_SMTP_UNSUBSCRIBE_URL";
    if text.is_empty() {
        return Err(Fault::fatal(format!("{NAME}: where a person ends bulk mail is needed with FLEET_SMTP_URL: https://…")));
    }
    ServerUrl::parse(NAME, text, &["https"]).map(|it| it.secret().to_owned())
}

fn from(text: &str) -> Result<(Mailbox, Address), Fault> {
    if text.is_empty() {
        return Err(Fault::fatal("FLEET_SMTP_FROM: who mails are from is needed with FLEET_SMTP_URL: name <address>"));
    }
    let address = text.rsplit_once('<').map_or(text, |(_, it)| it).trim_end().trim_end_matches('>');
    let both = text.parse().ok().zip(address.parse().ok());
    both.ok_or_else(|| Fault::fatal("FLEET_SMTP_FROM: not a mailbox: wants name <address>"))
}
