
-- Creates missing roles and changes existing ones only where they differ. The restoring role keeps its right to log in
-- and to finish: its own password and the bootstrap superuser's attributes are not changed.
DECLARE
    state jsonb := /*DATA*/;
    readable boolean := has_table_privilege('pg_catalog.pg_authid', 'SELECT');
    r record; have record; here boolean; item record; changes text; verifier text; target text; config text[]; own boolean;
BEGIN
    FOR r IN SELECT * FROM jsonb_to_recordset(state -> 'roles') AS x (role text, super boolean, inherit boolean, createrole boolean,
        createdb boolean, login boolean, replication boolean, bypassrls boolean, connection_limit int, valid_until text,
        password text, comment text)
    LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = r.role) THEN
            EXECUTE format('CREATE ROLE %I', r.role);
        END IF;
        SELECT * INTO have FROM pg_catalog.pg_roles WHERE rolname = r.role;
        own := have.oid = 10 OR r.role IN (session_user, current_user);
        changes := concat_ws(' ',
            CASE WHEN have.rolsuper <> r.super AND (r.super OR NOT own) THEN CASE WHEN r.super THEN 'SUPERUSER' ELSE 'NOSUPERUSER' END END,
            CASE WHEN have.rolinherit <> r.inherit THEN CASE WHEN r.inherit THEN 'INHERIT' ELSE 'NOINHERIT' END END,
            CASE WHEN have.rolcreaterole <> r.createrole AND (r.createrole OR NOT own) THEN CASE WHEN r.createrole THEN 'CREATEROLE' ELSE 'NOCREATEROLE' END END,
            CASE WHEN have.rolcreatedb <> r.createdb AND (r.createdb OR NOT own) THEN CASE WHEN r.createdb THEN 'CREATEDB' ELSE 'NOCREATEDB' END END,
            CASE WHEN have.rolcanlogin <> r.login AND (r.login OR NOT own) THEN CASE WHEN r.login THEN 'LOGIN' ELSE 'NOLOGIN' END END,
            CASE WHEN have.rolreplication <> r.replication AND (r.replication OR NOT own) THEN CASE WHEN r.replication THEN 'REPLICATION' ELSE 'NOREPLICATION' END END,
            CASE WHEN have.rolbypassrls <> r.bypassrls AND (r.bypassrls OR NOT own) THEN CASE WHEN r.bypassrls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END END,
            CASE WHEN have.rolconnlimit <> r.connection_limit AND NOT own THEN format('CONNECTION LIMIT %s', r.connection_limit) END,
            -- NULL and infinity mean the same, and VALID UNTIL cannot be set back to NULL.
            CASE WHEN NOT own AND have.rolvaliduntil IS DISTINCT FROM coalesce(
                     r.valid_until::timestamptz, CASE WHEN have.rolvaliduntil IS NOT NULL THEN 'infinity'::timestamptz END)
                 THEN format('VALID UNTIL %L', coalesce(r.valid_until, 'infinity')) END);
        IF changes <> '' THEN
            BEGIN
                EXECUTE format('ALTER ROLE %I WITH %s', r.role, changes);
            EXCEPTION WHEN insufficient_privilege THEN
                RAISE WARNING 'role % does not get %: % lacks the privilege', r.role, changes, current_user;
            END;
        END IF;
        IF own AND (have.rolsuper <> r.super OR have.rolcanlogin <> r.login) THEN
            RAISE WARNING 'role % keeps its attributes: it is the restoring role or the bootstrap superuser', r.role;
        END IF;
        IF (state ->> 'passwords')::boolean THEN
            verifier := NULL;
            IF readable THEN
                EXECUTE 'SELECT rolpassword FROM pg_catalog.pg_authid WHERE rolname = $1' INTO verifier USING r.role;
            END IF;
            IF NOT readable OR verifier IS DISTINCT FROM r.password THEN
                IF r.role = session_user THEN
                    RAISE WARNING 'role % keeps its password: it is the restoring role', r.role;
                ELSE
                    BEGIN
                        EXECUTE format('ALTER ROLE %I PASSWORD %s', r.role, coalesce(quote_literal(r.password), 'NULL'));
                    EXCEPTION WHEN insufficient_privilege THEN
                        RAISE WARNING 'the password of role % was not set: % lacks the privilege', r.role, current_user;
                    END;
                END IF;
            END IF;
        END IF;
        IF shobj_description(have.oid, 'pg_authid') IS DISTINCT FROM r.comment THEN
            BEGIN
                EXECUTE format('COMMENT ON ROLE %I IS %s', r.role, coalesce(quote_literal(r.comment), 'NULL'));
            EXCEPTION WHEN insufficient_privilege THEN
                RAISE WARNING 'the comment on role % was not set: % lacks the privilege', r.role, current_user;
            END;
        END IF;
    END LOOP;

    -- Settings. A setting IN DATABASE applies to the current database.
    FOR r IN
        SELECT x ->> 'role' AS role, h AS here FROM jsonb_array_elements(state -> 'roles') x, (VALUES (false), (true)) v (h)
        UNION ALL SELECT NULL, false
    LOOP
        SELECT s.setconfig INTO config FROM pg_catalog.pg_db_role_setting s
        WHERE s.setrole = coalesce((SELECT oid FROM pg_catalog.pg_roles WHERE rolname = r.role), 0)
          AND s.setdatabase = CASE WHEN r.here THEN (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()) ELSE 0 END;
        target := CASE WHEN r.role IS NULL THEN 'ALL' ELSE quote_ident(r.role) END
               || CASE WHEN r.here THEN format(' IN DATABASE %I', current_database()) ELSE '' END;
        FOR item IN
            SELECT s ->> 'name' AS name, s -> 'items' AS items FROM jsonb_array_elements(state -> 'settings') s
            WHERE s ->> 'role' IS NOT DISTINCT FROM r.role AND (s ->> 'here')::boolean = r.here
              AND (s ->> 'name') || '=' || (s ->> 'value') <> ALL (coalesce(config, '{}'))
        LOOP
            BEGIN
                EXECUTE format('ALTER ROLE %s SET %I TO %s', target, item.name,
                    (SELECT string_agg(quote_literal(v), ', ' ORDER BY i) FROM jsonb_array_elements_text(item.items) WITH ORDINALITY t (v, i)));
            EXCEPTION WHEN insufficient_privilege THEN
                RAISE WARNING 'setting % of role % was not set: % lacks the privilege', item.name, target, current_user;
            END;
        END LOOP;
        FOR item IN
            SELECT split_part(c, '=', 1) AS name FROM unnest(config) c
            WHERE NOT EXISTS (SELECT FROM jsonb_array_elements(state -> 'settings') s
                              WHERE s ->> 'role' IS NOT DISTINCT FROM r.role AND (s ->> 'here')::boolean = r.here AND s ->> 'name' = split_part(c, '=', 1))
        LOOP
            BEGIN
                EXECUTE format('ALTER ROLE %s RESET %I', target, item.name);
            EXCEPTION WHEN insufficient_privilege THEN
                RAISE WARNING 'setting % of role % remains: % may not reset it', item.name, target, current_user;
            END;
        END LOOP;
    END LOOP;
END
