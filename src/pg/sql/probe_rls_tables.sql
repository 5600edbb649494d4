-- Tables with row security that role $1 may read, the first $2 by name.
SELECT n.nspname::text, c.relname::text
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_roles r ON r.rolname = $1
WHERE c.relkind IN ('r', 'p') AND c.relrowsecurity AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE')
  AND pg_catalog.has_any_column_privilege(r.oid, c.oid, 'SELECT')
ORDER BY n.nspname::text COLLATE "C", c.relname::text COLLATE "C"
LIMIT $2
