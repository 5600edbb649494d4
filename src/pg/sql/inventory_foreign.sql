-- Foreign data wrappers, servers and user mappings. Options may contain passwords: they are replaced by their sha256.
WITH secret AS (SELECT '(secret|token|key|password|passwd|credential|jwt)'::text AS pattern)
SELECT 'FOREIGN DATA WRAPPER'::text, NULL::text, quote_ident(w.fdwname),
       concat_ws(' ', 'HANDLER ' || nullif(w.fdwhandler::oid, 0)::regprocedure::text,
           'VALIDATOR ' || nullif(w.fdwvalidator::oid, 0)::regprocedure::text,
           'OPTIONS sha256:' || encode(sha256(convert_to((SELECT string_agg(o, ',' ORDER BY o) FROM unnest(w.fdwoptions) o), 'UTF8')), 'hex')),
       r.rolname::text, e.extname::text, 'pg_foreign_data_wrapper'::regclass::oid, w.oid, 0
FROM pg_foreign_data_wrapper w
LEFT JOIN pg_roles r ON r.oid = w.fdwowner
LEFT JOIN pg_depend x ON x.classid = 'pg_foreign_data_wrapper'::regclass AND x.objid = w.oid AND x.deptype = 'e' AND x.refclassid = 'pg_extension'::regclass
LEFT JOIN pg_extension e ON e.oid = x.refobjid
UNION ALL
SELECT 'SERVER', NULL, quote_ident(s.srvname),
       concat_ws(' ', 'TYPE ' || quote_literal(s.srvtype), 'VERSION ' || quote_literal(s.srvversion),
           'FOREIGN DATA WRAPPER ' || quote_ident(w.fdwname),
           (SELECT 'OPTIONS (' || string_agg(CASE WHEN o ~* ('^[^=]*' || secret.pattern)
                       THEN split_part(o, '=', 1) || '=sha256:' || encode(sha256(convert_to(o, 'UTF8')), 'hex') ELSE o END,
                       ', ' ORDER BY o) || ')'
            FROM unnest(s.srvoptions) o)),
       r.rolname, e.extname, 'pg_foreign_server'::regclass::oid, s.oid, 0
FROM secret, pg_foreign_server s
JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
LEFT JOIN pg_roles r ON r.oid = s.srvowner
LEFT JOIN pg_depend x ON x.classid = 'pg_foreign_server'::regclass AND x.objid = s.oid AND x.deptype = 'e' AND x.refclassid = 'pg_extension'::regclass
LEFT JOIN pg_extension e ON e.oid = x.refobjid
UNION ALL
SELECT 'USER MAPPING', NULL, format('%s on server %I', CASE WHEN m.umuser = 0 THEN 'public' ELSE quote_ident(m.usename) END, m.srvname),
       CASE WHEN m.umoptions IS NULL THEN 'OPTIONS none, or not readable'
            ELSE 'OPTIONS sha256:' || encode(sha256(convert_to((SELECT string_agg(o, ',' ORDER BY o) FROM unnest(m.umoptions) o), 'UTF8')), 'hex') END,
       NULL, NULL, 'pg_user_mapping'::regclass::oid, m.umid, 0
FROM pg_user_mappings m
