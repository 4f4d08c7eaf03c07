//! The connection to Redis: one for all lanes of a role, opened when first needed, given up at the first error.
//!
//! It never tries again and never waits for long: an answer comes within [`ANSWER`], a connection within [`CONNECT`],
//! and for [`REST`] after a failed attempt there is no other. What to do about a fault is the caller's.

use std::time::{Duration, Instant};

use redis::{
    AsyncConnectionConfig, Client, ErrorKind, FromRedisValue, IntoConnectionInfo, Pipeline, RedisError, RedisResult, ServerErrorKind,
    aio::MultiplexedConnection, io::tcp::TcpSettings,
};
use tokio::sync::Mutex;

use super::scripts;
use crate::fault::{Fault, Weather};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_millis(500);
/// How long opening a connection may take.
const CONNECT: Duration = Duration::from_millis(500);
/// How long a failed attempt to connect answers for all that follow.
const REST: Duration = Duration::from_millis(200);

/// The way to one Redis.
pub struct Link {
    client: Client,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connection: Option<MultiplexedConnection>,
    /// Which connection this is, so that an error of an older one does not close it.
    number: u64,
    failed: Option<(Instant, Fault)>,
}

impl Link {
    /// A link that is not connected yet.
    ///
    /// # Errors
    /// Fatal: a URL that is none.
    pub fn new(url: &str) -> Result<Self, Fault> {
        let info = url.into_connection_info().map_err(|error| bad_url(&error))?;
        // Nagle's algorithm would hold a small pipeline back while the one before is unanswered.
        let info = info.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let client = Client::open(info).map_err(|error| bad_url(&error))?;
        Ok(Self { client, state: Mutex::default() })
    }

    /// The answers to a pipeline. It may have been applied, whole or in part, also where this fails.
    ///
    /// # Errors
    /// Transient, whatever it is: nothing of Redis stops a lane for good.
    pub async fn ask<T: FromRedisValue>(&self, pipeline: &Pipeline) -> Result<T, Fault> {
        let (mut connection, number) = self.connection().await?;
        let mut answer = pipeline.query_async(&mut connection).await;
        if answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)) {
            answer = again(pipeline, &mut connection).await;
        }
        if answer.is_err() {
            let mut state = self.state.lock().await;
            if state.number == number {
                state.connection = None;
            }
        }
        answer.map_err(fault)
    }

    /// The connection, and its number.
    async fn connection(&self) -> Result<(MultiplexedConnection, u64), Fault> {
        let mut state = self.state.lock().await;
        if let Some(connection) = &state.connection {
            return Ok((connection.clone(), state.number));
        }
        if let Some((at, fault)) = &state.failed
            && at.elapsed() < REST
        {
            return Err(fault.clone());
        }
        let config = AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(ANSWER));
        let opened = self.client.get_multiplexed_async_connection_with_config(&config).await;
        match opened {
            Ok(connection) => {
                state.failed = None;
                state.number += 1;
                state.connection = Some(connection.clone());
                Ok((connection, state.number))
            }
            Err(error) => {
                let fault = fault(error);
                state.failed = Some((Instant::now(), fault.clone()));
                Err(fault)
            }
        }
    }
}

/// Sends a pipeline once more, to a server that did not know its scripts.
async fn again<T: FromRedisValue>(pipeline: &Pipeline, connection: &mut MultiplexedConnection) -> RedisResult<T> {
    scripts::load().exec_async(connection).await?;
    pipeline.query_async(connection).await
}

/// The library's own words may quote the URL, and with it a password.
fn bad_url(error: &RedisError) -> Fault {
    Fault::fatal(format!("FLEET_REDIS_URL is not the URL of a Redis: {}", error.category()))
}

/// What kind of weather an error of the server is, by its code.
fn weather(code: &str) -> Weather {
    match code {
        "READONLY" => Weather::ReadOnly,
        "OOM" | "MISCONF" => Weather::Full,
        "LOADING" | "MASTERDOWN" | "CLUSTERDOWN" => Weather::Away,
        _ => Weather::Other,
    }
}

/// An error as a line: of the server its code alone, since its words may quote what it was sent.
fn fault(error: RedisError) -> Fault {
    if error.is_timeout() {
        return Fault::transient("redis: no answer within 500 ms");
    }
    if error.is_io_error() {
        return Fault::transient(format!("redis: {error}"));
    }
    let category = error.category().to_owned();
    match error.into_server_errors() {
        Some(errors) => {
            let code = errors.first().map_or("an error", |it| it.1.code());
            Fault::Transient(format!("redis: {code} from the server"), weather(code))
        }
        None => Fault::transient(format!("redis: {category}")),
    }
}
