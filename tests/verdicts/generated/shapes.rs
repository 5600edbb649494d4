//! Shapes of tables and views: every option of constraints, indexes, partitions, triggers, sequences, statistics and
//! storage, and comments on all that is there.

use super::grammar::{Column, Ty};
use super::objects::World;

const COMMENT_ON_EVERYTHING: &str = r#"DO $do$ DECLARE s text; BEGIN FOR s IN
    SELECT format('COMMENT ON %s %s IS ''c %s''', CASE c.relkind WHEN 'S' THEN 'SEQUENCE' WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
        WHEN 'i' THEN 'INDEX' WHEN 'I' THEN 'INDEX' WHEN 'c' THEN 'TYPE' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, c.oid::regclass, c.relkind)
        FROM pg_class c WHERE relnamespace IN ('gen'::regnamespace, '"Other s"'::regnamespace) AND relkind <> 't'
    UNION ALL SELECT format('COMMENT ON CONSTRAINT %I ON %s IS ''k''', conname, CASE WHEN contypid <> 0 THEN 'DOMAIN ' || contypid::regtype ELSE conrelid::regclass::text END)
        FROM pg_constraint WHERE connamespace IN ('gen'::regnamespace, '"Other s"'::regnamespace)
    UNION ALL SELECT format('COMMENT ON TRIGGER %I ON %s IS ''t''', tgname, tgrelid::regclass) FROM pg_trigger WHERE NOT tgisinternal
    UNION ALL SELECT format('COMMENT ON POLICY %I ON %s IS ''p''', polname, polrelid::regclass) FROM pg_policy
    UNION ALL SELECT format('COMMENT ON RULE %I ON %s IS ''r''', rulename, ev_class::regclass) FROM pg_rewrite WHERE rulename <> '_RETURN' AND ev_class > 16383
    UNION ALL SELECT format('COMMENT ON COLUMN %s.%I IS ''a''', attrelid::regclass, attname) FROM pg_attribute JOIN pg_class c ON c.oid = attrelid
        WHERE attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'v', 'm', 'f', 'p', 'c') AND relnamespace = 'gen'::regnamespace
    UNION ALL SELECT format('COMMENT ON ROUTINE %s IS ''f''', oid::regprocedure) FROM pg_proc WHERE pronamespace = 'gen'::regnamespace AND prokind <> 'a'
    UNION ALL SELECT format('COMMENT ON STATISTICS %I.%I IS ''s''', stxnamespace::regnamespace, stxname) FROM pg_statistic_ext
    LOOP BEGIN EXECUTE s; EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END $do$"#;

impl World {
    /// Each shape by a toss.
    pub fn shapes(&mut self) {
        let shapes: [fn(&mut Self); 8] = [
            Self::constraints,
            Self::index_forms,
            Self::more_partitions,
            Self::more_inheritance,
            Self::trigger_forms,
            Self::sequences,
            Self::storage,
            Self::view_forms,
        ];
        for shape in shapes {
            if self.random.once_in(2) {
                shape(self);
            }
        }
    }

    /// On what is there by now.
    pub fn comments(&mut self) {
        if self.random.once_in(4) {
            self.add(COMMENT_ON_EVERYTHING);
        }
    }

    fn two(&mut self) -> String {
        let columns = [Column { name: "a".into(), ty: Ty::Varchar }, Column { name: "b".into(), ty: Ty::Int }];
        self.condition(&columns, &[], None)
    }

    fn each(&mut self, statements: &[&str]) {
        for statement in statements {
            if !self.random.once_in(4) {
                self.add(*statement);
            }
        }
    }

