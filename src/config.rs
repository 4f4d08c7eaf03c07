//! Configuration: flags with their environment, checked once at the start, printed redacted.
//!
//! It opens no connection, and holds no option that nothing uses.

mod kafka;
mod secret;
pub mod smtp;

use std::{fmt, net::SocketAddr, path::PathBuf, str::FromStr, time::Duration};

use rdkafka::ClientConfig;
use sqlx::mysql::MySqlConnectOptions;
use workers::fold::{Role, Topic};

use crate::{fault::Fault, output::Output};

pub use secret::ServerUrl;

const SERVERS: &str = "Servers";
const WORKERS: &str = "Workers";
const TELLING: &str = "Telling";

const REGISTRY_URL: &str = "http://127.0.0.1:29092/apis/ccompat/v7";
const MYSQL_URL: &str = "mysql://root@127.0.0.1:29093/fleet?ssl-mode=disabled";
const REDIS_URL: &str = "redis://127.0.0.1:29094/0";

/// The least that brokers allow as they come: what a dead worker costs.
const SESSION_TIMEOUT: Duration = Duration::from_secs(6);

/// The flags that every command takes. Each has a variable; the defaults are the servers of `ops/stack`.
#[derive(clap::Args)]
pub struct Args {
    /// Kafka brokers, host:port, separated by commas. `FLEET_KAFKA_<PROPERTY>` sets any other property of the
    /// Kafka client: FLEET_KAFKA_SECURITY_PROTOCOL=SASL_SSL is security.protocol
    #[arg(long, global = true, help_heading = SERVERS, env = "FLEET_BROKERS", value_name = "LIST", default_value = "127.0.0.1:29090")]
    brokers: String,

    /// Schema registry that speaks the Confluent API, http:// or https:// [default: that of ops/stack]
    #[arg(long, global = true, help_heading = SERVERS, env = "FLEET_REGISTRY_URL", hide_env_values = true, value_name = "URL")]
    registry_url: Option<String>,

    /// A file that holds the registry's URL
    #[arg(long, global = true, help_heading = SERVERS, env = "FLEET_REGISTRY_URL_FILE", value_name = "FILE", hide_short_help = true)]
    registry_url_file: Option<PathBuf>,

    /// MySQL, mysql://user:password@host:port/database?ssl-mode=verify_identity&ssl-ca=… [default: that of ops/stack]
    #[arg(long, global = true, help_heading = SERVERS, env = "FLEET_MYSQL_URL", hide_env_values = true, value_name = "URL")]
    mysql_url: Option<String>,

    /// A file that holds MySQL's URL
    #[arg(long, global = true, help_heading = SERVERS, env = "FLEET_MYSQL_URL_FILE", value_name = "FILE", hide_short_help = true)]
    mysql_url_file: Option<PathBuf>,

    /// Redis, redis:// or rediss:// with TLS [default: that of ops/stack]
    #[arg(long, global = true, help_heading = SERVERS, env = "FLEET_REDIS_URL", hide_env_values = true, value_name = "URL")]
    redis_url: Option<String>,

    /// A file that holds Redis' URL
    #[arg(long, global = true, help_heading = SERVERS, env = "FLEET_REDIS_URL_FILE", value_name = "FILE", hide_short_help = true)]
    redis_url_file: Option<PathBuf>,

    /// Put before the names of topics, subjects and consumer groups, with a dot, so that environments share a cluster
    #[arg(long, global = true, help_heading = SERVERS, env = "FLEET_NAMESPACE", value_name = "NAME", default_value = "", hide_default_value = true)]
    namespace: String,

    /// Where a worker serves metrics and health; port 0 takes a free one
    #[arg(long, global = true, help_heading = WORKERS, env = "FLEET_HTTP", value_name = "ADDRESS", default_value = "127.0.0.1:9464")]
    http: SocketAddr,

