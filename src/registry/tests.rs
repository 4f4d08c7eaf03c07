//! Tests of the registry's client against an HTTP server in this process.

use std::sync::atomic::{AtomicU16, AtomicUsize};

use axum::{
    Router,
    extract::{Path, State},
    http::StatusCode,
    response::IntoResponse,
    routing::get,
};
use workers::fold::Parsed;

use super::*;

const SCHEMA: &str = r#"{"type":"record","name":"E","namespace":"fleet","fields":[{"name":"a","type":"long"}]}"#;

static TOPIC: Topic = Topic {
    name: "some-topic",
    key: "a",
    partitions: 1,
    retention_ms: -1,
    schema: SCHEMA,
    examples: "",
    rate: 1,
    freshness_ms: 1,
    parsed: Parsed::new(),
};

/// A registry that answers as it is told.
#[derive(Default)]
struct Fake {
    asked: AtomicUsize,
    /// 0 = as it is; else this status for everything.
    broken: AtomicU16,
    schemas: Mutex<HashMap<u32, String>>,
}

impl Fake {
    fn has(&self, id: u32, schema: &str) {
        lock(&self.schemas).insert(id, schema.to_owned());
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn answer(State(fake): State<Arc<Fake>>, Path(id): Path<u32>) -> axum::response::Response {
    fake.asked.fetch_add(1, Ordering::SeqCst);
    // Long enough that all who ask at once are there.
    tokio::time::sleep(Duration::from_millis(30)).await;
    let broken = fake.broken.load(Ordering::SeqCst);
    if broken != 0 {
        return StatusCode::from_u16(broken).unwrap().into_response();
    }
    match lock(&fake.schemas).get(&id) {
        Some(schema) => axum::Json(serde_json::json!({ "schema": schema })).into_response(),
        None => (StatusCode::NOT_FOUND, axum::Json(serde_json::json!({ "error_code": 40403, "message": "no" }))).into_response(),
    }
}

async fn serve() -> (Arc<Fake>, Registry) {
    let fake = Arc::new(Fake::default());
    let router = Router::new().route("/api/schemas/ids/{id}", get(answer)).with_state(Arc::clone(&fake));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (fake, registry(&format!("http://{address}/api/")))
}

fn registry(url: &str) -> Registry {
    let url = crate::config::ServerUrl::parse("FLEET_REGISTRY_URL", url, &["http"]).unwrap();
    Registry::with(Api::new(&url).unwrap(), Arc::new(Metrics::new().unwrap()))
}

async fn kind(registry: &Registry, id: u32) -> String {
    match registry.schema(id, &TOPIC).await {
        Ok(Lookup::Known(writer)) => format!("known {}", writer.id),
        Ok(Lookup::Unknown) => "unknown".to_owned(),
        Ok(Lookup::Never) => "never".to_owned(),
        Ok(Lookup::Incompatible(why)) => format!("incompatible: {why}"),
        Err(Fault::Transient(line, _)) => format!("transient: {line}"),
        Err(Fault::Fatal(line)) => format!("fatal: {line}"),
    }
}

#[tokio::test]
async fn an_id_is_asked_for_once_however_many_lanes_need_it() {
    let (fake, registry) = serve().await;
    fake.has(7, SCHEMA);
    let registry = Arc::new(registry);
    let lanes: Vec<_> = (0..20)
        .map(|_| {
            let registry = Arc::clone(&registry);
            tokio::spawn(async move { kind(&registry, 7).await })
        })
        .collect();
    for lane in lanes {
        assert_eq!(lane.await.unwrap(), "known 7");
    }
    assert_eq!(fake.asked(), 1);
}

#[tokio::test]
async fn an_unknown_id_is_asked_for_again_found_or_given_up() {
    let (fake, mut registry) = serve().await;
    registry.patience = Duration::from_millis(400);
    assert_eq!(kind(&registry, 7).await, "unknown");
    assert_eq!(kind(&registry, 7).await, "unknown");
    assert_eq!(fake.asked(), 1, "asked again at once");
    let start = Instant::now();
    while kind(&registry, 7).await != "never" {
        assert!(start.elapsed() < Duration::from_secs(5), "never given up");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(fake.asked() < 6, "{}", fake.asked());
    fake.has(7, SCHEMA);
    while kind(&registry, 7).await != "known 7" {
        assert!(start.elapsed() < Duration::from_secs(5), "not found although it is there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_outage_is_bad_weather_for_the_ids_that_are_not_known() {
    let (fake, registry) = serve().await;
    fake.has(7, SCHEMA);
    assert_eq!(kind(&registry, 7).await, "known 7");
    fake.broken.store(503, Ordering::SeqCst);
    assert!(kind(&registry, 8).await.starts_with("transient: registry http://127.0.0.1:"));
    assert!(kind(&registry, 8).await.ends_with("/api/: 503 Service Unavailable"));
    assert_eq!(fake.asked(), 2, "asked again at once");
    assert_eq!(kind(&registry, 7).await, "known 7");
    let away = self::registry("http://127.0.0.1:1/api");
    assert_eq!(kind(&away, 7).await, "transient: registry http://127.0.0.1:1/api: connection refused (os error 111)");
}

#[tokio::test]
async fn a_wrong_path_is_not_an_absent_schema() {
    let (_fake, good) = serve().await;
    let url = good.api.url(&["nothing", "here"]).unwrap();
    assert!(kind(&registry(url.as_str()), 7).await.contains("404 without a code of the Confluent API"));
}

#[tokio::test]
async fn what_cannot_be_read_is_told_apart() {
    let (fake, registry) = serve().await;
    fake.has(1, &SCHEMA.replace("long", "string"));
    fake.has(2, "nonsense");
    fake.has(3, &format!("\"{}\"", "x".repeat(1 << 20)));
    assert!(kind(&registry, 1).await.starts_with("incompatible: a"), "{}", kind(&registry, 1).await);
    assert_eq!(kind(&registry, 2).await, "incompatible: it is not an Avro schema");
    assert_eq!(kind(&registry, 3).await, "incompatible: it is larger than 1048576 bytes");
    assert_eq!(fake.asked(), 3);
}

#[tokio::test]
async fn remembers_so_many_ids_and_known_ones_for_longest() {
    let (fake, mut registry) = serve().await;
    registry.most_ids = 3;
    fake.has(1, SCHEMA);
    for id in 1..=6 {
        kind(&registry, id).await;
    }
    assert_eq!(lock(&registry.slots).len(), 3);
    assert_eq!((kind(&registry, 1).await.as_str(), fake.asked()), ("known 1", 6));
}
