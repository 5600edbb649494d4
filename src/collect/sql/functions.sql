-- Every function, procedure, aggregate and window function that is not a member of an extension, from the snapshot's
-- own rows. Only the body of BEGIN ATOMIC functions has to be deparsed by the server; functions_changed.sql shows
-- whether it may be newer.
SELECT p.oid, n.nspname::text AS schema, p.proname::text AS name, p.prokind::text AS kind,
       pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(p.proname) AS sql_name,
       l.lanname::text AS language, pg_catalog.quote_ident(l.lanname) AS sql_language,
       ARRAY(SELECT pg_catalog.format_type(t, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY u (t, i) ORDER BY i) AS input_types,
       ARRAY(SELECT pg_catalog.format_type(t, NULL) FROM unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) WITH ORDINALITY u (t, i) ORDER BY i) AS arg_types,
       p.proargmodes::text[] AS arg_modes,
       ARRAY(SELECT CASE WHEN a = '' THEN '' ELSE pg_catalog.quote_ident(a) END FROM unnest(p.proargnames) WITH ORDINALITY u (a, i) ORDER BY i) AS arg_names,
       pg_catalog.pg_get_expr(p.proargdefaults, 0) AS defaults, p.pronargdefaults::int4 AS default_count,
       CASE WHEN p.prorettype <> 0 THEN pg_catalog.format_type(p.prorettype, NULL) END AS returns, p.proretset AS returns_set,
       ARRAY(SELECT pg_catalog.format_type(t, NULL) FROM unnest(p.protrftypes) WITH ORDINALITY u (t, i) ORDER BY i) AS transforms,
       p.provolatile::text AS volatility, p.proparallel::text AS parallel, p.proisstrict AS strict, p.prosecdef AS definer,
       p.proleakproof AS leakproof, p.procost::text AS cost, p.procost AS cost_number, p.prorows::text AS rows, p.prorows AS rows_number,
       CASE WHEN p.prosupport <> 0 THEN p.prosupport::regproc::text END AS support, p.proconfig AS config,
       p.prosrc AS source, p.probin AS library, /*SQLBODY*/ AS sql_body,
       o.rolname::text AS owner, d.description AS comment,
       CASE WHEN p.proacl IS NOT NULL THEN (
           SELECT coalesce(jsonb_agg(jsonb_build_array(e.grantee, e.grantor, e.privileges) ORDER BY e.grantee, e.grantor), '[]')
           FROM (
               SELECT CASE WHEN x.grantee = 0 THEN 'public' WHEN x.grantee = p.proowner THEN 'pg_object_owner' ELSE g.rolname END AS grantee,
                      CASE WHEN x.grantor = p.proowner THEN 'pg_object_owner' ELSE b.rolname END AS grantor,
                      string_agg(x.privilege_type || CASE WHEN x.is_grantable THEN '*' ELSE '' END, ',') AS privileges
               FROM pg_catalog.aclexplode(p.proacl) x
               LEFT JOIN pg_catalog.pg_roles g ON g.oid = x.grantee
               JOIN pg_catalog.pg_roles b ON b.oid = x.grantor
               WHERE x.grantee = 0 OR g.oid IS NOT NULL
               GROUP BY 1, 2) e)::text END AS acl
FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
JOIN pg_catalog.pg_roles o ON o.oid = p.proowner
LEFT JOIN pg_catalog.pg_description d ON d.classoid = 'pg_catalog.pg_proc'::regclass AND d.objoid = p.oid AND d.objsubid = 0
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e
                  WHERE e.classid = 'pg_catalog.pg_proc'::regclass AND e.objid = p.oid AND e.deptype IN ('e', 'i'))
ORDER BY n.nspname, p.proname, p.proargtypes::text