    fn constraints(&mut self) {
        let (one, two) = (self.two(), self.two());
        self.add(format!("CREATE TABLE gen.con (a varchar(20) NOT NULL, b int, r int4range, CONSTRAINT \"c 1\" CHECK ({one}) NO INHERIT, CONSTRAINT k PRIMARY KEY (b) INCLUDE (a) WITH (fillfactor = 70))"));
        self.each(&[
            "INSERT INTO gen.con (a, b) VALUES ('x', 1), ('new', 2)",
            "ALTER TABLE gen.con ADD CONSTRAINT \"u 1\" UNIQUE NULLS NOT DISTINCT (a, r) DEFERRABLE INITIALLY DEFERRED",
            "CREATE UNIQUE INDEX con_u ON gen.con (b DESC, a text_pattern_ops); ALTER TABLE gen.con ADD UNIQUE USING INDEX con_u",
            "CREATE UNIQUE INDEX con_v ON gen.con (a); ALTER TABLE gen.con ADD CONSTRAINT named UNIQUE USING INDEX con_v DEFERRABLE",
            "ALTER TABLE gen.con ADD CONSTRAINT ex EXCLUDE USING gist (r WITH &&, r WITH -|-) WITH (fillfactor = 50) WHERE (r <> 'empty' AND a IN ('x', 'y')) DEFERRABLE",
            "ALTER TABLE gen.con ADD CONSTRAINT ex2 EXCLUDE USING btree (lower(a) COLLATE \"C\" WITH =, (b + 1) WITH =)",
            "ALTER INDEX gen.k SET (fillfactor = 33); ALTER TABLE gen.con CLUSTER ON k; ALTER TABLE gen.con REPLICA IDENTITY USING INDEX k",
            "CREATE TABLE gen.refs (a int REFERENCES gen.con ON UPDATE CASCADE ON DELETE RESTRICT, b int, c int REFERENCES gen.con DEFERRABLE INITIALLY DEFERRED)",
            "ALTER TABLE gen.refs ADD CONSTRAINT \"f k\" FOREIGN KEY (b) REFERENCES gen.con (b) MATCH FULL ON DELETE SET DEFAULT (b) NOT VALID",
            "ALTER TABLE gen.refs DISABLE TRIGGER ALL",
            "ALTER TABLE gen.refs ADD CONSTRAINT few UNIQUE (a, b); ALTER TABLE gen.refs REPLICA IDENTITY FULL",
            "ALTER TABLE gen.con ADD CONSTRAINT ne CHECK (b < 0) NOT ENFORCED",
            "ALTER TABLE gen.refs ADD CONSTRAINT fne FOREIGN KEY (c) REFERENCES gen.con NOT ENFORCED",
            "ALTER TABLE gen.refs ADD CONSTRAINT nn NOT NULL c NOT VALID",
            "ALTER TABLE gen.con ADD CONSTRAINT \"named NN\" NOT NULL r NO INHERIT",
            "CREATE TABLE gen.virt (a int, v int GENERATED ALWAYS AS (a * 2) VIRTUAL, w varchar(9) GENERATED ALWAYS AS (CASE WHEN a IN (1, 2) THEN 'x' END))",
            "CREATE TABLE gen.period (id int4range, during daterange, PRIMARY KEY (id, during WITHOUT OVERLAPS))",
        ]);
        self.add(format!("ALTER TABLE gen.con ADD CONSTRAINT nv CHECK ({two}) NOT VALID"));
        self.add("CREATE TABLE gen.like_it (LIKE gen.con INCLUDING ALL); CREATE TABLE gen.like_two (LIKE gen.parts INCLUDING CONSTRAINTS INCLUDING DEFAULTS)");
        self.add("ALTER TABLE gen.con ADD COLUMN came text DEFAULT 'x' || 'y'; ALTER TABLE gen.con ADD CONSTRAINT self FOREIGN KEY (b) REFERENCES gen.con (b)");
    }

