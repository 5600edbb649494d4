
-- Owner and settings of the database become exactly these, on the database that this runs in.
DECLARE
    state jsonb := /*DATA*/;
    item record; config text[]; have text; want text := state ->> 'owner';
BEGIN
    SELECT pg_catalog.pg_get_userbyid(d.datdba) INTO have FROM pg_catalog.pg_database d WHERE d.datname = current_database();
    IF have <> want THEN
        BEGIN
            EXECUTE format('ALTER DATABASE %I OWNER TO %I', current_database(), want);
        EXCEPTION WHEN insufficient_privilege OR undefined_object THEN
            RAISE WARNING 'the database belongs to %, in the snapshot it belonged to %: %', have, want, SQLERRM;
        END;
    END IF;
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
