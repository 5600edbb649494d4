
-- Gives each member of an extension to its owner. Identities come quoted from pg_identify_object.
DECLARE
    state jsonb := /*DATA*/;
    m record; found boolean; same boolean;
BEGIN
    FOR m IN SELECT * FROM jsonb_to_recordset(state -> 'members') AS x ("alter" text, identity text, owner text)
    LOOP
        same := CASE
            WHEN m."alter" IN ('FUNCTION', 'PROCEDURE', 'AGGREGATE') THEN
                (SELECT p.proowner = r.oid FROM pg_catalog.pg_proc p, pg_catalog.pg_roles r
                 WHERE p.oid = to_regprocedure(m.identity) AND r.rolname = m.owner)
            WHEN m."alter" IN ('TYPE', 'DOMAIN') THEN
                (SELECT t.typowner = r.oid FROM pg_catalog.pg_type t, pg_catalog.pg_roles r
                 WHERE t.oid = to_regtype(m.identity) AND r.rolname = m.owner)
            ELSE
                (SELECT c.relowner = r.oid FROM pg_catalog.pg_class c, pg_catalog.pg_roles r
                 WHERE c.oid = to_regclass(m.identity) AND r.rolname = m.owner)
            END;
        CONTINUE WHEN same IS NULL OR same;
        EXECUTE format('ALTER %s %s OWNER TO %I', m."alter", m.identity, m.owner);
    END LOOP;
END