    fn index_forms(&mut self) {
        let filter = self.two();
        self.add("CREATE TABLE gen.ind (a varchar(20), b int, c int[], j jsonb, p point, t text)");
        self.add(format!("CREATE INDEX ind_brin ON gen.ind USING brin (b, t) WITH (pages_per_range = 5, autosummarize = on) WHERE {filter}"));
        self.each(&[
            "INSERT INTO gen.ind (a, b) VALUES ('x', 1), ('x', 1), ('new', 2)",
            "CREATE INDEX ind_gin ON gen.ind USING gin (c, j jsonb_path_ops) WITH (gin_pending_list_limit = 128)",
            "CREATE INDEX ind_gist ON gen.ind USING gist (p, box(p, p)) WITH (buffering = on, fillfactor = 60)",
            "CREATE INDEX ind_spgist ON gen.ind USING spgist (t) INCLUDE (b)",
            "CREATE INDEX ind_hash ON gen.ind USING hash ((a || 'x')) WITH (fillfactor = 11)",
            "CREATE UNIQUE INDEX ind_nulls ON gen.ind (c, a DESC NULLS LAST) NULLS NOT DISTINCT",
            "CREATE INDEX ind_ops ON gen.ind USING brin (b int4_minmax_multi_ops (values_per_range = 16)); ALTER INDEX gen.ind_ops ALTER COLUMN 1 SET STATISTICS 33",
            "CREATE UNIQUE INDEX CONCURRENTLY ind_invalid ON gen.ind (b)",
            "CREATE INDEX CONCURRENTLY ind_ex ON gen.ind ((CASE WHEN a IN ('new', 'paid') THEN 1 / NULLIF(b - 1, 0) END))",
            "CREATE INDEX ind_row ON gen.ind ((ROW(a, b) IS NULL), (ind.*::text IS NOT NULL))",
            "CREATE STATISTICS gen.\"st X\" (dependencies, mcv) ON a, b, (a || t) FROM gen.ind; ALTER STATISTICS gen.\"st X\" SET STATISTICS 21",
            "CREATE STATISTICS gen.st_ex ON (lower(a) IN ('x', 'y')) FROM gen.ind",
            "ALTER TABLE gen.ind CLUSTER ON ind_nulls; ALTER TABLE gen.ind REPLICA IDENTITY NOTHING",
        ]);
    }

    fn more_partitions(&mut self) {
        let (one, two) = (self.two(), self.two());
        self.add(format!("CREATE TABLE gen.rng (a varchar(20), b int, c date DEFAULT '2024-01-01', CONSTRAINT pc CHECK ({one})) PARTITION BY RANGE (c, (b % 5), lower(a) COLLATE \"C\")"));
        self.add(format!("CREATE TABLE gen.rng1 PARTITION OF gen.rng (b DEFAULT 3 NOT NULL, CONSTRAINT own CHECK ({two})) FOR VALUES FROM (MINVALUE, MINVALUE, MINVALUE) TO (date '2024-01-01' + 20, 3, 'x' || 'y')"));
        self.each(&[
            "CREATE TABLE gen.rng2 PARTITION OF gen.rng FOR VALUES FROM ('2024-01-21', 3, 'xy') TO (MAXVALUE, MAXVALUE, MAXVALUE) PARTITION BY HASH (b)",
            "CREATE TABLE gen.rng2h PARTITION OF gen.rng2 FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE gen.rng2i PARTITION OF gen.rng2 FOR VALUES WITH (MODULUS 2, REMAINDER 1) WITH (fillfactor = 44)",
            "INSERT INTO gen.rng (a, b) VALUES ('x', 1), ('y', 2)",
            "CREATE INDEX rng_i ON gen.rng (a, (b IN (1, 2))) WHERE a IN ('new', 'paid')",
            "CREATE INDEX rng_only ON ONLY gen.rng (b); CREATE INDEX rng1_b ON gen.rng1 (b); ALTER INDEX gen.rng_only ATTACH PARTITION gen.rng1_b",
            "ALTER TABLE gen.rng ADD CONSTRAINT late CHECK (b > -100) NOT VALID",
            "ALTER TABLE gen.rng ADD CONSTRAINT ne CHECK (b > 0) NOT ENFORCED",
            "ALTER TABLE gen.rng ADD CONSTRAINT nnv NOT NULL a NOT VALID",
            "ALTER TABLE gen.rng ADD CONSTRAINT uq UNIQUE (c, b, a)",
            "ALTER TABLE gen.rng ADD FOREIGN KEY (a) REFERENCES gen.kinds",
            "ALTER TABLE gen.rng ADD CONSTRAINT fnv FOREIGN KEY (a) REFERENCES gen.kinds NOT VALID",
            "CREATE TABLE gen.idp (id int GENERATED ALWAYS AS IDENTITY, k int, PRIMARY KEY (k)) PARTITION BY LIST (k); CREATE TABLE gen.idp1 PARTITION OF gen.idp FOR VALUES IN (1, 3)",
            "CREATE TABLE gen.to_parts (k int REFERENCES gen.idp)",
            "CREATE TRIGGER cl AFTER INSERT OR UPDATE OF a ON gen.rng FOR EACH ROW WHEN (new.a IN ('x', 'y')) EXECUTE FUNCTION gen.touch('q')",
            "ALTER TABLE gen.rng1 DISABLE TRIGGER cl",
            "ALTER TABLE ONLY gen.rng DISABLE TRIGGER cl",
            "ALTER TABLE gen.rng1 ALTER a SET DEFAULT 'part', ALTER b SET STATISTICS 5",
            "ALTER TABLE gen.rng1 ENABLE ROW LEVEL SECURITY; CREATE POLICY pp ON gen.rng1 USING (a IN ('x', 'y')); GRANT SELECT ON gen.rng1 TO pg_monitor",
            "CREATE STATISTICS gen.st_p ON a, b FROM gen.rng; COMMENT ON CONSTRAINT pc ON gen.rng1 IS 'of a partition'",
            "ALTER TABLE gen.rng DETACH PARTITION gen.rng1; ALTER TABLE gen.rng1 ADD x int; ALTER TABLE gen.rng1 DROP x; ALTER TABLE gen.rng ATTACH PARTITION gen.rng1 FOR VALUES FROM (MINVALUE, MINVALUE, MINVALUE) TO ('2024-01-21', 3, 'xy')",
        ]);
    }

