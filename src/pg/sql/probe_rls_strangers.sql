-- Somebody who owns code or tables here and is less than the role that logged in: no superuser, may not become that role,
-- and none of $1 (the platform's own). A policy of theirs could take that role's rights.
SELECT r.rolname::text
FROM pg_catalog.pg_roles r
WHERE NOT r.rolsuper AND r.rolname <> ALL ($1)
  AND NOT pg_catalog.pg_has_role(r.oid, (SELECT l.oid FROM pg_catalog.pg_roles l WHERE l.rolname = session_user), 'MEMBER')
  AND r.oid IN (
      SELECT c.relowner FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
      WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
      UNION
      SELECT p.proowner FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
      WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')
ORDER BY r.rolname::text COLLATE "C"
LIMIT 1
