-- What migrations that went wrong leave behind, as superuser, on the fixtures stack app types nasty schema_zoo cycles.
-- "-- ## " begins a batch, which is planted and rolled back together: its damages are on objects of their own.
-- "-- # NAME" begins one damage.

-- ##
-- # columns granted that had no grant, and nothing else of the table
GRANT SELECT (total) ON public.orders TO anon;
-- # parameter granted
GRANT SET ON PARAMETER log_min_messages TO app_readonly;
-- # setting of all roles
ALTER ROLE ALL SET lock_timeout = '7s';

-- ##
-- # enum extended and used
ALTER TYPE public.order_status ADD VALUE 'lost';
UPDATE public.orders SET status = 'lost' WHERE id % 3 = 0;
-- # realtime policies dropped
DO $$ DECLARE p record; BEGIN FOR p IN SELECT policyname FROM pg_policies WHERE schemaname = 'realtime'
LOOP EXECUTE format('DROP POLICY %I ON realtime.messages', p.policyname); END LOOP; END $$;
-- # function dropped that policies call
DROP FUNCTION public.has_role(public.app_role, uuid) CASCADE;
-- # view replaced by a wider one
CREATE OR REPLACE VIEW public.open_orders AS SELECT *, 1 AS x FROM public.orders;
-- # foreign key dropped
ALTER TABLE public.orders DROP CONSTRAINT orders_customer_id_fkey;
ALTER TABLE public.profiles DROP CONSTRAINT profiles_id_fkey;
ALTER TABLE zoo.refers_to_partitioned DROP CONSTRAINT refers_to_partitioned_id_at_fkey;
-- # sequence dropped
DROP SEQUENCE public.invoice_seq CASCADE;
-- # schema renamed
ALTER SCHEMA zoo RENAME TO zoo2;
-- # trigger added
CREATE TRIGGER spy AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION public.set_updated_at();
CREATE TRIGGER spy AFTER INSERT ON public.orders FOR EACH ROW EXECUTE FUNCTION public.set_updated_at();

-- ##
-- # primary key dropped
ALTER TABLE public.orders DROP CONSTRAINT orders_pkey CASCADE;
-- # publication of all tables made one of some
DROP PUBLICATION zoo_all;
CREATE PUBLICATION zoo_all FOR TABLE public.orders;
-- # schema renamed that functions name
ALTER SCHEMA private RENAME TO private2;
-- # views in a circle dropped
DROP VIEW zoo.v_circle_1 CASCADE;
-- # type dropped
DROP TYPE public.postal_address CASCADE;
DROP TYPE zoo.colour CASCADE;
-- # realtime publication dropped
DROP PUBLICATION supabase_realtime;
-- # function with other arguments
DROP FUNCTION public.order_total(bigint);
CREATE FUNCTION public.order_total(integer) RETURNS numeric LANGUAGE sql AS 'select 1.0';

-- ##
-- # foreign key dropped and broken
ALTER TABLE public.orders DROP CONSTRAINT orders_customer_id_fkey;
DELETE FROM public.customers WHERE id % 2 = 0;
-- # view made a table
DROP VIEW public.open_orders;
CREATE TABLE public.open_orders (id int);
-- # extension dropped
DROP EXTENSION postgres_fdw CASCADE;
-- # matview emptied
REFRESH MATERIALIZED VIEW public.mv_customer_totals WITH NO DATA;

-- ##
-- # constraint made NOT VALID
ALTER TABLE public.order_items DROP CONSTRAINT order_items_quantity_check;
ALTER TABLE public.order_items ADD CONSTRAINT order_items_quantity_check CHECK (quantity > 0) NOT VALID;
ALTER TABLE public.orders DROP CONSTRAINT orders_customer_id_fkey;
ALTER TABLE public.orders ADD CONSTRAINT orders_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customers NOT VALID;
-- # constraint added
ALTER TABLE public.orders ADD CONSTRAINT small CHECK (total < 1e9), ADD UNIQUE (id, total);
-- # users deleted with all that is theirs
DELETE FROM auth.users WHERE NOT EXISTS (SELECT FROM public.projects WHERE owner_id = users.id)
    AND NOT EXISTS (SELECT FROM public.tasks WHERE assignee_id = users.id) AND NOT EXISTS (SELECT FROM public.chat_messages WHERE author_id = users.id)
    AND NOT EXISTS (SELECT FROM public.chat_threads WHERE created_by = users.id) AND NOT EXISTS (SELECT FROM public.task_comments WHERE author_id = users.id);
TRUNCATE auth.users CASCADE;
-- # zoo dropped
DROP SCHEMA zoo CASCADE;
-- # schema of circles dropped
DROP SCHEMA cycles CASCADE;