    fn more_inheritance(&mut self) {
        let check = self.two();
        self.add("CREATE TABLE gen.other_parent (b int DEFAULT 8, d date, CONSTRAINT inh2 CHECK (b > -50))");
        self.add(format!(
            "CREATE TABLE gen.both (e int, CONSTRAINT mine CHECK ({check})) INHERITS (gen.parent, gen.other_parent)"
        ));
        self.each(&[
            "CREATE TABLE gen.merged (a varchar(20) DEFAULT 'm' NOT NULL, CONSTRAINT inh2 CHECK (b > -50)) INHERITS (gen.other_parent)",
            "INSERT INTO gen.both (a, b) VALUES ('x', 1)",
            "ALTER TABLE gen.parent ADD CONSTRAINT nv CHECK (b <> 99) NOT VALID",
            "ALTER TABLE gen.parent ADD CONSTRAINT ni CHECK (b <> 98) NO INHERIT",
            "ALTER TABLE gen.parent ADD CONSTRAINT pnn NOT NULL b NOT VALID",
            "ALTER TABLE gen.parent ALTER a SET NOT NULL",
            "ALTER TABLE gen.both ALTER a DROP DEFAULT; ALTER TABLE gen.both ALTER b SET DEFAULT 9",
            "ALTER TABLE gen.grandchild NO INHERIT gen.child; ALTER TABLE gen.grandchild ADD late int; ALTER TABLE gen.grandchild INHERIT gen.child",
            "ALTER TABLE ONLY gen.parent ADD COLUMN own int; ALTER TABLE gen.parent ADD COLUMN every text DEFAULT 'z' COLLATE \"C\"",
            "ALTER TABLE gen.child ADD CONSTRAINT inh_child CHECK (c IN ('y', 'z') OR c IS NULL)",
            "COMMENT ON CONSTRAINT inh ON gen.child IS 'inherited'; ALTER TABLE gen.parent RENAME b TO \"B b\"",
            "CREATE TABLE gen.gp (a int, g int GENERATED ALWAYS AS (a + 1) STORED); CREATE TABLE gen.gc (g int GENERATED ALWAYS AS (a + 2) STORED) INHERITS (gen.gp)",
        ]);
    }

