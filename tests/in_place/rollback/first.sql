-- What migrations that went wrong leave behind, as superuser, on the fixtures stack app types nasty schema_zoo cycles.
-- "-- ## " begins a batch, which is planted and rolled back together: its damages are on objects of their own.
-- "-- # NAME" begins one damage.

-- ##
-- # table dropped
DROP TABLE public.orders CASCADE;
-- # schema of types dropped
DROP SCHEMA types CASCADE;
-- # users changed
UPDATE auth.users SET encrypted_password = 'x', email = 'evil-' || email, raw_app_meta_data = '{"role": "admin"}';
DELETE FROM auth.sessions;
UPDATE auth.mfa_factors SET secret = 'x';
-- # storage policy dropped, opened, added
DROP POLICY "Own avatar" ON storage.objects;
ALTER POLICY "Organization documents" ON storage.objects TO anon USING (true);
CREATE POLICY everything ON storage.buckets TO anon USING (true);
-- # role altered
ALTER ROLE app_readonly LOGIN CREATEDB BYPASSRLS CONNECTION LIMIT 3;
ALTER ROLE app_reporter PASSWORD 'other' VALID UNTIL '2030-01-01';
-- # large objects changed, removed, added
SELECT lo_put(900001, 0, 'changed');
SELECT lo_unlink(900002);
ALTER LARGE OBJECT 900001 OWNER TO supabase_admin;
SELECT lo_from_bytea(900777, 'abc');
SELECT lo_from_bytea(777, 'abc');
COMMENT ON LARGE OBJECT 777 IS 'of a small number';
-- # cron jobs changed
SET SESSION AUTHORIZATION postgres;
SELECT cron.alter_job(1, schedule => '1 1 * * *', active => false);
-- # text search changed
ALTER TEXT SEARCH CONFIGURATION zoo.search ALTER MAPPING FOR asciiword WITH simple;
ALTER TEXT SEARCH DICTIONARY zoo.stem (STOPWORDS);
-- # migration history changed
DELETE FROM supabase_migrations.schema_migrations WHERE version > (SELECT min(version) FROM supabase_migrations.schema_migrations);
INSERT INTO supabase_migrations.schema_migrations (version, name) VALUES ('99991231235959', 'evil');
-- # event trigger disabled
ALTER EVENT TRIGGER log_ddl DISABLE;
-- # default privileges changed
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public REVOKE ALL ON TABLES FROM anon;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public GRANT ALL ON TABLES TO PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres GRANT ALL ON FUNCTIONS TO anon;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA private GRANT SELECT ON TABLES TO anon;
-- # user mapping changed
ALTER USER MAPPING FOR PUBLIC SERVER zoo_server OPTIONS (SET password 'other');
-- # transform added
CREATE TYPE zoo.transformed AS (a int);
CREATE TRANSFORM FOR zoo.transformed LANGUAGE plpgsql (FROM SQL WITH FUNCTION prsd_lextype(internal));
-- # publication options changed
ALTER PUBLICATION supabase_realtime SET (publish = 'insert', publish_via_partition_root = true);
-- # collation dropped
DROP COLLATION zoo.like_c CASCADE;

-- ##
-- # table dropped that everything refers to
DROP TABLE public.organizations CASCADE;
-- # schema of nasty names dropped
DROP SCHEMA nasty CASCADE;
-- # trigger dropped
DROP TRIGGER on_auth_user_created ON auth.users;
DROP TRIGGER on_object_created ON storage.objects;
DROP TRIGGER user_roles_audit ON public.user_roles;
-- # role settings changed
ALTER ROLE anon SET statement_timeout = '99s';
ALTER ROLE authenticated SET work_mem = '1GB';
ALTER ROLE app_reporter RESET search_path;
DO $$ BEGIN EXECUTE format('ALTER ROLE anon IN DATABASE %I SET row_security = off', current_database()); END $$;
DO $$ BEGIN EXECUTE format('ALTER ROLE app_reporter IN DATABASE %I RESET work_mem', current_database()); END $$;
-- # sequence changed
ALTER SEQUENCE zoo.s_cycle NO CYCLE INCREMENT 7;
ALTER SEQUENCE public.invoice_seq CACHE 1 MAXVALUE 100000;
ALTER SEQUENCE zoo.s_owned OWNED BY NONE;
-- # rule dropped, switched, changed
DROP RULE keep ON zoo.ruled;
ALTER TABLE zoo.ruled ENABLE RULE off;
CREATE OR REPLACE RULE log_insert AS ON INSERT TO zoo.ruled DO INSTEAD NOTHING;
-- # event trigger dropped
DROP EVENT TRIGGER log_ddl;
-- # extension moved
ALTER EXTENSION "uuid-ossp" SET SCHEMA public;

