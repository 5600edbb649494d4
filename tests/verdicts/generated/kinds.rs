//! Kinds of objects beside tables and their parts, with every option: operators, types, casts, text search, foreign
//! data, event triggers, aggregates, languages, large objects, publications. Then comments on all of it.

use super::grammar::{Column, Ty};
use super::objects::World;

impl World {
    /// Each kind by a toss.
    pub fn kinds(&mut self) {
        let kinds: [fn(&mut Self); 12] = [
            Self::operators,
            Self::types,
            Self::casts,
            Self::collations,
            Self::text_search,
            Self::foreign_data,
            Self::event_triggers,
            Self::aggregates,
            Self::languages,
            Self::large_objects,
            Self::publications,
            Self::functions,
        ];
        for kind in kinds {
            if self.random.once_in(2) {
                kind(self);
            }
        }
    }

    fn all(&mut self, statements: &[&str]) {
        statements.iter().for_each(|statement| self.add(*statement));
    }

    fn operators(&mut self) {
        for (name, sign) in [("lt", "<"), ("le", "<="), ("eq", "="), ("ge", ">="), ("gt", ">"), ("ne", "<>")] {
            let language = *self.random.one(&["SELECT (x).a {} (y).a", "SELECT x.a {} y.a AND true"]);
            let body = language.replace("{}", sign);
            self.add(format!(
                "CREATE FUNCTION gen.pair_{name}(x gen.pair, y gen.pair) RETURNS bool IMMUTABLE STRICT LANGUAGE sql AS '{body}'"
            ));
        }
        let hashes = *self.random.one(&["", ", HASHES, MERGES", ", MERGES"]);
        self.all(&[
            "CREATE FUNCTION gen.pair_cmp(x gen.pair, y gen.pair) RETURNS int IMMUTABLE STRICT LANGUAGE sql AS 'SELECT sign(x.a - y.a)::int'",
            "CREATE FUNCTION gen.pair_hash(x gen.pair) RETURNS int IMMUTABLE STRICT LANGUAGE sql AS 'SELECT hashint4(x.a)'",
            "CREATE OPERATOR gen.< (LEFTARG = gen.pair, RIGHTARG = gen.pair, FUNCTION = gen.pair_lt, COMMUTATOR = OPERATOR(gen.>), NEGATOR = OPERATOR(gen.>=), RESTRICT = scalarltsel, JOIN = scalarltjoinsel)",
            "CREATE OPERATOR gen.<= (LEFTARG = gen.pair, RIGHTARG = gen.pair, FUNCTION = gen.pair_le, RESTRICT = scalarlesel)",
            "CREATE OPERATOR gen.> (LEFTARG = gen.pair, RIGHTARG = gen.pair, FUNCTION = gen.pair_gt)",
            "CREATE OPERATOR gen.>= (LEFTARG = gen.pair, RIGHTARG = gen.pair, FUNCTION = gen.pair_ge)",
            "CREATE OPERATOR gen.!!- (RIGHTARG = gen.pair, FUNCTION = gen.row_is)",
            "ALTER OPERATOR gen.>= (gen.pair, gen.pair) SET (RESTRICT = scalargesel, JOIN = NONE)",
        ]);
        self.add(format!("CREATE OPERATOR gen.=== (LEFTARG = gen.pair, RIGHTARG = gen.pair, FUNCTION = gen.pair_eq, COMMUTATOR = OPERATOR(gen.===), NEGATOR = OPERATOR(gen.<>){hashes})"));
        if self.random.once_in(2) {
            self.add("CREATE OPERATOR gen.<> (LEFTARG = gen.pair, RIGHTARG = gen.pair, FUNCTION = gen.pair_ne, NEGATOR = OPERATOR(gen.===))");
        }
        self.all(&[
            "CREATE OPERATOR FAMILY gen.fam USING btree",
            "CREATE OPERATOR CLASS gen.pair_ops FOR TYPE gen.pair USING btree FAMILY gen.fam AS OPERATOR 1 gen.<, OPERATOR 2 gen.<=, OPERATOR 3 gen.===, OPERATOR 4 gen.>=, OPERATOR 5 gen.>, FUNCTION 1 gen.pair_cmp(gen.pair, gen.pair)",
            "CREATE OPERATOR CLASS gen.\"hash Ops\" FOR TYPE gen.pair USING hash AS OPERATOR 1 gen.===, FUNCTION 1 gen.pair_hash(gen.pair)",
            "ALTER OPERATOR FAMILY gen.fam USING btree ADD FUNCTION 4 (gen.pair, gen.pair) btequalimage(oid)",
            "CREATE TABLE gen.ordered (p gen.pair, q gen.pair[], CHECK (p OPERATOR(gen.===) ROW(1, 'x')::gen.pair OR p IS NULL))",
            "CREATE INDEX ordered_i ON gen.ordered USING btree (p gen.pair_ops DESC) WHERE p OPERATOR(gen.<) ROW(5, 'x')::gen.pair",
            "CREATE INDEX ordered_h ON gen.ordered USING hash (p gen.\"hash Ops\")",
            "CREATE VIEW gen.by_operator AS SELECT p, OPERATOR(gen.!!-) p AS yes FROM gen.ordered WHERE p OPERATOR(gen.>=) ROW(1, '')::gen.pair ORDER BY p USING OPERATOR(gen.<)",
            "COMMENT ON OPERATOR gen.< (gen.pair, gen.pair) IS 'less'; COMMENT ON OPERATOR CLASS gen.pair_ops USING btree IS 'c'; COMMENT ON OPERATOR FAMILY gen.fam USING btree IS 'f'",
        ]);
    }

