
DECLARE
    state jsonb := /*DATA*/;
    e record; have text; whose text;
BEGIN
    FOR e IN SELECT * FROM jsonb_to_recordset(state -> 'extensions') AS x (name text, version text, schema text, makes_schema boolean, owner text) LOOP
        SELECT x.extversion, pg_catalog.pg_get_userbyid(x.extowner) INTO have, whose FROM pg_catalog.pg_extension x WHERE x.extname = e.name;
        IF FOUND THEN
            IF have <> e.version THEN
                RAISE WARNING 'extension % has version %, the snapshot has %', e.name, have, e.version;
            END IF;
            IF whose <> e.owner THEN
                RAISE WARNING 'extension % belongs to %, in the snapshot to %: only recreating it as that role changes the owner', e.name, whose, e.owner;
            END IF;
            CONTINUE;
        END IF;
        -- An extension whose control file names its schema creates that schema itself, as the installing role.
        e.makes_schema := e.makes_schema OR EXISTS (SELECT FROM pg_catalog.pg_available_extension_versions v
                                                    WHERE v.name = e.name AND v.schema = e.schema);
        IF NOT e.makes_schema AND to_regnamespace(quote_ident(e.schema)) IS NULL THEN
            EXECUTE format('CREATE SCHEMA %I', e.schema);
        END IF;
        IF EXISTS (SELECT FROM pg_catalog.pg_available_extension_versions v WHERE v.name = e.name AND v.version = e.version) THEN
            EXECUTE format('CREATE EXTENSION IF NOT EXISTS %I%s VERSION %L', e.name,
                           CASE WHEN e.makes_schema THEN '' ELSE format(' WITH SCHEMA %I', e.schema) END, e.version);
        ELSE
            RAISE WARNING 'extension % is not available in version %: using this server''s default version', e.name, e.version;
            EXECUTE format('CREATE EXTENSION IF NOT EXISTS %I%s', e.name,
                           CASE WHEN e.makes_schema THEN '' ELSE format(' WITH SCHEMA %I', e.schema) END);
        END IF;
    END LOOP;
END
