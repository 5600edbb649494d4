
DECLARE
    state jsonb := /*DATA*/;
    t record; have record;
BEGIN
    FOR t IN SELECT * FROM jsonb_to_recordset(state -> 'triggers')
        AS x (name text, event text, owner text, enabled text, tags text[], function text, comment text)
    LOOP
        SELECT e.evtevent, e.evtenabled::text AS enabled, e.evttags, e.evtfoid, r.rolname AS owner, obj_description(e.oid, 'pg_event_trigger') AS comment
        INTO have FROM pg_catalog.pg_event_trigger e JOIN pg_catalog.pg_roles r ON r.oid = e.evtowner WHERE e.evtname = t.name;
        IF NOT FOUND OR have.evtevent <> t.event OR have.evttags IS DISTINCT FROM t.tags OR have.evtfoid IS DISTINCT FROM to_regproc(t.function) THEN
            EXECUTE format('DROP EVENT TRIGGER IF EXISTS %I', t.name);
            EXECUTE format('CREATE EVENT TRIGGER %I ON %I%s EXECUTE FUNCTION %s()', t.name, t.event,
                (SELECT ' WHEN TAG IN (' || string_agg(quote_literal(g), ', ') || ')' FROM unnest(t.tags) g), t.function);
            have.enabled := 'O'; have.owner := current_user; have.comment := NULL;
        END IF;
        IF have.enabled <> t.enabled THEN
            EXECUTE format('ALTER EVENT TRIGGER %I %s', t.name,
                CASE t.enabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE' END);
        END IF;
        IF have.comment IS DISTINCT FROM t.comment THEN
            EXECUTE format('COMMENT ON EVENT TRIGGER %I IS %s', t.name, coalesce(quote_literal(t.comment), 'NULL'));
        END IF;
        IF have.owner <> t.owner THEN
            BEGIN
                EXECUTE format('ALTER EVENT TRIGGER %I OWNER TO %I', t.name, t.owner);
            EXCEPTION WHEN insufficient_privilege THEN
                RAISE WARNING 'event trigger % keeps the owner % instead of %: this server requires a superuser as owner', t.name, have.owner, t.owner;
            END;
        END IF;
    END LOOP;
END
