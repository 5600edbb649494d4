
DECLARE
    state jsonb := /*DATA*/;
    t record; have record;
BEGIN
    FOR t IN SELECT * FROM jsonb_to_recordset(state -> 'tables') AS x ("table" text, identity text, index text) LOOP
        SELECT c.relreplident::text AS identity, (SELECT x.relname::text FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
                                            WHERE i.indrelid = c.oid AND i.indisreplident) AS index
        INTO have FROM pg_catalog.pg_class c WHERE c.oid = to_regclass(t."table");
        IF NOT FOUND THEN
            RAISE EXCEPTION 'table % does not exist in this database', t."table" USING HINT = 'Restore the schema of the snapshot first.';
        END IF;
        IF have.identity <> t.identity OR (t.identity = 'i' AND have.index IS DISTINCT FROM t.index) THEN
            EXECUTE format('ALTER TABLE %s REPLICA IDENTITY %s', t."table",
                           CASE t.identity WHEN 'f' THEN 'FULL' WHEN 'n' THEN 'NOTHING' ELSE format('USING INDEX %I', t.index) END);
        END IF;
    END LOOP;
END
