//! Intake: from deliveries to a batch of decoded entries.
//!
//! Batches are natural: while a flush is in flight the next one gathers; no setting trades latency for throughput.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use tokio::sync::mpsc;
use workers::fold::{Entry, Place, Reject, Role, Time, open_envelope};

use crate::{
    fault::Fault,
    kafka::consumer::{Delivery, Load, Record},
    registry::{Lookup, Registry, Writer},
    store::{ledger::LastRecord, mysql::flush::Cause},
};

/// Records of one batch at most.
const MOST_RECORDS: usize = 2_000;
/// Records of a batch that makes a flush worth a transaction of its own.
const MANY: usize = 1_000;
/// Bytes of one batch at most, a record larger than that alone excepted.
const MOST_BYTES: usize = 4 << 20;
/// Unknown schema ids that are asked for ahead of their records.
const MOST_AHEAD: usize = 64;

/// A batch: records, and beside each what became of it.
#[derive(Default)]
pub struct Batch {
    /// The records, byte for byte.
    pub records: Vec<Record>,
    /// What each decoded to.
    pub entries: Vec<Entry>,
    /// Where the cause of a reject lies.
    pub causes: Vec<Cause>,
}

/// Why records could not be taken.
#[derive(Debug)]
pub enum Obstacle {
    /// The record at the last consumed offset is another than was consumed.
    LogChanged,
    /// The schema of the next record cannot be read by this version.
    Incompatible(String),
    /// The schema of the next record cannot be had now.
    Wait(Fault),
}

/// A lane's records on their way in.
pub struct Intake {
    role: &'static Role,
    partition: i32,
    inbox: mpsc::UnboundedReceiver<Delivery>,
    load: Arc<Load>,
    carry: VecDeque<Record>,
    /// The next offset that the lane has not taken.
    cursor: i64,
    compare: Option<LastRecord>,
    writers: HashMap<u32, Arc<Writer>>,
    /// All records before it were delivered, if the consumer said so last.
    position: Option<i64>,
    /// Records met again below the cursor.
    pub repeated: u64,
}

impl Intake {
    /// The intake of a claimed lane.
    pub fn new(role: &'static Role, partition: i32, claimed: super::claim::Claimed) -> Self {
        Self {
            role,
            partition,
            inbox: claimed.inbox,
            load: claimed.load,
            carry: VecDeque::new(),
            cursor: claimed.next,
            compare: claimed.compare,
            writers: HashMap::new(),
            position: None,
            repeated: 0,
        }
    }

    /// Waits for a delivery and takes it. `None` when the consumer has ended.
    pub async fn receive(&mut self) -> Result<Option<()>, Obstacle> {
        match self.inbox.recv().await {
            Some(delivery) => self.take(delivery).map(Some),
            None => Ok(None),
        }
    }

    /// Takes what was delivered meanwhile, up to a batch's worth.
    pub fn drain(&mut self) -> Result<(), Obstacle> {
        while !self.is_enough()
            && let Ok(delivery) = self.inbox.try_recv()
        {
            self.take(delivery)?;
        }
        Ok(())
    }

    /// Whether records wait.
    pub fn is_empty(&self) -> bool {
        self.carry.is_empty()
    }

    /// Whether a batch's worth waits.
    pub fn is_enough(&self) -> bool {
        self.carry.len() >= MOST_RECORDS
    }

    /// Whether the lane is behind: so much waits that it need not share a transaction.
    pub fn is_behind(&self) -> bool {
        self.carry.len() >= MANY
    }

    /// The end of the partition, when all before it is taken and nothing waits.
    pub fn end(&self) -> Option<i64> {
        if self.carry.is_empty() { self.position } else { None }
    }

    /// The Kafka timestamp of the oldest record that waits.
    pub fn oldest(&self) -> Option<i64> {
        self.carry.front().map(|it| it.timestamp)
    }

    fn take(&mut self, delivery: Delivery) -> Result<(), Obstacle> {
        let records = match delivery {
            Delivery::Records(records) => records,
            Delivery::Position(offset) => {
                self.position = Some(offset);
                return Ok(());
            }
        };
        self.load.taken(&records);
        self.position = None;
        for record in records {
            if let Some(last) = self.compare.take()
                && record.offset == last.offset
                && last != remember(&record)
            {
                return Err(Obstacle::LogChanged);
            }
            if record.offset < self.cursor {
                self.repeated += 1;
                continue;
            }
            self.cursor = record.offset + 1;
            self.carry.push_back(record);
        }
        Ok(())
    }

