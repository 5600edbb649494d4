
-- For each group: gives every object exactly these grants. An object that already has them is not changed.
-- pg_object_owner stands for the object's owner, public for PUBLIC, * for the grant option, a null acl for the default.
DECLARE
    state jsonb := /*DATA*/;
    server int := current_setting('server_version_num')::int;
    me text := current_setting('role');
    grp jsonb; obj jsonb; name text; col text; kind text; pass int; progress boolean;
    acl aclitem[]; owner oid; number oid; owner_name text; acl_kind "char"; target text; columns text;
    want jsonb[]; have jsonb[]; pending jsonb[]; done jsonb[]; e jsonb; r record;
    relations oid[] := '{}'; granted_columns text[] := '{}';
BEGIN
    FOR grp IN SELECT g FROM jsonb_array_elements(state -> 'groups') WITH ORDINALITY t (g, i) ORDER BY i LOOP
        kind := grp ->> 'kind';
        FOR obj IN SELECT o FROM jsonb_array_elements(grp -> 'objects') o LOOP
            name := CASE jsonb_typeof(obj) WHEN 'array' THEN obj ->> 0 ELSE obj #>> '{}' END;
            col := CASE jsonb_typeof(obj) WHEN 'array' THEN obj ->> 1 END;
            -- Used in messages until the object is found: looking it up may be forbidden.
            pass := 0; target := upper(kind) || ' ' || name;
            BEGIN
            LOOP
                owner := NULL; number := NULL; columns := '';
                CASE kind
                WHEN 'relation', 'column' THEN
                    SELECT c.oid, c.relacl, c.relowner, CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END,
                           CASE c.relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || name
                    INTO number, acl, owner, acl_kind, target FROM pg_catalog.pg_class c WHERE c.oid = to_regclass(name);
                    IF kind = 'column' AND owner IS NOT NULL THEN
                        acl_kind := 'c'; columns := format(' (%I)', col);
                        granted_columns := granted_columns || (to_regclass(name)::oid::text || ' ' || col);
                        SELECT a.attacl, CASE WHEN a.attname IS NULL THEN NULL ELSE owner END
                        INTO acl, owner FROM (SELECT 1) one LEFT JOIN pg_catalog.pg_attribute a
                            ON a.attrelid = to_regclass(name) AND a.attname = col AND NOT a.attisdropped;
                    ELSIF owner IS NOT NULL AND acl_kind = 'r' THEN
                        relations := relations || to_regclass(name)::oid;
                    END IF;
                WHEN 'routine' THEN
                    BEGIN
                        SELECT p.oid, p.proacl, p.proowner, 'f', 'ROUTINE ' || name
                        INTO number, acl, owner, acl_kind, target FROM pg_catalog.pg_proc p WHERE p.oid = to_regprocedure(name);
                    EXCEPTION WHEN undefined_object OR invalid_schema_name THEN
                        NULL; -- before 16, to_regprocedure fails for a missing type instead of returning NULL
                    END;
                WHEN 'schema' THEN
                    SELECT n.oid, n.nspacl, n.nspowner, 'n', 'SCHEMA ' || name
                    INTO number, acl, owner, acl_kind, target FROM pg_catalog.pg_namespace n WHERE n.oid = to_regnamespace(name);
                WHEN 'type' THEN
                    SELECT t.oid, t.typacl, t.typowner, 'T', 'TYPE ' || name
                    INTO number, acl, owner, acl_kind, target FROM pg_catalog.pg_type t WHERE t.oid = to_regtype(name);
                WHEN 'language' THEN
                    SELECT l.oid, l.lanacl, l.lanowner, 'l', format('LANGUAGE %I', name)
                    INTO number, acl, owner, acl_kind, target FROM pg_catalog.pg_language l WHERE l.lanname = name;
                WHEN 'foreign data wrapper' THEN
                    SELECT f.fdwacl, f.fdwowner, 'F', format('FOREIGN DATA WRAPPER %I', name)
                    INTO acl, owner, acl_kind, target FROM pg_catalog.pg_foreign_data_wrapper f WHERE f.fdwname = name;
                WHEN 'server' THEN
                    SELECT s.srvacl, s.srvowner, 'S', format('FOREIGN SERVER %I', name)
                    INTO acl, owner, acl_kind, target FROM pg_catalog.pg_foreign_server s WHERE s.srvname = name;
                WHEN 'large object' THEN
                    SELECT l.lomacl, l.lomowner, 'L', format('LARGE OBJECT %s', l.oid)
                    INTO acl, owner, acl_kind, target FROM pg_catalog.pg_largeobject_metadata l WHERE l.oid = name::oid;
                WHEN 'database' THEN
                    SELECT d.datacl, d.datdba, 'd', format('DATABASE %I', d.datname)
                    INTO acl, owner, acl_kind, target FROM pg_catalog.pg_database d WHERE d.datname = current_database();
                WHEN 'parameter' THEN
                    IF server < 150000 THEN
                        RAISE WARNING 'this server has no grants on parameters: % is left out', name;
                        EXIT;
                    END IF;
                    EXECUTE 'SELECT p.paracl FROM pg_catalog.pg_parameter_acl p WHERE p.parname = $1' INTO acl USING name;
                    owner := 10; acl_kind := 'p'; target := format('PARAMETER %I', name);
                END CASE;
                IF owner IS NULL THEN
                    -- stacksnap.lenient: for partial restores and other platform versions, which compare the result
                    -- afterwards.
                    IF current_setting('stacksnap.lenient', true) = 'on' THEN
                        EXIT;
                    END IF;
                    IF (grp ->> 'optional')::boolean THEN
                        RAISE WARNING '% % does not exist here: this extension has another version', kind, coalesce(name || '.' || col, name);
                        EXIT;
                    END IF;
                    RAISE EXCEPTION '% % does not exist in this database', kind, coalesce(name || '.' || col, name)
                        USING HINT = 'Restore the schema of the snapshot first.';
                END IF;
                SELECT rolname INTO owner_name FROM pg_catalog.pg_roles WHERE oid = owner;
                -- The server's own objects belong to the bootstrap superuser, whose name may differ.
                IF pass = 0 AND owner_name <> grp ->> 'owner' AND coalesce(number, 16384) >= 16384 AND NOT (acl_kind = 's' AND EXISTS (
                    SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = to_regclass(name)
                    AND d.refclassid = 'pg_catalog.pg_class'::regclass AND d.deptype IN ('a', 'i')))
                THEN -- no dump holds the owner of an extension's member; a table's own sequence follows its table
                    EXECUTE format('ALTER %s OWNER TO %I', target, grp ->> 'owner');
                    pass := 1;
                    CONTINUE;
                END IF;
                IF grp ->> 'acl' IS NULL THEN
                    SELECT coalesce(array_agg(w ORDER BY w), '{}') INTO want FROM (
                        SELECT jsonb_build_array(CASE x.grantee WHEN 0 THEN 'public' ELSE 'pg_object_owner' END, 'pg_object_owner',
                                                 x.privilege_type, x.is_grantable) w
                        FROM aclexplode(acldefault(acl_kind, owner)) x) t;
                ELSE
                    WITH given AS (
                        SELECT DISTINCT CASE a ->> 0 WHEN owner_name THEN 'pg_object_owner' ELSE a ->> 0 END AS grantee,
                               CASE a ->> 1 WHEN owner_name THEN 'pg_object_owner' ELSE a ->> 1 END AS grantor, rtrim(p, '*') AS privilege, right(p, 1) = '*' AS grantable
                        FROM jsonb_array_elements(grp -> 'acl') a, regexp_split_to_table(a ->> 2, ',') p
                    ), known AS (
                        SELECT * FROM given WHERE privilege <> 'MAINTAIN' OR server >= 170000
                        UNION ALL -- before 17, ALL had no MAINTAIN: all seven privileges are ALL
                        SELECT grantee, grantor, 'MAINTAIN', bool_and(grantable) FROM given
                        WHERE acl_kind = 'r' AND server >= 170000 AND (state ->> 'server')::int < 170000
                        GROUP BY grantee, grantor HAVING count(*) = 7
                    )
                    SELECT coalesce(array_agg(w ORDER BY w), '{}') INTO want
                    FROM (SELECT jsonb_build_array(grantee, grantor, privilege, grantable) w FROM known WHERE privilege <> '') t;
                END IF;
                SELECT coalesce(array_agg(w ORDER BY w), '{}') INTO have FROM (
                    SELECT jsonb_build_array(
                        CASE WHEN x.grantee = 0 THEN 'public' WHEN x.grantee = owner THEN 'pg_object_owner' ELSE g.rolname END,
                        CASE WHEN x.grantor = owner THEN 'pg_object_owner' ELSE b.rolname END, x.privilege_type, x.is_grantable) w
                    FROM aclexplode(coalesce(acl, acldefault(acl_kind, owner))) x
                    LEFT JOIN pg_catalog.pg_roles g ON g.oid = x.grantee LEFT JOIN pg_catalog.pg_roles b ON b.oid = x.grantor) t;
                -- An explicit ACL stays explicit, even if it equals the owner's default.
                EXIT WHEN have = want AND (acl IS NOT NULL OR grp ->> 'acl' IS NULL OR pass = 2 OR NOT pg_has_role(current_user, owner, 'USAGE'));
                IF pass = 2 THEN
                    IF (SELECT array_agg(w - 1 ORDER BY w - 1) FROM unnest(want) w) = (SELECT array_agg(h - 1 ORDER BY h - 1) FROM unnest(have) h) THEN
                        RAISE WARNING 'the grants on % are equal, but another role than in the snapshot granted some of them', target;
                        EXIT;
                    END IF;
                    IF NOT pg_has_role(current_user, owner, 'USAGE') THEN
                        RAISE WARNING 'the grants on % are not those of the snapshot: % may not change all of them', target || columns, current_user;
                        EXIT;
                    END IF;
                    RAISE EXCEPTION 'cannot restore the grants on %', target || columns
                        USING DETAIL = format('wanted %s, got %s', want, have);
                END IF;
                pass := 2;
                IF NOT pg_has_role(current_user, owner, 'USAGE') THEN
                    -- On another role's object, only grants by roles that we are a member of can be changed.
                    FOR r IN
                        SELECT format(CASE x.wanted WHEN true THEN 'GRANT %s%s ON %s TO %s%s' ELSE 'REVOKE %s%s ON %s FROM %s CASCADE' END,
                                      x.i ->> 2, columns, target, CASE x.i ->> 0 WHEN 'public' THEN 'PUBLIC' WHEN 'pg_object_owner' THEN quote_ident(owner_name)
                                      ELSE quote_ident(x.i ->> 0) END, CASE WHEN (x.i ->> 3)::boolean THEN ' WITH GRANT OPTION' ELSE '' END) AS command,
                               g.rolname AS grantor
                        FROM (SELECT false, h FROM unnest(have) h WHERE h <> ALL (want)
                              UNION ALL SELECT true, w FROM unnest(want) w WHERE w <> ALL (have)) x (wanted, i)
                        JOIN pg_catalog.pg_roles g ON g.rolname = x.i ->> 1 AND pg_has_role(current_user, g.oid, 'MEMBER')
                        ORDER BY x.wanted
                    LOOP
                        EXECUTE format('SET LOCAL ROLE %I', r.grantor);
                        EXECUTE r.command;
                        PERFORM set_config('role', me, true);
                    END LOOP;
                    CONTINUE;
                END IF;
                FOR r IN SELECT DISTINCT h ->> 0 AS grantee FROM unnest(have) h LOOP
                    EXECUTE format('REVOKE ALL PRIVILEGES%s ON %s FROM %s CASCADE', columns, target,
                        CASE r.grantee WHEN 'public' THEN 'PUBLIC' WHEN 'pg_object_owner' THEN quote_ident(owner_name) ELSE quote_ident(r.grantee) END);
                END LOOP;
                pending := want; done := '{}';
                WHILE pending <> '{}' LOOP
                    progress := false;
                    FOR r IN
                        SELECT w ->> 0 AS grantee, w ->> 1 AS grantor, (w ->> 3)::boolean AS grantable, array_agg(w) AS items,
                               string_agg((w ->> 2) || columns, ', ') AS privileges
                        FROM unnest(pending) w
                        WHERE w ->> 1 = 'pg_object_owner'
                           OR EXISTS (SELECT FROM unnest(done) d WHERE d ->> 0 = w ->> 1 AND d ->> 2 = w ->> 2 AND (d ->> 3)::boolean)
                           -- The grant option on a table is one on its columns.
                           OR kind = 'column' AND EXISTS (
                               SELECT FROM pg_catalog.pg_class c, aclexplode(c.relacl) x
                               WHERE c.oid = to_regclass(name) AND x.is_grantable AND x.privilege_type = w ->> 2
                               AND x.grantee = (SELECT g.oid FROM pg_catalog.pg_roles g WHERE g.rolname = w ->> 1))
                        GROUP BY 1, 2, 3
                    LOOP
                        IF r.grantor <> 'pg_object_owner' THEN
                            EXECUTE format('SET LOCAL ROLE %I', r.grantor);
                        END IF;
                        EXECUTE format('GRANT %s ON %s TO %s%s', r.privileges, target,
                            CASE r.grantee WHEN 'public' THEN 'PUBLIC' WHEN 'pg_object_owner' THEN quote_ident(owner_name) ELSE quote_ident(r.grantee) END,
                            CASE WHEN r.grantable THEN ' WITH GRANT OPTION' ELSE '' END);
                        PERFORM set_config('role', me, true);
                        done := done || r.items;
                        SELECT coalesce(array_agg(w), '{}') INTO pending FROM unnest(pending) w WHERE w <> ALL (r.items);
                        progress := true;
                    END LOOP;
                    IF NOT progress THEN
                        RAISE EXCEPTION 'grants on % by a role without the grant option: %', target || columns, pending;
                    END IF;
                END LOOP;
            END LOOP;
            EXCEPTION WHEN insufficient_privilege THEN
                RAISE WARNING 'the grants on % are not those of the snapshot: % may not change them', target || columns, current_user;
            END;
        END LOOP;
    END LOOP;
    FOR r IN
        SELECT DISTINCT format('REVOKE ALL PRIVILEGES (%I) ON TABLE %I.%I FROM %s CASCADE', a.attname, n.nspname, c.relname,
                               CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE x.grantee::regrole::text END) AS command
        FROM pg_catalog.pg_attribute a
        JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace,
        aclexplode(a.attacl) x
        WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND a.attrelid = ANY (relations)
          AND (a.attrelid::text || ' ' || a.attname) <> ALL (granted_columns)
    LOOP
        EXECUTE r.command;
    END LOOP;
END
