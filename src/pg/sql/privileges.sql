-- Privileges that this role lacks for a whole-database pg_dump and for the collectors. Blocking: pg_dump would fail.
-- Members of extensions are not dumped, so they need no privileges, except for the rows of configuration tables.
WITH me AS (
    SELECT r.rolname, r.rolsuper, r.rolsuper OR r.rolbypassrls AS bypass, quote_ident(r.rolname) AS name
    FROM pg_roles r WHERE r.rolname = current_user
), rel AS (
    SELECT c.oid, c.relkind, c.relnamespace, n.nspname, c.relname, format('%I.%I', n.nspname, c.relname) AS name,
           x.objid IS NULL AS dumped, coalesce(c.oid = ANY (e.extconfig), false) AS config
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_depend x ON x.classid = 'pg_class'::regclass AND x.objid = c.oid AND x.objsubid = 0 AND x.deptype = 'e' AND x.refclassid = 'pg_extension'::regclass
    LEFT JOIN pg_extension e ON e.oid = x.refobjid
    WHERE c.relkind IN ('r', 'p', 'S') AND c.relpersistence <> 't'
      AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
)
SELECT * FROM (
    SELECT bool_or(rel.dumped OR rel.config), rel.nspname::text, 'schema ' || quote_ident(rel.nspname), 'USAGE',
           format('GRANT USAGE ON SCHEMA %I TO %s;', rel.nspname, min(me.name))
    FROM rel, me WHERE NOT has_schema_privilege(rel.relnamespace, 'USAGE') GROUP BY rel.nspname
    UNION ALL
    SELECT rel.dumped OR rel.config, rel.nspname, CASE rel.relkind WHEN 'S' THEN 'sequence ' ELSE 'table ' END || rel.name, 'SELECT',
           format('GRANT SELECT ON %s %s TO %s;', CASE rel.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, rel.name, me.name)
    FROM rel, me
    WHERE NOT CASE rel.relkind WHEN 'S' THEN has_sequence_privilege(rel.oid, 'SELECT') ELSE has_table_privilege(rel.oid, 'SELECT') END
    UNION ALL
    SELECT rel.dumped OR rel.config, rel.nspname, 'table ' || rel.name, 'BYPASSRLS',
           format('row security hides rows from this role: ALTER ROLE %s BYPASSRLS; (or use a role that has it)', me.name)
    FROM rel, me
    WHERE NOT me.bypass AND rel.relkind = 'r' AND row_security_active(rel.oid)
    UNION ALL
    SELECT true, NULL, format('large object %s%s', min(l.oid), CASE WHEN count(*) > 1 THEN format(' and %s more of %s', count(*) - 1, quote_ident(min(o.rolname))) ELSE '' END),
           'SELECT', format('GRANT SELECT ON LARGE OBJECT %s TO %s;%s', min(l.oid), min(me.name), CASE WHEN count(*) > 1 THEN ' and so on for each' ELSE '' END)
    FROM me, pg_largeobject_metadata l LEFT JOIN pg_roles o ON o.oid = l.lomowner
    WHERE NOT me.rolsuper AND current_setting('lo_compat_privileges') = 'off'
      AND NOT /*pg18+*/ coalesce(has_largeobject_privilege(l.oid, 'SELECT'), true)
              /*else*/ (pg_has_role(l.lomowner, 'USAGE') OR EXISTS (SELECT 1 FROM aclexplode(l.lomacl) g
                  WHERE g.privilege_type = 'SELECT' AND (g.grantee = 0 OR pg_has_role(g.grantee, 'USAGE')))) /*end*/
    GROUP BY l.lomowner
    UNION ALL
    SELECT false, NULL, format('options of the user mapping of %s on server %I', CASE WHEN m.umuser = 0 THEN 'PUBLIC' ELSE quote_ident(m.usename) END, m.srvname),
           'USAGE of the owner of the server', format('the archive silently omits these options: GRANT %I TO %s;', o.rolname, me.name)
    FROM me, pg_user_mappings m JOIN pg_foreign_server s ON s.oid = m.srvid LEFT JOIN pg_roles o ON o.oid = s.srvowner
    WHERE m.umoptions IS NULL AND NOT me.rolsuper
      AND NOT CASE WHEN m.umuser = 0 THEN pg_has_role(s.srvowner, 'USAGE')
                   ELSE m.usename = me.rolname AND (pg_has_role(s.srvowner, 'USAGE') OR has_server_privilege(s.oid, 'USAGE')) END
    UNION ALL
    SELECT false, NULL, 'passwords of roles', 'SELECT on pg_authid', 'they must be set again after a restore; or: GRANT pg_read_all_data TO ' || me.name || ';'
    FROM me WHERE NOT has_column_privilege('pg_catalog.pg_authid', 'rolpassword', 'SELECT')
    UNION ALL
    SELECT false, NULL, format('subscription %I', s.subname), 'SUPERUSER', 'pg_dump omits subscriptions unless the role is a superuser: take the snapshot as a superuser, or note the subscription by hand'
    FROM me, pg_subscription s
    WHERE NOT me.rolsuper AND s.subdbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
) missing (blocking, schema, what, privilege, todo)
ORDER BY 1 DESC, 4, 3