    /// Connections to MySQL per role; more than the database has cores only add latency
    #[arg(long, global = true, help_heading = WORKERS, env = "FLEET_MYSQL_CONNECTIONS", value_name = "N", default_value_t = 4,
          hide_short_help = true, value_parser = clap::value_parser!(u32).range(2..=1000))]
    mysql_connections: u32,

    /// Memory for the rows that one lane holds, in MiB
    #[arg(long, global = true, help_heading = WORKERS, env = "FLEET_LANE_MEMORY", value_name = "MIB", default_value_t = 4,
          hide_short_help = true, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    lane_memory: u32,

    /// A lane stops when more than this share of its last records became letters
    #[arg(long, global = true, help_heading = WORKERS, env = "FLEET_BREAKER_RATIO", value_name = "SHARE", default_value_t = 0.5,
          hide_short_help = true, value_parser = ratio)]
    breaker_ratio: f64,

    /// A lane stops when so many records in a row became letters
    #[arg(long, global = true, help_heading = WORKERS, env = "FLEET_BREAKER_RUN", value_name = "N", default_value_t = 100,
          hide_short_help = true, value_parser = clap::value_parser!(u32).range(1..))]
    breaker_run: u32,

    #[command(flatten)]
    smtp: smtp::Flags,

    /// Print JSON instead of tables
    #[arg(long, global = true, help_heading = TELLING)]
    json: bool,

    /// What is logged: error, warn, info, debug, trace, or target=level, separated by commas
    #[arg(long, global = true, help_heading = TELLING, env = "FLEET_LOG", value_name = "LEVEL", default_value = "info", hide_short_help = true)]
    log: String,

    /// How it is logged
    #[arg(long, global = true, help_heading = TELLING, env = "FLEET_LOG_FORMAT", value_name = "FORMAT", default_value = "lines", hide_short_help = true)]
    log_format: LogFormat,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    Lines,
    /// For machines.
    Json,
}

/// When a lane stops because too much of its topic cannot be applied.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Breaker {
    /// Share of the last records that became letters.
    pub ratio: f64,
    /// Letters in a row.
    pub run: u32,
}

/// All that is configured. Its `Debug` form holds no secret.
#[derive(Clone)]
pub struct Config {
    /// Kafka's brokers.
    pub brokers: String,
    /// The schema registry.
    pub registry: ServerUrl,
    /// Redis.
    pub redis: ServerUrl,
    /// Where metrics and health are served.
    pub http: SocketAddr,
    /// Connections to MySQL per role.
    pub mysql_connections: u32,
    /// Bytes of rows that one lane may hold.
    pub lane_memory: usize,
    /// When a lane stops for letters.
    pub breaker: Breaker,
    /// The mail server, if there is one.
    pub smtp: Option<smtp::Smtp>,
    /// How results are printed.
    pub output: Output,
    /// What is logged, as a filter of the crate tracing-subscriber.
    pub log: String,
    /// How it is logged.
    pub log_format: LogFormat,
    mysql: ServerUrl,
    mysql_options: MySqlConnectOptions,
    namespace: String,
    kafka: kafka::Properties,
}

impl Config {
    /// Checks the flags, and the variables that no flag stands for.
    ///
    /// # Errors
    /// The first of them that cannot be used, by the name of its variable.
    pub fn new(args: Args, env: impl IntoIterator<Item = (String, String)>) -> Result<Self, Fault> {
        let registry = secret::given("FLEET_REGISTRY_URL", args.registry_url, args.registry_url_file)?;
        let mysql = secret::given("FLEET_MYSQL_URL", args.mysql_url, args.mysql_url_file)?;
        let redis = secret::given("FLEET_REDIS_URL", args.redis_url, args.redis_url_file)?;
        let mysql = ServerUrl::parse("FLEET_MYSQL_URL", mysql.as_deref().unwrap_or(MYSQL_URL), &["mysql"])?;
        Ok(Self {
            registry: ServerUrl::parse("FLEET_REGISTRY_URL", registry.as_deref().unwrap_or(REGISTRY_URL), &["http", "https"])?,
            redis: redis_url(redis.as_deref().unwrap_or(REDIS_URL))?,
            mysql_options: mysql_options(&mysql)?,
            mysql,
            kafka: kafka::Properties::new(&args.brokers, env)?,
            brokers: args.brokers,
            namespace: namespace(args.namespace)?,
            http: args.http,
            mysql_connections: args.mysql_connections,
            lane_memory: usize::try_from(args.lane_memory).unwrap_or(usize::MAX).saturating_mul(1 << 20),
            breaker: Breaker { ratio: args.breaker_ratio, run: args.breaker_run },
            smtp: smtp::Smtp::new(args.smtp)?,
            output: Output::new(if args.json { Some(crate::output::Form::Json) } else { None }),
            log: args.log,
            log_format: args.log_format,
        })
    }

