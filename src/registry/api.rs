//! The Confluent API of a schema registry: the calls that are needed, and what their answers mean.
//!
//! It remembers nothing. Answers are read up to a bound, and every call has a deadline.

use std::time::Duration;

use reqwest::{Client, Method, StatusCode, Url, header};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value as Json, json};

use crate::{config::ServerUrl, fault::Fault};

/// How long a call may take.
const DEADLINE: Duration = Duration::from_secs(2);
/// A schema's text is no longer.
const MOST_SCHEMA: usize = 1 << 20;
/// An answer is no longer: a schema's text with its quotes escaped.
const MOST_ANSWER: usize = 3 * MOST_SCHEMA;
/// The media type that every registry of this API takes.
const MEDIA: &str = "application/vnd.schemaregistry.v1+json";

/// A schema registry.
#[derive(Clone)]
pub struct Api {
    client: Client,
    base: Url,
    shown: String,
}

/// What the registry has under an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// An Avro schema's text.
    Schema(String),
    /// Something that is no Avro schema of its own, and why.
    Unusable(String),
    /// Nothing.
    Absent,
}

/// A version of a subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The schema's id.
    pub id: u32,
    /// Its place in the subject.
    pub version: u32,
    /// Its text.
    pub schema: String,
}

#[derive(Deserialize)]
struct Body {
    schema: String,
    #[serde(rename = "schemaType")]
    kind: Option<String>,
    #[serde(default)]
    references: Vec<Json>,
}

#[derive(Deserialize)]
struct Id {
    id: u32,
}

#[derive(Deserialize)]
struct Level {
    #[serde(rename = "compatibilityLevel")]
    level: String,
}

/// The registry's own no.
struct No {
    absent: bool,
    message: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    error_code: u32,
    message: String,
}

impl Api {
    /// The registry at an address.
    ///
    /// # Errors
    /// Fatal: an HTTP client that cannot be made.
    pub fn new(url: &ServerUrl) -> Result<Self, Fault> {
        let client = Client::builder().timeout(DEADLINE).connect_timeout(DEADLINE).no_proxy().user_agent("fleet").build();
        let client = client.map_err(|it| Fault::fatal(format!("cannot make an HTTP client: {it}")))?;
        let base = Url::parse(url.secret()).map_err(|it| Fault::fatal(format!("FLEET_REGISTRY_URL: {it}")))?;
        Ok(Self { client, base, shown: url.to_string() })
    }

    /// The schema of an id.
    ///
    /// # Errors
    /// Transient: no answer, or not one of this API.
    pub async fn schema(&self, id: u32) -> Result<Fetched, Fault> {
        let id = id.to_string();
        let Some(body) = self.get::<Body>(&["schemas", "ids", &id]).await? else { return Ok(Fetched::Absent) };
        Ok(match body {
            Body { kind: Some(kind), .. } if kind != "AVRO" => Fetched::Unusable(format!("it is a schema of type {kind}")),
            Body { references, .. } if !references.is_empty() => Fetched::Unusable("it refers to other schemas of the registry".to_owned()),
            Body { schema, .. } if schema.len() > MOST_SCHEMA => Fetched::Unusable(format!("it is larger than {MOST_SCHEMA} bytes")),
            Body { schema, .. } => Fetched::Schema(schema),
        })
    }

    /// The id under which a subject has this schema, `None` if it has not.
    ///
    /// # Errors
    /// Transient: no answer, or not one of this API.
    pub async fn id_of(&self, subject: &str, schema: &str) -> Result<Option<u32>, Fault> {
        let found = self.ask::<Id>(Method::POST, &["subjects", subject], Some(json!({ "schema": schema }))).await?;
        Ok(self.present(found)?.map(|it| it.id))
    }

    /// Registers a schema under a subject, again if it is there. The inner error is why the registry refuses it.
    ///
    /// # Errors
    /// Transient: no answer, or not one of this API.
    pub async fn register(&self, subject: &str, schema: &str) -> Result<Result<u32, String>, Fault> {
        let made = self.ask::<Id>(Method::POST, &["subjects", subject, "versions"], Some(json!({ "schema": schema }))).await?;
        Ok(made.map(|it| it.id).map_err(|no| no.message))
    }

