-- Tables and partitioned tables with their columns; partitions belong to their table. The family of a type: int2, int4 and
-- int8 compare with each other, so do text and varchar; a collation under which different texts are equal has none.
SELECT c.oid, n.nspname::text, c.relname::text, c.relkind = 'p', e.extname::text, a.names, a.types, a.not_nulls, a.families
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_depend x ON x.classid = 'pg_class'::regclass AND x.objid = c.oid AND x.objsubid = 0 AND x.deptype = 'e' AND x.refclassid = 'pg_extension'::regclass
LEFT JOIN pg_extension e ON e.oid = x.refobjid
LEFT JOIN (SELECT a.attrelid, array_agg(a.attname::text ORDER BY a.attnum) AS names,
                  array_agg(format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum) AS types,
                  array_agg(a.attnotnull ORDER BY a.attnum) AS not_nulls,
                  array_agg(CASE WHEN NOT coalesce(l.collisdeterministic, true) THEN NULL
                                 WHEN a.atttypid IN (20, 21, 23) THEN 'int'
                                 WHEN a.atttypid IN (25, 1043) THEN 'text'
                                 WHEN a.atttypid IN (16, 19, 26, 1082, 2950) OR t.typtype = 'e' THEN a.atttypid::text
                            END ORDER BY a.attnum) AS families
           FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_collation l ON l.oid = a.attcollation
           WHERE a.attnum > 0 AND NOT a.attisdropped GROUP BY a.attrelid) a ON a.attrelid = c.oid
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"