    /// How to connect to MySQL.
    pub fn mysql(&self) -> MySqlConnectOptions {
        self.mysql_options.clone()
    }

    /// MySQL's URL, as it may be printed.
    pub fn mysql_url(&self) -> &ServerUrl {
        &self.mysql
    }

    /// A Kafka client's properties: the brokers, and those of the environment.
    pub fn kafka(&self) -> ClientConfig {
        self.kafka_with(&[])
    }

    /// A Kafka client's properties: these, then the brokers and those of the environment, which win.
    pub fn kafka_with(&self, defaults: &[(&str, &str)]) -> ClientConfig {
        let mut client = ClientConfig::new();
        for (property, value) in defaults {
            client.set(*property, *value);
        }
        client.set("bootstrap.servers", &self.brokers);
        self.kafka.apply(&mut client);
        client
    }

    /// How long a worker may be silent before the group gives its partitions away.
    pub fn session_timeout(&self) -> Duration {
        let set = self.kafka.get("session.timeout.ms").and_then(|it| it.parse().ok());
        set.map_or(SESSION_TIMEOUT, Duration::from_millis)
    }

    /// A topic's name on the brokers.
    pub fn topic(&self, topic: &Topic) -> String {
        self.named(topic.name)
    }

    /// A topic's subject in the registry.
    pub fn subject(&self, topic: &Topic) -> String {
        self.named(&topic.subject())
    }

    /// A role's consumer group.
    pub fn group(&self, role: &Role) -> String {
        self.named(&role.group())
    }

    fn named(&self, name: &str) -> String {
        if self.namespace.is_empty() { name.to_owned() } else { format!("{}.{name}", self.namespace) }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("brokers", &self.brokers)
            .field("kafka", &self.kafka)
            .field("registry", &self.registry)
            .field("mysql", &self.mysql)
            .field("redis", &self.redis)
            .field("namespace", &self.namespace)
            .field("http", &self.http)
            .field("mysql_connections", &self.mysql_connections)
            .field("lane_memory", &self.lane_memory)
            .field("breaker", &self.breaker)
            .field("smtp", &self.smtp)
            .finish_non_exhaustive()
    }
}

fn mysql_options(url: &ServerUrl) -> Result<MySqlConnectOptions, Fault> {
    let options = MySqlConnectOptions::from_str(url.secret()).map_err(|_| url.bad("FLEET_MYSQL_URL", "has an unknown option"))?;
    if options.get_database().is_none_or(str::is_empty) {
        return Err(url.bad("FLEET_MYSQL_URL", "names no database"));
    }
    for (option, file) in url.parameters().filter(|(option, _)| ["ssl-ca", "ssl-cert", "ssl-key"].contains(&option.as_str())) {
        std::fs::File::open(&file)
            .map_err(|it| url.bad("FLEET_MYSQL_URL", &format!("names a file in {option} that cannot be read: {it}")))?;
    }
    Ok(options)
}

fn redis_url(text: &str) -> Result<ServerUrl, Fault> {
    let url = ServerUrl::parse("FLEET_REDIS_URL", text, &["redis", "rediss", "redis+unix", "unix"])?;
    redis::Client::open(url.secret()).map_err(|_| url.bad("FLEET_REDIS_URL", "is not an address that the Redis client takes"))?;
    Ok(url)
}

fn namespace(name: String) -> Result<String, Fault> {
    let fits = name.len() <= 60 && name.bytes().all(|it| it.is_ascii_alphanumeric() || b"._-".contains(&it));
    if fits { Ok(name) } else { Err(Fault::fatal("FLEET_NAMESPACE: at most 60 of a-z, A-Z, 0-9, '.', '_' and '-'")) }
}

fn ratio(text: &str) -> Result<f64, String> {
    let share = text.parse::<f64>().ok().filter(|it| *it > 0.0 && *it <= 1.0);
    share.ok_or_else(|| "a share above 0, at most 1".to_owned())
}

#[cfg(test)]
mod tests;
