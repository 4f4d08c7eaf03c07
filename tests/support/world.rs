//! A test's own world: namespace, database, topics, Redis; workers and commands that live in it.
//!
//! Everything bears the world's name, so that worlds stand side by side. What is left of one whose test failed is kept to be looked at.

use std::{
    collections::BTreeMap,
    path::Path,
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::Value as Json;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use workers::{
    ROLES,
    fold::{Role, Topic, envelope},
    simulate::{self, Plan},
};

use super::{
    Worker,
    database::{Database, Position},
    http,
    log::{Log, Message},
    proxy::Proxy,
    redis::Redis,
    servers::{Servers, address},
    smtp::{Smtp, Tls},
    soon,
    tls_front::TlsFront,
    wait::{pause, when},
};

/// Events of a load at once, and how long it rests before the next.
const LOAD: usize = 25;
const RHYTHM: Duration = Duration::from_millis(40);

/// The world of one test.
pub struct World {
    pub database: Database,
    pub log: Log,
    pub redis: Redis,
    pub servers: Servers,
    pub namespace: String,
    /// What commands and workers get beside the addresses.
    pub variables: BTreeMap<&'static str, String>,
    schema_ids: BTreeMap<&'static str, u32>,
    started: AtomicU32,
    folder: TempDir,
    runtime: Arc<Runtime>,
}

impl World {
    /// A world on the common servers: migrated, with its topics and schemas.
    pub fn new(name: &str) -> Self {
        Self::on(name, Servers::given())
    }

    /// A world on these servers.
    pub fn on(name: &str, servers: Servers) -> Self {
        let mut world = Self::bare(name, servers);
        for command in [&["migrate"][..], &["topics", "apply"], &["schemas", "register"]] {
            world.must(command);
        }
        world.schema_ids = workers::topics().into_iter().map(|it| (it.name, world.registered(it))).collect();
        world
    }

    /// A world in which nothing has been made yet but its empty database.
    pub fn bare(name: &str, servers: Servers) -> Self {
        let namespace = format!("{name}-{:08x}", rand::random::<u32>());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = Arc::new(runtime.expect("a runtime"));
        let database = Database::create(&format!("fleet_{}", namespace.replace('-', "_")), &servers, Arc::clone(&runtime));
        let log = Log::new(&servers.brokers, Arc::clone(&runtime));
        let folder = tempfile::tempdir().expect("a folder");
        let redis = Redis::start(folder.path());
        let variables = BTreeMap::from([
            ("FLEET_HTTP", "127.0.0.1:0".to_owned()),
            ("FLEET_LOG", std::env::var("FLEET_TEST_LOG").unwrap_or_else(|_| "info".to_owned())),
        ]);
        Self {
            database,
            log,
            redis,
            servers,
            namespace,
            variables,
            schema_ids: BTreeMap::new(),
            started: AtomicU32::new(0),
            folder,
            runtime,
        }
    }

    /// The topic's name on the cluster.
    pub fn topic(&self, topic: &Topic) -> String {
        format!("{}.{}", self.namespace, topic.name)
    }

    /// The id of a topic's schema.
    pub fn schema_id(&self, topic: &Topic) -> u32 {
        self.schema_ids[topic.name]
    }

    fn registered(&self, topic: &Topic) -> u32 {
        let (host, path) = self.registry_path(&format!("subjects/{}-value/versions/latest", self.topic(topic)));
        schema_id(&http::get(&host, &path).expect("the registry answers"))
    }

    /// Registers a schema under a subject of this world; its id.
    pub fn register(&self, subject: &str, schema: &str) -> u32 {
        let (host, path) = self.registry_path(&format!("subjects/{}.{subject}/versions", self.namespace));
        let body = serde_json::json!({ "schema": schema }).to_string();
        let answer = http::post(&host, &path, &body).expect("the registry answers");
        schema_id(&answer)
    }

    fn registry_path(&self, path: &str) -> (String, String) {
        let base = self.servers.registry.splitn(4, '/').nth(3).unwrap_or_default();
        (address(&self.servers.registry), format!("/{base}/{path}"))
    }

    /// A proxy before one of the servers, by `host:port`.
    pub fn proxy(&self, target: &str) -> Proxy {
        Proxy::start(&self.runtime, target)
    }

    /// A mail server of this world.
    pub fn mail_server(&self) -> Smtp {
        Smtp::start(&self.runtime)
    }

    /// A mail server of this world with TLS, and the file of its certificate.
    pub fn safe_mail_server(&self, change: impl FnOnce(Tls) -> Tls) -> (Smtp, String) {
        let tls = change(Tls::on_request(self.folder.path()));
        let certificate = tls.certificate.to_string_lossy().into_owned();
        (Smtp::start_with(&self.runtime, Some(tls)), certificate)
    }

    /// MySQL's URL for a worker that reaches it by a proxy.
    pub fn mysql_by(&self, proxy: &Proxy) -> String {
        self.database.url().replacen(&self.servers.mysql_address(), &proxy.address(), 1)
    }

    /// A front that speaks TLS, with a certificate of its own, before a server that does not.
    pub fn tls_front(&self, target: &str) -> TlsFront {
        let folder = self.folder.path().join(format!("front-{:08x}", rand::random::<u32>()));
        std::fs::create_dir(&folder).expect("a folder for its certificate");
        TlsFront::start(&self.runtime, Tls::on_request(&folder), target)
    }

    /// Where its files lie.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Gives this world an empty database, migrated, in place of its own: the log stays.
    pub fn forget_everything(&mut self) {
        let name = format!("{}_again", self.database.name());
        let database = Database::create(&name, &self.servers, Arc::clone(&self.runtime));
        std::mem::replace(&mut self.database, database).drop_it();
        self.must(&["migrate"]);
    }

    /// The program with this world's addresses.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fleet"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("FLEET_")) {
            command.env_remove(name);
        }
        command.args(arguments).current_dir(self.folder.path());
        command.env("FLEET_BROKERS", &self.servers.brokers).env("FLEET_REGISTRY_URL", &self.servers.registry);
        command.env("FLEET_MYSQL_URL", self.database.url()).env("FLEET_REDIS_URL", self.redis.url());
        command.env("FLEET_NAMESPACE", &self.namespace).envs(&self.variables);
        command
    }

    /// Runs a command to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the program runs")
    }

    /// Runs a command that must find nothing wrong; what it printed.
    pub fn must(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(0), "fleet {}:\n{}", arguments.join(" "), told(&output));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// A worker of a role, or of several with commas between.
    pub fn worker(&self, roles: &str) -> Worker {
        self.worker_with(roles, &[])
    }

    /// A worker with these variables.
    pub fn worker_with(&self, roles: &str, variables: &[(&str, &str)]) -> Worker {
        let mut command = self.command(&["run", "--role", roles]);
        command.envs(variables.iter().copied());
        let number = self.started.fetch_add(1, Ordering::SeqCst) + 1;
        Worker::start(command, format!("worker-{number}"), self.folder.path())
    }

    /// Records of events, each in its right place.
    pub fn messages(&self, topic: &Topic, events: &[Json]) -> Vec<Message> {
        events.iter().map(|it| Message::of(topic, self.schema_id(topic), it)).collect()
    }

    /// Records of the events that `fleet simulate` makes by a plan, each in its right place.
    pub fn simulated(&self, topic: &'static Topic, plan: Plan) -> Vec<Message> {
        let stream = simulate::stream(topic, plan).unwrap_or_else(|| panic!("{} cannot be made up", topic.name));
        stream.map(|it| Message::placed(topic, it.key, envelope(self.schema_id(topic), &it.datum))).collect()
    }

    /// Sends events as the contract wants them.
    pub fn send(&self, topic: &Topic, events: &[Json]) -> Vec<(i32, i64)> {
        self.log.send(&self.topic(topic), &self.messages(topic, events))
    }

    /// Sends events bit by bit while something else happens, and all of them in the end.
    pub fn under_load(&self, topic: &Topic, events: &[Json], happens: impl FnOnce()) {
        thread::scope(|scope| {
            scope.spawn(|| {
                for batch in events.chunks(LOAD) {
                    self.send(topic, batch);
                    pause(RHYTHM);
                }
            });
            happens();
        });
    }

    /// Whether all of a role's topic is in the tables, and confirmed outside them; else what is not.
    pub fn settled(&self, role: &Role) -> Result<(), String> {
        for Position { partition, next, confirmed, is_pending, owner, .. } in self.database.ledger(role)? {
            let (_, end) = self.log.watermarks(&self.topic(role.topic), partition)?;
            let done = next == Some(end) && confirmed == Some(end) && !is_pending;
            when(done, || {
                format!("{} {partition}: next {next:?}, confirmed {confirmed:?}, pending {is_pending}, end {end}, {owner}", role.name)
            })?;
        }
        Ok(())
    }

    /// Waits until a role has settled.
    pub fn settle(&self, role: &Role) {
        soon(&format!("{} to be at the log's end", role.name), || self.settled(role));
    }

    /// Whether every role has settled. Roles derive events for others: the log is still once that many looks in a row say so.
    pub fn all_settled(&self) -> Result<(), String> {
        ROLES.iter().try_for_each(|_| ROLES.iter().try_for_each(|it| self.settled(it)))
    }

    /// Waits until a role has applied at least so many records.
    pub fn await_applied(&self, role: &Role, count: i64) {
        soon(&format!("{} to apply {count} records", role.name), || {
            let applied = self.database.applied(role);
            when(applied >= count, || format!("{applied} are applied"))
        });
    }

    /// `fleet verify` must find no difference.
    pub fn verify(&self, role: &Role) {
        self.must(&["verify", "--role", role.name]);
    }
}

