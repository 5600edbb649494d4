-- Tables with rows of their own, in the order of schema and name. Columns in the order of the table.
SELECT c.oid, n.nspname::text, c.relname::text, c.relpersistence::text, e.extname::text,
       c.oid = ANY (coalesce(e.extconfig, '{}')), pg_relation_size(c.oid) + coalesce(pg_relation_size(nullif(c.reltoastrelid, 0)), 0),
       greatest(c.reltuples, -1)::int8, a.names, a.types, a.generated
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_depend x ON x.classid = 'pg_class'::regclass AND x.objid = c.oid AND x.objsubid = 0 AND x.deptype = 'e'
LEFT JOIN pg_extension e ON e.oid = x.refobjid
LEFT JOIN (SELECT a.attrelid, array_agg(a.attname::text ORDER BY a.attnum) AS names,
                  array_agg(format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum) AS types,
                  array_agg(a.attgenerated <> '' ORDER BY a.attnum) AS generated
           FROM pg_attribute a WHERE a.attnum > 0 AND NOT a.attisdropped GROUP BY a.attrelid) a ON a.attrelid = c.oid
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
