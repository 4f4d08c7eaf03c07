//! Workers that were frozen, and claims that hang: what comes too late changes nothing, and nobody is left standing.

use std::{collections::BTreeMap, time::Duration};

use fleet::store::{ledger::Ledger, mysql};

use crate::support::{
    Seed, Worker, World, caches,
    database::Position,
    events,
    oracle::Oracle,
    proxy::Proxy,
    results, soon,
    wait::{holds_for, wait_until, when},
};

/// The consumer's default: past it another may own the lane.
const SESSION: Duration = Duration::from_secs(6);
/// How much longer than a session a successor may be held.
const GRACE: Duration = Duration::from_secs(5);

/// Tokens by partition.
fn tokens(world: &World) -> BTreeMap<i32, String> {
    let ledger = world.database.ledger(results()).expect("the ledger");
    ledger.into_iter().map(|Position { partition, token, .. }| (partition, token)).collect()
}

/// Freezes a worker at a point of its flush until another has all its lanes and has gone on; then lets it go on.
fn freeze_at(test: &str, point: &str) {
    let mut seed = Seed::of(test);
    let world = World::new(test);
    let nth = seed.within(3, 9);
    let zombie = world.worker_with("test-results", &[("FLEET_FAILPOINT", &format!("{point}:{nth}")), ("FLEET_FAILPOINT_STOP", "1")]);
    // Few users, so that the successor writes the very rows and keys that the zombie was about to.
    world.send(results().topic, &events::test_results(&mut seed, 20, 1_500));
    wait_until("the worker to freeze", SESSION * 5, || when(zombie.is_frozen(), || "it runs".to_owned()));
    let before = tokens(&world);
    let heir = world.worker("test-results");
    wait_until("every lane to be claimed anew", SESSION + GRACE, || {
        let left: Vec<i32> = tokens(&world).into_iter().filter(|(partition, token)| before[partition] == *token).map(|it| it.0).collect();
        when(left.is_empty(), || format!("still the frozen worker's: {left:?}"))
    });
    world.send(results().topic, &events::test_results(&mut seed, 20, 1_500));
    world.settle(results());
    let settled = world.database.dump(results());
    zombie.thaw();
    await_share(&zombie);
    world.settle(results());
    world.database.dump(results()).assert_equals(&settled, "after the zombie's return");
    holds_for(Duration::from_secs(2), || caches::check(&world, results()));
    world.send(results().topic, &events::test_results(&mut seed, 20, 500));
    world.settle(results());
    Oracle::of(&world, results()).assert(&world);
    caches::assert_equal(&world, results());
    world.verify(results());
    heir.stop();
    zombie.stop();
}

/// Waits until a worker has its share of the lanes, and they work.
fn await_share(worker: &Worker) {
    soon("a worker to have its share of the lanes", || {
        let lanes = worker.lanes_at_work()?;
        when(!lanes.is_empty() && lanes.len() < 10, || format!("its lanes are {lanes:?}"))
    });
}

#[test]
fn a_worker_frozen_inside_a_transaction_holds_nobody_and_lands_nothing() {
    freeze_at("frozen-inside", "in-transaction");
}

#[test]
fn a_worker_frozen_between_commit_and_redis_overwrites_nothing_newer() {
    freeze_at("frozen-after", "after-commit");
}

#[test]
fn a_worker_frozen_in_its_last_step_to_redis_overwrites_nothing_newer() {
    freeze_at("frozen-late", "before-caches");
}

#[test]
fn a_worker_frozen_before_its_flush_lands_nothing_where_another_has_claimed() {
    let mut seed = Seed::of("frozen-before");
    let world = World::new("frozen-before");
    let proxied = || {
        let proxy = world.proxy(&world.servers.mysql_address());
        let url = world.mysql_by(&proxy);
        (proxy, url)
    };
    let ((zombies, zombie_url), (heirs, heir_url)) = (proxied(), proxied());
    let failpoint = format!("after-fold:{}", seed.within(3, 9));
    let stops = [("FLEET_FAILPOINT", failpoint.as_str()), ("FLEET_FAILPOINT_STOP", "1"), ("FLEET_MYSQL_URL", &zombie_url)];
    let zombie = world.worker_with("test-results", &stops);
    world.send(results().topic, &events::test_results(&mut seed, 20, 1_500));
    wait_until("the worker to freeze", SESSION * 5, || when(zombie.is_frozen(), || "it runs".to_owned()));
    let before = tokens(&world);
    // The heir claims, and does not flush: the ledger stands where the zombie left it, under another token. The zombie claims no more.
    heirs.hold(Some(FLUSH));
    zombies.hold(Some(CLAIM));
    let heir = world.worker_with("test-results", &[("FLEET_MYSQL_URL", &heir_url)]);
    wait_until("every lane to be claimed anew", SESSION + GRACE, || {
        let left = tokens(&world).into_iter().filter(|(partition, token)| before[partition] == *token).count();
        when(left == 0, || format!("{left} are still the frozen worker's"))
    });
    let applied = world.database.applied(results());
    zombie.thaw();
    soon("the zombie to run", || when(zombie.get("/livez").is_ok(), || "it does not answer".to_owned()));
    holds_for(Duration::from_secs(4), || {
        let now = world.database.applied(results());
        when(now == applied, || format!("{now} records are applied, and not {applied}: the zombie flushed"))
    });
    zombies.hold(None);
    heirs.hold(None);
    world.settle(results());
    Oracle::of(&world, results()).assert(&world);
    caches::assert_equal(&world, results());
    heir.stop();
    zombie.stop();
}