    fn trigger_forms(&mut self) {
        let when = self.condition(&[Column { name: "kind".into(), ty: Ty::Varchar }], &["new.", "old."], None);
        self.add(format!("CREATE TRIGGER \"when T\" BEFORE UPDATE OF kind, n ON gen.kinds FOR EACH ROW WHEN ({when}) EXECUTE FUNCTION gen.touch(1, 'x y', E'\\\\', '')"));
        self.each(&[
            "CREATE TRIGGER trans AFTER UPDATE ON gen.kinds REFERENCING OLD TABLE AS \"o O\" NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION gen.touch()",
            "CREATE TRIGGER trunc AFTER TRUNCATE ON gen.kinds EXECUTE FUNCTION gen.touch()",
            "CREATE CONSTRAINT TRIGGER cons AFTER INSERT OR DELETE ON gen.kinds FROM gen.parent DEFERRABLE FOR EACH ROW EXECUTE FUNCTION gen.touch()",
            "CREATE VIEW gen.tv AS SELECT kind, n FROM gen.kinds; CREATE TRIGGER inst INSTEAD OF INSERT OR UPDATE ON gen.tv FOR EACH ROW EXECUTE FUNCTION gen.touch()",
            "CREATE RULE vr AS ON INSERT TO gen.tv WHERE new.kind IN ('x', 'y') DO INSTEAD INSERT INTO gen.kinds SELECT new.kind, 4 WHERE new.n NOT IN (1, 2) RETURNING kinds.kind, kinds.n",
            "CREATE RULE vn AS ON UPDATE TO gen.tv DO INSTEAD NOTHING; ALTER TABLE gen.tv DISABLE RULE vn",
            "CREATE RULE no AS ON INSERT TO gen.parent DO ALSO NOTIFY gen; ALTER TABLE gen.parent ENABLE ALWAYS RULE no",
            "ALTER TABLE gen.kinds DISABLE TRIGGER trunc; ALTER TABLE gen.kinds ENABLE REPLICA TRIGGER cons",
        ]);
    }

    fn sequences(&mut self) {
        self.each(&[
            "CREATE SEQUENCE gen.\"s Q\" AS bigint START -5 MINVALUE -9223372036854775808 MAXVALUE 5 NO CYCLE OWNED BY gen.kinds.n",
            "CREATE UNLOGGED SEQUENCE gen.un; SELECT setval('gen.un', 77, false)",
            "CREATE TABLE gen.ser (a serial, b smallserial PRIMARY KEY, c bigint GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME gen.\"id S\" INCREMENT BY -1 MINVALUE -100 CACHE 5))",
            "INSERT INTO gen.ser (b) VALUES (7), (8); ALTER TABLE gen.ser ALTER a SET DEFAULT nextval('gen.\"s Q\"')",
            "ALTER SEQUENCE gen.ser_b_seq OWNED BY NONE; ALTER SEQUENCE gen.ser_a_seq RENAME TO renamed; GRANT USAGE ON SEQUENCE gen.renamed TO PUBLIC",
            "ALTER TABLE gen.ser ALTER c RESTART WITH -50; SELECT setval('gen.ser_b_seq', 32767)",
            "ALTER TABLE gen.kinds ALTER n SET DEFAULT nextval('gen.\"s Q\"'::regclass) + 1000",
        ]);
    }

