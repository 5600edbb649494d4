-- The first role that owns code or tables here and has fewer rights than the role that logged in: no superuser, not a
-- member of that role, and not in $1 (the platform's roles). A policy with its code could take over that role's rights.
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
