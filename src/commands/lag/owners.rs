//! What the owners of lanes say at /state.
//!
//! One that does not answer within two seconds says nothing.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::future::join_all;

use crate::{
    fault::Fault,
    health::{LaneStatus, Worker},
};

const ANSWER: Duration = Duration::from_secs(2);

/// The workers that answered, by their HTTP address.
pub struct Owners(BTreeMap<String, Worker>);

impl Owners {
    /// Asks all of them at once. An owner is what a ledger says: host, process and HTTP address.
    ///
    /// # Errors
    /// Fatal: an HTTP client that cannot be made.
    pub async fn ask<'a>(owners: impl Iterator<Item = &'a str>) -> Result<Self, Fault> {
        let client = reqwest::Client::builder().timeout(ANSWER).no_proxy().build();
        let client = client.map_err(|error| Fault::fatal(format!("http: {error}")))?;
        let addresses: BTreeSet<&str> = owners.filter_map(address).collect();
        let asked = addresses.into_iter().map(|address| {
            let request = client.get(format!("{address}/state"));
            async move {
                let answer = request.send().await.ok()?;
                Some((address.to_owned(), answer.json::<Worker>().await.ok()?))
            }
        });
        Ok(Self(join_all(asked).await.into_iter().flatten().collect()))
    }

    /// The lane that an owner says it has.
    pub fn lane(&self, owner: &str, role: &str, partition: i32) -> Option<&LaneStatus> {
        let worker = self.0.get(address(owner)?)?;
        worker.lanes.iter().find(|it| it.role == role && it.partition == partition)
    }
}

fn address(owner: &str) -> Option<&str> {
    owner.split_whitespace().find(|it| it.starts_with("http://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_names_its_address_last() {
        assert_eq!(address("host 12 http://127.0.0.1:9464"), Some("http://127.0.0.1:9464"));
        assert_eq!(address("by hand"), None);
    }
}