    fn types(&mut self) {
        let check = self.condition(&[Column { name: "(VALUE).a".into(), ty: Ty::Int }], &[], None);
        self.add(format!("CREATE DOMAIN gen.pair_d AS gen.pair CONSTRAINT ok CHECK ({check})"));
        let check = self.condition(&[Column { name: "VALUE".into(), ty: Ty::Word }], &[], None);
        self.add(format!("CREATE DOMAIN gen.over AS gen.word NOT NULL CHECK ({check})"));
        self.all(&[
            "CREATE DOMAIN gen.many AS gen.mood[] DEFAULT ARRAY['sad']::gen.mood[] CHECK (VALUE <> '{}')",
            "ALTER DOMAIN gen.word ADD CONSTRAINT late CHECK (VALUE NOT IN ('q', 'r')) NOT VALID",
            "CREATE FUNCTION gen.gap(x varchar, y varchar) RETURNS float8 IMMUTABLE LANGUAGE sql AS 'SELECT length(x)::float8 - length(y)'",
            "CREATE TYPE gen.spans AS RANGE (SUBTYPE = varchar, COLLATION = \"C\", SUBTYPE_DIFF = gen.gap, MULTIRANGE_TYPE_NAME = gen.\"many Spans\")",
            "CREATE TABLE gen.spanned (s gen.spans DEFAULT gen.spans('a', 'b', '[]'), m gen.\"many Spans\", EXCLUDE USING gist (s WITH &&) WHERE (s <> 'empty'))",
            "CREATE TYPE gen.nested AS (p gen.pair, a gen.word[], m gen.mood, r int4range)",
            "ALTER TYPE gen.pair ADD ATTRIBUTE came numeric(5,1) CASCADE; ALTER TYPE gen.pair DROP ATTRIBUTE came CASCADE",
            "CREATE TABLE gen.nests (n gen.nested, CHECK ((n).p.a > 0 OR (n).m IN ('sad', 'SAD')))",
            "INSERT INTO gen.nests VALUES (ROW(ROW(1, 'x'), '{x,y}', 'sad', NULL)), (NULL)",
            "CREATE TYPE gen.base",
            "CREATE FUNCTION gen.base_in(cstring) RETURNS gen.base LANGUAGE internal IMMUTABLE STRICT AS 'textin'",
            "CREATE FUNCTION gen.base_out(gen.base) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout'",
            "CREATE TYPE gen.base (INPUT = gen.base_in, OUTPUT = gen.base_out, LIKE = pg_catalog.text, CATEGORY = 'q', PREFERRED = true, DELIMITER = ';', DEFAULT = 'none', COLLATABLE = true)",
            "CREATE TABLE gen.bases (b gen.base DEFAULT 'it''s'::gen.base, c gen.base[]); INSERT INTO gen.bases VALUES (DEFAULT, '{a;b}')",
            "CREATE TYPE gen.only_shell",
            "CREATE TYPE gen.no_labels AS ENUM (); CREATE TYPE gen.nothing AS ()",
            "CREATE TABLE gen.typed OF gen.pair (a WITH OPTIONS DEFAULT 4 NOT NULL, CHECK (\"b c\" IN ('x', 'y')))",
            "COMMENT ON TYPE gen.spans IS 's'; COMMENT ON CONSTRAINT late ON DOMAIN gen.word IS 'd'; COMMENT ON COLUMN gen.pair.a IS 'attr'",
        ]);
    }