#[test]
fn a_worker_frozen_from_outside_under_load_is_fenced() {
    let mut seed = Seed::of("frozen-outside");
    let world = World::new("frozen-outside");
    let (zombie, heir) = (world.worker("test-results"), world.worker("test-results"));
    await_share(&zombie);
    await_share(&heir);
    world.send(results().topic, &events::test_results(&mut seed, 100, 4_000));
    world.await_applied(results(), seed.within(200, 2_000));
    zombie.freeze();
    let before = tokens(&world);
    wait_until("the frozen worker's lanes to be claimed", SESSION + GRACE, || {
        let owners = world.database.ledger(results())?;
        let left: Vec<i32> = owners.iter().filter(|it| it.owner.contains(&format!(" {} ", zombie.pid()))).map(|it| it.partition).collect();
        when(left.is_empty(), || format!("still its own: {left:?}"))
    });
    assert_ne!(before, tokens(&world));
    world.send(results().topic, &events::test_results(&mut seed, 100, 2_000));
    zombie.thaw();
    world.settle(results());
    await_share(&zombie);
    world.settle(results());
    Oracle::of(&world, results()).assert(&world);
    caches::assert_equal(&world, results());
    heir.stop();
    zombie.stop();
}

/// What a flush says first: a worker whose flushes are to hang may not say it.
const FLUSH: &str = "FORCE INDEX (PRIMARY)";
/// What a claim says first.
const CLAIM: &str = "WHERE partition_id = ? AND shard = 0 FOR UPDATE";

/// A worker whose claims all hang in a slow MySQL, beside a first one, and a second to which partitions of both then move.
struct Hanging {
    world: World,
    seed: Seed,
    proxy: Proxy,
    first: Worker,
    slow: Worker,
    second: Worker,
}

impl Hanging {
    fn new(test: &str) -> Self {
        let mut seed = Seed::of(test);
        let world = World::new(test);
        let proxy = world.proxy(&world.servers.mysql_address());
        let url = world.mysql_by(&proxy);
        let first = world.worker("test-results");
        world.send(results().topic, &events::test_results(&mut seed, 100, 500));
        world.settle(results());
        proxy.hold(Some(CLAIM));
        let slow = world.worker_with("test-results", &[("FLEET_MYSQL_URL", &url), ("FLEET_MYSQL_CONNECTIONS", "10")]);
        soon("its claims to hang", || when(proxy.holding() == 5, || format!("{} hang", proxy.holding())));
        let second = world.worker("test-results");
        await_share(&second);
        let lost: Vec<i64> = second.partitions().expect("its lanes");
        assert!(slow.partitions().expect("its lanes").len() < 5, "some of what hangs has moved to {lost:?}");
        Self { world, seed, proxy, first, slow, second }
    }

    /// Lets what hangs go on, and shows that it took nothing from anybody.
    fn let_go(&mut self) {
        assert_eq!(self.slow.get("/livez").expect("an answer").status, 200, "a slow MySQL is no reason to end the worker");
        assert!(self.proxy.holding() >= 5, "{} claims hang still", self.proxy.holding());
        self.proxy.hold(None);
        await_share(&self.slow);
        self.world.send(results().topic, &events::test_results(&mut self.seed, 100, 500));
        self.world.settle(results());
        Oracle::of(&self.world, results()).assert(&self.world);
    }
}

/// Nobody lost a lane to a claim that came too late.
fn assert_unfenced(workers: &[&Worker]) {
    for worker in workers {
        assert_eq!(worker.metric("fleet_fenced_total", &[]), 0.0, "a claim that was revoked came through");
    }
}

#[test]
fn a_claim_that_hangs_while_its_partition_moves_away_takes_it_from_nobody() {
    let mut hanging = Hanging::new("moved-away");
    hanging.let_go();
    assert_unfenced(&[&hanging.first, &hanging.slow, &hanging.second]);
}

#[test]
fn a_claim_that_hangs_while_its_partition_moves_away_and_back_leaves_nobody_standing() {
    let mut hanging = Hanging::new("moved-back");
    let Hanging { first, slow, second, .. } = &hanging;
    second.terminate();
    soon("half of the partitions to be the slow worker's again", || {
        let own = slow.partitions()?;
        when(own.len() == 5, || format!("it has {own:?}"))
    });
    await_share(first);
    hanging.let_go();
    assert_unfenced(&[&hanging.first, &hanging.slow]);
}

#[test]
fn a_claim_whose_partition_is_revoked_before_its_commit_takes_nothing() {
    let world = World::new("revoked-claim");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let claim = |still_mine: bool| {
        runtime.block_on(async {
            let pool = mysql::pool(world.database.url().parse().unwrap(), 1);
            Ledger::of(results()).claim(pool, (3, "late".to_owned()), Box::new(move || still_mine)).await.unwrap()
        })
    };
    let before = tokens(&world);
    assert!(claim(false).is_none());
    assert_eq!(tokens(&world), before, "the row is as it was");
    assert!(claim(true).is_some());
    assert_ne!(tokens(&world), before);
}
