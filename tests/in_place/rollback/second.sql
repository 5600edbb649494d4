-- What migrations that went wrong leave behind, as superuser, on the fixtures stack app types nasty schema_zoo cycles.
-- "-- ## " begins a batch, which is planted and rolled back together: its damages are on objects of their own.
-- "-- # NAME" begins one damage.

-- ##
-- # column default changed
ALTER TABLE public.orders ALTER COLUMN status SET DEFAULT 'paid', ALTER COLUMN updated_at DROP DEFAULT;
-- # NOT NULL added
ALTER TABLE zoo.children ALTER COLUMN kind SET NOT NULL;
-- # type changed under a generated column
ALTER TABLE public.order_items DROP COLUMN amount CASCADE;
ALTER TABLE public.order_items ALTER COLUMN quantity TYPE bigint;
-- # policy dropped
DROP POLICY "Members read orders" ON public.orders;
-- # function owner and SECURITY DEFINER changed
ALTER FUNCTION public.has_role(public.app_role, uuid) OWNER TO supabase_admin;
ALTER FUNCTION public.has_role(public.app_role, uuid) SECURITY INVOKER;
ALTER FUNCTION public.has_role(public.app_role, uuid) RESET ALL;
ALTER FUNCTION public.set_updated_at() SECURITY DEFINER SET search_path = evil, public;
-- # index dropped and added
DROP INDEX public.orders_open_idx;
DROP INDEX public.mv_customer_totals_idx;
CREATE INDEX newidx ON public.orders (total);
-- # owner changed
ALTER TABLE public.orders OWNER TO supabase_admin;
ALTER VIEW public.open_orders OWNER TO supabase_admin;
ALTER SCHEMA private OWNER TO supabase_admin;
ALTER TYPE public.app_role OWNER TO supabase_admin;
ALTER SEQUENCE public.invoice_seq OWNER TO supabase_admin;
ALTER MATERIALIZED VIEW public.mv_customer_totals OWNER TO supabase_admin;
ALTER PUBLICATION reporting OWNER TO supabase_admin;
-- # foreign server changed
ALTER SERVER zoo_server OPTIONS (SET host 'evil');
ALTER SERVER zoo_server OWNER TO supabase_admin;
DROP USER MAPPING FOR PUBLIC SERVER zoo_server;
-- # column options changed
ALTER TABLE zoo.with_options ALTER t SET STATISTICS 5, ALTER t SET STORAGE PLAIN, ALTER id RESET (n_distinct), SET (fillfactor = 90), RESET (parallel_workers);
-- # partition added
CREATE TABLE zoo.by_list_z PARTITION OF zoo.empty_partitioned FOR VALUES IN (7);
ALTER TABLE zoo.empty_partitioned ATTACH PARTITION zoo.detached FOR VALUES IN (1);
-- # schema added
CREATE SCHEMA added;
CREATE TABLE added.t (a int);
GRANT USAGE ON SCHEMA added TO anon;
-- # extension added
CREATE EXTENSION hstore SCHEMA extensions;
CREATE TABLE public.h (a extensions.hstore);
ALTER TABLE public.orders ADD COLUMN h extensions.hstore;

-- ##
-- # NOT NULL dropped
ALTER TABLE public.orders ALTER COLUMN customer_id DROP NOT NULL;
-- # generated column expression changed
ALTER TABLE public.order_items DROP COLUMN amount CASCADE;
ALTER TABLE public.order_items ADD COLUMN amount numeric(14,2) GENERATED ALWAYS AS (quantity * unit_price * 2) STORED;
-- # policy opened
ALTER POLICY "Members read orders" ON public.orders TO anon USING (true);
-- # RLS off
ALTER TABLE public.orders DISABLE ROW LEVEL SECURITY;
ALTER TABLE public.api_keys NO FORCE ROW LEVEL SECURITY;
-- # trigger disabled
ALTER TABLE auth.users DISABLE TRIGGER on_auth_user_created;
ALTER TABLE public.orders DISABLE TRIGGER set_orders_updated_at;
ALTER TABLE public.tasks ENABLE ALWAYS TRIGGER set_tasks_updated_at;
-- # triggers of a partitioned table changed
ALTER TABLE zoo.by_range_2024 ENABLE TRIGGER on_partitioned;
ALTER TABLE zoo.by_range_2025_low DISABLE TRIGGER on_partitioned;
DROP TRIGGER g_constraint ON zoo.triggered;
-- # enum extended
ALTER TYPE public.order_status ADD VALUE 'lost' BEFORE 'paid';
-- # view made to run as its owner
ALTER VIEW public.user_access RESET (security_invoker);
ALTER VIEW zoo.v_barrier RESET (security_barrier);
-- # index changed
DROP INDEX public.orders_open_idx;
CREATE INDEX orders_open_idx ON public.orders (id);
ALTER INDEX zoo.with_options_expression ALTER COLUMN 1 SET STATISTICS 7;
ALTER TABLE zoo.with_options SET WITHOUT CLUSTER;
-- # constraint dropped
ALTER TABLE public.order_items DROP CONSTRAINT order_items_quantity_check;
ALTER TABLE public.invoices DROP CONSTRAINT invoices_order_id_key;
ALTER TABLE zoo.bookings DROP CONSTRAINT no_overlap;
-- # foreign key made to cascade
ALTER TABLE public.orders DROP CONSTRAINT orders_customer_id_fkey;
ALTER TABLE public.orders ADD CONSTRAINT orders_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES public.customers ON DELETE CASCADE DEFERRABLE;
-- # role dropped
DROP OWNED BY app_reporter;
DROP ROLE app_reporter;
-- # database owner and grants changed
DO $$ BEGIN EXECUTE format('GRANT ALL ON DATABASE %I TO anon', current_database()); END $$;
-- # inheritance changed
ALTER TABLE zoo.penguins NO INHERIT zoo.swimmers;

