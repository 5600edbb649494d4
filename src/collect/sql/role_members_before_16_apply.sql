-- Before 16 there is one membership per role and member, whoever granted it, and CREATEROLE was enough to grant any
-- role. Since 16 that takes the admin option, which an older snapshot cannot record: on 16 and later nothing is
-- revoked.
DECLARE
    is_super boolean := (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user);
    only_add boolean := server >= 160000;
    m jsonb; have record; r record; options text; by_whom text;
BEGIN
    FOR r IN
        SELECT g.rolname AS role, w.rolname AS member
        FROM pg_catalog.pg_auth_members a
        JOIN pg_catalog.pg_roles g ON g.oid = a.roleid JOIN pg_catalog.pg_roles w ON w.oid = a.member
        WHERE NOT only_add AND state -> 'roles' ? w.rolname AND (state -> 'roles' ? g.rolname OR g.rolname ~ '^pg_')
          AND w.rolname NOT IN (session_user, current_user)
          AND NOT EXISTS (
              SELECT FROM jsonb_array_elements(state -> 'members') x
              WHERE x ->> 'role' = g.rolname AND x ->> 'member' = w.rolname)
    LOOP
        BEGIN
            EXECUTE format('REVOKE %I FROM %I CASCADE', r.role, r.member);
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE WARNING '% is still a member of %, unlike in the snapshot: % may not revoke it', r.member, r.role, current_user;
        END;
    END LOOP;

    FOR m IN
        SELECT x FROM jsonb_array_elements(state -> 'members') WITH ORDINALITY t (x, i) ORDER BY x ->> 'grantor' <> 'pg_bootstrap', i
    LOOP
        SELECT bool_or(a.admin_option) AS admin,
               -- Since 16 the creator of a role is a member without SET; before 16 every member could SET ROLE.
               bool_or(coalesce((to_jsonb(a) ->> 'set_option')::boolean, true)) AS becomes INTO have
        FROM pg_catalog.pg_auth_members a JOIN pg_catalog.pg_roles g ON g.oid = a.roleid JOIN pg_catalog.pg_roles w ON w.oid = a.member
        WHERE g.rolname = m ->> 'role' AND w.rolname = m ->> 'member';
        CONTINUE WHEN have.becomes AND (have.admin = (m ->> 'admin')::boolean OR (only_add AND have.admin));
        IF have.admin AND NOT (m ->> 'admin')::boolean AND NOT only_add THEN
            EXECUTE format('REVOKE ADMIN OPTION FOR %I FROM %I CASCADE', m ->> 'role', m ->> 'member');
        END IF;
        -- The admin option cannot be granted back to its own grantor.
        options := CASE WHEN (m ->> 'admin')::boolean AND NOT (only_add AND coalesce(have.admin, false)) THEN ' WITH ADMIN OPTION' ELSE '' END;
        by_whom := CASE WHEN only_add OR m ->> 'grantor' = 'pg_bootstrap' OR m ->> 'grantor' IS NULL THEN ''
                        WHEN NOT is_super AND m ->> 'grantor' <> current_user THEN ''
                        ELSE format(' GRANTED BY %I', m ->> 'grantor') END;
        BEGIN
            EXECUTE format('GRANT %I TO %I%s%s', m ->> 'role', m ->> 'member', options, by_whom);
        EXCEPTION WHEN insufficient_privilege OR invalid_grant_operation THEN
            RAISE WARNING '% is not a member of %, unlike in the snapshot: % may not grant it', m ->> 'member', m ->> 'role', current_user;
        END;
    END LOOP;
END