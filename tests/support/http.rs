//! A worker's HTTP, and the registry's: one request at a time, in plain text.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(5);

/// An answer: its status and its body.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

/// Asks for a path at `host:port`.
pub fn get(address: &str, path: &str) -> Result<Answer, String> {
    ask(address, &format!("GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")).map_err(|it| format!("http://{address}{path}: {it}"))
}

/// Sends JSON to a path at `host:port`.
pub fn post(address: &str, path: &str, body: &str) -> Result<Answer, String> {
    let kind = "Content-Type: application/vnd.schemaregistry.v1+json";
    let head = format!("POST {path} HTTP/1.0\r\nHost: {address}\r\n{kind}\r\nContent-Length: {}\r\n\r\n", body.len());
    ask(address, &(head + body)).map_err(|it| format!("http://{address}{path}: {it}"))
}

fn ask(address: &str, request: &str) -> Result<Answer, String> {
    let target = address.parse().map_err(|it| format!("{it}"))?;
    let mut stream = TcpStream::connect_timeout(&target, PATIENCE).map_err(|it| it.to_string())?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(|it| it.to_string())?;
    stream.write_all(request.as_bytes()).map_err(|it| it.to_string())?;
    let mut text = String::new();
    stream.read_to_string(&mut text).map_err(|it| it.to_string())?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or("no answer")?;
    let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).ok_or_else(|| format!("no status: {head}"))?;
    Ok(Answer { status, body: body.to_owned() })
}

/// Series of `/metrics`: the name with its labels, and the value.
#[derive(Clone, Debug, Default)]
pub struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    /// Those of a text in Prometheus' format.
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|it| !it.starts_with('#') && !it.is_empty());
        Self(lines.filter_map(|it| it.rsplit_once(' ')).filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?))).collect())
    }

    /// The sum of all series of a name whose labels hold all of these texts, like `resolution="applied"`.
    pub fn sum(&self, name: &str, labels: &[&str]) -> f64 {
        self.series(name, labels).map(|(_, value)| value).sum()
    }

    /// The series of a name whose labels hold all of these texts.
    pub fn series<'a>(&'a self, name: &'a str, labels: &'a [&'a str]) -> impl Iterator<Item = (&'a str, f64)> {
        let of = |series: &str| series.split('{').next() == Some(name) && labels.iter().all(|it| series.contains(it));
        self.0.iter().filter(move |(series, _)| of(series)).map(|(series, value)| (series.as_str(), *value))
    }
}
