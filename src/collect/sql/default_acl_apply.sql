
-- Makes default privileges equal to the snapshot's. Those of roles and in schemas that the snapshot lacks are not
-- changed.
DECLARE
    state jsonb := /*DATA*/;
    server int := current_setting('server_version_num')::int;
    entry record; change record; base aclitem[]; present aclitem[]; have jsonb; want jsonb; word text; prefix text;
BEGIN
    FOR entry IN
        SELECT DISTINCT ON (role, schema, objects) role, schema, objects, acl FROM (
            SELECT d ->> 'role' AS role, coalesce(d ->> 'schema', '') AS schema, d ->> 'objects' AS objects, d -> 'acl' AS acl
            FROM jsonb_array_elements(state -> 'defaults') d
            UNION ALL
            SELECT r.rolname, coalesce(n.nspname, ''), d.defaclobjtype::text, NULL
            FROM pg_catalog.pg_default_acl d
            JOIN pg_catalog.pg_roles r ON r.oid = d.defaclrole
            LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace
            WHERE state -> 'roles' ? r.rolname AND (n.oid IS NULL OR state -> 'schemas' ? n.nspname)) t
        ORDER BY role, schema, objects, acl NULLS LAST
    LOOP
        word := CASE entry.objects WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES'
                                   WHEN 'n' THEN 'SCHEMAS' WHEN 'L' THEN 'LARGE OBJECTS' END;
        prefix := format('ALTER DEFAULT PRIVILEGES FOR ROLE %I', entry.role)
               || CASE entry.schema WHEN '' THEN '' ELSE format(' IN SCHEMA %I', entry.schema) END;
        -- For a schema they are added to the global ones; global ones replace the built-in grants.
        base := CASE entry.schema WHEN '' THEN acldefault(CASE entry.objects WHEN 'S' THEN 's' ELSE entry.objects::"char" END,
                                                          format('%I', entry.role)::regrole) END;
        SELECT d.defaclacl INTO present FROM pg_catalog.pg_default_acl d
        WHERE d.defaclrole = format('%I', entry.role)::regrole AND d.defaclobjtype = entry.objects::"char"
          AND d.defaclnamespace = CASE entry.schema WHEN '' THEN 0 ELSE format('%I', entry.schema)::regnamespace::oid END;
        SELECT coalesce(jsonb_agg(jsonb_build_array(CASE x.grantee WHEN 0 THEN 'public' ELSE g.rolname END, x.privilege_type, x.is_grantable)), '[]')
        INTO have FROM aclexplode(coalesce(present, base)) x LEFT JOIN pg_catalog.pg_roles g ON g.oid = x.grantee;
        SELECT coalesce(jsonb_agg(jsonb_build_array(CASE x.grantee WHEN 0 THEN 'public' ELSE g.rolname END, x.privilege_type, x.is_grantable)), '[]')
        INTO want FROM aclexplode(base) x LEFT JOIN pg_catalog.pg_roles g ON g.oid = x.grantee;
        want := coalesce(entry.acl, want);
        IF entry.objects = 'r' AND entry.acl IS NOT NULL THEN
            SELECT coalesce(jsonb_agg(i), '[]') INTO want FROM (
                SELECT i FROM jsonb_array_elements(want) i WHERE i ->> 1 <> 'MAINTAIN' OR server >= 170000
                UNION ALL -- before 17, ALL had no MAINTAIN: all seven privileges are ALL
                SELECT jsonb_build_array(i ->> 0, 'MAINTAIN', bool_and((i ->> 2)::boolean)) FROM jsonb_array_elements(want) i
                WHERE server >= 170000 AND (state ->> 'server')::int < 170000 GROUP BY i ->> 0 HAVING count(*) = 7) t;
        END IF;
        FOR change IN
            SELECT DISTINCT format('%s REVOKE ALL ON %s FROM %s', prefix, word,
                                   CASE h ->> 0 WHEN 'public' THEN 'PUBLIC' ELSE quote_ident(h ->> 0) END) AS command
            FROM jsonb_array_elements(have) h
            WHERE NOT (have @> want AND want @> have)
        LOOP
            BEGIN
                EXECUTE change.command;
            EXCEPTION WHEN insufficient_privilege THEN
                RAISE WARNING 'not done, % lacks the privilege: %', current_user, change.command;
            END;
        END LOOP;
        FOR change IN
            SELECT format('%s GRANT %s ON %s TO %s%s', prefix, string_agg(i ->> 1, ', '), word,
                          CASE i ->> 0 WHEN 'public' THEN 'PUBLIC' ELSE quote_ident(i ->> 0) END,
                          CASE (i ->> 2)::boolean WHEN true THEN ' WITH GRANT OPTION' ELSE '' END) AS command
            FROM jsonb_array_elements(want) i
            WHERE NOT (have @> want AND want @> have)
            GROUP BY i ->> 0, (i ->> 2)::boolean
        LOOP
            BEGIN
                EXECUTE change.command;
            EXCEPTION WHEN insufficient_privilege THEN
                RAISE WARNING 'not done, % lacks the privilege: %', current_user, change.command;
            END;
        END LOOP;
    END LOOP;
END