    /// Puts records back that the batch did not settle.
    pub fn put_back(&mut self, records: Vec<Record>) {
        for record in records.into_iter().rev() {
            self.carry.push_front(record);
        }
    }

    /// The next batch, decoded. It ends before a record whose schema cannot be had now.
    pub async fn batch(&mut self, registry: &Registry) -> Result<Batch, Obstacle> {
        let mut batch = Batch::default();
        let mut bytes = 0;
        while let Some(record) = self.carry.pop_front() {
            bytes += record.size();
            if !batch.records.is_empty() && (batch.records.len() >= MOST_RECORDS || bytes > MOST_BYTES) {
                self.carry.push_front(record);
                break;
            }
            match self.entry(&record, registry).await {
                Ok((entry, cause)) => {
                    batch.records.push(record);
                    batch.entries.push(entry);
                    batch.causes.push(cause);
                }
                Err(obstacle) => {
                    self.carry.push_front(record);
                    if batch.records.is_empty() {
                        return Err(obstacle);
                    }
                    break;
                }
            }
        }
        Ok(batch)
    }

    async fn entry(&mut self, record: &Record, registry: &Registry) -> Result<(Entry, Cause), Obstacle> {
        let timestamp = Time(record.timestamp);
        let (event, cause) = match open_envelope(record.value.as_deref()) {
            Err(reject) => (Err(reject), Cause::Data),
            Ok((id, datum)) => match self.writer(id, registry).await? {
                Err(reject) => (Err(reject), Cause::Environment),
                Ok(writer) => {
                    let topic = self.role.topic;
                    let place = Place { partition: self.partition, partitions: topic.partitions, timestamp, key: record.key.as_deref() };
                    ((self.role.decode)(datum, &writer.codec, place), Cause::Data)
                }
            },
        };
        Ok((Entry { offset: record.offset, timestamp, event }, cause))
    }

    /// The schema of an id, or why no record of that id can ever be read.
    async fn writer(&mut self, id: u32, registry: &Registry) -> Result<Result<Arc<Writer>, Reject>, Obstacle> {
        if let Some(writer) = self.writers.get(&id) {
            return Ok(Ok(Arc::clone(writer)));
        }
        match registry.schema(id, self.role.topic).await {
            Ok(Lookup::Known(writer)) => {
                self.writers.insert(id, Arc::clone(&writer));
                Ok(Ok(writer))
            }
            Ok(Lookup::Never) => Ok(Err(Reject::new(format!("unknown schema id {id}: the registry did not know it for 60 s")))),
            Ok(Lookup::Unknown) => {
                self.ask_ahead(registry).await;
                Err(Obstacle::Wait(Fault::transient(format!("the registry does not know schema id {id} yet"))))
            }
            Ok(Lookup::Incompatible(reason)) => Err(Obstacle::Incompatible(format!(
                "schema id {id} cannot be read as {}: {reason}: run `fleet schemas check`",
                self.role.topic.name
            ))),
            Err(fault) => Err(Obstacle::Wait(fault)),
        }
    }
}

impl Intake {
    /// Asks for the ids behind one that is not known yet, so that the time of all begins now, not one after the other's end.
    async fn ask_ahead(&self, registry: &Registry) {
        let behind = self.carry.iter().filter_map(|it| open_envelope(it.value.as_deref()).ok()).map(|(id, _)| id);
        let unknown: BTreeSet<u32> = behind.filter(|it| !self.writers.contains_key(it)).collect();
        for id in unknown.into_iter().take(MOST_AHEAD) {
            // What is found is looked at when a record of it has its turn.
            if registry.schema(id, self.role.topic).await.is_err() {
                return;
            }
        }
    }
}

/// What the ledger keeps of a record.
pub fn remember(record: &Record) -> LastRecord {
    let mut hash = xxhash_rust::xxh3::Xxh3::new();
    for part in [&record.key, &record.value] {
        hash.update(&(part.as_ref().map_or(u64::MAX, |it| it.len() as u64)).to_le_bytes());
        hash.update(part.as_deref().unwrap_or_default());
    }
    LastRecord { offset: record.offset, timestamp: record.timestamp, hash: hash.digest() }
}
