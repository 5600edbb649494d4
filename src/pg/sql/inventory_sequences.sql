-- Sequences: parameters and owning column. Their values are read separately (they are not transactional).
SELECT 'SEQUENCE'::text, n.nspname::text, format('%I.%I', n.nspname, c.relname),
       concat_ws(' ', CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED' END,
           format('AS %s START %s INCREMENT %s MINVALUE %s MAXVALUE %s CACHE %s', format_type(s.seqtypid, NULL),
                  s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache),
           CASE WHEN s.seqcycle THEN 'CYCLE' END,
           CASE WHEN o.objid IS NOT NULL THEN format('%s %I.%I.%I', CASE o.deptype WHEN 'i' THEN 'IDENTITY OF' ELSE 'OWNED BY' END,
                  tn.nspname, t.relname, a.attname) END),
       r.rolname::text, e.extname::text, 'pg_class'::regclass::oid, c.oid, 0
FROM pg_sequence s
JOIN pg_class c ON c.oid = s.seqrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_roles r ON r.oid = c.relowner
LEFT JOIN (SELECT d.objid, d.deptype, d.refobjid, d.refobjsubid FROM pg_depend d
           WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.objsubid = 0
             AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')) o ON o.objid = c.oid
LEFT JOIN pg_class t ON t.oid = o.refobjid
LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace
LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = o.refobjsubid
LEFT JOIN pg_depend x ON x.classid = 'pg_class'::regclass AND x.objid = c.oid AND x.objsubid = 0 AND x.deptype = 'e' AND x.refclassid = 'pg_extension'::regclass
LEFT JOIN pg_extension e ON e.oid = x.refobjid
WHERE c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
