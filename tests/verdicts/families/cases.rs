//! What hangs between a parent and its children, one schema a case, and what may happen to it.
//!
//! Each case has its own schema, which is first in the search path. Damages are done one after the other, each to the
//! restored state.

use crate::rounds::{Case, case, later};

pub const CASES: &[Case] = &[
    case(
        "unproved_in_partitions",
        "CREATE TABLE e (a int) PARTITION BY RANGE (a); CREATE TABLE ea PARTITION OF e FOR VALUES FROM (0) TO (10);
         CREATE TABLE eb PARTITION OF e FOR VALUES FROM (10) TO (100) PARTITION BY RANGE (a);
         CREATE TABLE eba PARTITION OF eb FOR VALUES FROM (10) TO (20);
         CREATE TABLE ebb PARTITION OF eb FOR VALUES FROM (20) TO (30); INSERT INTO e VALUES (0), (11), (21);
         ALTER TABLE e ADD CONSTRAINT cc CHECK (a > 0) NOT VALID; ALTER TABLE eb VALIDATE CONSTRAINT cc;
         ALTER TABLE eba ADD CONSTRAINT own CHECK (a <> 12) NOT VALID;
         ALTER TABLE ebb ADD CONSTRAINT \"it's ' INHERITED\" CHECK (a::text <> ' NOT VALID');
         COMMENT ON CONSTRAINT cc ON e IS 'of the parent'; COMMENT ON CONSTRAINT cc ON ebb IS 'of a part of a part'",
        &[
            "ALTER TABLE e DROP CONSTRAINT cc; ALTER TABLE eba DROP CONSTRAINT own",
            "DROP TABLE ea; DROP TABLE eba",
            "DELETE FROM e WHERE a = 0; ALTER TABLE e VALIDATE CONSTRAINT cc; ALTER TABLE eba VALIDATE CONSTRAINT own",
            "ALTER TABLE e DETACH PARTITION eb; ALTER TABLE ea ADD CONSTRAINT later CHECK (a < 99)",
            "ALTER TABLE e ADD CONSTRAINT later CHECK (a > -1) NOT VALID; COMMENT ON CONSTRAINT cc ON ebb IS 'new'",
            "DROP TABLE e",
        ],
    ),
    case(
        "unproved_in_children",
        "CREATE TABLE p (a int, b int); CREATE TABLE c1 () INHERITS (p); CREATE TABLE c2 (a int) INHERITS (p);
         CREATE TABLE c11 () INHERITS (c1); CREATE TABLE c3 (a int, CONSTRAINT pc CHECK (a > 0), b int);
         INSERT INTO c11 VALUES (1, 2); INSERT INTO p VALUES (-1, -1); INSERT INTO c2 VALUES (-2, 2);
         ALTER TABLE p ADD CONSTRAINT pc CHECK (a > 0) NOT VALID; ALTER TABLE c11 VALIDATE CONSTRAINT pc;
         ALTER TABLE c3 INHERIT p; CREATE TABLE c4 () INHERITS (p, c1);
         ALTER TABLE p ADD CONSTRAINT pn CHECK (b > 0) NO INHERIT NOT VALID;
         COMMENT ON CONSTRAINT pc ON c11 IS 'of a child'",
        &[
            "ALTER TABLE p DROP CONSTRAINT pc; ALTER TABLE p DROP CONSTRAINT pn",
            "DROP TABLE c2, c11",
            "ALTER TABLE c2 ADD CONSTRAINT pc CHECK (a > 0) NOT VALID; ALTER TABLE c1 VALIDATE CONSTRAINT pc; DELETE FROM c2",
            "DELETE FROM p WHERE a < 0; ALTER TABLE p VALIDATE CONSTRAINT pc; ALTER TABLE ONLY p DROP CONSTRAINT pc",
            "ALTER TABLE c3 DROP CONSTRAINT IF EXISTS nothing; ALTER TABLE c3 NO INHERIT p; ALTER TABLE c3 DROP CONSTRAINT pc",
            "DROP TABLE p CASCADE",
        ],
    ),
    case(
        "foreign_children",
        "CREATE FOREIGN DATA WRAPPER fw; CREATE SERVER fs FOREIGN DATA WRAPPER fw; CREATE TABLE fp (a int, b int);
         CREATE FOREIGN TABLE fc (z int) INHERITS (fp) SERVER fs; ALTER TABLE fp ADD CONSTRAINT fk CHECK (a > 0) NOT VALID;
         COMMENT ON CONSTRAINT fk ON fc IS 'of a foreign child'",
        &["DROP FOREIGN TABLE fc", "ALTER TABLE fp DROP CONSTRAINT fk", "DROP TABLE fp CASCADE"],
    ),
    case(
        "commented_and_made_by_the_server",
        "CREATE TYPE spans AS RANGE (SUBTYPE = int, MULTIRANGE_TYPE_NAME = \"many S\"); CREATE TYPE pr AS (a int);
         CREATE TABLE rt (a int); CREATE VIEW rv AS SELECT 1 AS a; COMMENT ON FUNCTION \"many S\"() IS 'it''s';
         COMMENT ON FUNCTION spans(int, int) IS 'f'; COMMENT ON TYPE \"many S\" IS 'm'; COMMENT ON TYPE _pr IS 'array';
         COMMENT ON TYPE rt IS 'of rows'; COMMENT ON RULE \"_RETURN\" ON rv IS 'of a view'",
        &[
            "COMMENT ON TYPE \"many S\" IS NULL; COMMENT ON TYPE rt IS 'another'; COMMENT ON RULE \"_RETURN\" ON rv IS NULL",
            "DROP TYPE spans, pr; DROP VIEW rv; DROP TABLE rt",
        ],
    ),
    case(
        "rights_on_columns",
        "CREATE TABLE cr (a int, b int); GRANT USAGE ON SCHEMA rights_on_columns TO pg_monitor;
         GRANT INSERT ON cr TO pg_monitor WITH GRANT OPTION;
         SET ROLE pg_monitor; GRANT INSERT (a) ON cr TO pg_read_all_stats; RESET ROLE",
        &["GRANT ALL ON cr TO PUBLIC", "REVOKE ALL ON cr FROM pg_monitor CASCADE", "DROP TABLE cr"],
    ),
    case(
        "two_parents",
        "CREATE TABLE m1 (a int); CREATE TABLE m2 (a int); CREATE TABLE mm () INHERITS (m1, m2);
         CREATE TABLE mmm (a int) INHERITS (mm); INSERT INTO mmm VALUES (5);
         ALTER TABLE m1 ADD CONSTRAINT mc CHECK (a > 1) NOT VALID; ALTER TABLE m2 ADD CONSTRAINT mc CHECK (a > 1) NOT VALID;
         ALTER TABLE mmm VALIDATE CONSTRAINT mc; ALTER TABLE mmm ADD CONSTRAINT x CHECK (a > 2)",
        &[
            "ALTER TABLE m1 DROP CONSTRAINT mc",
            "ALTER TABLE m1 DROP CONSTRAINT mc; ALTER TABLE m2 DROP CONSTRAINT mc",
            "ALTER TABLE mm VALIDATE CONSTRAINT mc; ALTER TABLE m2 ADD CONSTRAINT x CHECK (a > 2)",
            "DROP TABLE mmm",
        ],
    ),
    case(
        "indexes",
        "CREATE TABLE pt (id int, v text) PARTITION BY RANGE (id);
         CREATE TABLE pa PARTITION OF pt FOR VALUES FROM (0) TO (10); CREATE TABLE pb PARTITION OF pt FOR VALUES FROM (10) TO (20);
         CREATE TABLE pc (id int, v text); CREATE INDEX oi ON ONLY pt (id); CREATE INDEX oj ON pt (v);
         CREATE INDEX pbx ON pb (id); ALTER INDEX oi ATTACH PARTITION pbx; ALTER TABLE ONLY pt ADD CONSTRAINT pk UNIQUE (id);
         ALTER TABLE pb ADD CONSTRAINT pbk UNIQUE (id); ALTER INDEX pk ATTACH PARTITION pbk;
         INSERT INTO pt VALUES (1, 'a'), (11, 'b'); INSERT INTO pc VALUES (21, 'c')",
        &[
            "ALTER TABLE pt DETACH PARTITION pa; CREATE INDEX later ON pa (id); CREATE INDEX newer ON pt (id, v)",
            "ALTER TABLE pt ATTACH PARTITION pc FOR VALUES FROM (20) TO (30)",
            "CREATE INDEX pax ON pa (id); ALTER INDEX oi ATTACH PARTITION pax",
            "ALTER TABLE pt DETACH PARTITION pb; ALTER TABLE pt ATTACH PARTITION pb DEFAULT",
            "DROP INDEX oj; DROP INDEX oi; ALTER TABLE pt DROP CONSTRAINT pk",
            "ALTER TABLE pt DETACH PARTITION pa; INSERT INTO pa VALUES (99, 'out of its bounds')",
            "DROP TABLE pa; DROP TABLE pb",
        ],
    ),
    case(
        "triggers",
        "CREATE TABLE l (at text); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
         CREATE TABLE t (a int, b int) PARTITION BY LIST (a); CREATE TABLE ta PARTITION OF t FOR VALUES IN (1);
         CREATE TABLE tb PARTITION OF t FOR VALUES IN (2, 3) PARTITION BY LIST (a);
         CREATE TABLE tba PARTITION OF tb FOR VALUES IN (2); CREATE TABLE tc PARTITION OF t DEFAULT;
         CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();
         CREATE TRIGGER h AFTER UPDATE OF b ON tb FOR EACH ROW WHEN (NEW.b > 1) EXECUTE FUNCTION f();
         CREATE CONSTRAINT TRIGGER k AFTER DELETE ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f();
         ALTER TABLE ta DISABLE TRIGGER g; ALTER TABLE tba ENABLE ALWAYS TRIGGER g; ALTER TABLE tba ENABLE REPLICA TRIGGER h;
         ALTER TABLE ONLY tb DISABLE TRIGGER k; CREATE RULE r AS ON UPDATE TO ta DO ALSO INSERT INTO l VALUES ('x');
         COMMENT ON TRIGGER g ON t IS 'of the parent'; COMMENT ON TRIGGER g ON ta IS 'of a part';
         COMMENT ON TRIGGER g ON tba IS 'of a part of a part'; COMMENT ON RULE r ON ta IS 'a rule'",
        &[
            "DROP TRIGGER g ON t; DROP TRIGGER h ON tb",
            "ALTER TABLE t ENABLE TRIGGER ALL; COMMENT ON TRIGGER g ON ta IS NULL; COMMENT ON TRIGGER g ON tc IS 'new'",
            "ALTER TABLE t DETACH PARTITION ta; ALTER TABLE tb DETACH PARTITION tba",
            "CREATE TRIGGER z BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE ta DISABLE TRIGGER z; DROP RULE r ON ta",
            "DROP TABLE tba; DROP TABLE tc",
        ],
    ),
    case(
        "foreign_keys",
        "CREATE TABLE r (id int PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE TABLE ra PARTITION OF r FOR VALUES FROM (0) TO (10); CREATE TABLE rb PARTITION OF r FOR VALUES FROM (10) TO (20);
         CREATE TABLE o (id int PRIMARY KEY);
         CREATE TABLE f (id int, r int REFERENCES r ON DELETE CASCADE DEFERRABLE, o int, CONSTRAINT fo FOREIGN KEY (o) REFERENCES o)
             PARTITION BY RANGE (id);
         CREATE TABLE fa PARTITION OF f FOR VALUES FROM (0) TO (10); CREATE TABLE fb (id int, r int, o int);
         ALTER TABLE fb ADD CONSTRAINT own FOREIGN KEY (o) REFERENCES o; ALTER TABLE f ATTACH PARTITION fb FOR VALUES FROM (10) TO (20);
         CREATE TABLE fc (id int, r int, o int); ALTER TABLE fc ADD CONSTRAINT later FOREIGN KEY (o) REFERENCES o NOT VALID;
         ALTER TABLE fa ADD CONSTRAINT second FOREIGN KEY (id) REFERENCES o NOT VALID;
         INSERT INTO r VALUES (1), (11); INSERT INTO o VALUES (1), (2); INSERT INTO f VALUES (1, 1, 1), (11, 11, 2); INSERT INTO fc VALUES (21, 1, 1)",
        &[
            "ALTER TABLE f DROP CONSTRAINT f_r_fkey; ALTER TABLE f DROP CONSTRAINT fo",
            "ALTER TABLE f DETACH PARTITION fb; ALTER TABLE fb DROP CONSTRAINT own; ALTER TABLE f ATTACH PARTITION fc FOR VALUES FROM (20) TO (30)",
            "ALTER TABLE fc VALIDATE CONSTRAINT later; ALTER TABLE fa VALIDATE CONSTRAINT second",
            "DELETE FROM f; ALTER TABLE r DETACH PARTITION rb; DELETE FROM rb",
            "ALTER TABLE f ADD CONSTRAINT newer FOREIGN KEY (id) REFERENCES r",
            "DROP TABLE r CASCADE",
            "DROP TABLE fb; DROP TABLE o CASCADE",
        ],
    ),
    case(
        "columns",
        "CREATE TABLE p (a int DEFAULT 1, b text DEFAULT 'x', c int NOT NULL, d int GENERATED ALWAYS AS (a * 2) STORED);
         CREATE TABLE c1 (a int DEFAULT 2) INHERITS (p); CREATE TABLE c2 () INHERITS (p); ALTER TABLE c2 ALTER b DROP DEFAULT;
         CREATE TABLE c3 (z int, a int) INHERITS (p); ALTER TABLE c3 ALTER c SET DEFAULT 7; ALTER TABLE c3 ALTER z SET NOT NULL;
         CREATE TABLE q (x int, gone int, y int DEFAULT 3) PARTITION BY LIST (x); ALTER TABLE q DROP gone;
         CREATE TABLE qa (y int, dropped text, x int); ALTER TABLE qa DROP dropped; ALTER TABLE qa ALTER y SET DEFAULT 4;
         ALTER TABLE q ATTACH PARTITION qa FOR VALUES IN (1); CREATE TABLE qb PARTITION OF q (y DEFAULT 5 NOT NULL) FOR VALUES IN (2);
         CREATE TYPE ty AS (i int, j text); CREATE TABLE ot OF ty (i PRIMARY KEY, j DEFAULT 'k' NOT NULL);
         CREATE TABLE k (i int, PRIMARY KEY (i) DEFERRABLE INITIALLY DEFERRED, r int4range, EXCLUDE USING gist (r WITH &&));
         INSERT INTO p (c) VALUES (1); INSERT INTO c1 (c) VALUES (2); INSERT INTO c3 (c, z) VALUES (3, 4); INSERT INTO q VALUES (1), (2);
         INSERT INTO ot VALUES (1); INSERT INTO k VALUES (1, '[1,2)')",
        &[
            "ALTER TABLE c1 ALTER a DROP DEFAULT; ALTER TABLE c2 ALTER b SET DEFAULT 'y'; ALTER TABLE qa ALTER y DROP DEFAULT; ALTER TABLE qb ALTER y DROP NOT NULL",
            "ALTER TABLE p DROP COLUMN d; ALTER TABLE p ADD COLUMN e int; ALTER TABLE q ADD COLUMN w int",
            "ALTER TABLE c3 NO INHERIT p; ALTER TABLE q DETACH PARTITION qa; ALTER TABLE qa ADD COLUMN w int",
            "DROP TABLE c1; DROP TABLE qb; ALTER TABLE ot NOT OF; ALTER TABLE k DROP CONSTRAINT k_pkey; ALTER TABLE k DROP CONSTRAINT k_r_excl",
            "DROP TABLE p CASCADE; DROP TABLE q; DROP TYPE ty CASCADE",
        ],
    ),
    later(
        17,
        "identities",
        "CREATE TABLE i (id int GENERATED ALWAYS AS IDENTITY, a int) PARTITION BY LIST (a);
         CREATE TABLE ia PARTITION OF i FOR VALUES IN (1); CREATE TABLE ib (a int, id int NOT NULL);
         ALTER TABLE i ATTACH PARTITION ib FOR VALUES IN (2); INSERT INTO i (a) VALUES (1), (2), (2)",
        &[
            "ALTER TABLE i ALTER id SET GENERATED BY DEFAULT",
            "ALTER TABLE i DETACH PARTITION ib",
            "ALTER TABLE i ALTER id DROP IDENTITY",
            "DROP TABLE i",
        ],
    ),
    later(
        18,
        "not_enforced",
        "CREATE TABLE n (a int, b int) PARTITION BY LIST (a); CREATE TABLE na PARTITION OF n FOR VALUES IN (1);
         CREATE TABLE nb PARTITION OF n FOR VALUES IN (2); CREATE TABLE o (id int PRIMARY KEY);
         INSERT INTO n VALUES (1, -1); ALTER TABLE n ADD CONSTRAINT ne CHECK (b > 0) NOT ENFORCED;
         CREATE TABLE h (a int, CONSTRAINT hc CHECK (a > 0) NOT ENFORCED); CREATE TABLE hh () INHERITS (h);
         CREATE TABLE hl (a int, CONSTRAINT hc CHECK (a > 0)); ALTER TABLE hl INHERIT h;
         ALTER TABLE n ADD CONSTRAINT nf FOREIGN KEY (b) REFERENCES o NOT ENFORCED;
         ALTER TABLE n ADD CONSTRAINT nv FOREIGN KEY (a) REFERENCES o NOT VALID",
        &[
            "ALTER TABLE n DROP CONSTRAINT ne; ALTER TABLE h DROP CONSTRAINT hc; ALTER TABLE n DROP CONSTRAINT nf; ALTER TABLE n DROP CONSTRAINT nv",
            "INSERT INTO o VALUES (1), (-1); ALTER TABLE n VALIDATE CONSTRAINT nv; ALTER TABLE n ALTER CONSTRAINT nf ENFORCED",
            "ALTER TABLE h DROP CONSTRAINT hc; ALTER TABLE h ADD CONSTRAINT hc CHECK (a > 0) NOT VALID",
            "ALTER TABLE n DETACH PARTITION na; DROP TABLE nb; DROP TABLE hh",
        ],
    ),
    later(
        18,
        "not_nulls",
        "CREATE TABLE nn (a int PRIMARY KEY, b int NOT NULL, c int CONSTRAINT named NOT NULL, d int NOT NULL NO INHERIT,
             e int CONSTRAINT late NOT NULL, f int CHECK (f > 0), id int GENERATED ALWAYS AS IDENTITY);
         ALTER TABLE nn RENAME CONSTRAINT nn_b_not_null TO \"re named\"; CREATE TABLE lk (LIKE nn INCLUDING ALL);
         CREATE TABLE plain (LIKE nn); ALTER TABLE plain ADD CONSTRAINT unproved NOT NULL f NOT VALID;
         CREATE TABLE ch () INHERITS (nn); CREATE TABLE cl (b int CONSTRAINT mine NOT NULL, z int CONSTRAINT mine2 NOT NULL) INHERITS (nn);
         CREATE TABLE pn (a int NOT NULL, b int CONSTRAINT up NOT NULL, k int, PRIMARY KEY (a)) PARTITION BY LIST (a);
         CREATE TABLE pna PARTITION OF pn FOR VALUES IN (1); CREATE TABLE pnb (k int, b int CONSTRAINT down NOT NULL, a int NOT NULL);
         ALTER TABLE pn ATTACH PARTITION pnb FOR VALUES IN (2); ALTER TABLE pn ADD CONSTRAINT pv NOT NULL k NOT VALID;
         ALTER TABLE pna VALIDATE CONSTRAINT pv; CREATE TABLE ip (a int); CREATE TABLE ic () INHERITS (ip); CREATE TABLE icc () INHERITS (ic);
         INSERT INTO ic DEFAULT VALUES; ALTER TABLE ip ADD CONSTRAINT iv NOT NULL a NOT VALID; ALTER TABLE icc VALIDATE CONSTRAINT iv;
         INSERT INTO nn VALUES (1, 1, 1, 1, 1, 1)",
        &[
            "ALTER TABLE nn ALTER b DROP NOT NULL; ALTER TABLE lk ALTER c DROP NOT NULL; ALTER TABLE ip DROP CONSTRAINT iv; ALTER TABLE plain DROP CONSTRAINT unproved",
            "ALTER TABLE nn RENAME CONSTRAINT named TO other; ALTER TABLE lk RENAME CONSTRAINT late TO later",
            "ALTER TABLE pn DROP CONSTRAINT pv; ALTER TABLE pn DETACH PARTITION pnb; ALTER TABLE plain VALIDATE CONSTRAINT unproved",
            "DROP TABLE lk; DROP TABLE ch; DROP TABLE icc; DROP TABLE pna",
            "ALTER TABLE ip ADD CONSTRAINT x CHECK (a > 0) NOT VALID; ALTER TABLE lk ALTER f SET NOT NULL",
            "DROP TABLE nn CASCADE; DROP TABLE pn",
        ],
    ),
];
