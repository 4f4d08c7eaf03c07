//! Look-ups of several lanes in one: what is asked while one is under way goes together with the next.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};
use workers::fold::{Missing, Values};

use super::group::Timetable;
use crate::{
    fault::Fault,
    store::mysql::{flush::Flusher, load::load},
};

/// Rows, and which they are: `None` for one that is absent.
type Found = Vec<(Missing, Option<Values>)>;

/// Keys of a look-up from which on it goes alone, beside others.
const LARGE: usize = 200;
/// How long a look-up waits for lanes that are about to ask, too.
const MOMENT: Duration = Duration::from_millis(3);

/// The way of a role's look-ups into MySQL.
pub struct Lookups {
    flusher: Arc<Flusher>,
    queue: mpsc::UnboundedSender<Asked>,
}

/// A look-up that waits.
struct Asked {
    missing: Vec<Missing>,
    reply: oneshot::Sender<Result<Found, Fault>>,
}

impl Lookups {
    /// Those of a role's lanes in this process.
    pub(super) fn start(flusher: &Arc<Flusher>, timetable: &Arc<Timetable>) -> Self {
        let (queue, asked) = mpsc::unbounded_channel();
        let answers = Answers { flusher: Arc::clone(flusher), timetable: Arc::clone(timetable), asked };
        tokio::spawn(answers.run());
        Self { flusher: Arc::clone(flusher), queue }
    }

    /// The rows of these keys as the database has them.
    ///
    /// # Errors
    /// Transient or fatal, as the database says.
    pub async fn load(&self, missing: Vec<Missing>) -> Result<Found, Fault> {
        if missing.len() >= LARGE {
            return load(&self.flusher, missing).await;
        }
        let (reply, answer) = oneshot::channel();
        let lost = || Fault::transient("a look-up of several lanes ended without an answer");
        self.queue.send(Asked { missing, reply }).map_err(|_| lost())?;
        answer.await.map_err(|_| lost())?
    }
}

/// The task that looks up what several lanes ask, one look-up after the other.
struct Answers {
    flusher: Arc<Flusher>,
    timetable: Arc<Timetable>,
    asked: mpsc::UnboundedReceiver<Asked>,
}

impl Answers {
    async fn run(mut self) {
        while let Some(first) = self.asked.recv().await {
            let waiting = self.gather(first).await;
            self.answer(waiting).await;
        }
    }

    /// What is asked now, and what lanes ask before long that have records in hand.
    async fn gather(&mut self, first: Asked) -> Vec<Asked> {
        let mut waiting = Vec::from([first]);
        let closes = Instant::now() + MOMENT;
        loop {
            while let Ok(next) = self.asked.try_recv() {
                waiting.push(next);
            }
            if waiting.len() >= self.timetable.on_the_way() {
                return waiting;
            }
            tokio::select! {
                Some(next) = self.asked.recv() => waiting.push(next),
                () = self.timetable.fewer() => {}
                () = sleep_until(closes) => return waiting,
            }
        }
    }

    async fn answer(&self, waiting: Vec<Asked>) {
        let all = waiting.iter().flat_map(|it| &it.missing).cloned().collect();
        let found = load(&self.flusher, all).await.map(|it| it.into_iter().collect::<HashMap<_, _>>());
        for Asked { missing, reply } in waiting {
            let row = |it: Missing| {
                let row = found.as_ref().ok().and_then(|found| found.get(&it).cloned().flatten());
                (it, row)
            };
            let answer = found.as_ref().map(|_| missing.into_iter().map(row).collect()).map_err(Clone::clone);
            // Who asked may be gone.
            let _ = reply.send(answer);
        }
    }
}
