-- Roles of the server, memberships, settings of roles and of this database. Verifiers are replaced by their sha256.
WITH role AS (
    SELECT a.oid, a.rolname, concat_ws(' ', CASE WHEN a.rolsuper THEN 'SUPERUSER' END, CASE WHEN a.rolinherit THEN 'INHERIT' ELSE 'NOINHERIT' END,
               CASE WHEN a.rolcreaterole THEN 'CREATEROLE' END, CASE WHEN a.rolcreatedb THEN 'CREATEDB' END,
               CASE WHEN a.rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END, CASE WHEN a.rolreplication THEN 'REPLICATION' END,
               CASE WHEN a.rolbypassrls THEN 'BYPASSRLS' END, 'CONNECTION LIMIT ' || nullif(a.rolconnlimit, -1),
               'VALID UNTIL ' || quote_literal(nullif(a.rolvaliduntil, 'infinity')::text), {password}) AS definition
    FROM {roles} a
), setting AS (
    SELECT s.setdatabase, s.setrole, split_part(u.pair, '=', 1) AS name,
           -- Lists of names are stored as quote_all_identifiers had them.
           CASE WHEN u.pair ~ '^(search_path|temp_tablespaces|session_preload_libraries|local_preload_libraries)='
                THEN regexp_replace(u.pair, '(?<!")"([a-z_][a-z0-9_$]*)"(?!")', '\1', 'g')
                ELSE u.pair END AS pair
    FROM pg_db_role_setting s CROSS JOIN LATERAL unnest(s.setconfig) u(pair)
    WHERE s.setdatabase IN (0, (SELECT d.oid FROM pg_database d WHERE d.datname = current_database()))
)
SELECT 'ROLE'::text, NULL::text, quote_ident(r.rolname), r.definition, NULL::text, NULL::text,
       'pg_authid'::regclass::oid, r.oid, 0
FROM role r WHERE r.oid >= 16384 OR r.rolname !~ '^pg_'
UNION ALL
SELECT 'ROLE MEMBERSHIP', NULL, format('%I in %I%s', m.rolname, g.rolname, coalesce(' by ' || quote_ident(b.rolname), '')),
       concat_ws(' ', CASE WHEN k.admin_option THEN 'WITH ADMIN' END,
           /*pg16+*/ CASE WHEN k.inherit_option THEN 'INHERIT' END /*else*/ NULL /*end*/,
           /*pg16+*/ CASE WHEN k.set_option THEN 'SET' END /*else*/ NULL /*end*/), NULL, NULL,
       NULL, NULL, 0
FROM pg_auth_members k
LEFT JOIN pg_roles m ON m.oid = k.member LEFT JOIN pg_roles g ON g.oid = k.roleid LEFT JOIN pg_roles b ON b.oid = k.grantor
WHERE NOT (k.roleid < 16384 AND k.member < 16384 AND k.member <> 10)
UNION ALL
SELECT CASE WHEN s.setrole = 0 THEN 'DATABASE SETTING' ELSE 'ROLE SETTING' END, NULL,
       concat_ws(' ', 'role ' || quote_ident(r.rolname), CASE WHEN s.setdatabase <> 0 THEN 'in this database' END, s.name),
       CASE WHEN s.name ~* '(secret|token|key|password|passwd|credential|jwt)' OR s.pair ~ 'eyJ[A-Za-z0-9_-]{8,}'
            THEN 'sha256:' || encode(sha256(convert_to(s.pair, 'UTF8')), 'hex')
            ELSE substr(s.pair, length(s.name) + 2) END, NULL, NULL,
       CASE WHEN s.setrole <> 0 THEN 'pg_authid'::regclass WHEN s.setdatabase <> 0 THEN 'pg_database'::regclass END,
       coalesce(nullif(s.setrole, 0), nullif(s.setdatabase, 0)), 0
FROM setting s LEFT JOIN pg_roles r ON r.oid = s.setrole
UNION ALL
SELECT 'DATABASE', NULL, 'database',
       concat_ws(' ', 'ENCODING', pg_encoding_to_char(d.encoding), 'TABLESPACE', t.spcname,
           (to_jsonb(d) - ARRAY['oid', 'datname', 'datdba', 'encoding', 'datlastsysoid', 'datfrozenxid', 'datminmxid',
                                'dattablespace', 'datacl', 'datcollversion', 'dathasloginevt'])::text), o.rolname, NULL, 'pg_database'::regclass::oid, d.oid, 0
FROM pg_database d LEFT JOIN pg_roles o ON o.oid = d.datdba LEFT JOIN pg_tablespace t ON t.oid = d.dattablespace
WHERE d.datname = current_database()
