-- Roles that are not in $1 and do not belong to the server or the platform, with facts that show who uses them:
-- * whether an object of this database refers to the role: as owner, in a grant, in a policy;
-- * whether clients can log in as it, or as a member of it that is not in $1 either;
-- * whether a session is logged in as it now;
-- * its attributes, in words;
-- * whether its name is one that platforms use: such a role is listed only if it is a superuser;
-- * whether this is the only user database of the server (databases that come with the server do not count).
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
           CASE WHEN r.rolcreaterole THEN 'it may create roles' END,
           CASE WHEN r.rolcreatedb THEN 'it may create databases' END,
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
