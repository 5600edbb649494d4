CREATE SCHEMA "Odd ""Schema"; 
CREATE TYPE public."Mood" AS ENUM ('sad', 'o\k', 'it''s');
CREATE DOMAIN public.pathy AS text DEFAULT E'c:\\x' CHECK (VALUE <> E'\\' AND VALUE IS DISTINCT FROM NULL);
CREATE TABLE public.nasty (
  id int PRIMARY KEY, t text DEFAULT E'back\\slash ''q''' NOT NULL, a text[] DEFAULT ARRAY['NULL', NULL, 'x"y', E'\\'],
  b bytea DEFAULT '\x00ff5c27', f float8 DEFAULT 0.1, r real DEFAULT 1.1::real, i interval DEFAULT '1 mon -2 days 03:04:05.6', d date DEFAULT '2024-02-01', ts timestamptz DEFAULT '2024-02-01 03:04:05.678+05', tz timestamp,
  m money, c regclass, j jsonb, n numeric, mood public."Mood" DEFAULT 'o\k', p public.pathy, tsv tsvector, v varchar(10),
  g text GENERATED ALWAYS AS (t || E'\\') STORED, CHECK (t <> 'b\\'), CHECK (d > '1999-12-31'::date), CHECK (i <> '1 day'::interval), CHECK (b <> '\xdeadbeef'::bytea), CHECK (f <> 0.7 OR f = 0.30000000000000004::float8));
INSERT INTO public.nasty SELECT g, E'a\\b\tc''' || g, CASE g WHEN 1 THEN ARRAY['NULL',NULL,'null',''] WHEN 2 THEN ARRAY[E'\\','"','{'] END, decode(md5(g::text),'hex'), 1.0/g, 1.1::real/g, (g||' mon -1 day 01:02:03')::interval, date '2024-01-01' + g*40, timestamptz '2024-01-01 00:00+00' + g*interval '37 days', timestamp '2024-07-01 12:34:56.789',
  (g*1234.56)::numeric::money, 'public.nasty'::regclass, jsonb_build_object('k', E'\\' || g), g/7.0, 'it''s', E'c:\\y', to_tsvector('english','running dogs' || g), 'v' || g FROM generate_series(1,20) g;
INSERT INTO public.nasty (id, t, m) VALUES (99, E'\\N', '-5.00'), (100, '\.', NULL);
CREATE TABLE "Odd ""Schema"."select" ("order" int, "Käse\n" text, "a.b" float8[] DEFAULT '{NaN,-Infinity,0.1}', PRIMARY KEY ("order"));
INSERT INTO "Odd ""Schema"."select" VALUES (1, 'x', '{1.1,2.2,NULL}'), (2, E'\\', NULL);
CREATE TABLE public.child (id int, parent int REFERENCES public.nasty, o int REFERENCES "Odd ""Schema"."select"); INSERT INTO public.child VALUES (1, 1, 1);
CREATE INDEX "Idx q" ON public.nasty (lower(t), (E'\\' || t)) WHERE t <> E'\\' AND d > '2020-01-01'::date;
CREATE VIEW public.v AS SELECT id, t || E'\\' AS "T", '\x00'::bytea AS b, 0.1::float8 AS f, '1 mon 2 days'::interval AS i, '2024-03-04'::date AS d, '2024-03-04 05:06+07'::timestamptz AS ts, ARRAY['NULL', NULL] AS a, 'nasty'::regclass AS c, '$1.50'::money AS mo, 'english'::regconfig AS rc, a = NULL AS eqn, "order" FROM public.nasty LEFT JOIN "Odd ""Schema"."select" ON id = "order";
CREATE MATERIALIZED VIEW public.mv AS SELECT id, t, b, f, i, d, ts, m, a FROM public.nasty WHERE t NOT LIKE E'%\\\\%' WITH DATA;
CREATE UNIQUE INDEX mvi ON public.mv (id);
CREATE FUNCTION public.slash(a text DEFAULT E'\\d', b text[] DEFAULT ARRAY[NULL, 'NULL']) RETURNS text LANGUAGE plpgsql SET search_path = public, pg_temp AS $f$ DECLARE x text := 'a\b'; id int; BEGIN SELECT nasty.id INTO id FROM nasty LIMIT 1; RETURN x || '\'; END $f$;
CREATE FUNCTION public.oldstyle() RETURNS text LANGUAGE sql AS E'SELECT E''\\\\x'' || ''y''';
CREATE FUNCTION public.atomic(d date DEFAULT '2024-01-02') RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT E'\\' || t FROM public.nasty WHERE d > '2021-02-03'::date; END;
CREATE FUNCTION public.trig() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.t := NEW.t; RETURN NEW; END $$;
CREATE TRIGGER "Trig" BEFORE UPDATE ON public.nasty FOR EACH ROW WHEN (OLD.t IS DISTINCT FROM E'\\' AND NEW.d > '2020-05-06') EXECUTE FUNCTION public.trig(E'arg\\', 'it''s');
CREATE RULE "Ru" AS ON UPDATE TO public.v DO INSTEAD UPDATE public.nasty SET t = E'r\\' WHERE nasty.id = OLD.id;
ALTER TABLE public.nasty ENABLE ROW LEVEL SECURITY;
CREATE POLICY "p'q\" ON public.nasty USING (t <> E'\\' AND d > '2020-01-02'::date);
COMMENT ON TABLE public.nasty IS E'back\\slash ''quote'' \n two';
COMMENT ON COLUMN public.nasty.t IS 'C:\path';
CREATE SEQUENCE "Odd ""Schema"."Seq" START 5; SELECT nextval('"Odd ""Schema"."Seq"');
CREATE STATISTICS public.st ON (lower(t)), (d - '2020-01-01'::date) FROM public.nasty;
CREATE TABLE public.part (id int, d date) PARTITION BY RANGE (d);
CREATE TABLE public.part_1 PARTITION OF public.part FOR VALUES FROM ('2024-02-01') TO ('2024-03-01'); CREATE TABLE public.part_d PARTITION OF public.part DEFAULT;
CREATE INDEX part_i ON public.part (id); INSERT INTO public.part VALUES (1,'2024-02-02'),(2,'2025-01-01');
CREATE TABLE public.bits (b bit varying(9) DEFAULT B'101', tz timetz DEFAULT '01:02:03+04', r tstzrange DEFAULT '[2024-01-01 00:00+00,2024-02-02 00:00+00)', l pg_lsn, n name, ch "char", pt point DEFAULT '(0.1,0.2)');
INSERT INTO public.bits DEFAULT VALUES;
SELECT lo_from_bytea(4711, '\x00015c27');
CREATE PUBLICATION pub FOR TABLE public.nasty WHERE (id > 3);
CREATE FUNCTION public.evt() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;
CREATE EVENT TRIGGER evt ON ddl_command_end EXECUTE FUNCTION public.evt();
