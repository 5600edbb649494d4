-- Roles of the server that are none of $1 and not the server's or the platform's own, with what tells whose they are:
-- * does something of this database refer to it: an owner, a grant, a policy;
-- * may it be somebody's login: its own, or that of a member which is none of $1 either;
-- * is somebody logged in by it now;
-- * is this the only database that people have here (what a server comes with does not count).
SELECT r.rolname::text, r.oid,
       EXISTS (SELECT 1 FROM pg_shdepend d JOIN pg_database b ON b.oid = d.dbid
               WHERE b.datname = current_database() AND d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid),
       r.rolcanlogin OR EXISTS (SELECT 1 FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member
                                WHERE a.roleid = r.oid AND m.rolcanlogin AND m.rolname <> ALL ($1::text[])),
       EXISTS (SELECT 1 FROM pg_stat_activity a WHERE a.usesysid = r.oid),
       NOT EXISTS (SELECT 1 FROM pg_database b WHERE b.datname <> current_database() AND b.datallowconn AND NOT b.datistemplate
                   AND b.datname NOT IN ('postgres', '_supabase'))
FROM pg_roles r
WHERE r.rolname <> ALL ($1::text[]) AND r.rolname !~ '^(pg_|supabase_|cli_login_|pgsodium|pgtle_)' AND r.rolname NOT IN (session_user, current_user)
  AND r.oid >= 16384
ORDER BY 1
