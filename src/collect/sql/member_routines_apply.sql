
-- Gives routines of extensions the recorded SECURITY and settings. Identities are quoted already.
DECLARE
    state jsonb := /*DATA*/;
    r record; s record; same boolean;
BEGIN
    FOR r IN SELECT * FROM jsonb_to_recordset(state -> 'routines')
        AS x ("alter" text, identity text, definer boolean, config text[], settings jsonb)
    LOOP
        same := (SELECT p.prosecdef = r.definer AND coalesce(p.proconfig, '{}') = r.config
                 FROM pg_catalog.pg_proc p WHERE p.oid = to_regprocedure(r.identity));
        CONTINUE WHEN same IS NULL OR same;
        EXECUTE format('ALTER %s %s SECURITY %s RESET ALL', r."alter", r.identity, CASE WHEN r.definer THEN 'DEFINER' ELSE 'INVOKER' END);
        FOR s IN SELECT x.name, (SELECT string_agg(format('%L', item), ', ' ORDER BY nr)
                                 FROM jsonb_array_elements_text(x.items) WITH ORDINALITY AS i (item, nr)) AS value
                 FROM jsonb_to_recordset(r.settings) AS x (name text, items jsonb)
        LOOP
            EXECUTE format('ALTER %s %s SET %I TO %s', r."alter", r.identity, s.name, s.value);
        END LOOP;
    END LOOP;
END