    fn storage(&mut self) {
        self.each(&[
            "CREATE UNLOGGED TABLE gen.unl (a int PRIMARY KEY) WITH (fillfactor = 55, autovacuum_enabled = off, toast.autovacuum_enabled = off, parallel_workers = 2); INSERT INTO gen.unl VALUES (1)",
            "ALTER TABLE gen.kinds SET (autovacuum_vacuum_scale_factor = 0.05, toast_tuple_target = 300)",
            "ALTER TABLE gen.kinds ALTER kind SET STORAGE MAIN, ALTER kind SET (n_distinct = -0.3, n_distinct_inherited = 4), ALTER n SET STATISTICS 0",
            "CREATE TABLE gen.stor (a text STORAGE EXTERNAL COMPRESSION pglz, b jsonb, c text)",
            "CREATE TABLE gen.stor2 (a text COMPRESSION pglz); ALTER TABLE gen.stor2 ALTER a SET STORAGE EXTENDED",
            "ALTER TABLE gen.stor2 ALTER a SET COMPRESSION lz4",
            "CREATE TABLE gen.no_columns (); INSERT INTO gen.no_columns DEFAULT VALUES",
            "CREATE TABLE gen.missing (a int); INSERT INTO gen.missing VALUES (1), (2); ALTER TABLE gen.missing ADD b varchar(20) DEFAULT 'x' NOT NULL, ADD c timestamptz DEFAULT '2024-01-01 UTC'",
            "CREATE TABLE gen.dropped (a int, b int, c int); ALTER TABLE gen.dropped DROP a, DROP c; INSERT INTO gen.dropped VALUES (4)",
            "CREATE TABLE gen.self_type (a int); CREATE TABLE gen.of_row (r gen.self_type, s gen.self_type[]); INSERT INTO gen.of_row VALUES (ROW(1), ARRAY[ROW(2)::gen.self_type])",
            "CREATE TABLE gen.odd_values (x xml, m money, b bit varying, n name, i \"char\", o regclass, h macaddr8, tz timetz, pg_lsn pg_lsn); INSERT INTO gen.odd_values VALUES ('<a>1</a>', '12.5', B'101', 'n', 'c', 'gen.kinds', '08:00:2b:01:02:03', '12:00+02', '0/1')",
            "CREATE TABLE gen.deep (a jsonb DEFAULT '{\"k\": [1, {\"x\": null}]}', b float4[] DEFAULT '{{1e-40,NaN},{Infinity,-0}}', c interval second(3), d timestamptz(0) DEFAULT '2024-02-29 01:02:03.9+05:45'); INSERT INTO gen.deep DEFAULT VALUES",
        ]);
    }

