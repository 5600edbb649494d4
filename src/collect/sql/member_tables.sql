-- Tables of extensions that are not marked as configuration, whose rows no dump holds; and their sequences.
WITH member AS (
    SELECT c.oid, e.extname, e.extconfig
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
    JOIN pg_catalog.pg_class c ON c.oid = d.objid
    WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.deptype = 'e'
), listed AS (
    SELECT oid, extname, extconfig FROM member
    UNION
    SELECT d.objid, m.extname, m.extconfig
    FROM member m
    JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = m.oid
         AND d.classid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i')
    JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relkind = 'S'
    WHERE m.oid <> ALL (coalesce(m.extconfig, '{}'))
)
SELECT n.nspname::text AS schema, c.relname::text AS name, c.relkind::text AS kind, c.relpersistence::text AS persistence, l.extname::text AS extension,
       ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' ORDER BY a.attnum) AS columns,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT') AS readable,
       c.relkind = 'r' AND pg_catalog.row_security_active(c.oid) AS filtered,
       pg_catalog.pg_is_in_recovery() AS standby
FROM listed l
JOIN pg_catalog.pg_class c ON c.oid = l.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'S') AND c.oid <> ALL (coalesce(l.extconfig, '{}'))
ORDER BY 1, 2
