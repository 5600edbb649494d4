-- Facts about the server, the database and this role.
SELECT current_database()::text, current_user::text, d.oid, current_setting('server_version')::text,
       pg_encoding_to_char(d.encoding)::text,
       concat_ws('/', nullif(to_jsonb(d) ->> 'datcollate', ''), nullif(to_jsonb(d) ->> 'datctype', ''),
                 CASE to_jsonb(d) ->> 'datlocprovider' WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' END,
                 coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale')),
       pg_is_in_recovery(),
       CASE WHEN has_database_privilege(d.oid, 'CONNECT') OR pg_has_role('pg_read_all_stats', 'USAGE')
            THEN pg_database_size(d.oid) ELSE 0 END,
       r.rolsuper, r.rolsuper OR r.rolbypassrls, has_column_privilege('pg_catalog.pg_authid', 'rolpassword', 'SELECT'),
       current_setting('max_locks_per_transaction')::int8,
       current_setting('max_locks_per_transaction')::int8
           * (current_setting('max_connections')::int8 + current_setting('max_prepared_transactions')::int8),
       (SELECT array_agg(e.extname::text ORDER BY e.extname) FROM pg_extension e),
       (SELECT array_agg(n.nspname::text ORDER BY n.nspname) FROM pg_namespace n WHERE n.nspname !~ '^pg_(temp|toast_temp)_'),
       EXISTS (SELECT 1 FROM pg_namespace n WHERE n.nspname = 'auth')
           AND EXISTS (SELECT 1 FROM pg_roles a WHERE a.rolname = 'authenticator')
           AND EXISTS (SELECT 1 FROM pg_roles a WHERE a.rolname IN ('supabase_admin', 'supabase_auth_admin')),
       has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE')
FROM pg_database d, pg_roles r
WHERE d.datname = current_database() AND r.rolname = current_user