-- ##
-- # identity options changed
ALTER TABLE public.orders ALTER COLUMN id SET GENERATED ALWAYS SET INCREMENT BY 5 RESTART WITH 100000;
-- # policy added
CREATE POLICY open ON public.api_keys FOR ALL TO PUBLIC USING (true) WITH CHECK (true);
-- # function with other argument names
DROP FUNCTION public.is_org_member(uuid) CASCADE;
CREATE FUNCTION public.is_org_member(organization uuid) RETURNS boolean LANGUAGE sql AS 'select true';
-- # function overloaded
CREATE FUNCTION public.has_role(text) RETURNS boolean LANGUAGE sql SECURITY DEFINER AS 'select true';
-- # rows deleted
SET session_replication_role = replica;
DELETE FROM public.order_items;
DELETE FROM public.orders WHERE id % 2 = 0;
-- # publication tables changed
ALTER PUBLICATION supabase_realtime DROP TABLE public.tasks;
ALTER PUBLICATION supabase_realtime ADD TABLE public.api_keys;
ALTER PUBLICATION reporting SET TABLE public.orders, public.products (id, name);
ALTER PUBLICATION zoo_schema ADD TABLES IN SCHEMA private;
-- # default privileges emptied
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public REVOKE ALL ON TABLES FROM postgres, anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA public REVOKE ALL ON FUNCTIONS FROM postgres, anon, authenticated, service_role;
-- # users swapped their addresses
UPDATE auth.users SET email = 'x' || email WHERE email LIKE 'alice%';
UPDATE auth.users SET email = 'alice@example.com' WHERE email LIKE 'bruno%';
UPDATE auth.users SET email = 'bruno@example.com' WHERE email LIKE 'xalice%';
-- # view with other column names
ALTER VIEW public.open_orders RENAME COLUMN total TO sum;
-- # domain check changed
ALTER DOMAIN public.email_address DROP CONSTRAINT email_address_check;
ALTER DOMAIN public.email_address ADD CONSTRAINT email_address_check CHECK (VALUE <> '');
ALTER DOMAIN public.email_address SET DEFAULT 'a@b.c';
-- # event trigger added
CREATE EVENT TRIGGER evil ON ddl_command_start EXECUTE FUNCTION private.on_ddl();
-- # partitioned index dropped
DROP INDEX zoo.by_range_t_idx;
-- # foreign data wrapper dropped
DROP FOREIGN DATA WRAPPER zoo_wrapper CASCADE;
-- # checks of a foreign key switched
ALTER TABLE public.order_items DISABLE TRIGGER ALL;

-- ##
-- # identity dropped
ALTER TABLE public.orders ALTER COLUMN id DROP IDENTITY;
-- # policy renamed
ALTER POLICY "Members read orders" ON public.orders RENAME TO "Everybody";
-- # function with another result
DROP FUNCTION public.is_encrypted(text) CASCADE;
CREATE FUNCTION public.is_encrypted(value text) RETURNS integer LANGUAGE sql AS 'select 1';
-- # procedure and aggregate dropped
DROP PROCEDURE public.archive_old_notifications(timestamptz, bigint);
DROP AGGREGATE public.median_amount(numeric);
DROP AGGREGATE zoo.moving_sum(integer);
-- # grants revoked
REVOKE ALL ON public.orders FROM authenticated, service_role, app_readonly;
REVOKE SELECT (display_name) ON public.profiles FROM anon;
REVOKE USAGE ON SCHEMA public FROM anon, app_readonly;
REVOKE EXECUTE ON FUNCTION public.custom_access_token_hook(jsonb) FROM supabase_auth_admin;
REVOKE ALL ON TYPE public.app_role FROM supabase_auth_admin;
-- # rows changed
UPDATE public.orders SET total = total + 1 WHERE id % 7 = 0;
UPDATE private.encryption_keys SET key = '\x00';
INSERT INTO public.feature_flags SELECT (jsonb_populate_record(f, '{"key": "evil"}')).* FROM public.feature_flags f LIMIT 1;
-- # matview dropped
DROP MATERIALIZED VIEW public.mv_customer_totals CASCADE;
-- # partition dropped
DROP TABLE zoo.by_range_2025 CASCADE;
-- # composite type changed
ALTER TYPE public.postal_address ADD ATTRIBUTE door text;
-- # users added
INSERT INTO auth.users (id, email, encrypted_password) VALUES (gen_random_uuid(), 'new@example.com', 'x');
-- # view replaced
DROP VIEW public.open_orders CASCADE;
CREATE VIEW public.open_orders AS SELECT 1 AS id;