    fn view_forms(&mut self) {
        let filter = self.condition(
            &[Column { name: "kind".into(), ty: Ty::Varchar }, Column { name: "n".into(), ty: Ty::Int }],
            &["k."],
            Some("gen.kinds"),
        );
        self.add(format!("CREATE VIEW gen.chk WITH (security_invoker = on, security_barrier) AS SELECT * FROM gen.kinds k WHERE {filter} WITH LOCAL CHECK OPTION"));
        self.each(&[
            "CREATE VIEW gen.chk2 AS SELECT kind FROM gen.chk WITH CASCADED CHECK OPTION; ALTER VIEW gen.chk ALTER n SET DEFAULT 4",
            "CREATE RECURSIVE VIEW gen.rec (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM rec WHERE n < 5 AND n NOT IN (7, 8)",
            "CREATE VIEW gen.joins AS SELECT a.kind, b.n AS bn, c.* FROM gen.kinds a NATURAL JOIN gen.kinds b FULL JOIN (gen.kinds x(k1, n1) CROSS JOIN gen.kinds y(k2, n2)) c ON c.k1 = a.kind AND c.k2 IN ('a', 'b')",
            "CREATE VIEW gen.using_al AS SELECT u.kind, a.n FROM gen.kinds a JOIN gen.kinds b USING (kind) AS u WHERE u.kind = ANY (ARRAY['a', 'b'])",
            "CREATE VIEW gen.sets AS (SELECT kind FROM gen.kinds EXCEPT ALL SELECT 'x') INTERSECT (SELECT 'a' UNION SELECT 'b' ORDER BY 1 FETCH FIRST 2 ROWS WITH TIES)",
            "CREATE VIEW gen.xmlv AS SELECT xmlelement(name \"a b\", xmlattributes(kind AS k), xmlforest(n)) AS x, xmlserialize(CONTENT '<a/>'::xml AS text) AS s, t.* FROM gen.kinds, XMLTABLE('/a' PASSING '<a/>'::xml COLUMNS i int PATH '@i' DEFAULT 3, o FOR ORDINALITY) t",
            "CREATE VIEW gen.jsonv AS SELECT JSON_OBJECT('k' VALUE kind ABSENT ON NULL) AS j, JSON_ARRAYAGG(n ORDER BY n RETURNING jsonb) AS a, JSON_VALUE('{\"a\": 1}'::jsonb, '$.a' RETURNING int DEFAULT 4 ON ERROR) AS v FROM gen.kinds WHERE kind IS JSON OBJECT GROUP BY kind",
            "CREATE VIEW gen.json_ok AS SELECT JSON_TABLE.* FROM JSON_TABLE('[1]'::jsonb, '$[*]' COLUMNS (a int PATH '$', o FOR ORDINALITY))",
            "CREATE VIEW gen.merges AS SELECT now() AT TIME ZONE 'UTC' AS t, EXTRACT(epoch FROM interval '1 day') AS e, normalize('x', NFC) AS u, 'x' IS NFC NORMALIZED AS nn, OVERLAY('a' PLACING 'b' FROM 1) AS o, (ARRAY[1, 2, 3])[:2] AS s, (date '2024-01-01', date '2024-02-01') OVERLAPS (date '2024-01-05', interval '1' day) AS ov",
            "CREATE VIEW gen.subs AS SELECT (SELECT max(n) FROM gen.kinds) AS m, kind IN (SELECT kind FROM gen.kinds WHERE kind NOT IN ('a', 'q')) AS i, n > ALL (SELECT 1) AS al, ARRAY(SELECT kind FROM gen.kinds ORDER BY n) AS ar, (n, kind) = (SELECT 1, 'x'::varchar) AS ro, CURRENT_DATE AS cd, SESSION_USER AS su, ROW(kind, n)::gen.kinds AS rw FROM gen.kinds",
            "CREATE VIEW gen.cte AS WITH RECURSIVE w(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM w WHERE a < 3) SEARCH DEPTH FIRST BY a SET o CYCLE a SET cyc TO 'Y' DEFAULT 'N' USING path SELECT * FROM w",
            "CREATE VIEW gen.grp AS SELECT kind, n, count(*) AS c, grouping(kind, n) AS g FROM gen.kinds GROUP BY DISTINCT ROLLUP (kind, n), CUBE (n) HAVING bool_or(kind IN ('a', 'b'))",
            "CREATE VIEW gen.wins AS SELECT lag(n, 2, 7) OVER (w RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW), first_value(kind) OVER (PARTITION BY kind IN ('a', 'b') ORDER BY n NULLS FIRST) FROM gen.kinds WINDOW w AS (ORDER BY n)",
            "CREATE VIEW gen.no_cols AS SELECT FROM gen.kinds; CREATE VIEW gen.vals AS VALUES (1, 'a'), (2, NULL)",
            "CREATE MATERIALIZED VIEW gen.mvx WITH (fillfactor = 60) AS SELECT kind, n FROM gen.kinds WHERE kind NOT IN ('q', 'r') WITH DATA; CREATE UNIQUE INDEX mvx_u ON gen.mvx (kind) WHERE n IN (1, 2)",
            "CREATE MATERIALIZED VIEW gen.mvy AS SELECT * FROM gen.mvx WITH NO DATA; CREATE INDEX mvy_i ON gen.mvy (lower(kind)); ALTER MATERIALIZED VIEW gen.mvy CLUSTER ON mvy_i",
            "CREATE OR REPLACE VIEW gen.circ AS SELECT 1 AS a; CREATE FUNCTION gen.of_view(gen.circ) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 1'; CREATE OR REPLACE VIEW gen.circ AS SELECT gen.of_view(NULL) AS a",
            "CREATE VIEW gen.whole AS SELECT k AS row_of, k.*::text AS t, (k).n FROM gen.kinds k WHERE k IS NOT NULL AND k.* <> ROW('a', 1)::gen.kinds",
        ]);
    }
}
