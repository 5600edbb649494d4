-- Indexes that do not belong to a constraint, and the parent index of each partition's index.
WITH i AS (
    SELECT i.*, c.relname, c.reltablespace, n.nspname, format('%I.%I', n.nspname, c.relname) AS name, e.extname,
           EXISTS (SELECT 1 FROM pg_constraint k
                   WHERE k.conindid = i.indexrelid AND k.conrelid = i.indrelid AND k.contype IN ('p', 'u', 'x')) AS made
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_depend x ON x.classid = 'pg_class'::regclass AND x.objid = i.indrelid AND x.objsubid = 0 AND x.deptype = 'e' AND x.refclassid = 'pg_extension'::regclass
    LEFT JOIN pg_extension e ON e.oid = x.refobjid
    WHERE c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
)
SELECT 'INDEX'::text, i.nspname::text, i.name,
       concat_ws(' ', pg_get_indexdef(i.indexrelid), CASE WHEN NOT i.indisvalid THEN 'INVALID' END,
           CASE WHEN NOT i.indisready THEN 'NOT READY' END,
           CASE WHEN i.indisclustered THEN 'CLUSTERED' END,
           CASE WHEN i.indisreplident THEN 'REPLICA IDENTITY' END,
           'TABLESPACE ' || (SELECT quote_ident(s.spcname) FROM pg_tablespace s WHERE s.oid = i.reltablespace),
           (SELECT 'STATISTICS ' || string_agg(a.attnum || '=' || a.attstattarget, ',' ORDER BY a.attnum)
            FROM pg_attribute a WHERE a.attrelid = i.indexrelid AND a.attstattarget >= 0)),
       NULL::text, i.extname::text, 'pg_class'::regclass::oid, i.indexrelid, 0
FROM i WHERE NOT i.made
UNION ALL
SELECT 'INDEX ATTACH', i.nspname, i.name, format('PARTITION OF %I.%I', pn.nspname, p.relname), NULL, i.extname,
       'pg_class'::regclass::oid, i.indexrelid, 0
FROM i
JOIN pg_inherits h ON h.inhrelid = i.indexrelid
JOIN pg_class p ON p.oid = h.inhparent
JOIN pg_namespace pn ON pn.oid = p.relnamespace