-- ##
-- # rows truncated
TRUNCATE public.organizations CASCADE;
-- # domain dropped
DROP DOMAIN public.email_address CASCADE;

-- ##
-- # enum dropped
DROP TYPE public.app_role CASCADE;

-- ##
-- # public dropped
DROP SCHEMA public CASCADE;
CREATE SCHEMA public;

-- ##
-- # secrets of the vault deleted, changed, renamed and added
DELETE FROM vault.secrets WHERE name = 'stripe_key' OR name IS NULL;
SELECT vault.update_secret(id, 'new', 'renamed') FROM vault.secrets WHERE name = 'smtp_password';
SELECT vault.create_secret('later', 'smtp_password');

-- ##
-- # everything at once
ALTER TABLE public.orders ADD COLUMN extra text DEFAULT 'x';
ALTER TABLE public.customers DROP COLUMN name CASCADE;
DROP TABLE public.tasks CASCADE;
CREATE TABLE public.added (id bigint PRIMARY KEY REFERENCES public.orders);
DROP POLICY "Members read orders" ON public.orders;
ALTER TABLE public.api_keys DISABLE ROW LEVEL SECURITY;
CREATE OR REPLACE FUNCTION public.handle_new_user() RETURNS trigger LANGUAGE plpgsql AS 'begin return null; end';
GRANT ALL ON ALL TABLES IN SCHEMA public TO anon;
ALTER TABLE public.products OWNER TO supabase_admin;
ALTER TYPE public.order_status ADD VALUE 'lost';
DROP FUNCTION public.is_org_member(uuid) CASCADE;
UPDATE auth.users SET email = 'evil-' || email;
SELECT setval('public.orders_id_seq', 99999);
DROP PUBLICATION reporting;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public GRANT ALL ON TABLES TO PUBLIC;
ALTER ROLE app_readonly LOGIN;
CREATE EXTENSION hstore SCHEMA extensions;
ALTER SCHEMA private RENAME TO private2;
DROP VIEW public.user_access;
DROP INDEX public.orders_open_idx;
REFRESH MATERIALIZED VIEW public.mv_customer_totals WITH NO DATA;
DROP TRIGGER on_auth_user_created ON auth.users;
ALTER EVENT TRIGGER log_ddl DISABLE;
SELECT lo_unlink(900001);
DROP SCHEMA cycles CASCADE;

-- ##
-- # platform's row security, functions, views changed
ALTER TABLE auth.users DISABLE ROW LEVEL SECURITY;
ALTER TABLE storage.buckets FORCE ROW LEVEL SECURITY;
CREATE OR REPLACE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT NULL::uuid';
ALTER FUNCTION auth.role() SECURITY DEFINER;
CREATE OR REPLACE FUNCTION pgbouncer.get_auth(p_usename text) RETURNS TABLE (username text, password text) LANGUAGE sql SECURITY DEFINER AS 'SELECT NULL::text, NULL::text';
GRANT EXECUTE ON FUNCTION pgbouncer.get_auth(text) TO anon;
CREATE VIEW storage.v AS SELECT * FROM auth.users;
GRANT SELECT ON storage.v TO anon;
CREATE FUNCTION auth.evil() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
-- # platform's indexes, keys, columns changed
DROP INDEX auth.users_instance_id_idx;
ALTER TABLE auth.identities DROP CONSTRAINT identities_user_id_fkey;
ALTER TABLE auth.users ADD COLUMN evil text;
CREATE TABLE storage.evil (id int PRIMARY KEY);
CREATE INDEX evil_idx ON storage.objects (lower(name));
DROP TRIGGER protect_objects_delete ON storage.objects;
DROP FUNCTION realtime.topic() CASCADE;
-- # platform's event triggers switched
ALTER EVENT TRIGGER pgrst_ddl_watch DISABLE;
DROP EVENT TRIGGER pgrst_drop_watch;
-- # platform's default privileges opened
ALTER DEFAULT PRIVILEGES FOR ROLE supabase_auth_admin GRANT ALL ON TABLES TO anon;
ALTER DEFAULT PRIVILEGES FOR ROLE supabase_storage_admin IN SCHEMA storage GRANT ALL ON TABLES TO PUBLIC;

-- ##
-- # rows of the platform's migrations removed
DELETE FROM auth.schema_migrations WHERE version = (SELECT max(version) FROM auth.schema_migrations);
DELETE FROM storage.migrations WHERE id > 9;

-- ##
-- # default privileges of anybody opened, and nothing else
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA auth GRANT ALL ON FUNCTIONS TO anon;
