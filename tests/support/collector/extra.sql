-- What the fixtures' application does not have: functions of every kind and awkward grants.
\set ON_ERROR_STOP on
SELECT format('CREATE ROLE %I', r) FROM unnest(ARRAY['cat_grantor', 'cat "odd" role']) r
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r) \gexec

CREATE SCHEMA "Odd ""schema""";
CREATE TYPE public.mood AS ENUM ('sad', 'it''s', 'a,b');
CREATE FUNCTION "Odd ""schema""".base(x integer) RETURNS integer IMMUTABLE PARALLEL SAFE LANGUAGE sql AS 'SELECT $1 + 1';
-- Named so that the alphabet is against the order in which they can be made.
CREATE FUNCTION public.a_atomic(x integer DEFAULT "Odd ""schema""".base(41), OUT y integer, OUT "Z z" text)
    LANGUAGE sql STABLE BEGIN ATOMIC SELECT "Odd ""schema""".base(x), 'one; two'::text; END;
CREATE PROCEDURE public.a_proc(IN a integer, INOUT b text DEFAULT 'x, y(''z''', VARIADIC rest public.mood[] DEFAULT ARRAY['sad', 'it''s', 'a,b']::public.mood[])
    LANGUAGE plpgsql SET search_path TO "$user", public, 'odd"path' SET "app.x" TO 'it''s \ back' AS $procedure$ BEGIN b := $p$ $procedure $p$; END $procedure$;
CREATE FUNCTION public.a_table(n integer, s text DEFAULT E'tab\t\\ "x"') RETURNS TABLE (id integer, "Label" public.mood)
    LANGUAGE plpgsql ROWS 7 COST 12.5 STRICT SECURITY DEFINER LEAKPROOF PARALLEL RESTRICTED AS $$BEGIN RETURN; END$$;
CREATE FUNCTION public.a_set(anyelement) RETURNS SETOF anyelement LANGUAGE sql AS $_$ SELECT $1 $_$;
CREATE FUNCTION public.a_window(x anyelement) RETURNS bigint LANGUAGE internal WINDOW IMMUTABLE AS 'window_row_number';
CREATE FUNCTION public.a_support(double precision) RETURNS double precision LANGUAGE internal IMMUTABLE STRICT SUPPORT pg_catalog.generate_series_int4_support AS 'dsqrt';
CREATE FUNCTION public.a_trigger() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
CREATE FUNCTION public."Nasty -- ' $$
name"("arg 1" integer) RETURNS void LANGUAGE sql AS '';
COMMENT ON FUNCTION public.a_trigger() IS E'a comment\nwith \\! lines';
CREATE FUNCTION public.last_state(bigint, integer) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT $2::bigint';
CREATE FUNCTION public.any_state(internal, double precision, anyelement) RETURNS double precision LANGUAGE internal IMMUTABLE AS 'percentile_disc_final';
CREATE AGGREGATE public.a_agg(integer) (SFUNC = public.last_state, STYPE = bigint, INITCOND = '0', PARALLEL = SAFE);
CREATE AGGREGATE public.a_sum(x integer) (SFUNC = int4_sum, STYPE = bigint, COMBINEFUNC = int8pl, SSPACE = 8,
    MSFUNC = int4_avg_accum, MINVFUNC = int4_avg_accum_inv, MSTYPE = bigint[], MFINALFUNC = int2int4_sum, MINITCOND = '{0,0}', MFINALFUNC_MODIFY = SHAREABLE);
CREATE AGGREGATE public.a_max(text) (SFUNC = text_larger, STYPE = text, SORTOP = >);
CREATE AGGREGATE public.a_count(*) (SFUNC = int8inc, STYPE = bigint, INITCOND = '0');
CREATE AGGREGATE public.a_disc(double precision ORDER BY anyelement) (SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = percentile_disc_final, FINALFUNC_EXTRA);
CREATE AGGREGATE public.a_rank(VARIADIC "any" ORDER BY VARIADIC "any") (SFUNC = ordered_set_transition_multi, STYPE = internal, FINALFUNC = rank_final, FINALFUNC_EXTRA, HYPOTHETICAL);
CREATE AGGREGATE public.a_numeric(numeric) (SFUNC = numeric_avg_accum, STYPE = internal, FINALFUNC = numeric_avg, COMBINEFUNC = numeric_avg_combine, SERIALFUNC = numeric_avg_serialize, DESERIALFUNC = numeric_avg_deserialize, PARALLEL = SAFE);
COMMENT ON AGGREGATE public.a_agg(integer) IS 'an aggregate';

