-- Tables with rows of their own, ordered by schema and name, with columns in table order. Sizes are estimates that take
-- no lock: pg_relation_size() would wait behind an ALTER TABLE.
SELECT c.oid, n.nspname::text, c.relname::text, c.relpersistence::text, e.extname::text,
       c.oid = ANY (coalesce(e.extconfig, '{}')),
       greatest((c.relpages + coalesce((SELECT t.relpages FROM pg_class t WHERE t.oid = c.reltoastrelid), 0))::int8
                * current_setting('block_size')::int8, pg_stat_get_live_tuples(c.oid) * 64),
       greatest(c.reltuples::int8, pg_stat_get_live_tuples(c.oid), -1), a.names, a.types, a.generated
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_depend x ON x.classid = 'pg_class'::regclass AND x.objid = c.oid AND x.objsubid = 0 AND x.deptype = 'e' AND x.refclassid = 'pg_extension'::regclass
LEFT JOIN pg_extension e ON e.oid = x.refobjid
LEFT JOIN (SELECT a.attrelid, array_agg(a.attname::text ORDER BY a.attnum) AS names,
                  array_agg(format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum) AS types,
                  array_agg(a.attgenerated <> '' ORDER BY a.attnum) AS generated
           FROM pg_attribute a JOIN pg_class k ON k.oid = a.attrelid AND k.relkind = 'r' AND k.relpersistence <> 't'
           WHERE a.attrelid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped GROUP BY a.attrelid) a ON a.attrelid = c.oid
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
