-- For 16 and later, where each grantor's grant is a membership of its own with its own options: makes them equal to the
-- snapshot's. Grants whose grantors are the same role here are merged (the bootstrap superuser may have another name).
DECLARE
    is_super boolean := (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user);
    first_role text := (SELECT rolname FROM pg_catalog.pg_roles WHERE oid = 10);
    pending jsonb[]; wanted jsonb; m jsonb; have record; r record; by_whom text; progress boolean; last_resort boolean := false;
BEGIN
    SELECT coalesce(array_agg(to_jsonb(x) ORDER BY x.grantor <> first_role, x.role, x.member, x.grantor), '{}'),
           coalesce(jsonb_agg(to_jsonb(x)), '[]') INTO pending, wanted
    FROM (SELECT y.role, y.member, CASE WHEN y.grantor IS NULL OR y.grantor = 'pg_bootstrap' THEN first_role ELSE y.grantor END AS grantor,
                 bool_or(y.admin) AS admin, bool_or(y.inherit) AS inherit, bool_or(y.set) AS set
          FROM jsonb_to_recordset(state -> 'members') AS y (role text, member text, grantor text, admin boolean, inherit boolean, set boolean)
          GROUP BY 1, 2, 3) x;
    -- A role that may not grant in another grantor's name grants in its own. Such a grant stays if its member gets no
    -- more than in the snapshot.
    FOR r IN
        SELECT a.oid, g.rolname AS role, w.rolname AS member, b.rolname AS grantor, x.known
        FROM pg_catalog.pg_auth_members a
        JOIN pg_catalog.pg_roles g ON g.oid = a.roleid JOIN pg_catalog.pg_roles w ON w.oid = a.member
        JOIN pg_catalog.pg_roles b ON b.oid = a.grantor
        CROSS JOIN LATERAL (
            SELECT coalesce(bool_or(y.grantor = b.rolname), false) AS known, coalesce(bool_or(y.admin AND y.grantor = b.rolname), false) AS admin,
                   count(*) > 0 AND (bool_or(y.admin) OR NOT a.admin_option) AND (bool_or(y.inherit) OR NOT a.inherit_option)
                   AND (bool_or(y.set) OR NOT a.set_option) AS within
            FROM jsonb_to_recordset(wanted) AS y (role text, member text, grantor text, admin boolean, inherit boolean, set boolean)
            WHERE y.role = g.rolname AND y.member = w.rolname) x
        WHERE state -> 'roles' ? w.rolname AND (state -> 'roles' ? g.rolname OR g.rolname ~ '^pg_')
          AND CASE WHEN x.known THEN a.admin_option AND NOT x.admin
                   ELSE w.rolname NOT IN (session_user, current_user) AND (is_super OR NOT x.within) END
    LOOP
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_catalog.pg_auth_members a WHERE a.oid = r.oid);
        BEGIN
            EXECUTE format('REVOKE %s%I FROM %I GRANTED BY %I CASCADE', CASE WHEN r.known THEN 'ADMIN OPTION FOR ' ELSE '' END, r.role, r.member, r.grantor);
        EXCEPTION WHEN insufficient_privilege THEN
            RAISE WARNING '% keeps the grant by % of membership in %, which the snapshot lacks: % may not revoke it', r.member, r.grantor, r.role, current_user;
        END;
    END LOOP;

    WHILE pending <> '{}' LOOP
        progress := false;
        FOREACH m IN ARRAY pending LOOP
            by_whom := CASE WHEN NOT last_resort AND (is_super OR pg_has_role(current_user, m ->> 'grantor', 'USAGE')) THEN m ->> 'grantor' END;
            -- A grantor needs the admin option itself, so its own membership must exist first.
            CONTINUE WHEN NOT last_resort AND by_whom <> first_role AND NOT EXISTS (
                SELECT FROM pg_catalog.pg_auth_members a JOIN pg_catalog.pg_roles g ON g.oid = a.roleid JOIN pg_catalog.pg_roles w ON w.oid = a.member
                WHERE g.rolname = m ->> 'role' AND w.rolname = by_whom AND a.admin_option);
            progress := true;
            pending := array_remove(pending, m);
            SELECT coalesce(bool_or(b.rolname = m ->> 'grantor' AND a.admin_option = (m ->> 'admin')::boolean
                                    AND a.inherit_option = (m ->> 'inherit')::boolean AND a.set_option = (m ->> 'set')::boolean), false) AS same,
                   coalesce(bool_or(a.admin_option), false) >= (m ->> 'admin')::boolean AND coalesce(bool_or(a.inherit_option), false) >= (m ->> 'inherit')::boolean
                   AND coalesce(bool_or(a.set_option), false) >= (m ->> 'set')::boolean AND count(*) > 0 AS enough INTO have
            FROM pg_catalog.pg_auth_members a JOIN pg_catalog.pg_roles g ON g.oid = a.roleid JOIN pg_catalog.pg_roles w ON w.oid = a.member
            JOIN pg_catalog.pg_roles b ON b.oid = a.grantor
            WHERE g.rolname = m ->> 'role' AND w.rolname = m ->> 'member';
            CONTINUE WHEN have.same OR (have.enough AND by_whom IS NULL);
            IF by_whom IS NULL THEN
                -- A role that may grant it acts as grantor: it adds the missing options and keeps those that it granted
                -- before.
                SELECT w.rolname INTO by_whom
                FROM pg_catalog.pg_auth_members a JOIN pg_catalog.pg_roles g ON g.oid = a.roleid JOIN pg_catalog.pg_roles w ON w.oid = a.member
                WHERE g.rolname = m ->> 'role' AND a.admin_option AND pg_has_role(current_user, w.oid, 'USAGE')
                ORDER BY w.rolname <> current_user, w.rolname LIMIT 1;
                by_whom := CASE WHEN is_super THEN first_role ELSE coalesce(by_whom, current_user) END;
                SELECT m || jsonb_build_object(
                    'admin', coalesce(bool_or(a.admin_option) FILTER (WHERE b.rolname = by_whom), false)
                        OR ((m ->> 'admin')::boolean AND NOT coalesce(bool_or(a.admin_option) FILTER (WHERE b.rolname <> by_whom), false)),
                    'inherit', coalesce(bool_or(a.inherit_option) FILTER (WHERE b.rolname = by_whom), false)
                        OR ((m ->> 'inherit')::boolean AND NOT coalesce(bool_or(a.inherit_option) FILTER (WHERE b.rolname <> by_whom), false)),
                    'set', coalesce(bool_or(a.set_option) FILTER (WHERE b.rolname = by_whom), false)
                        OR ((m ->> 'set')::boolean AND NOT coalesce(bool_or(a.set_option) FILTER (WHERE b.rolname <> by_whom), false))) INTO m
                FROM pg_catalog.pg_auth_members a JOIN pg_catalog.pg_roles g ON g.oid = a.roleid JOIN pg_catalog.pg_roles w ON w.oid = a.member
                JOIN pg_catalog.pg_roles b ON b.oid = a.grantor
                WHERE g.rolname = m ->> 'role' AND w.rolname = m ->> 'member';
            END IF;
            BEGIN
                EXECUTE format('GRANT %I TO %I WITH ADMIN %s, INHERIT %s, SET %s GRANTED BY %I',
                    m ->> 'role', m ->> 'member', m ->> 'admin', m ->> 'inherit', m ->> 'set', by_whom);
                IF by_whom <> m ->> 'grantor' THEN
                    RAISE WARNING '% is a member of % as in the snapshot, but granted by % instead of %', m ->> 'member', m ->> 'role', by_whom, m ->> 'grantor';
                END IF;
            EXCEPTION WHEN insufficient_privilege OR invalid_grant_operation THEN
                RAISE WARNING 'the membership of % in % differs from the snapshot: % may not change it', m ->> 'member', m ->> 'role', current_user;
            END;
        END LOOP;
        -- Grants by a role that has lost its admin option: another role grants them, with a warning.
        last_resort := NOT progress;
    END LOOP;
END