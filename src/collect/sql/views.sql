-- Views in these schemas, and views that use these functions, directly or through other views; dependencies first.
WITH RECURSIVE used AS (
    SELECT DISTINCT r.ev_class AS oid, 1 AS level
    FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid
    WHERE d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.refclassid = 'pg_catalog.pg_proc'::regclass AND d.refobjid = ANY ($2)
    UNION
    SELECT r.ev_class, u.level + 1
    FROM used u
    JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_class'::regclass AND d.refobjid = u.oid
    JOIN pg_catalog.pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_catalog.pg_rewrite'::regclass
    WHERE r.ev_class <> u.oid AND u.level < 50
)
SELECT c.oid, n.nspname::text AS schema, c.relname::text AS name, o.rolname::text AS owner, c.relkind::text AS kind,
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS plain,
       coalesce(c.reloptions, '{}') AS options, pg_catalog.pg_get_viewdef(c.oid) AS definition,
       pg_catalog.obj_description(c.oid, 'pg_class') AS comment
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_roles o ON o.oid = c.relowner
LEFT JOIN (SELECT oid, max(level) AS level FROM used GROUP BY oid) u ON u.oid = c.oid
WHERE c.relkind IN ('v', 'm') AND (u.oid IS NOT NULL OR n.nspname = ANY ($1))
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
                  WHERE e.classid = 'pg_catalog.pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
ORDER BY u.level NULLS FIRST, n.nspname, c.relname
