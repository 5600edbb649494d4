//! What a dump writes and the server refuses or misreads, one schema a case, and what may happen to it.

use crate::rounds::{Case, case};

pub const CASES: &[Case] = &[
    case(
        // Each call was made before the overload that could take it.
        "later_overloads",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1';
         CREATE TABLE t (a int DEFAULT f(), b int, g int GENERATED ALWAYS AS (b + f()) STORED, CHECK (b <> f() + 7));
         INSERT INTO t (b) VALUES (3), (40); CREATE VIEW v AS SELECT b + f() AS x FROM t;
         CREATE MATERIALIZED VIEW m AS SELECT b + f() AS x FROM t; ALTER TABLE t ENABLE ROW LEVEL SECURITY;
         CREATE POLICY p ON t USING (b > f()); CREATE INDEX i ON t ((b + f())); CREATE INDEX ip ON t (b) WHERE b > f();
         CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
         CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW WHEN (new.b > f()) EXECUTE FUNCTION fires();
         CREATE DOMAIN d AS int DEFAULT f() CHECK (value > f()); CREATE TABLE t2 (x d, y int); INSERT INTO t2 VALUES (4, 5);
         CREATE RULE r AS ON UPDATE TO t2 WHERE new.y > f() DO ALSO INSERT INTO t2 VALUES (f(), f());
         CREATE FUNCTION by_default(x int DEFAULT f()) RETURNS int LANGUAGE sql AS 'SELECT 1';
         CREATE FUNCTION atomic() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT f() + 1; END;
         CREATE STATISTICS s ON (b + f()), a FROM t;
         CREATE FUNCTION k(x int DEFAULT 5) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT x';
         CREATE TABLE t3 (a int DEFAULT k(), b int, CHECK (b <> k())); INSERT INTO t3 (b) VALUES (1);
         CREATE FUNCTION any_type(anyelement) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''any''::text';
         CREATE TABLE t4 (a text DEFAULT any_type(1), b int CHECK (any_type(b) = 'any')); INSERT INTO t4 (b) VALUES (1);
         CREATE VIEW v4 AS SELECT any_type(1) AS x; CREATE AGGREGATE total (int) (SFUNC = int4pl, STYPE = int);
         CREATE VIEW v5 AS SELECT total(b) AS x FROM t; CREATE FUNCTION f(x int DEFAULT 2) RETURNS int LANGUAGE sql AS 'SELECT x';
         CREATE FUNCTION f(x text DEFAULT 'a', y text DEFAULT 'b') RETURNS int LANGUAGE sql AS 'SELECT 9';
         CREATE FUNCTION k() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT -1'; COMMENT ON FUNCTION f(int) IS 'later';
         CREATE FUNCTION any_type(int) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ''int''::text';
         CREATE FUNCTION total(int, int DEFAULT 3) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 4'",
        &[
            "ALTER TABLE t ALTER a DROP DEFAULT; DROP INDEX ip; ALTER TABLE t4 DROP CONSTRAINT t4_b_check",
            "DROP TABLE t CASCADE; DROP VIEW v4",
            "DROP FUNCTION f(int); DROP POLICY IF EXISTS p ON t; ALTER DOMAIN d DROP DEFAULT; DROP STATISTICS s",
            "DROP TABLE t3, t4 CASCADE; DROP FUNCTION any_type(int); DROP FUNCTION atomic()",
            "DROP FUNCTION f() CASCADE",
        ],
    ),
    case(
        // The server proves nothing on a value inside of another type.
        "held_domains",
        "CREATE DOMAIN d AS int CHECK (value > 0); CREATE DOMAIN d2 AS d CHECK (value < 1000); CREATE TYPE c AS (x d, y text);
         CREATE TYPE r AS RANGE (subtype = d2); CREATE TABLE a (id int PRIMARY KEY, v d, w d[], c c, cc c[], d2 d2, r r);
         INSERT INTO a VALUES (1, 1, '{1,2}', row(3, 'q'), ARRAY[row(4, 'r')::c], 5, '[1,5)'); CREATE VIEW va AS SELECT v, w FROM a;
         CREATE SEQUENCE sq; CREATE SEQUENCE sq2; CREATE FUNCTION df() RETURNS int LANGUAGE sql AS 'SELECT 7';
         CREATE TABLE b (id int DEFAULT nextval('sq'), z int DEFAULT df(), k int DEFAULT nextval('sq2') + 1);
         INSERT INTO b DEFAULT VALUES",
        &[
            "ALTER DOMAIN d DROP CONSTRAINT d_check; DROP SEQUENCE sq CASCADE; DROP FUNCTION df() CASCADE",
            "ALTER DOMAIN d2 DROP CONSTRAINT d2_check; ALTER DOMAIN d2 ADD CHECK (value < 1000) NOT VALID",
            "ALTER DOMAIN d2 DROP CONSTRAINT d2_check; ALTER DOMAIN d2 ADD CHECK (value < 1001) NOT VALID; ALTER DOMAIN d2 SET DEFAULT 4",
            "ALTER TABLE b ALTER id DROP DEFAULT, ALTER k DROP DEFAULT, ALTER z DROP DEFAULT; DROP SEQUENCE sq, sq2; DROP FUNCTION df()",
            "DROP DOMAIN d CASCADE",
        ],
    ),
];
