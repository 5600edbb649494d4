
-- Restores ENABLE and FORCE, and drops policies that the snapshot lacks from these tables, because an additional
-- permissive policy would expose data. Tables of extensions keep theirs: another version may have more.
DECLARE
    state jsonb := /*DATA*/;
    t record; rel record; extra record;
BEGIN
    FOR t IN SELECT * FROM jsonb_to_recordset(state -> 'tables')
        AS x ("table" text, enabled boolean, forced boolean, of_extension boolean, policies jsonb)
    LOOP
        SELECT c.oid, c.relrowsecurity, c.relforcerowsecurity INTO rel
        FROM pg_catalog.pg_class c WHERE c.oid = to_regclass(t."table");
        IF NOT FOUND THEN
            IF t.of_extension THEN
                RAISE WARNING 'table % does not exist here: this extension has another version', t."table";
                CONTINUE;
            END IF;
            RAISE EXCEPTION 'table % does not exist in this database', t."table" USING HINT = 'Restore the schema of the snapshot first.';
        END IF;
        IF rel.relrowsecurity <> t.enabled THEN
            EXECUTE format('ALTER TABLE %s %s ROW LEVEL SECURITY', t."table", CASE WHEN t.enabled THEN 'ENABLE' ELSE 'DISABLE' END);
        END IF;
        IF rel.relforcerowsecurity <> t.forced THEN
            EXECUTE format('ALTER TABLE %s %s ROW LEVEL SECURITY', t."table", CASE WHEN t.forced THEN 'FORCE' ELSE 'NO FORCE' END);
        END IF;
        FOR extra IN
            SELECT p.polname FROM pg_catalog.pg_policy p
            WHERE p.polrelid = rel.oid AND NOT t.of_extension AND NOT t.policies ? p.polname
        LOOP
            EXECUTE format('DROP POLICY %I ON %s', extra.polname, t."table");
        END LOOP;
    END LOOP;
END
