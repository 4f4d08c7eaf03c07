//! The migrated database beside the rows that the core declares.

use std::collections::BTreeMap;

use workers::{
    ROLES,
    fold::{Column, Kind},
};

use crate::support::{World, database::Texts, world::told};

/// Columns of every table, in order, as the database has them.
fn columns(world: &World) -> BTreeMap<String, Vec<Texts>> {
    let rows = world.database.rows(
        "SELECT c.table_name, c.column_name, c.column_type, c.is_nullable, c.column_key, COALESCE(c.collation_name, ''), c.column_comment \
         FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name) \
         WHERE c.table_schema = DATABASE() AND t.table_type = 'BASE TABLE' ORDER BY c.table_name, c.ordinal_position",
    );
    let mut tables: BTreeMap<String, Vec<Texts>> = BTreeMap::new();
    for mut row in rows {
        let table = row.remove(0).expect("a table");
        tables.entry(table).or_default().push(row);
    }
    tables
}

/// Whether a column's type is what its kind asks for.
fn fits(column: &Column, sql_type: &str, collation: &str) -> bool {
    match column.kind {
        Kind::Long => ["bigint", "int", "smallint", "tinyint"].iter().any(|it| sql_type.starts_with(it)),
        Kind::Bool => sql_type == "tinyint(1)",
        Kind::Hundredths => sql_type.starts_with("decimal(") && sql_type.ends_with(",2)"),
        Kind::Time => sql_type == "datetime(3)",
        Kind::Day => sql_type == "date",
        Kind::Id => sql_type == "char(36)" && collation == "ascii_bin",
        Kind::Text => sql_type.starts_with("varchar(") && ["utf8mb4_0900_bin", "ascii_bin"].contains(&collation),
        Kind::Json => sql_type == "longtext" && collation == "utf8mb4_0900_bin",
    }
}

#[test]
fn every_declared_table_is_in_the_database_as_declared() {
    let world = World::new("declared");
    let tables = columns(&world);
    let catalogues = ROLES.iter().flat_map(|it| it.catalogues).map(|it| it.table);
    for table in ROLES.iter().flat_map(|it| it.tables).copied().chain(catalogues) {
        let found = tables.get(table.name).unwrap_or_else(|| panic!("no table {}", table.name));
        let names: Vec<&str> = found.iter().map(|it| it[0].as_deref().expect("a name")).collect();
        let declared: Vec<&str> = table.columns.iter().map(|it| it.name).collect();
        assert_eq!(names, declared, "columns of {}", table.name);
        for (column, row) in table.columns.iter().zip(found) {
            let text = |at: usize| row[at].as_deref().unwrap_or_default();
            assert!(
                fits(column, text(1), text(4)),
                "{}.{} is {} {}, declared as {:?}",
                table.name,
                column.name,
                text(1),
                text(4),
                column.kind
            );
            assert_eq!(text(2) == "YES", column.nullable, "{}.{} may be NULL", table.name, column.name);
        }
        let key: Vec<String> = table.columns[..table.key].iter().map(|it| it.name.to_owned()).collect();
        assert_eq!(primary_key(&world, table.name), key, "primary key of {}", table.name);
    }
}

fn primary_key(world: &World, table: &str) -> Vec<String> {
    let rows = world.database.rows(&format!(
        "SELECT column_name FROM information_schema.key_column_usage \
         WHERE table_schema = DATABASE() AND table_name = '{table}' AND constraint_name = 'PRIMARY' ORDER BY ordinal_position"
    ));
    rows.into_iter().map(|mut row| row.remove(0).expect("a name")).collect()
}

#[test]
fn every_table_and_every_column_says_what_it_holds() {
    let world = World::new("comments");
    let own = |table: &str| !table.starts_with("_sqlx");
    for (table, columns) in columns(&world).into_iter().filter(|(it, _)| own(it)) {
        for column in columns {
            let comment = column[5].as_deref().unwrap_or_default();
            assert!(comment.len() > 2, "{table}.{} has no comment", column[0].as_deref().unwrap_or_default());
        }
    }
    let tables =
        "SELECT table_name, table_comment FROM information_schema.tables WHERE table_schema = DATABASE() AND table_type = 'BASE TABLE'";
    for row in world.database.rows(tables) {
        let (name, comment) = (row[0].as_deref().unwrap_or_default(), row[1].as_deref().unwrap_or_default());
        assert!(!own(name) || comment.len() > 2, "table {name} has no comment");
    }
}

