//! The schema registry as lanes use it: an id becomes a decoding plan, asked for once however many lanes need it.
//!
//! It knows nothing of records: that an id was never known, or cannot be read, is the lane's to act on.

mod api;
mod slot;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use serde_avro_fast::Schema;
use workers::fold::Topic;

use crate::{config::Config, fault::Fault, metrics::Metrics};

pub use api::{Api, Fetched, Version};
use slot::{Slot, Waiting};

/// Ids that are remembered, known or not; the one unused for longest goes first.
const MOST_IDS: usize = 10_000;
/// An id that the registry does not know is bad weather for so long: the producer may just have registered it elsewhere.
const PATIENCE: Duration = Duration::from_secs(60);

/// A schema that events were written with.
pub struct Writer {
    /// Its id.
    pub id: u32,
    /// The plan to decode its datums.
    pub codec: Schema,
    /// Its text, as the registry gave it.
    pub json: String,
}

/// What is known of an id, for a topic.
#[derive(Clone)]
pub enum Lookup {
    /// Its events can be read.
    Known(Arc<Writer>),
    /// The registry does not know it yet: ask again.
    Unknown,
    /// The registry has not known it for a minute.
    Never,
    /// It is no schema that the topic's schema can read, and why.
    Incompatible(String),
}

/// Schemas by id, and ids of our own schemas. One for the process.
pub struct Registry {
    api: Api,
    metrics: Arc<Metrics>,
    patience: Duration,
    most_ids: usize,
    slots: Mutex<HashMap<u32, Arc<Slot>>>,
    uses: AtomicU64,
    /// The id of a subject's schema, and that schema.
    ours: Mutex<HashMap<String, (String, u32)>>,
}

impl Registry {
    /// The registry of the configuration; nothing is asked yet.
    ///
    /// # Errors
    /// Fatal: an HTTP client that cannot be made.
    pub fn new(config: &Config, metrics: &Arc<Metrics>) -> Result<Self, Fault> {
        Ok(Self::with(Api::new(&config.registry)?, Arc::clone(metrics)))
    }

    fn with(api: Api, metrics: Arc<Metrics>) -> Self {
        let (slots, ours, uses) = (Mutex::default(), Mutex::default(), AtomicU64::default());
        Self { api, metrics, patience: PATIENCE, most_ids: MOST_IDS, slots, uses, ours }
    }

    /// The schema of an id, if the topic's schema can read it.
    ///
    /// Time counts from the first call with an id: ask for every id of a batch, not only for the first.
    ///
    /// # Errors
    /// Transient: the registry does not answer, which other ids need not notice.
    pub async fn schema(&self, id: u32, topic: &'static Topic) -> Result<Lookup, Fault> {
        let slot = self.slot(id);
        if let Some(known) = slot.known() {
            return Ok(slot.verdict(known, topic));
        }
        // One asks, the others wait here and find what it found.
        let mut waiting = slot.flight.lock().await;
        if let Some(known) = slot.known() {
            return Ok(slot.verdict(known, topic));
        }
        if let Some(last) = waiting.last_answer(Instant::now(), self.patience) {
            return last;
        }
        self.fetch(id, &slot, &mut waiting).await?;
        match slot.known() {
            Some(known) => Ok(slot.verdict(known, topic)),
            None => waiting.last_answer(Instant::now(), self.patience).unwrap_or(Ok(Lookup::Unknown)),
        }
    }

    /// The id under which a schema is registered, `None` if it is not. Found ids are remembered.
    ///
    /// # Errors
    /// Transient: the registry does not answer.
    pub async fn id_of(&self, subject: &str, schema: &str) -> Result<Option<u32>, Fault> {
        if let Some((known, id)) = lock(&self.ours).get(subject)
            && known == schema
        {
            return Ok(Some(*id));
        }
        let id = self.api.id_of(subject, schema).await?;
        if let Some(id) = id {
            lock(&self.ours).insert(subject.to_owned(), (schema.to_owned(), id));
        }
        Ok(id)
    }

    async fn fetch(&self, id: u32, slot: &Slot, waiting: &mut Waiting) -> Result<(), Fault> {
        let answer = self.api.schema(id).await;
        self.metrics.registry_fetch(match &answer {
            Ok(Fetched::Schema(_)) => "known",
            Ok(Fetched::Absent) => "unknown",
            Ok(Fetched::Unusable(_)) => "unusable",
            Err(_) => "failed",
        });
        match answer {
            Ok(Fetched::Schema(json)) => slot.found(parse(id, json)),
            Ok(Fetched::Unusable(why)) => slot.found(Err(why)),
            Ok(Fetched::Absent) => waiting.absent(Instant::now()),
            Err(fault) => {
                waiting.failed(Instant::now(), fault.clone());
                return Err(fault);
            }
        }
        Ok(())
    }

    fn slot(&self, id: u32) -> Arc<Slot> {
        let mut slots = lock(&self.slots);
        if !slots.contains_key(&id) && slots.len() >= self.most_ids {
            forget_one(&mut slots);
        }
        let slot = Arc::clone(slots.entry(id).or_default());
        slot.used.store(self.uses.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        slot
    }
}

/// Makes room: ids that are not known go before those that are, else the one unused for longest.
fn forget_one(slots: &mut HashMap<u32, Arc<Slot>>) {
    let worth = |slot: &Slot| (slot.known().is_some(), slot.used.load(Ordering::Relaxed));
    if let Some(id) = slots.iter().min_by_key(|(_, slot)| worth(slot)).map(|(id, _)| *id) {
        slots.remove(&id);
    }
}

fn parse(id: u32, json: String) -> Result<Arc<Writer>, String> {
    let codec: Schema = json.parse().map_err(|_| "it is not an Avro schema".to_owned())?;
    Ok(Arc::new(Writer { id, codec, json }))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
