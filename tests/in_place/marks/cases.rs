//! Tables whose rows change, each in a way of its own.

/// Untouched ones, then one for each silence that could be.
pub const SCHEMA: &str = "CREATE TYPE mood AS ENUM ('sad', 'fine', 'glad'); CREATE TYPE pair AS (a int, b text);
    CREATE DOMAIN feeling AS mood;
    CREATE TABLE still (id int PRIMARY KEY, v text); CREATE TABLE still_too (id int, m mood[] DEFAULT '{sad}', f feeling);
    CREATE TABLE nothing (); CREATE TABLE zero (id int, v text);
    CREATE TABLE part (id int, v text) PARTITION BY LIST (id);
    CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1); CREATE TABLE part_2 PARTITION OF part FOR VALUES IN (2);
    CREATE TABLE part_3 PARTITION OF part FOR VALUES IN (3); INSERT INTO part VALUES (1, 'a'), (2, 'b'), (3, 'c');
    INSERT INTO still SELECT g, repeat('x', 100) FROM generate_series(1, 2000) g; INSERT INTO still_too VALUES (1);
    CREATE TABLE named (c regclass); INSERT INTO named VALUES ('gone'); CREATE TABLE pairs (p pair);
    CREATE TABLE with_pairs (p pair[]); INSERT INTO with_pairs VALUES (ARRAY[ROW(1, 'x')::pair]);";

/// Makes a table with two rows, and `INSERT`s so often that its counters are its own.
pub const TABLES: &[&str] = &[
    "truncated",
    "filled_again",
    "frozen",
    "updated",
    "dropped",
    "recreated",
    "readded",
    "swapped_columns",
    "added",
    "retyped",
    "swapped_1",
    "swapped_2",
    "rolled_back",
    "clustered",
    "renamed",
    "deleted",
    "in_place",
    "gone",
    "twice",
];

/// A table, what is done to it, and whether its rows are other ones then.
pub const CHANGES: &[(&str, &str, bool)] = &[
    ("truncated", "TRUNCATE truncated", true),
    (
        "filled_again",
        "BEGIN; TRUNCATE filled_again; INSERT INTO filled_again VALUES (1, 'a'), (2, 'evil'); COMMIT",
        true,
    ),
    (
        "frozen",
        "BEGIN; TRUNCATE frozen; COPY frozen FROM PROGRAM 'echo 1,evil,x' WITH (FORMAT csv, FREEZE); COMMIT",
        true,
    ),
    ("updated", "UPDATE updated SET v = 'evil' WHERE id = 1", true),
    ("deleted", "DELETE FROM deleted WHERE id = 1", true),
    ("dropped", "DROP TABLE dropped", true),
    (
        "recreated",
        "DROP TABLE recreated; CREATE TABLE recreated (id int, v text); INSERT INTO recreated VALUES (1, 'evil')",
        true,
    ),
    ("readded", "ALTER TABLE readded DROP COLUMN v; ALTER TABLE readded ADD COLUMN v text", true),
    (
        "swapped_columns",
        "ALTER TABLE swapped_columns RENAME v TO x; ALTER TABLE swapped_columns RENAME w TO v; \
         ALTER TABLE swapped_columns RENAME x TO w",
        true,
    ),
    ("added", "ALTER TABLE added ADD COLUMN more text DEFAULT 'more'; UPDATE added SET v = more", true),
    ("retyped", "ALTER TABLE retyped ALTER v TYPE int USING id", true),
    (
        "swapped_1",
        "ALTER TABLE swapped_1 RENAME TO swapped_x; ALTER TABLE swapped_2 RENAME TO swapped_1; \
         ALTER TABLE swapped_x RENAME TO swapped_2; UPDATE swapped_1 SET v = 'evil'",
        true,
    ),
    ("in_place", "DO $$ BEGIN UPDATE in_place SET v = 'evil'; EXCEPTION WHEN division_by_zero THEN NULL; END $$", true),
    ("named", "DROP TABLE gone", true),
    ("with_pairs", "ALTER TYPE pair DROP ATTRIBUTE b; ALTER TYPE pair ADD ATTRIBUTE b text", true),
    ("part_1", "UPDATE part SET v = 'evil' WHERE id = 1", true),
    ("part_3", "UPDATE part SET id = 2 WHERE id = 3", true),
    ("twice", "UPDATE twice SET v = 'evil'; TRUNCATE twice; INSERT INTO twice SELECT 1, 'evil'", true),
    ("rolled_back", "BEGIN; UPDATE rolled_back SET v = 'evil'; ROLLBACK", false),
    ("clustered", "VACUUM FULL clustered", false),
];