    fn casts(&mut self) {
        let when = *self.random.one(&["", " AS ASSIGNMENT", " AS IMPLICIT"]);
        self.add("CREATE FUNCTION gen.to_pair(t varchar, n int DEFAULT 2) RETURNS gen.pair IMMUTABLE LANGUAGE sql AS 'SELECT ROW(n, t)::gen.pair'");
        self.add("CREATE FUNCTION gen.of_mood(m gen.mood) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 5'");
        self.add(format!("CREATE CAST (gen.pair AS jsonb) WITH INOUT{when}"));
        self.add("CREATE CAST (gen.mood AS int) WITH FUNCTION gen.of_mood(gen.mood) AS ASSIGNMENT");
        self.add("CREATE CAST (varchar AS gen.mood) WITH INOUT AS ASSIGNMENT");
        self.add("CREATE VIEW gen.by_cast AS SELECT CAST(m AS int) AS i, 'sad'::varchar::gen.mood AS m FROM (VALUES ('SAD'::gen.mood)) v(m)");
        self.add("COMMENT ON CAST (gen.mood AS int) IS 'cast'");
    }

    fn collations(&mut self) {
        self.all(&[
            "CREATE COLLATION gen.\"c Coll\" (LC_COLLATE = 'C', LC_CTYPE = 'POSIX')",
            "CREATE COLLATION gen.copied FROM \"C\"",
            "CREATE COLLATION gen.nondet (PROVIDER = icu, LOCALE = 'und-u-ks-level2', DETERMINISTIC = false)",
            "CREATE TABLE gen.collated (a text COLLATE gen.\"c Coll\", b varchar(9) COLLATE gen.nondet, c gen.word COLLATE \"POSIX\", CHECK (a < 'x' COLLATE gen.copied))",
            "CREATE INDEX collated_i ON gen.collated (a COLLATE \"C\" text_pattern_ops, lower(b COLLATE gen.copied)) WHERE a IN ('x' COLLATE gen.copied, 'y')",
            "CREATE VIEW gen.by_coll AS SELECT a FROM gen.collated WHERE b = 'X' ORDER BY a COLLATE gen.copied DESC NULLS LAST",
            "INSERT INTO gen.collated VALUES ('a', 'b', 'x')",
            "CREATE DEFAULT CONVERSION gen.conv FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8",
            "COMMENT ON COLLATION gen.copied IS 'co'; COMMENT ON CONVERSION gen.conv IS 'cv'",
        ]);
    }

    fn text_search(&mut self) {
        self.all(&[
            "CREATE TEXT SEARCH TEMPLATE gen.tmpl (INIT = dsimple_init, LEXIZE = dsimple_lexize)",
            "CREATE TEXT SEARCH PARSER gen.pars (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype, HEADLINE = prsd_headline)",
            "CREATE TEXT SEARCH DICTIONARY gen.\"d Ict\" (TEMPLATE = pg_catalog.simple, accept = 'false')",
            "CREATE TEXT SEARCH DICTIONARY gen.snow (TEMPLATE = snowball, language = 'german', stopwords = 'german')",
            "CREATE TEXT SEARCH CONFIGURATION gen.cfg (PARSER = gen.pars)",
            "ALTER TEXT SEARCH CONFIGURATION gen.cfg ADD MAPPING FOR asciiword, word WITH gen.\"d Ict\", gen.snow, simple",
            "CREATE TEXT SEARCH CONFIGURATION gen.copy (COPY = english); ALTER TEXT SEARCH CONFIGURATION gen.copy DROP MAPPING FOR email",
            "CREATE TABLE gen.searched (t text, v tsvector GENERATED ALWAYS AS (to_tsvector('gen.copy', t)) STORED, q tsquery DEFAULT 'a & b:*')",
            "INSERT INTO gen.searched VALUES ('The quick foxes')",
            "CREATE INDEX searched_i ON gen.searched USING gin (v, to_tsvector('gen.cfg'::regconfig, t)) WITH (fastupdate = off)",
            "COMMENT ON TEXT SEARCH CONFIGURATION gen.cfg IS 'c'; COMMENT ON TEXT SEARCH DICTIONARY gen.snow IS 'd'; COMMENT ON TEXT SEARCH PARSER gen.pars IS 'p'; COMMENT ON TEXT SEARCH TEMPLATE gen.tmpl IS 't'",
        ]);
    }