-- Grants in chains, to odd names, on columns, taken from PUBLIC.
GRANT EXECUTE ON FUNCTION public.a_table(integer, text) TO cat_grantor WITH GRANT OPTION;
GRANT USAGE ON SCHEMA public TO cat_grantor, "cat ""odd"" role";
SET ROLE cat_grantor;
GRANT EXECUTE ON FUNCTION public.a_table(integer, text) TO "cat ""odd"" role";
RESET ROLE;
REVOKE ALL ON FUNCTION public.a_set(anyelement) FROM PUBLIC;
REVOKE ALL ON ROUTINE public.a_proc(integer, text, public.mood[]) FROM PUBLIC, supabase_admin;
GRANT EXECUTE ON FUNCTION public.a_agg(integer) TO "cat ""odd"" role";
CREATE TABLE public.acl_table (id integer, secret text, "Odd col" text);
GRANT SELECT (id, "Odd col"), UPDATE ("Odd col") ON public.acl_table TO "cat ""odd"" role" WITH GRANT OPTION;
GRANT SELECT, TRIGGER ON public.acl_table TO cat_grantor WITH GRANT OPTION;
REVOKE ALL ON public.acl_table FROM PUBLIC, anon, authenticated;
CREATE SEQUENCE public.acl_seq;
GRANT USAGE ON SEQUENCE public.acl_seq TO cat_grantor;
REVOKE USAGE ON TYPE public.mood FROM PUBLIC;
CREATE DOMAIN public.acl_domain AS text;
GRANT USAGE ON DOMAIN public.acl_domain TO cat_grantor WITH GRANT OPTION;
REVOKE USAGE ON LANGUAGE plpgsql FROM PUBLIC;
GRANT USAGE ON LANGUAGE plpgsql TO PUBLIC, postgres;
CREATE FOREIGN DATA WRAPPER cat_fdw;
GRANT USAGE ON FOREIGN DATA WRAPPER cat_fdw TO cat_grantor WITH GRANT OPTION;
CREATE SERVER cat_server FOREIGN DATA WRAPPER cat_fdw;
GRANT USAGE ON FOREIGN SERVER cat_server TO "cat ""odd"" role";
SELECT lo_create(987654);
GRANT SELECT ON LARGE OBJECT 987654 TO cat_grantor;
GRANT EXECUTE ON FUNCTION pg_catalog.pg_read_file(text) TO cat_grantor;
ALTER DEFAULT PRIVILEGES FOR ROLE cat_grantor REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE cat_grantor GRANT SELECT ON TABLES TO "cat ""odd"" role" WITH GRANT OPTION;

