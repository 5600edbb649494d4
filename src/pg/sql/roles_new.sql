-- Roles of the server that are none of $1 and not the server's or the platform's own, with what tells whose they are:
-- * does something of this database refer to it: an owner, a grant, a policy;
-- * may it be somebody's login: its own, or that of a member which is none of $1 either;
-- * is somebody logged in by it now;
-- * what its attributes let it do, in words;
-- * is its name one that servers and platforms use: such a role is looked at only where it is a superuser;
-- * is this the only database that people have here (what a server comes with does not count).
SELECT r.rolname::text, r.oid,
       EXISTS (SELECT 1 FROM pg_shdepend d JOIN pg_database b ON b.oid = d.dbid
               WHERE b.datname = current_database() AND d.refclassid = 'pg_authid'::regclass AND d.refobjid = r.oid),
       r.rolcanlogin OR EXISTS (SELECT 1 FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member
                                WHERE a.roleid = r.oid AND m.rolcanlogin AND m.rolname <> ALL ($1::text[])),
       EXISTS (SELECT 1 FROM pg_stat_activity a WHERE a.usesysid = r.oid),
       NOT EXISTS (SELECT 1 FROM pg_database b WHERE b.datname <> current_database() AND b.datallowconn AND NOT b.datistemplate
                   AND b.datname NOT IN ('postgres', '_supabase')),
       array_remove(ARRAY[
           CASE WHEN r.rolsuper THEN 'it is a superuser' END,
           CASE WHEN r.rolcreaterole THEN 'it may make roles' END,
           CASE WHEN r.rolcreatedb THEN 'it may make databases' END,
           CASE WHEN r.rolreplication THEN 'it may replicate' END,
           CASE WHEN r.rolbypassrls THEN 'row security does not bind it' END,
           CASE WHEN r.rolcanlogin THEN 'it may log in' END
       ], NULL),
       r.rolname ~ '^(supabase_|cli_login_|pgsodium|pgtle_)', quote_ident(r.rolname)
FROM pg_roles r
WHERE r.rolname <> ALL ($1::text[]) AND r.rolname !~ '^pg_' AND r.rolname NOT IN (session_user, current_user)
  AND (r.rolsuper OR r.rolname !~ '^(supabase_|cli_login_|pgsodium|pgtle_)')
  AND r.oid >= 16384
ORDER BY 1
