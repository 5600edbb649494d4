-- Roles of the server that are none of $1 and that something of this database refers to: an owner, a grant, a policy.
SELECT r.rolname::text
FROM pg_roles r
WHERE r.rolname <> ALL ($1::text[]) AND r.rolname !~ '^(pg_|supabase_|cli_login_|pgsodium|pgtle_)' AND r.rolname NOT IN (session_user, current_user)
  AND EXISTS (SELECT 1 FROM pg_shdepend d JOIN pg_database b ON b.oid = d.dbid
              WHERE b.datname = current_database() AND d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid)
ORDER BY 1