    fn foreign_data(&mut self) {
        let check = self.condition(&[Column { name: "a".into(), ty: Ty::Varchar }], &[], None);
        let default = self.value(&[], Ty::Varchar);
        self.all(&[
            "CREATE FOREIGN DATA WRAPPER \"gen Fdw\" OPTIONS (debug 'it''s', \"Key\" 'x')",
            "CREATE SERVER gen_srv TYPE 'a' VERSION '1.0' FOREIGN DATA WRAPPER \"gen Fdw\" OPTIONS (host 'h', port '1')",
            "CREATE USER MAPPING FOR PUBLIC SERVER gen_srv OPTIONS (\"user\" 'me', password 'secret')",
            "CREATE USER MAPPING FOR pg_monitor SERVER gen_srv",
        ]);
        self.add(format!("CREATE FOREIGN TABLE gen.foreign1 (a varchar(20) OPTIONS (column_name 'x', \"O p\" '') DEFAULT {default} NOT NULL, b int, CONSTRAINT fc CHECK ({check}) NO INHERIT) SERVER gen_srv OPTIONS (schema_name 's', \"Table\" 'it''s')"));
        self.all(&[
            "CREATE FOREIGN TABLE gen.foreign_part PARTITION OF gen.keyed FOR VALUES IN (false) SERVER gen_srv",
            "CREATE FOREIGN TABLE gen.foreign_child (z int) INHERITS (gen.parent) SERVER gen_srv",
            "ALTER FOREIGN TABLE gen.foreign1 ALTER b SET STATISTICS 9, ALTER b SET (n_distinct = 4)",
            "CREATE TRIGGER ft BEFORE INSERT ON gen.foreign1 FOR EACH ROW WHEN (new.b IN (1, 2)) EXECUTE FUNCTION gen.touch()",
            "GRANT USAGE ON FOREIGN SERVER gen_srv TO pg_monitor; GRANT USAGE ON FOREIGN DATA WRAPPER \"gen Fdw\" TO PUBLIC; GRANT SELECT (a) ON gen.foreign1 TO pg_monitor",
            "COMMENT ON SERVER gen_srv IS 's'; COMMENT ON FOREIGN DATA WRAPPER \"gen Fdw\" IS 'w'; COMMENT ON FOREIGN TABLE gen.foreign1 IS 't'; COMMENT ON COLUMN gen.foreign1.a IS 'c'",
        ]);
    }

    fn event_triggers(&mut self) {
        self.add("CREATE FUNCTION gen.event() RETURNS event_trigger LANGUAGE plpgsql AS 'begin end'");
        let state = *self.random.one(&["DISABLE", "ENABLE ALWAYS", "ENABLE REPLICA", "ENABLE"]);
        let event = *self.random.one(&["ddl_command_end", "ddl_command_start"]);
        self.add(format!("CREATE EVENT TRIGGER \"gen Ev\" ON {event} WHEN TAG IN ('CREATE TABLE', 'DROP FUNCTION') EXECUTE FUNCTION gen.event()"));
        self.add(format!("ALTER EVENT TRIGGER \"gen Ev\" {state}"));
        self.add("CREATE EVENT TRIGGER gen_drop ON sql_drop EXECUTE FUNCTION gen.event(); COMMENT ON EVENT TRIGGER gen_drop IS 'e'");
    }

