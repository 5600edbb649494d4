-- SECURITY DEFINER functions that anon may execute, in every schema except the server's own. Without a role anon, no
-- rows.
SELECT format('%I.%I(%s)', n.nspname, p.proname,
              (SELECT string_agg(pg_catalog.format_type(t.oid, NULL), ',' ORDER BY t.rank)
               FROM unnest(p.proargtypes) WITH ORDINALITY t(oid, rank)))
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_roles r ON r.rolname = 'anon'
WHERE p.prosecdef AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE')
  AND pg_catalog.has_function_privilege(r.oid, p.oid, 'EXECUTE')
