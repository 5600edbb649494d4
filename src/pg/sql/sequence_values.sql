-- Sequence values as far as one query can return them. The others (never called) are selected directly afterwards.
SELECT n.nspname::text, c.relname::text, v.readable AND NOT v.elsewhere,
       /*pg18+*/ (SELECT format('%s, %s', g.last_value, CASE WHEN g.is_called THEN 'true' ELSE 'false' END)
                  FROM pg_get_sequence_data(c.oid) g WHERE v.readable AND g.last_value IS NOT NULL)
       /*else*/ CASE WHEN v.readable AND NOT v.elsewhere THEN pg_sequence_last_value(c.oid) || ', true' END /*end*/,
       format('%I.%I', n.nspname, c.relname), e.extname::text, c.oid
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (SELECT has_sequence_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE') AS readable,
                           c.relpersistence = 'u' AND pg_is_in_recovery() AS elsewhere) v
LEFT JOIN pg_depend x ON x.classid = 'pg_class'::regclass AND x.objid = c.oid AND x.objsubid = 0 AND x.deptype = 'e' AND x.refclassid = 'pg_extension'::regclass
LEFT JOIN pg_extension e ON e.oid = x.refobjid
WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
