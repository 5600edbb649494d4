-- Relations with computed contents: tables with stored generated columns, and materialized views. The first column list
-- is what a snapshot reads: of a table the primary key and the generated columns, or all columns if there is no key.
-- Virtual generated columns store nothing and are excluded.
SELECT c.oid, n.nspname::text, c.relname::text, c.relkind = 'm', c.relispopulated,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT'),
       CASE WHEN c.relkind = 'm' OR k.names IS NULL THEN a.names
            ELSE k.names || ARRAY(SELECT g FROM unnest(a.generated) WITH ORDINALITY u (g, place) WHERE g <> ALL (k.names) ORDER BY place) END,
       a.names
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (SELECT coalesce(array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attgenerated <> 'v'), '{}') AS names,
                           coalesce(array_agg(a.attname::text ORDER BY a.attnum) FILTER (WHERE a.attgenerated = 's'), '{}') AS generated
                    FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) a
LEFT JOIN LATERAL (SELECT array_agg(a.attname::text ORDER BY u.place) AS names
                   FROM pg_constraint p CROSS JOIN LATERAL unnest(p.conkey) WITH ORDINALITY u (attnum, place)
                   JOIN pg_attribute a ON a.attrelid = p.conrelid AND a.attnum = u.attnum
                   WHERE p.conrelid = c.oid AND p.contype = 'p') k ON true
WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND (c.relkind = 'm' OR a.generated <> '{}')
  AND NOT (c.relkind = 'm' AND EXISTS (SELECT FROM pg_depend x WHERE x.classid = 'pg_class'::regclass AND x.objid = c.oid
                                       AND x.objsubid = 0 AND x.deptype = 'e' AND x.refclassid = 'pg_extension'::regclass))
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
