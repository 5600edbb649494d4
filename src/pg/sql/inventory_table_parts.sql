-- Parts of a table that have a TOC entry of their own: partition bounds and row security.
WITH t AS (
    SELECT c.*, n.nspname, format('%I.%I', n.nspname, c.relname) AS name, e.extname
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_depend x ON x.classid = 'pg_class'::regclass AND x.objid = c.oid AND x.objsubid = 0 AND x.deptype = 'e' AND x.refclassid = 'pg_extension'::regclass
    LEFT JOIN pg_extension e ON e.oid = x.refobjid
    WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't'
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      AND (c.relispartition OR c.relrowsecurity OR c.relforcerowsecurity)
)
SELECT 'TABLE ATTACH'::text, t.nspname::text, t.name,
       format('PARTITION OF %I.%I %s', pn.nspname, p.relname, pg_get_expr(t.relpartbound, t.oid)),
       NULL::text, t.extname::text, 'pg_class'::regclass::oid, t.oid, 0
FROM t
JOIN pg_inherits i ON i.inhrelid = t.oid
JOIN pg_class p ON p.oid = i.inhparent
JOIN pg_namespace pn ON pn.oid = p.relnamespace
WHERE t.relispartition
UNION ALL
SELECT 'ROW SECURITY', t.nspname, t.name,
       CASE WHEN t.relrowsecurity THEN 'ENABLE' ELSE 'DISABLE' END
       || CASE WHEN t.relforcerowsecurity THEN ', FORCE' ELSE '' END,
       NULL, t.extname, 'pg_class'::regclass::oid, t.oid, 0
FROM t WHERE t.relrowsecurity OR t.relforcerowsecurity
