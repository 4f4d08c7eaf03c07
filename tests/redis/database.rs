//! A MySQL database of one test, gone with it.

use sqlx::{Executor as _, MySqlPool};

/// The tables of the tests' role, and its ledger at offset 0.
const TABLES: &str = "
    CREATE TABLE profiles (user_id BIGINT PRIMARY KEY, tests BIGINT NOT NULL, recent LONGTEXT);
    CREATE TABLE entries (board VARCHAR(32) COLLATE utf8mb4_0900_bin, window_start DATETIME(3), user_id BIGINT, score BIGINT NOT NULL,
        name VARCHAR(64) NOT NULL, PRIMARY KEY (board, window_start, user_id));
    CREATE TABLE items (item VARCHAR(32) COLLATE utf8mb4_0900_bin, at DATETIME(3), user_id BIGINT NOT NULL, price BIGINT,
        PRIMARY KEY (item, at), KEY user_id (user_id, at, item));
    CREATE TABLE tester_ledger (partition_id INT, shard INT, epoch BIGINT NOT NULL DEFAULT 0, next_offset BIGINT,
        last_event_at DATETIME(3), PRIMARY KEY (partition_id, shard));
    INSERT INTO tester_ledger (partition_id, shard) VALUES (0, 0), (1, 0), (2, 0), (3, 0)";

pub struct Database {
    url: String,
    name: String,
    pub pool: MySqlPool,
}

impl Database {
    pub async fn create() -> Self {
        let url = std::env::var("FLEET_MYSQL_URL").unwrap_or_else(|_| "mysql://root@127.0.0.1:29093/fleet?ssl-mode=disabled".to_owned());
        let name = format!("fleet_redis_{:08x}", rand::random::<u32>());
        on(&url, &format!("CREATE DATABASE {name}")).await;
        let (server, _) = url.rsplit_once('/').unwrap();
        let pool = fleet::store::mysql::pool(format!("{server}/{name}").parse().unwrap(), 4);
        pool.execute(TABLES).await.unwrap();
        Self { url, name, pool }
    }

    /// The one text that a query gives.
    pub async fn text(&self, query: &str) -> String {
        use sqlx::Row as _;
        self.pool.fetch_one(query).await.unwrap().try_get_unchecked(0).unwrap()
    }

    /// Ends every other connection to it, as a server that restarts does.
    pub async fn end_others(&self) {
        let pool = fleet::store::mysql::pool(self.url.parse().unwrap(), 1);
        let others = format!("SELECT id FROM information_schema.processlist WHERE db = '{}'", self.name);
        for row in pool.fetch_all(others.as_str()).await.unwrap() {
            let id: u64 = sqlx::Row::try_get(&row, 0).unwrap();
            pool.execute(format!("KILL {id}").as_str()).await.unwrap();
        }
        pool.close().await;
    }

    pub async fn run(&self, statement: &str) {
        self.pool.execute(statement).await.unwrap();
    }
}

impl Drop for Database {
    /// On a runtime of its own: the test's may be unwinding.
    fn drop(&mut self) {
        let (url, name) = (self.url.clone(), self.name.clone());
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(on(&url, &format!("DROP DATABASE {name}")));
        });
        let _ = dropped.join();
    }
}

async fn on(url: &str, statement: &str) {
    let pool = fleet::store::mysql::pool(url.parse().unwrap(), 1);
    pool.execute(statement).await.unwrap();
    pool.close().await;
}
