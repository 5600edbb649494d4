
-- Makes owner, comment, connection limit and settings of the current database equal to the snapshot's.
DECLARE
    state jsonb := /*DATA*/;
    item record; config text[]; have record; want text := state ->> 'owner';
BEGIN
    SELECT pg_catalog.pg_get_userbyid(d.datdba) AS owner, d.datconnlimit, pg_catalog.shobj_description(d.oid, 'pg_database') AS comment
    INTO have FROM pg_catalog.pg_database d WHERE d.datname = current_database();
    BEGIN
        IF have.comment IS DISTINCT FROM state ->> 'comment' THEN
            EXECUTE format('COMMENT ON DATABASE %I IS %L', current_database(), state ->> 'comment');
        END IF;
        IF have.datconnlimit <> (state ->> 'connection_limit')::int THEN
            EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT %s', current_database(), (state ->> 'connection_limit')::int);
        END IF;
        IF have.owner <> want THEN
            EXECUTE format('ALTER DATABASE %I OWNER TO %I', current_database(), want);
        END IF;
    EXCEPTION WHEN insufficient_privilege OR undefined_object THEN
        RAISE WARNING 'owner (%), connection limit or comment of the database differ from the snapshot (%): %', have.owner, want, SQLERRM;
    END;
    SELECT s.setconfig INTO config FROM pg_catalog.pg_db_role_setting s
    WHERE s.setrole = 0 AND s.setdatabase = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database());
    FOR item IN
        SELECT s ->> 'name' AS name, s -> 'items' AS items FROM jsonb_array_elements(state -> 'settings') s
        WHERE (s ->> 'name') || '=' || (s ->> 'value') <> ALL (coalesce(config, '{}'))
    LOOP
        EXECUTE format('ALTER DATABASE %I SET %I TO %s', current_database(), item.name,
            (SELECT string_agg(quote_literal(v), ', ' ORDER BY i) FROM jsonb_array_elements_text(item.items) WITH ORDINALITY t (v, i)));
    END LOOP;
    FOR item IN
        SELECT split_part(c, '=', 1) AS name FROM unnest(config) c
        WHERE NOT EXISTS (SELECT FROM jsonb_array_elements(state -> 'settings') s WHERE s ->> 'name' = split_part(c, '=', 1))
    LOOP
        EXECUTE format('ALTER DATABASE %I RESET %I', current_database(), item.name);
    END LOOP;
END