    fn aggregates(&mut self) {
        self.all(&[
            "CREATE FUNCTION gen.acc(s int, v int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT coalesce(s, 0) + coalesce(v, 0)'",
            "CREATE FUNCTION gen.fin(s int) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT s::text'",
            "CREATE AGGREGATE gen.agg(int) (SFUNC = gen.acc, STYPE = int, SSPACE = 8, FINALFUNC = gen.fin, FINALFUNC_MODIFY = SHAREABLE, COMBINEFUNC = gen.acc, INITCOND = '7', MSFUNC = gen.acc, MINVFUNC = gen.acc, MSTYPE = int, MINITCOND = '0', SORTOP = OPERATOR(pg_catalog.<), PARALLEL = SAFE)",
            "CREATE AGGREGATE gen.\"all Of\"(VARIADIC a anyarray) (SFUNC = array_cat, STYPE = anycompatiblearray)",
            "CREATE AGGREGATE gen.pct(float8 ORDER BY anyelement) (SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA, FINALFUNC_MODIFY = READ_WRITE)",
            "CREATE AGGREGATE gen.hyp(VARIADIC \"any\" ORDER BY VARIADIC \"any\") (SFUNC = ordered_set_transition_multi, STYPE = internal, FINALFUNC = rank_final, FINALFUNC_EXTRA, HYPOTHETICAL)",
            "CREATE VIEW gen.by_agg AS SELECT gen.agg(n) FILTER (WHERE kind IN ('a', 'b')) AS a, gen.agg(DISTINCT n ORDER BY n) AS b, gen.pct(0.5) WITHIN GROUP (ORDER BY n DESC) AS c, gen.agg(n) OVER w AS d FROM gen.kinds GROUP BY n WINDOW w AS (ORDER BY n GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE TIES)",
            "REVOKE ALL ON FUNCTION gen.agg(int) FROM PUBLIC; COMMENT ON AGGREGATE gen.agg(int) IS 'a'",
        ]);
    }

    fn languages(&mut self) {
        self.all(&[
            "CREATE FUNCTION gen.handler() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler'",
            "CREATE FUNCTION gen.inline(internal) RETURNS void LANGUAGE c STRICT AS '$libdir/plpgsql', 'plpgsql_inline_handler'",
            "CREATE FUNCTION gen.validator(oid) RETURNS void LANGUAGE c STRICT AS '$libdir/plpgsql', 'plpgsql_validator'",
            "CREATE TRUSTED LANGUAGE \"gen Lang\" HANDLER gen.handler INLINE gen.inline VALIDATOR gen.validator",
            "CREATE FUNCTION gen.in_lang(a int) RETURNS int LANGUAGE \"gen Lang\" AS 'begin return a; end'",
            "GRANT USAGE ON LANGUAGE \"gen Lang\" TO pg_monitor; REVOKE USAGE ON LANGUAGE \"gen Lang\" FROM PUBLIC; COMMENT ON LANGUAGE \"gen Lang\" IS 'l'",
            "CREATE ACCESS METHOD gen_heap TYPE TABLE HANDLER heap_tableam_handler",
            "CREATE ACCESS METHOD gen_btree TYPE INDEX HANDLER bthandler; COMMENT ON ACCESS METHOD gen_heap IS 'h'",
            "CREATE TABLE gen.in_heap (a int) USING gen_heap; INSERT INTO gen.in_heap VALUES (1)",
            "CREATE FUNCTION gen.from_sql(internal) RETURNS internal IMMUTABLE LANGUAGE internal AS 'jsonb_in'",
            "CREATE TRANSFORM FOR gen.mood LANGUAGE plpgsql (FROM SQL WITH FUNCTION prsd_lextype(internal))",
        ]);
    }

    fn large_objects(&mut self) {
        self.all(&[
            r"SELECT lo_from_bytea(4242, '\x00ff5c'); SELECT lo_from_bytea(4243, '')",
            "GRANT SELECT ON LARGE OBJECT 4242 TO pg_monitor WITH GRANT OPTION; COMMENT ON LARGE OBJECT 4242 IS 'lo'",
            "CREATE TABLE gen.holds (o oid); INSERT INTO gen.holds VALUES (4242)",
        ]);
        if let Some(role) = self.roles.first().cloned() {
            self.add(format!("ALTER LARGE OBJECT 4243 OWNER TO {role}"));
        }
    }

