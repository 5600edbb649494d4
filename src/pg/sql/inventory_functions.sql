-- Functions, procedures, window functions, aggregates. The body is pg_proc.prosrc of this snapshot:
-- pg_get_functiondef() returns the newest body, whatever the snapshot (trap 5).
SELECT CASE p.prokind WHEN 'a' THEN 'AGGREGATE' WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END,
       n.nspname::text,
       format('%I.%I(%s)', n.nspname, p.proname,
              (SELECT string_agg(format_type(t.oid, NULL), ',' ORDER BY t.rank)
               FROM unnest(p.proargtypes) WITH ORDINALITY t(oid, rank))),
       CASE WHEN p.prokind = 'a' THEN
           concat_ws(' ', '(' || pg_get_function_arguments(p.oid) || ')', 'KIND ' || a.aggkind::text,
               'SFUNC ' || a.aggtransfn::text, 'STYPE ' || format_type(a.aggtranstype, NULL), 'SSPACE ' || a.aggtransspace,
               'FINALFUNC ' || nullif(a.aggfinalfn::text, '-'), 'EXTRA ' || a.aggfinalextra, 'MODIFY ' || a.aggfinalmodify::text,
               'COMBINEFUNC ' || nullif(a.aggcombinefn::text, '-'), 'SERIALFUNC ' || nullif(a.aggserialfn::text, '-'),
               'DESERIALFUNC ' || nullif(a.aggdeserialfn::text, '-'), 'MSFUNC ' || nullif(a.aggmtransfn::text, '-'),
               'MINVFUNC ' || nullif(a.aggminvtransfn::text, '-'), 'MFINALFUNC ' || nullif(a.aggmfinalfn::text, '-'),
               'MSTYPE ' || CASE WHEN a.aggmtranstype <> 0 THEN format_type(a.aggmtranstype, NULL) END,
               'INITCOND ' || quote_literal(a.agginitval), 'MINITCOND ' || quote_literal(a.aggminitval),
               'SORTOP ' || CASE WHEN a.aggsortop <> 0 THEN a.aggsortop::regoperator::text END,
               'PARALLEL ' || p.proparallel::text)
       ELSE
           concat_ws(' ', '(' || pg_get_function_arguments(p.oid) || ')', 'RETURNS ' || pg_get_function_result(p.oid),
               'LANGUAGE ' || quote_ident(l.lanname), CASE WHEN p.prokind = 'w' THEN 'WINDOW' END,
               CASE p.provolatile WHEN 'i' THEN 'IMMUTABLE' WHEN 's' THEN 'STABLE' ELSE 'VOLATILE' END,
               CASE WHEN p.proisstrict THEN 'STRICT' END, CASE WHEN p.prosecdef THEN 'SECURITY DEFINER' END,
               CASE WHEN p.proleakproof THEN 'LEAKPROOF' END, 'PARALLEL ' || p.proparallel::text,
               'COST ' || p.procost, 'ROWS ' || p.prorows, 'SUPPORT ' || nullif(p.prosupport::text, '-'),
               'TRANSFORM ' || (SELECT string_agg(format_type(t.oid, NULL), ',' ORDER BY t.rank)
                                FROM unnest(p.protrftypes) WITH ORDINALITY t(oid, rank)),
               (SELECT string_agg('SET ' || CASE WHEN s ~* '^[^=]*(secret|token|key|password|jwt)'
                                                 THEN split_part(s, '=', 1) || '=sha256:' || encode(sha256(convert_to(s, 'UTF8')), 'hex')
                                                 -- Lists of names are stored as quote_all_identifiers had them.
                                                 WHEN s ~ '^(search_path|temp_tablespaces|session_preload_libraries|local_preload_libraries)='
                                                 THEN regexp_replace(s, '(?<!")"([a-z_][a-z0-9_$]*)"(?!")', '\1', 'g')
                                                 ELSE s END, ' ' ORDER BY rank)
                FROM unnest(p.proconfig) WITH ORDINALITY u(s, rank)),
               'AS', quote_literal(p.probin), E'\n' || /*pg14+*/ coalesce(pg_get_function_sqlbody(p.oid), p.prosrc) /*else*/ p.prosrc /*end*/)
       END,
       r.rolname::text, e.extname::text, 'pg_proc'::regclass::oid, p.oid, 0
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_language l ON l.oid = p.prolang
LEFT JOIN pg_aggregate a ON a.aggfnoid = p.oid
LEFT JOIN pg_roles r ON r.oid = p.proowner
LEFT JOIN pg_depend x ON x.classid = 'pg_proc'::regclass AND x.objid = p.oid AND x.deptype = 'e' AND x.refclassid = 'pg_extension'::regclass
LEFT JOIN pg_extension e ON e.oid = x.refobjid
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT 1 FROM pg_depend i WHERE i.classid = 'pg_proc'::regclass AND i.objid = p.oid AND i.deptype = 'i')