    /// All versions of a subject, the first first.
    ///
    /// # Errors
    /// Transient: no answer, or not one of this API.
    pub async fn versions(&self, subject: &str) -> Result<Vec<Version>, Fault> {
        let numbers: Vec<u32> = self.get(&["subjects", subject, "versions"]).await?.unwrap_or_default();
        let mut versions = Vec::with_capacity(numbers.len());
        for number in numbers {
            versions.extend(self.get::<Version>(&["subjects", subject, "versions", &number.to_string()]).await?);
        }
        Ok(versions)
    }

    /// The subject's own level of compatibility, `None` where the registry's default holds.
    ///
    /// # Errors
    /// Transient: no answer, or not one of this API.
    pub async fn compatibility(&self, subject: &str) -> Result<Option<String>, Fault> {
        Ok(self.get::<Level>(&["config", subject]).await?.map(|it| it.level))
    }

    /// Sets the subject's level of compatibility. The inner error is why the registry refuses it.
    ///
    /// # Errors
    /// Transient: no answer, or not one of this API.
    pub async fn set_compatibility(&self, subject: &str, level: &str) -> Result<Result<(), String>, Fault> {
        let set = self.ask::<Json>(Method::PUT, &["config", subject], Some(json!({ "compatibility": level }))).await?;
        Ok(set.map(|_| ()).map_err(|no| no.message))
    }

    async fn get<T: DeserializeOwned>(&self, path: &[&str]) -> Result<Option<T>, Fault> {
        let found = self.ask(Method::GET, path, None).await?;
        self.present(found)
    }

    fn present<T>(&self, found: Result<T, No>) -> Result<Option<T>, Fault> {
        match found {
            Ok(thing) => Ok(Some(thing)),
            Err(No { absent: true, .. }) => Ok(None),
            Err(No { message, .. }) => Err(self.trouble(message)),
        }
    }

    /// The answer, or the registry's own no.
    async fn ask<T: DeserializeOwned>(&self, method: Method, path: &[&str], body: Option<Json>) -> Result<Result<T, No>, Fault> {
        let mut request = self.client.request(method, self.url(path)?).header(header::ACCEPT, MEDIA);
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, MEDIA).body(body.to_string());
        }
        let answer = request.send().await.map_err(|it| self.trouble(cause(&it)))?;
        let status = answer.status();
        let bytes = self.read(answer).await?;
        if status.is_success() {
            let thing = serde_json::from_slice(&bytes);
            return thing
                .map(Ok)
                .map_err(|_| self.trouble("its answer is not one of the Confluent API: does the address end in the API's path?"));
        }
        let refusal: Refusal = serde_json::from_slice(&bytes).unwrap_or_default();
        self.refused(status, refusal).map(Err)
    }

    fn refused(&self, status: StatusCode, Refusal { error_code, message }: Refusal) -> Result<No, Fault> {
        match status {
            // A wrong path is 404 too, but not with a code of this API: nothing may be taken as absent then.
            StatusCode::NOT_FOUND if (40_400..40_500).contains(&error_code) => Ok(No { absent: true, message }),
            StatusCode::NOT_FOUND => Err(self.trouble("404 without a code of the Confluent API: does the address end in the API's path?")),
            StatusCode::CONFLICT | StatusCode::UNPROCESSABLE_ENTITY => Ok(No { absent: false, message }),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(self.trouble(format!("{status}: see the user and password in FLEET_REGISTRY_URL")))
            }
            _ => Err(self.trouble(status)),
        }
    }

    async fn read(&self, mut answer: reqwest::Response) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|it| self.trouble(cause(&it)))? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() > MOST_ANSWER {
                return Err(self.trouble(format!("an answer of more than {MOST_ANSWER} bytes")));
            }
        }
        Ok(bytes)
    }

    pub(super) fn url(&self, path: &[&str]) -> Result<Url, Fault> {
        let mut url = self.base.clone();
        let segments = url.path_segments_mut().map(|mut it| {
            it.pop_if_empty().extend(path);
        });
        segments.map_err(|()| Fault::fatal("FLEET_REGISTRY_URL: an address without a path"))?;
        Ok(url)
    }

    fn trouble(&self, what: impl std::fmt::Display) -> Fault {
        Fault::transient(format!("registry {}: {what}", self.shown))
    }
}

/// The innermost cause in a few words; the outer ones repeat the whole address.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", DEADLINE.as_secs());
    }
    let mut inner: &dyn std::error::Error = error;
    while let Some(next) = inner.source() {
        inner = next;
    }
    inner.to_string().to_lowercase()
}