-- ##
-- # table renamed
ALTER TABLE public.tasks RENAME TO tasks_old;
-- # column dropped with data
ALTER TABLE public.customers DROP COLUMN name CASCADE;
-- # column added
ALTER TABLE public.orders ADD COLUMN extra text NOT NULL DEFAULT 'x';
-- # function replaced
CREATE OR REPLACE FUNCTION public.is_encrypted(value text) RETURNS boolean LANGUAGE sql AS 'select true';
CREATE OR REPLACE FUNCTION public.handle_new_user() RETURNS trigger LANGUAGE plpgsql AS 'begin return null; end';
-- # enum label renamed
ALTER TYPE public.app_role RENAME VALUE 'viewer' TO 'spectator';
-- # partition detached
ALTER TABLE zoo.by_list DETACH PARTITION zoo.by_list_ab;
-- # publication dropped and added
DROP PUBLICATION reporting;
DROP PUBLICATION zoo_none;
CREATE PUBLICATION everything FOR ALL TABLES;
-- # matview filled
REFRESH MATERIALIZED VIEW public.mv_activity_daily;
-- # comment changed
COMMENT ON SCHEMA private IS 'other';
COMMENT ON TRIGGER user_roles_audit ON public.user_roles IS NULL;
COMMENT ON TABLE public.orders IS 'new';
COMMENT ON COLUMN public.orders.id IS 'new';
COMMENT ON ROLE app_reporter IS NULL;
COMMENT ON POLICY "Members read orders" ON public.orders IS 'new';
COMMENT ON FUNCTION public.set_updated_at() IS 'new';
COMMENT ON CONSTRAINT kinds ON zoo.children IS NULL;
COMMENT ON CONSTRAINT is_even ON DOMAIN zoo.even IS NULL;
COMMENT ON EVENT TRIGGER log_ddl IS 'x';
COMMENT ON PUBLICATION supabase_realtime IS 'x';
-- # role memberships changed
GRANT service_role TO app_readonly WITH ADMIN OPTION;
REVOKE app_readonly FROM authenticator;
-- # database settings changed
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET app.settings.jwt_exp TO ''9''', current_database()); END $$;
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET app.settings.jwt_secret', current_database()); END $$;
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET row_security TO off', current_database()); END $$;
-- # replica identity changed
ALTER TABLE public.notifications REPLICA IDENTITY DEFAULT;
ALTER TABLE zoo.replica_index REPLICA IDENTITY NOTHING;
ALTER TABLE zoo.replica_nothing REPLICA IDENTITY FULL;
-- # storage rows changed
SET session_replication_role = replica;
DELETE FROM storage.objects WHERE bucket_id = (SELECT min(id) FROM storage.buckets);
UPDATE storage.buckets SET public = true;

-- ##
-- # table added
CREATE TABLE public.added (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, of_order bigint REFERENCES public.orders, t text UNIQUE);
CREATE VIEW public.added_view AS SELECT a.t, o.total FROM public.added a JOIN public.orders o ON o.id = a.of_order;
INSERT INTO public.added (t) VALUES ('x');
-- # column renamed
ALTER TABLE public.products RENAME COLUMN name TO title;
-- # type changed with a view on it
DROP VIEW public.open_orders;
ALTER TABLE public.orders ALTER COLUMN placed_at TYPE timestamp;
CREATE VIEW public.open_orders AS SELECT * FROM public.orders WHERE status IN ('placed', 'paid');
-- # RLS forced
ALTER TABLE public.orders FORCE ROW LEVEL SECURITY;
ALTER TABLE zoo.parents ENABLE ROW LEVEL SECURITY;
-- # grant to anon
GRANT ALL ON public.api_keys TO anon;
GRANT EXECUTE ON FUNCTION public.decrypt_api_key(text) TO anon;
GRANT SELECT (email, phone), UPDATE (email) ON public.profiles TO anon;
GRANT USAGE, CREATE ON SCHEMA private TO anon;
GRANT ALL ON SEQUENCE public.invoice_seq TO anon WITH GRANT OPTION;
GRANT USAGE ON TYPE public.app_role TO PUBLIC;
-- # sequence moved
SELECT setval('public.orders_id_seq', 99999);
SELECT nextval('auth.refresh_tokens_id_seq');
SELECT setval('public.invoice_seq', 1, false);
-- # large object given away
ALTER LARGE OBJECT 900001 OWNER TO supabase_admin;
GRANT ALL ON LARGE OBJECT 900002 TO anon;
COMMENT ON LARGE OBJECT 900002 IS 'other';
-- # trigger changed
DROP TRIGGER set_orders_updated_at ON public.orders;
CREATE TRIGGER set_orders_updated_at BEFORE UPDATE ON public.orders FOR EACH ROW EXECUTE FUNCTION public.set_updated_at();
-- # statistics dropped
DROP STATISTICS zoo.stats_some;
ALTER STATISTICS zoo.stats_all SET STATISTICS 7;
-- # unlogged switched
ALTER TABLE zoo.unlogged SET LOGGED;
-- # operators and casts dropped
DROP OPERATOR zoo.=~~= (zoo.animals, zoo.animals);
DROP CAST (zoo.colour AS integer);
DROP CONVERSION zoo.latin1_to_utf8;
-- # users deleted
SET session_replication_role = replica;
DELETE FROM auth.identities WHERE user_id IN (SELECT id FROM auth.users WHERE email < 'c');
DELETE FROM auth.users WHERE email < 'c';