    fn publications(&mut self) {
        let check = self.condition(
            &[Column { name: "a".into(), ty: Ty::Varchar }, Column { name: "b".into(), ty: Ty::Int }],
            &[],
            None,
        );
        let with = *self.random.one(&[
            "",
            " WITH (publish = 'insert, truncate')",
            " WITH (publish_via_partition_root)",
            " WITH (publish = '')",
        ]);
        self.add(format!("CREATE PUBLICATION \"gen P\" FOR TABLE gen.parts WHERE ({check}), gen.kinds (kind){with}"));
        self.add(format!("CREATE PUBLICATION gen_schema FOR TABLES IN SCHEMA gen, \"Other s\"{with}"));
        self.add(format!("CREATE PUBLICATION gen_all FOR ALL TABLES{with}; CREATE PUBLICATION gen_none"));
        self.add("CREATE PUBLICATION gen_both FOR TABLE ONLY gen.parent, TABLES IN SCHEMA \"Other s\"; COMMENT ON PUBLICATION gen_none IS 'p'");
    }

    fn functions(&mut self) {
        self.all(&[
            "CREATE FUNCTION gen.opt(a int, VARIADIC b varchar[] DEFAULT '{x}') RETURNS TABLE (c int, \"D d\" text) LANGUAGE sql STABLE STRICT LEAKPROOF PARALLEL SAFE COST 3 ROWS 9 SET search_path = '' SET work_mem = '2MB' SET \"gen.Opt\" = 'it''s' AS $q$SELECT a, b[1] WHERE 'x' IN ('y', '$$')$q$",
            "CREATE FUNCTION gen.opt(a bigint) RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT a'",
            "CREATE FUNCTION gen.opt(a varchar DEFAULT 'x') RETURNS text LANGUAGE sql RETURN CASE WHEN a IN ('new', 'paid') THEN a END",
            "CREATE FUNCTION gen.poly(INOUT a anyelement, OUT b anyarray) LANGUAGE plpgsql AS 'begin end'",
            "CREATE FUNCTION gen.comp(a anycompatible, b anycompatible) RETURNS SETOF anycompatible LANGUAGE sql AS 'SELECT a'",
            "CREATE FUNCTION gen.win() RETURNS bigint WINDOW LANGUAGE internal AS 'window_row_number'",
            "CREATE FUNCTION gen.supp(int) RETURNS int LANGUAGE internal IMMUTABLE SUPPORT generate_series_int4_support AS 'int4abs'",
            "CREATE FUNCTION gen.set_of() RETURNS SETOF gen.kinds LANGUAGE sql BEGIN ATOMIC SELECT * FROM gen.kinds k WHERE k.kind IN ('a', 'b'); END",
            "CREATE PROCEDURE gen.proc(a int, OUT b varchar, INOUT c int DEFAULT 4) LANGUAGE sql BEGIN ATOMIC INSERT INTO gen.kinds AS x (kind) VALUES ('z') ON CONFLICT (kind) DO UPDATE SET n = excluded.n + 1 WHERE x.kind IN ('a', 'b'); UPDATE gen.kinds SET (n, kind) = (SELECT 5, 'q') WHERE kind NOT IN ('a', 'c'); DELETE FROM gen.kinds k USING gen.kinds l WHERE k.kind = l.kind AND l.n BETWEEN 8 AND 9 RETURNING k.kind, a; END",
            "CREATE TABLE gen.calls (a int DEFAULT gen.opt(3::bigint), b text DEFAULT gen.opt(), c text GENERATED ALWAYS AS (gen.twice('x')) STORED)",
            "CREATE VIEW gen.by_call AS SELECT f.*, gen.comp(1, 2.5) FROM gen.opt(1, 'a', 'b') WITH ORDINALITY f(x, y, z), ROWS FROM (gen.set_of(), generate_series(1, 2)) r",
            "CREATE FUNCTION gen.opt(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION gen.opt(int) DEPENDS ON EXTENSION plpgsql",
            "COMMENT ON FUNCTION gen.opt(bigint) IS 'f'; COMMENT ON PROCEDURE gen.proc IS 'p'; GRANT EXECUTE ON PROCEDURE gen.proc TO pg_monitor WITH GRANT OPTION",
        ]);
    }
}
