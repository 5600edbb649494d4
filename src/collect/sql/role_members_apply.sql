
-- Memberships between the roles of the snapshot become exactly these. pg_bootstrap is the cluster's first superuser.
DECLARE
    state jsonb := /*DATA*/;
    server int := current_setting('server_version_num')::int;
    is_super boolean := (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user);
    -- Before 16 CREATEROLE was enough to grant any role; since then it takes the admin option, which an older snapshot
    -- cannot know of. There nothing is taken away.
    only_add boolean := server >= 160000 AND (state ->> 'server')::int < 160000;
    pending jsonb[]; m jsonb; have record; r record; by_whom text; options text; progress boolean;
BEGIN
    FOR r IN
        SELECT g.rolname AS role, w.rolname AS member, b.rolname AS grantor
        FROM pg_catalog.pg_auth_members a
        JOIN pg_catalog.pg_roles g ON g.oid = a.roleid JOIN pg_catalog.pg_roles w ON w.oid = a.member
        LEFT JOIN pg_catalog.pg_roles b ON b.oid = a.grantor
        WHERE NOT only_add AND state -> 'roles' ? w.rolname AND (state -> 'roles' ? g.rolname OR g.rolname ~ '^pg_')
          AND w.rolname NOT IN (session_user, current_user)
          AND NOT EXISTS (
              SELECT FROM jsonb_array_elements(state -> 'members') x
              WHERE x ->> 'role' = g.rolname AND x ->> 'member' = w.rolname
                AND (server < 160000 OR x -> 'set' = 'null' OR x ->> 'grantor' = CASE WHEN a.grantor = 10 THEN 'pg_bootstrap' ELSE b.rolname END))
    LOOP
        BEGIN
            EXECUTE format('REVOKE %I FROM %I%s CASCADE', r.role, r.member,
                           CASE WHEN server >= 160000 THEN format(' GRANTED BY %I', r.grantor) ELSE '' END);
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE WARNING '% is still a member of %, which it was not in the snapshot: % may not change that', r.member, r.role, current_user;
        END;
    END LOOP;

    SELECT coalesce(array_agg(x ORDER BY x ->> 'grantor' <> 'pg_bootstrap', i), '{}') INTO pending
    FROM jsonb_array_elements(state -> 'members') WITH ORDINALITY t (x, i);
    WHILE pending <> '{}' LOOP
        progress := false;
        FOREACH m IN ARRAY pending LOOP
            -- Since 16 a grantor needs the admin option itself, so its own membership has to come first.
            CONTINUE WHEN server >= 160000 AND m -> 'set' <> 'null' AND m ->> 'grantor' <> 'pg_bootstrap' AND NOT EXISTS (
                SELECT FROM pg_catalog.pg_auth_members a JOIN pg_catalog.pg_roles g ON g.oid = a.roleid JOIN pg_catalog.pg_roles w ON w.oid = a.member
                WHERE g.rolname = m ->> 'role' AND w.rolname = m ->> 'grantor' AND a.admin_option);
            progress := true;
            pending := array_remove(pending, m);
            SELECT a.admin_option, to_jsonb(a) AS row INTO have
            FROM pg_catalog.pg_auth_members a JOIN pg_catalog.pg_roles g ON g.oid = a.roleid JOIN pg_catalog.pg_roles w ON w.oid = a.member
            LEFT JOIN pg_catalog.pg_roles b ON b.oid = a.grantor
            WHERE g.rolname = m ->> 'role' AND w.rolname = m ->> 'member'
            ORDER BY (m ->> 'grantor' = CASE WHEN a.grantor = 10 THEN 'pg_bootstrap' ELSE b.rolname END) DESC, a.admin_option DESC LIMIT 1;
            CONTINUE WHEN FOUND AND (have.admin_option = (m ->> 'admin')::boolean OR (only_add AND have.admin_option))
                -- Who makes a role is a member since 16, and may not become it: before 16 every member might.
                AND (server < 160000 OR (m -> 'set' = 'null' AND EXISTS (
                         SELECT FROM pg_catalog.pg_auth_members a
                         JOIN pg_catalog.pg_roles g ON g.oid = a.roleid JOIN pg_catalog.pg_roles w ON w.oid = a.member
                         WHERE g.rolname = m ->> 'role' AND w.rolname = m ->> 'member' AND (to_jsonb(a) ->> 'set_option')::boolean))
                     OR (have.row -> 'inherit_option' = m -> 'inherit' AND have.row -> 'set_option' = m -> 'set'));
            IF FOUND AND have.admin_option AND NOT (m ->> 'admin')::boolean AND NOT only_add THEN
                EXECUTE format('REVOKE ADMIN OPTION FOR %I FROM %I CASCADE', m ->> 'role', m ->> 'member');
            END IF;
            options := CASE
                WHEN server >= 160000 AND m -> 'set' <> 'null' THEN format(' WITH ADMIN %s, INHERIT %s, SET %s', m ->> 'admin', m ->> 'inherit', m ->> 'set')
                WHEN (m ->> 'admin')::boolean THEN ' WITH ADMIN OPTION' ELSE '' END;
            by_whom := CASE WHEN m ->> 'grantor' = 'pg_bootstrap' OR m ->> 'grantor' IS NULL THEN ''
                            WHEN server >= 160000 AND m -> 'set' = 'null' THEN ''
                            WHEN NOT is_super AND m ->> 'grantor' <> current_user THEN ''
                            ELSE format(' GRANTED BY %I', m ->> 'grantor') END;
            BEGIN
                EXECUTE format('GRANT %I TO %I%s%s', m ->> 'role', m ->> 'member', options, by_whom);
            EXCEPTION WHEN insufficient_privilege THEN
                RAISE WARNING '% is no member of %, which it was in the snapshot: % may not change that', m ->> 'member', m ->> 'role', current_user;
            END;
        END LOOP;
        IF NOT progress THEN
            RAISE EXCEPTION 'memberships granted by a role without the admin option: %', pending;
        END IF;
    END LOOP;
END
