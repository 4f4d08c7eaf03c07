//! The servers that `ops/stack` runs: their addresses, from the environment.
//!
//! It starts nothing; `eval "$(ops/stack env)"` gives what it asks for.

use std::{env, path::PathBuf};

/// Addresses of one set of servers, as workers take them.
#[derive(Clone, Debug)]
pub struct Servers {
    pub brokers: String,
    pub registry: String,
    /// MySQL without a database's name.
    pub mysql: String,
}

impl Servers {
    /// Those of the environment.
    pub fn given() -> Self {
        Self::of(|name| env::var(name).ok())
    }

    /// Those that a look-up of variables gives.
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let ask = |name: &str| variable(name).unwrap_or_else(|| panic!("{name} is not set: run ops/stack up && eval \"$(ops/stack env)\""));
        let mysql = ask("FLEET_MYSQL_URL");
        let (server, _database) = mysql.rsplit_once('/').expect("FLEET_MYSQL_URL names a database");
        Self { brokers: ask("FLEET_BROKERS"), registry: ask("FLEET_REGISTRY_URL"), mysql: server.to_owned() }
    }

    /// MySQL's URL with this database, spoken in the clear so that a proxy can read along.
    pub fn mysql_url(&self, database: &str) -> String {
        format!("{}/{database}?ssl-mode=disabled", self.mysql)
    }

    /// MySQL's `host:port`.
    pub fn mysql_address(&self) -> String {
        address(&self.mysql)
    }
}

/// `host:port` of a URL.
pub fn address(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split('/').next().unwrap_or(rest);
    rest.rsplit('@').next().unwrap_or(rest).to_owned()
}

/// A file or folder of the project.
pub fn project(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}