-- Around the schema: publications, event triggers, jobs, secrets, queues.
CREATE TABLE public.published (id integer PRIMARY KEY, "A b" text, hidden text);
CREATE UNIQUE INDEX published_identity ON public.published (id);
ALTER TABLE public.published REPLICA IDENTITY USING INDEX published_identity;
ALTER TABLE public.acl_table REPLICA IDENTITY FULL;
CREATE PUBLICATION cat_filtered FOR TABLE public.published (id, "A b") WHERE (id > 10), TABLE public.acl_table WITH (publish = 'insert, delete', publish_via_partition_root = true);
CREATE PUBLICATION cat_schema FOR TABLES IN SCHEMA "Odd ""schema""", storage;
CREATE PUBLICATION "cat all" FOR ALL TABLES;
COMMENT ON PUBLICATION "cat all" IS 'all of it';
ALTER PUBLICATION cat_filtered OWNER TO postgres;
CREATE FUNCTION public.cat_on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER "cat ddl" ON ddl_command_end WHEN TAG IN ('CREATE TABLE', 'CREATE VIEW') EXECUTE FUNCTION public.cat_on_ddl();
ALTER EVENT TRIGGER "cat ddl" ENABLE ALWAYS;
COMMENT ON EVENT TRIGGER "cat ddl" IS 'mine';
CREATE EVENT TRIGGER cat_off ON sql_drop EXECUTE FUNCTION public.cat_on_ddl();
ALTER EVENT TRIGGER cat_off DISABLE;
SELECT cron.schedule('nightly', '0 3 * * *', 'SELECT ''canary-cron''');
SELECT cron.schedule('*/5 * * * *', 'VACUUM');
SELECT cron.alter_job(cron.schedule('paused', '1 1 1 1 *', 'SELECT 1'), active => false, username => 'postgres');
INSERT INTO cron.job (schedule, command, database, username, jobname) VALUES ('@daily', 'SELECT 2', 'another_db', 'postgres', 'nightly');
SELECT vault.create_secret('canary-value', 'api_key', 'for the test'), vault.create_secret('second', 'other');
SELECT pgmq.create('cat_jobs'), pgmq.create_unlogged('cat_fast'), pgmq.create('Cat_Upper');
SELECT pgmq.send('cat_jobs', jsonb_build_object('n', n, 'text', E'it''s\\ \t\n"x"')) FROM generate_series(1, 450) n;
SELECT pgmq.archive('cat_jobs', n) FROM generate_series(1, 20) n;
SELECT pgmq.send('Cat_Upper', NULL);
SELECT count(*) FROM pgmq.read('cat_jobs', 3600, 3);

-- Encryption: trigger functions that call it, views that use it, one view on top of another.
CREATE FUNCTION public.encrypt_cat(v text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT 'enc:' || reverse($1) $$;
CREATE TABLE public.cat_secrets (id integer PRIMARY KEY, v text);
CREATE FUNCTION public.cat_seal() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN new.v := public.encrypt_cat(new.v); RETURN new; END';
CREATE TRIGGER "Seal it" BEFORE INSERT OR UPDATE OF v ON public.cat_secrets FOR EACH ROW WHEN (new.v IS NOT NULL) EXECUTE FUNCTION public.cat_seal('x', E'it''s');
ALTER TABLE public.cat_secrets ENABLE ALWAYS TRIGGER "Seal it";
COMMENT ON TRIGGER "Seal it" ON public.cat_secrets IS 'keeps it shut';
CREATE TRIGGER cat_off BEFORE DELETE ON public.cat_secrets FOR EACH STATEMENT EXECUTE FUNCTION public.cat_seal();
ALTER TABLE public.cat_secrets DISABLE TRIGGER cat_off;
CREATE VIEW public.cat_open WITH (security_barrier, security_invoker = true, check_option = local) AS SELECT id, public.encrypt_cat(v) AS v FROM public.cat_secrets;
CREATE VIEW public.a_on_top AS SELECT v FROM public.cat_open;
COMMENT ON VIEW public.cat_open IS 'it''s open';
GRANT SELECT (v) ON public.cat_open TO anon;
REVOKE ALL ON public.a_on_top FROM anon;

-- What users build on the platform's schemas.
CREATE FUNCTION public.cat_new_user() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN new; END';
CREATE TRIGGER cat_on_user AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION public.cat_new_user();
ALTER TABLE auth.users DISABLE TRIGGER cat_on_user;
CREATE TRIGGER cat_hook AFTER INSERT ON auth.users FOR EACH ROW
    EXECUTE FUNCTION supabase_functions.http_request('http://x', 'POST', '{"Authorization": "Bearer eyJcanary"}', '{}', '1000');
CREATE INDEX cat_index ON auth.users (last_sign_in_at) WHERE deleted_at IS NULL;
CREATE FUNCTION auth.cat_mine() RETURNS integer LANGUAGE sql AS 'SELECT 1';
ALTER FUNCTION auth.cat_mine() OWNER TO postgres;
CREATE VIEW storage.cat_mine AS SELECT id FROM storage.objects;
ALTER VIEW storage.cat_mine OWNER TO postgres;
CREATE POLICY cat_sessions ON auth.sessions FOR SELECT TO authenticated, anon USING (user_id = auth.uid());