fn schema_id(answer: &http::Answer) -> u32 {
    let body: Json = serde_json::from_str(&answer.body).unwrap_or_default();
    body["id"].as_u64().and_then(|it| u32::try_from(it).ok()).unwrap_or_else(|| panic!("no id: {answer:?}"))
}

/// What a command said, and how it ended.
pub fn told(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("exit code {:?}\n{out}{err}", output.status.code())
}

/// The role whose events are made up, with derived events and documents.
pub fn results() -> &'static Role {
    role("test-results")
}

/// The role of the boards.
pub fn boards() -> &'static Role {
    role("leaderboard")
}

/// The role whose lists gather rows of several lanes.
pub fn payments() -> &'static Role {
    role("payments")
}

/// The role that sends mail.
pub fn mails() -> &'static Role {
    role("email")
}

/// The role whose statistics are documents.
pub fn keystrokes() -> &'static Role {
    role("keystroke-analytics")
}

fn role(name: &str) -> &'static Role {
    ROLES.iter().copied().find(|it| it.name == name).unwrap_or_else(|| panic!("there is no role {name}"))
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("--- kept: database {}, topics {}.*", self.database.name(), self.namespace);
            return;
        }
        let topics: Vec<String> = workers::topics().into_iter().map(|it| self.topic(it)).collect();
        self.log.delete_topics(&topics.iter().map(String::as_str).collect::<Vec<_>>());
        self.database.drop_it();
    }
}
