-- Revokes every privilege that one role has inside this database, and its own default privileges; if `all` is true,
-- also those on server parameters. Nothing is dropped: the role and what it owns stay.
DECLARE
    who oid := {role}::pg_catalog.regrole;
    me oid := (SELECT b.oid FROM pg_catalog.pg_database b WHERE b.datname = pg_catalog.current_database());
    d record;
    place text;
BEGIN
    FOR d IN SELECT DISTINCT r.rolname, n.nspname, a.grantee, coalesce(pg_catalog.quote_ident(g.rolname), 'PUBLIC') AS grantee_name,
            CASE p.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS'
                                 WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS' WHEN 'L' THEN 'LARGE OBJECTS' END AS what
        FROM pg_catalog.pg_default_acl p JOIN pg_catalog.pg_roles r ON r.oid = p.defaclrole
        LEFT JOIN pg_catalog.pg_namespace n ON n.oid = p.defaclnamespace
        CROSS JOIN LATERAL pg_catalog.aclexplode(p.defaclacl) a LEFT JOIN pg_catalog.pg_roles g ON g.oid = a.grantee
        WHERE p.defaclrole = who OR a.grantee = who
    LOOP
        place := pg_catalog.format('ALTER DEFAULT PRIVILEGES FOR ROLE %I', d.rolname)
            || CASE WHEN d.nspname IS NULL THEN '' ELSE pg_catalog.format(' IN SCHEMA %I', d.nspname) END;
        EXECUTE pg_catalog.format('%s REVOKE ALL ON %s FROM %s', place, d.what, d.grantee_name);
    END LOOP;
    -- The server removes an entry that equals the built-in default.
    FOR d IN SELECT p.defaclobjtype AS kind, CASE p.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES'
            WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS' WHEN 'L' THEN 'LARGE OBJECTS' END AS what
        FROM pg_catalog.pg_default_acl p WHERE p.defaclrole = who AND p.defaclnamespace = 0
    LOOP
        EXECUTE pg_catalog.format('ALTER DEFAULT PRIVILEGES FOR ROLE %s GRANT ALL ON %s TO %1$s', {role}, d.what);
        IF d.kind IN ('f', 'T') THEN
            EXECUTE pg_catalog.format('ALTER DEFAULT PRIVILEGES FOR ROLE %s GRANT ALL ON %s TO PUBLIC', {role}, d.what);
        END IF;
    END LOOP;
    FOR d IN SELECT DISTINCT i.identity,
            CASE WHEN i.type IN ('table', 'view', 'materialized view', 'foreign table', 'sequence') THEN 'TABLE'
                 WHEN i.type IN ('function', 'procedure', 'aggregate') THEN 'ROUTINE'
                 WHEN i.type IN ('type', 'domain', 'composite type') THEN 'TYPE'
                 WHEN i.type = 'server' THEN 'FOREIGN SERVER' WHEN i.type = 'foreign-data wrapper' THEN 'FOREIGN DATA WRAPPER'
                 WHEN i.type = 'parameter ACL' THEN 'PARAMETER'
                 WHEN i.type IN ('schema', 'language', 'large object', 'database') THEN pg_catalog.upper(i.type) END AS what
        FROM pg_catalog.pg_shdepend s
        CROSS JOIN LATERAL pg_catalog.pg_identify_object(s.classid, s.objid, 0) i
        WHERE s.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND s.refobjid = who AND s.deptype = 'a'
            AND (s.dbid = me OR (s.classid = 'pg_catalog.pg_database'::pg_catalog.regclass AND s.objid = me)
                OR ({all} AND i.type = 'parameter ACL'))
    LOOP
        CONTINUE WHEN d.what IS NULL;
        EXECUTE pg_catalog.format('REVOKE ALL ON %s %s FROM %s CASCADE', d.what, d.identity, {role});
    END LOOP;
END
