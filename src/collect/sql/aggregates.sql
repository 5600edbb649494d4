-- Properties of aggregates that are not in pg_proc.
SELECT a.aggfnoid::oid AS oid, a.aggkind::text AS kind, a.aggnumdirectargs::int4 AS direct_args,
       pg_catalog.format_type(a.aggtranstype, NULL) AS state_type, a.aggtransspace AS state_space,
       CASE WHEN a.aggmtranstype <> 0 THEN pg_catalog.format_type(a.aggmtranstype, NULL) END AS moving_type, a.aggmtransspace AS moving_space,
       a.aggtransfn::text AS sfunc,
       CASE WHEN a.aggfinalfn <> 0 THEN a.aggfinalfn::text END AS finalfunc,
       CASE WHEN a.aggcombinefn <> 0 THEN a.aggcombinefn::text END AS combinefunc,
       CASE WHEN a.aggserialfn <> 0 THEN a.aggserialfn::text END AS serialfunc,
       CASE WHEN a.aggdeserialfn <> 0 THEN a.aggdeserialfn::text END AS deserialfunc,
       CASE WHEN a.aggmtransfn <> 0 THEN a.aggmtransfn::text END AS msfunc,
       CASE WHEN a.aggminvtransfn <> 0 THEN a.aggminvtransfn::text END AS minvfunc,
       CASE WHEN a.aggmfinalfn <> 0 THEN a.aggmfinalfn::text END AS mfinalfunc,
       a.aggfinalextra AS finalfunc_extra, a.aggmfinalextra AS mfinalfunc_extra,
       a.aggfinalmodify::text AS finalfunc_modify, a.aggmfinalmodify::text AS mfinalfunc_modify,
       a.agginitval AS initcond, a.aggminitval AS minitcond,
       CASE WHEN o.oid IS NOT NULL THEN 'OPERATOR(' || pg_catalog.quote_ident(n.nspname) || '.' || o.oprname || ')' END AS sortop
FROM pg_catalog.pg_aggregate a
LEFT JOIN pg_catalog.pg_operator o ON o.oid = a.aggsortop
LEFT JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace
WHERE a.aggfnoid::oid = ANY ($1)
