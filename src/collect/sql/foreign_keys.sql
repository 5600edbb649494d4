-- Foreign keys with a trigger that is not in the default state. A trigger is identified by its function and by its side
-- of the key.
SELECT n.nspname::text, c.relname::text, k.conname::text, pg_catalog.pg_get_constraintdef(k.oid),
       (SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
                 'function', p.proname, 'referencing', t.tgrelid = k.conrelid, 'enabled', t.tgenabled::text)
               ORDER BY p.proname)
        FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid
        WHERE t.tgconstraint = k.oid)::text
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0 AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND EXISTS (SELECT FROM pg_catalog.pg_trigger t WHERE t.tgconstraint = k.oid AND t.tgenabled <> 'O')
ORDER BY 1, 2, 3
