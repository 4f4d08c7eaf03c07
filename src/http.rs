//! HTTP of a worker: metrics, health, and what its lanes are doing.
//!
//! It changes nothing: there is no route that does.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;

use crate::{
    fault::Fault,
    health::{Health, Worker},
    metrics::Metrics,
};

/// What the routes read.
#[derive(Clone)]
struct Shown {
    health: Arc<Health>,
    metrics: Arc<Metrics>,
}

/// Takes the address; port 0 is a free one, which the listener then knows.
///
/// # Errors
/// It is taken, or not this machine's.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, Fault> {
    TcpListener::bind(address).await.map_err(|it| Fault::fatal(format!("FLEET_HTTP: cannot listen on {address}: {it}")))
}

/// Serves until `stop`.
///
/// # Errors
/// What ended it before.
pub async fn serve(
    listener: TcpListener,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Fault> {
    let served = axum::serve(listener, router(Shown { health, metrics })).with_graceful_shutdown(stop);
    served.await.map_err(|it| Fault::fatal(format!("http: {it}")))
}

fn router(shown: Shown) -> Router {
    Router::new()
        .route("/", get(async || "/metrics /livez /readyz /state\n"))
        .route("/metrics", get(metrics))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/state", get(state))
        .with_state(shown)
}

async fn metrics(State(shown): State<Shown>) -> Response {
    shown.health.refresh_gauges();
    match shown.metrics.text() {
        Ok(text) => ([(header::CONTENT_TYPE, prometheus::TEXT_FORMAT)], text).into_response(),
        Err(fault) => (StatusCode::INTERNAL_SERVER_ERROR, fault.to_string()).into_response(),
    }
}

/// Every loop ticks and no call outlived its deadline. Never lag, never whether a dependency answers.
async fn livez(State(shown): State<Shown>) -> Response {
    verdict("alive", &shown.health.overdue())
}

/// Joined, the stores answer, no lane is blocked.
async fn readyz(State(shown): State<Shown>) -> Response {
    verdict("ready", &shown.health.not_ready())
}

async fn state(State(shown): State<Shown>) -> Json<Worker> {
    Json(shown.health.worker())
}

fn verdict(good: &str, against: &[String]) -> Response {
    if against.is_empty() {
        return format!("{good}\n").into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("not {good}\n{}\n", against.join("\n"))).into_response()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::health::State as LaneState;

    async fn get(address: SocketAddr, path: &str) -> (u16, String) {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.get(format!("http://{address}{path}")).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    #[tokio::test]
    async fn tells_metrics_health_and_lanes_until_it_is_stopped() {
        let metrics = Arc::new(Metrics::new().unwrap());
        let health = Health::new(Arc::clone(&metrics));
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let served = tokio::spawn(serve(listener, Arc::clone(&health), metrics, async { drop(stopped.await) }));

        let need = health.need("mysql");
        assert_eq!(get(address, "/livez").await, (200, "alive\n".to_owned()));
        assert_eq!(get(address, "/readyz").await, (503, "not ready\nmysql: not yet\n".to_owned()));
        need.met();
        assert_eq!(get(address, "/readyz").await, (200, "ready\n".to_owned()));
        let lane = health.lane("some-role", "some-topic", 1);
        lane.set_state_because(LaneState::SinkBlocked, "mysql is away");
        lane.progress(3, 8, None);
        let late = health.beat("owner loop", Duration::ZERO);
        assert_eq!(get(address, "/livez").await.0, 503);
        drop(late);
        let (_, text) = get(address, "/state").await;
        let worker: Worker = serde_json::from_str(&text).unwrap();
        assert_eq!((worker.lanes[0].state, worker.lanes[0].lag_records), (LaneState::SinkBlocked, Some(5)));
        let (_, text) = get(address, "/metrics").await;
        let line = "fleet_lane_state{partition=\"1\",role=\"some-role\",state=\"sink-blocked\",topic=\"some-topic\"} 1";
        assert!(text.contains(line), "{text}");

        stop.send(()).unwrap();
        served.await.unwrap().unwrap();
    }
}
