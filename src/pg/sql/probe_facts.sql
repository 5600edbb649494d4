-- Facts that the probes need before they start. $1: 'SET' since PostgreSQL 16, 'MEMBER' before.
-- Names are looked up in the catalogs: to_regclass() raises an error for a role without USAGE on the schema.
WITH place AS (
    SELECT c.oid, c.relnamespace, n.nspname || '.' || c.relname AS name
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname IN ('auth', 'storage') AND c.relkind IN ('r', 'p')
)
SELECT pg_catalog.pg_is_in_recovery() OR pg_catalog.current_setting('transaction_read_only')::bool AS read_only,
       (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user) AS superuser,
       EXISTS (SELECT FROM place WHERE name = 'auth.users') AS users,
       EXISTS (SELECT FROM place WHERE name = 'storage.buckets') AS buckets,
       ARRAY(SELECT a.attname::text FROM place p JOIN pg_catalog.pg_attribute a ON a.attrelid = p.oid
             WHERE p.name = 'auth.users' AND a.attnum > 0 AND NOT a.attisdropped
               AND pg_catalog.has_schema_privilege(p.relnamespace, 'USAGE')
               AND pg_catalog.has_column_privilege(a.attrelid, a.attnum, 'SELECT')) AS readable_columns,
       ARRAY(SELECT r.rolname::text FROM pg_catalog.pg_roles r) AS roles,
       ARRAY(SELECT r.rolname::text FROM pg_catalog.pg_roles r WHERE pg_catalog.pg_has_role(r.oid, $1)) AS settable,
       (SELECT n.nspname::text
        FROM pg_catalog.pg_extension e
        JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
         AND d.classid = 'pg_catalog.pg_proc'::regclass
        JOIN pg_catalog.pg_proc p ON p.oid = d.objid AND p.proname = 'crypt'
        JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
        WHERE e.extname = 'pgcrypto') AS crypt_schema
