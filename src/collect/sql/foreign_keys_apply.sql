
-- Adds missing foreign keys, and gives their triggers the recorded state, which only a superuser may do.
DECLARE
    state jsonb := /*DATA*/;
    k record; t record; wanted text; relation text;
BEGIN
    FOR k IN SELECT * FROM jsonb_to_recordset(state -> 'keys')
        AS x ("schema" text, "table" text, name text, definition text, states jsonb)
    LOOP
        relation := format('%I.%I', k."schema", k."table");
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_constraint c WHERE c.conrelid = to_regclass(relation) AND c.conname = k.name) THEN
            BEGIN
                EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I %s', relation, k.name, k.definition);
            EXCEPTION WHEN foreign_key_violation THEN
                EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I %s NOT VALID', relation, k.name, k.definition);
                RAISE WARNING 'rows of % violate the foreign key %: it was created as NOT VALID', relation, k.name;
            END;
        END IF;
        FOR t IN SELECT r.tgname, r.tgrelid, r.tgenabled::text AS enabled, p.proname, r.tgrelid = c.conrelid AS referencing
            FROM pg_catalog.pg_constraint c JOIN pg_catalog.pg_trigger r ON r.tgconstraint = c.oid
            JOIN pg_catalog.pg_proc p ON p.oid = r.tgfoid
            WHERE c.conrelid = to_regclass(relation) AND c.conname = k.name
        LOOP
            SELECT s ->> 'enabled' INTO wanted FROM jsonb_array_elements(k.states) s
            WHERE s ->> 'function' = t.proname AND (s ->> 'referencing')::boolean = t.referencing;
            CONTINUE WHEN wanted IS NULL OR wanted = t.enabled;
            BEGIN
                EXECUTE format('ALTER TABLE %s %s TRIGGER %I', t.tgrelid::regclass,
                    CASE wanted WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'A' THEN 'ENABLE ALWAYS' ELSE 'ENABLE' END,
                    t.tgname);
            EXCEPTION WHEN insufficient_privilege THEN
                RAISE WARNING 'the triggers of foreign key % on % stay enabled: only a superuser can disable them', k.name, relation;
            END;
        END LOOP;
    END LOOP;
END