#[test]
fn every_role_has_a_ledger_row_for_each_partition_and_history_has_its_months() {
    let world = World::new("months");
    for role in ROLES {
        let partitions: Vec<i32> = world.database.ledger(role).expect("a ledger").iter().map(|it| it.partition).collect();
        assert_eq!(partitions, (0..role.topic.partitions).collect::<Vec<_>>(), "ledger of {}", role.name);
        for table in role.tables.iter().filter(|it| it.sort == workers::fold::Sort::History) {
            let parts = world.database.number(&format!(
                "SELECT COUNT(*) FROM information_schema.partitions WHERE table_schema = DATABASE() AND table_name = '{}'",
                table.name
            ));
            assert!(parts >= 28, "{} has {parts} partitions, wanted those of 28 months and the rest", table.name);
        }
    }
    assert_eq!(world.run(&["migrate", "--check"]).status.code(), Some(0), "nothing is left to do");
}

#[test]
fn freshness_shows_every_lane_of_every_role() {
    let world = World::new("freshness");
    let lanes: i64 = ROLES.iter().map(|it| i64::from(it.topic.partitions)).sum();
    assert_eq!(world.database.number("SELECT COUNT(*) FROM projection_freshness"), lanes);
    world.database.run("CREATE OR REPLACE VIEW projection_freshness AS SELECT * FROM test_results_ledger").expect("made");
    assert_eq!(world.run(&["migrate", "--check"]).status.code(), Some(1), "a view of too few ledgers is named");
    assert_eq!(world.run(&["migrate"]).status.code(), Some(0));
    assert_eq!(world.database.number("SELECT COUNT(*) FROM projection_freshness"), lanes);
    // As another version might have made it: of the same ledgers.
    let select = |name: &str, ledger: &str| format!("SELECT '{name}' AS role, partition_id, next_offset FROM {ledger}");
    let other = ROLES.iter().map(|it| select(it.name, it.ledger)).collect::<Vec<_>>().join(" UNION ALL ");
    world.database.run(&format!("CREATE OR REPLACE VIEW projection_freshness AS {other}")).expect("made");
    assert_eq!(world.run(&["migrate", "--check"]).status.code(), Some(1), "a view of another text is named");
    assert_eq!(world.run(&["migrate"]).status.code(), Some(0));
    assert_eq!(world.run(&["migrate", "--check"]).status.code(), Some(0), "it is made anew once");
    assert_eq!(
        world.database.number("SELECT COUNT(*) FROM projection_freshness WHERE confirmed_offset IS NULL"),
        lanes,
        "it has all columns"
    );
    for collation in ["utf8mb4_0900_ai_ci", "utf8mb4_unicode_ci"] {
        let of_one =
            format!("SET NAMES utf8mb4 COLLATE {collation}; SELECT COUNT(*) FROM projection_freshness WHERE role = '{}'", ROLES[0].name);
        assert_eq!(world.database.number(&of_one), i64::from(ROLES[0].topic.partitions), "a reader of {collation}");
    }
}

#[test]
fn a_database_that_cannot_be_used_is_told_with_what_mends_it() {
    let world = World::new("unusable");
    let (url, name) = (world.database.url(), world.database.name());
    let strange = format!("mysql://nobody:at-all@{}", url.rsplit_once('@').expect("a user").1);
    for (url, mending) in [(url.replace(name, "no_such_database"), "create it"), (strange, "password and rights")] {
        let output = world.command(&["migrate"]).env("FLEET_MYSQL_URL", url).output().expect("the program runs");
        let line = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), line.lines().count()), (Some(2), 1), "{line}");
        assert!(line.contains(mending) && !line.contains("at-all"), "{line}");
    }
    world.database.run("DROP TABLE letters").expect("dropped");
    let output = world.run(&["letters", "list"]);
    let line = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && line.contains("letters' doesn't exist: run `fleet migrate`"), "{line}");
}

#[test]
fn a_database_of_the_version_before_is_brought_up_to_date_with_its_rows() {
    let world = World::new("version-before");
    // As it was before migration 9.
    for statement in [
        "ALTER TABLE letters DROP KEY expiry",
        "ALTER TABLE email_suppressions DROP COLUMN last_event_at",
        "DELETE FROM _sqlx_migrations WHERE version = 9",
        "INSERT INTO email_suppressions VALUES \
         ('a@b.c', 'all', 'complaint', '2026-05-13 12:00:00.123', UUID()), ('user:1', 'news', 'unsubscribed', '2026-05-14', UUID())",
    ] {
        world.database.run(statement).unwrap_or_else(|it| panic!("{statement}: {it}"));
    }
    let looked = world.run(&["migrate", "--check"]);
    assert!(looked.status.code() == Some(1) && told(&looked).contains("0009"), "{}", told(&looked));
    let refused = world.run(&["run", "--role", ROLES[0].name]);
    assert!(refused.status.code() == Some(2) && told(&refused).contains("fleet migrate"), "{}", told(&refused));
    world.must(&["migrate"]);
    let filled = world.database.number("SELECT COUNT(*) FROM email_suppressions WHERE last_event_at = suppressed_at");
    assert_eq!(filled, 2, "what was there says the first event that is known");
    world.must(&["migrate", "--check"]);
}
