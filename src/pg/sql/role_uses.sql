-- The roles in $1 that exist, with descriptions of what uses them outside this database.
-- $2: also list uses inside this database. The session's own roles and those from initdb are never listed.
SELECT r.rolname::text, pg_catalog.quote_ident(r.rolname), r.oid, coalesce(u.uses, '{}'::text[])
FROM pg_catalog.pg_roles r
LEFT JOIN LATERAL (
    SELECT pg_catalog.array_agg(DISTINCT w.word ORDER BY w.word) AS uses
    FROM (
        SELECT CASE
            WHEN d.dbid <> 0 AND d.dbid <> me.oid AND d.deptype = 'o'
                THEN pg_catalog.format('it owns something in the database %s', coalesce(b.datname::text, d.dbid::text))
            WHEN d.dbid <> 0 AND d.dbid <> me.oid
                THEN pg_catalog.format('it has rights in the database %s', coalesce(b.datname::text, d.dbid::text))
            WHEN d.deptype = 'o'
                THEN pg_catalog.format('it owns: %s', pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid))
            ELSE pg_catalog.format('it is used in: %s', pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid))
        END AS word
        FROM pg_catalog.pg_shdepend d LEFT JOIN pg_catalog.pg_database b ON b.oid = d.dbid
        CROSS JOIN (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) me
        WHERE d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND d.refobjid = r.oid
            AND ($2 OR (d.dbid <> me.oid
                -- Grants made by the role, and its own rights on this database and on parameters, are removed first.
                AND d.classid <> 'pg_catalog.pg_auth_members'::pg_catalog.regclass
                AND d.classid <> coalesce(pg_catalog.to_regclass('pg_catalog.pg_parameter_acl')::oid, 0)
                AND NOT (d.classid = 'pg_catalog.pg_database'::pg_catalog.regclass AND d.objid = me.oid)))
        UNION ALL
        SELECT pg_catalog.format('it has settings in the database %s', b.datname)
        FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database b ON b.oid = s.setdatabase
        WHERE s.setrole = r.oid AND b.datname <> pg_catalog.current_database()
    ) w
) u ON true
WHERE r.rolname = ANY ($1) AND r.oid >= 16384 AND r.rolname NOT IN (current_user, session_user)
ORDER BY r.rolname
