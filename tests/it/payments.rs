//! Payments on real servers: a kill amid a made-up stream leaves the rows of the fold, books that balance, and users' lists that are
//! gathered from all lanes.

use std::thread;

use crate::support::{
    Seed, Worker, World, caches,
    oracle::{Oracle, assert_derived},
    payments, soon,
    wait::when,
};

const EVENTS: &str = "6000";
/// Lines of an event that do not balance.
const UNBALANCED: &str = "SELECT COUNT(*) FROM (SELECT 1 FROM ledger_entries GROUP BY payment_id, created_at, event_id, currency \
     HAVING SUM(debit) <> SUM(credit)) unbalanced";
/// Days whose revenue is not what the books say of them; of each, what its accounts moved by.
const MISCOUNTED: &str = "SELECT COUNT(*) FROM (\
     (SELECT day, currency, gross, disputes, net FROM revenue_days_total WHERE (gross, refunds, disputes) <> (0, 0, 0) EXCEPT SELECT * FROM books) \
     UNION ALL (SELECT * FROM books EXCEPT SELECT day, currency, gross, disputes, net FROM revenue_days_total)) miscounted";
const BOOKS: &str = "CREATE VIEW books AS SELECT CAST(occurred_at AS DATE) AS day, currency, \
     CAST(SUM(IF(account = 'revenue', credit - debit, 0)) AS SIGNED) AS gross, \
     CAST(SUM(IF(account = 'disputes', debit - credit, 0)) AS SIGNED) AS disputes, \
     CAST(SUM(IF(account = 'processor_clearing', debit - credit, 0)) AS SIGNED) AS net \
     FROM ledger_entries GROUP BY CAST(occurred_at AS DATE), currency HAVING (gross, disputes, net) <> (0, 0, 0)";

/// Made-up payments while something else happens.
fn under_payments(world: &World, seed: &mut Seed, happens: impl FnOnce()) {
    let number = seed.within(1, 1_000_000).to_string();
    let made = ["simulate", "--topic", payments().topic.name, "--users", "300", "--events", EVENTS, "--rate", "1500", "--seed", &number];
    thread::scope(|scope| {
        scope.spawn(|| world.must(&made));
        happens();
    });
}

fn all_is_well(world: &World) {
    world.settle(payments());
    Oracle::of(world, payments()).assert(world);
    caches::assert_equal(world, payments());
    world.verify(payments());
    assert_eq!(world.database.number(UNBALANCED), 0, "events whose debits are not their credits");
    assert_eq!(world.database.number(MISCOUNTED), 0, "days whose revenue is not that of the books");
}

#[test]
fn a_kill_amid_payments_leaves_books_that_balance_and_lists_of_all_lanes() {
    let mut seed = Seed::of("payments");
    let mut world = World::new("payments");
    world.variables.insert("FLEET_KAFKA_SESSION_TIMEOUT_MS", "2000".to_owned());
    world.database.run(BOOKS).unwrap();
    let (doomed, heir) = (world.worker("payments"), world.worker("payments"));
    soon("both workers to have their share", || {
        let shares = [doomed.partitions()?.len(), heir.partitions()?.len()];
        when(shares.iter().all(|it| *it > 2), || format!("{shares:?}"))
    });
    let after = seed.within(500, 3_000);
    under_payments(&world, &mut seed, || {
        world.await_applied(payments(), after);
        doomed.kill();
    });
    all_is_well(&world);
    assert!(world.database.number("SELECT COUNT(*) FROM ledger_entries") > 4_000);
    assert_derived(&world, &[Oracle::of(&world, payments())]);

    let _: () = world.redis.ask(&["FLUSHALL"]);
    let late = world.worker("payments");
    under_payments(&world, &mut seed, || {
        world.await_applied(payments(), 6_000 + after);
        let _: () = world.redis.ask(&["FLUSHALL"]);
    });
    all_is_well(&world);
    [heir, late].into_iter().for_each(Worker::stop);
}
